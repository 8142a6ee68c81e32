/** The nearest of an element and its ancestors that matches, through shadow roots. */
export function nearest<E extends Element = HTMLElement>(start: Element, selector: string): E | undefined {
  const found = start.closest<E>(selector);
  if (found) return found;
  const { host } = start.getRootNode() as ShadowRoot;
  return host && nearest(host, selector);
}

/** Elements that want to know when their provider, language or direction changes. */
interface Follower {
  follow(): void;
}
const followers = new Set<Follower>();
export const surroundingsChanged = (): void => {
  for (const follower of followers) follower.follow();
};
let observer: MutationObserver | undefined;

export function join(follower: Follower): void {
  followers.add(follower);
  observer ??= new MutationObserver(surroundingsChanged);
  // Observing the same root again changes nothing.
  observer.observe(document, { subtree: true, attributeFilter: ["lang", "dir"] });
}

export const leave = (follower: Follower): unknown => followers.delete(follower);
