declare const SCRIP_VERSION: string;
export const VERSION = SCRIP_VERSION;

/** Registers an element, unless a second copy of the script has: the first one stays. */
export function define(tag: string, element: CustomElementConstructor): void {
  // There is no registry where pages are rendered on a server: importing does nothing there.
  const registry = globalThis.customElements;
  const taken = registry?.get(tag) as { version?: string } | undefined;
  if (taken) console.warn(`${tag}: ${taken.version} was here before ${VERSION}`);
  else registry?.define(tag, Object.assign(element, { version: VERSION }));
}
