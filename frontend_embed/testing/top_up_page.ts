/** What a person does with bundles, and the tab that opens beside the page. */
import { beforeEach, vi } from "vitest";
import { type Mounted, type MountOptions, mount, settle, unmountAll } from "./harness.ts";

export const tag = "scrip-top-up";
/** Where a tab went, and whether it is still there. */
export interface Tab {
  went: string[];
  isClosed: boolean;
}
export const browser = {
  tabs: [] as Tab[],
  /** Browsers let no tab be opened that nobody asked for. */
  letsTabsOpen: true,
};

/** What a tab keeps: of each test its own, as files are tested beside each other in one tab. */
function storage(): Storage {
  const methods = {
    getItem: (key: string) => kept[key] ?? null,
    setItem: (key: string, text: string) => Object.assign(kept, { [key]: text }),
    removeItem: (key: string) => delete kept[key],
  };
  const kept: Record<string, string> = Object.create(methods);
  return kept as unknown as Storage;
}

/** In place of real tabs and of what they keep, in every test of a file. */
export const withTabs = (): void =>
  beforeEach(() => {
    browser.tabs = [];
    browser.letsTabsOpen = true;
    vi.stubGlobal("sessionStorage", storage());
    vi.spyOn(globalThis, "open").mockImplementation(() => {
      if (!browser.letsTabsOpen) return null;
      const tab: Tab = { went: [], isClosed: false };
      browser.tabs.push(tab);
      return {
        opener: globalThis,
        document: document.implementation.createHTMLDocument(),
        location: { assign: (url: string) => tab.went.push(url) },
        close: () => {
          tab.isClosed = true;
        },
      } as unknown as Window;
    });
    return () => vi.unstubAllGlobals();
  });

export const buttons = ({ shown }: Mounted): HTMLElement[] => shown.parts("action");
export const buy = async (mounted: Mounted, nth = 0): Promise<void> => {
  buttons(mounted)[nth]?.click();
  await settle();
};
export const press = async ({ shown }: Mounted, text: string): Promise<void> => {
  const all = [...(shown.element.shadowRoot?.querySelectorAll<HTMLElement>("button") ?? [])];
  all.find((button) => button.textContent?.trim() === text)?.click();
  await settle();
};
export const status = ({ shown }: Mounted): string | undefined =>
  shown.part("status")?.innerText.replace(/\s+/g, " ").trim();
export const kept = (): unknown[] => Object.values(sessionStorage).map((text) => JSON.parse(text));
export const named = ({ events }: Mounted, name: string) =>
  events.filter(({ type }) => type === `scrip-top-up-${name}`);
/** The same page, loaded anew: what is in the session of the tab stays. */
export const reload = async ({ fake }: Mounted, options: MountOptions = {}): Promise<Mounted> => {
  await unmountAll();
  return mount({ tag, fake, ...options });
};
export const starts = ({ fake }: Mounted) => fake.requests.filter(({ query }) => query.includes("startTopUp"));
