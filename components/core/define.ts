import { inTurn } from "./turns.ts";

declare const SCRIP_VERSION: string;
export const VERSION = SCRIP_VERSION;

/** A copy of the script that was here before this one. */
let first: { version?: string } | undefined;

/**
 * Registers an element, unless a second copy of the script has: the first one stays, also for the names that still wait
 * for their task, because elements of two copies don't find each other. Where there are such elements in the page, this
 * draws them, and only until then the page keeps room for them: so each name has a task of its own.
 */
export function define(tag: string, element: CustomElementConstructor): void {
  // There is no registry where pages are rendered on a server: importing does nothing there.
  const registry = globalThis.customElements;
  if (!registry) return;
  first ??= registry.get(tag) as typeof first;
  // The first drawing comes after it, in the same task.
  const register = (): unknown => {
    (element as typeof first & object).version = VERSION;
    registry.define(tag, element);
    return tag;
  };
  if (first) console.warn(`${tag} ${VERSION}: ${first.version} came first`);
  // Of what draws nothing there is nothing to divide.
  else if ((element as { css?: string }).css && document.querySelector(tag)) inTurn(register);
  else register();
}
