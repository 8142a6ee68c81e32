/** Every state of an element in every scheme, looked over by axe. */
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { commands } from "vitest/browser";
import { FakeScrip } from "./fake_scrip.ts";
import { type MountOptions, mount, settle } from "./harness.ts";

type Scheme = Parameters<typeof commands.emulateMedia>[0] & { direction?: string };
const schemes: Record<string, Scheme> = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "forced colours": { forcedColors: "active" },
  "right to left": { colorScheme: "light", direction: "rtl" },
};

export const unreachable = (): FakeScrip => {
  const fake = new FakeScrip();
  fake.isUp = false;
  return fake;
};

/** The states that all elements have. */
export const commonStates = (options: MountOptions): Record<string, () => Promise<unknown>> => ({
  loading: () => mount({ ...options, session: "" }),
  failed: () => mount({ ...options, fake: unreachable() }),
  stale: async () => {
    const { fake } = await mount(options);
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
  },
});

export async function violations(): Promise<string[]> {
  const { violations } = await axe.run(document.body, { rules: { region: { enabled: false } } });
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html}${failureSummary}`)}`,
  );
}

export function describeAccessible(states: Record<string, () => Promise<unknown>>): void {
  describe("accessibility", () => {
    beforeEach(() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(
        ":root{background:#fff;color:#1c1f26}@media(prefers-color-scheme:dark){:root{background:#14161b;color:#e9ebf0}}",
      );
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      return async () => {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
        document.documentElement.dir = "";
        await commands.emulateMedia({ colorScheme: null, forcedColors: null });
      };
    });

    for (const [scheme, { direction = "", ...media }] of Object.entries(schemes)) {
      it.each(Object.keys(states))(`has no violation in ${scheme}: %s`, async (state) => {
        await commands.emulateMedia(media);
        document.documentElement.dir = direction;
        document.documentElement.lang ||= "en";
        document.title ||= "Test";
        await states[state]?.();
        expect(await violations()).toEqual([]);
      });
    }
  });
}
