import { backoff } from "./backoff.ts";
import type { Session } from "./session.ts";
import { join } from "./surroundings.ts";

declare const SCRIP_VERSION: string;
/** Of the second script: whoever pins the first has pinned both. */
declare const SCRIP_LATER_INTEGRITY: string;

const TAGS = ["scrip-top-up", "scrip-recharge", "scrip-dashboard"];

/** What the second script exports: it takes what the first has, and registers its elements. */
interface Second {
  default(first: object): void;
}

/** A preload verifies what it loads, and an import takes what was preloaded: so nothing runs that has another hash. */
async function bring(url: string, first: object): Promise<void> {
  const link = document.createElement("link");
  if (link.relList.supports("modulepreload")) {
    await new Promise((onload, onerror) => {
      Object.assign(link, {
        rel: "modulepreload",
        crossOrigin: "",
        integrity: SCRIP_LATER_INTEGRITY,
        href: url,
        onload,
        onerror,
      });
      document.head.append(link);
    });
  }
  const second: Second = await import(url);
  second.default(first);
}

/**
 * Elements that most pages do without come as a second script, from the folder of this version, once there is one of
 * them. Returns what brings them in any case: in a shadow root of the page's own nobody sees them.
 */
export function whenNeeded(first: object): () => void {
  let tries = 0;
  let isLoading = false;
  const load = (): void => {
    const provider = document.querySelector<HTMLElement & { scripSession?: Session }>("scrip-provider");
    const baseUrl = provider?.scripSession?.baseUrl;
    if (baseUrl === undefined || isLoading || customElements.get(TAGS[0] as string)) return;
    isLoading = true;
    // Another address for another try: what failed once, some browsers remember.
    bring(`${baseUrl}/embed/${SCRIP_VERSION}/buying.js${tries ? `?${tries}` : ""}`, first).catch(() => {
      isLoading = false;
      setTimeout(load, backoff(tries++));
    });
  };
  const follow = (): void => {
    if (TAGS.some((tag) => document.getElementsByTagName(tag)[0])) load();
  };
  if (globalThis.document) {
    join({ follow });
    new MutationObserver(follow).observe(document, { childList: true, subtree: true });
  }
  return load;
}
