import { inTurn } from "./turns.ts";

declare const SCRIP_VERSION: string;
export const VERSION = SCRIP_VERSION;

/**
 * Registers an element, unless a second copy of the script has: the first one stays. Where there are such elements in
 * the page, this draws them, and only until then the page keeps room for them: so each name has a task of its own.
 */
export function define(tag: string, element: CustomElementConstructor): void {
  // There is no registry where pages are rendered on a server: importing does nothing there.
  const registry = globalThis.customElements;
  const register = (): void => {
    const taken = registry.get(tag) as { version?: string } | undefined;
    if (taken) console.warn(`${tag}: ${taken.version} was here before ${VERSION}`);
    else registry.define(tag, Object.assign(element, { version: VERSION }));
  };
  if (!registry) return;
  // Of what draws nothing there is nothing to divide.
  if ("css" in element && document.querySelector(tag)) inTurn(register);
  else register();
}
