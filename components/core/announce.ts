import { sheetOf } from "./sheet.ts";

/**
 * One polite live region for the page. It stands in the light DOM, because screen readers overlook
 * regions in shadow trees, and before its text, because they announce changes only.
 */
const PAUSE_MS = 10_000;
const PAGE_CSS = "scrip-provider{display:contents}#scrip-status{position:fixed;clip-path:inset(50%)}";

let region: HTMLElement | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let last_ms = -PAUSE_MS;
const waiting = new Map<unknown, string>();

export function makeRegion(): HTMLElement {
  if (!region) {
    region = document.createElement("div");
    region.role = "status";
    region.id = "scrip-status";
    document.adoptedStyleSheets.push(sheetOf(PAGE_CSS));
  }
  // A host that replaces its body takes the region with it.
  if (!region.isConnected) document.body.append(region);
  return region;
}

/** Says the newest text of each `source`, at most every ten seconds: a burn a second is no news. */
export function announce(source: unknown, text: string, locale: string): void {
  waiting.set(source, text);
  if (timer) return;
  timer = setTimeout(
    () => {
      timer = undefined;
      last_ms = performance.now();
      makeRegion().lang = locale;
      makeRegion().textContent = [...waiting.values()].join(". ");
      waiting.clear();
    },
    last_ms + PAUSE_MS - performance.now(),
  );
}
