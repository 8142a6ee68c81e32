import axe from "axe-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commands } from "vitest/browser";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineBalance } from "./balance.ts";

defineProvider();
defineBalance();

afterEach(async () => {
  await unmountAll();
  document.body.replaceChildren();
});

const withBalance = (change: Parameters<FakeScrip["set"]>[1]): FakeScrip => {
  const fake = new FakeScrip();
  fake.set("ai", change);
  return fake;
};

const unreachable = (): FakeScrip => {
  const fake = new FakeScrip();
  fake.isUp = false;
  return fake;
};

describe("accessibility", () => {
  const states: Record<string, () => ReturnType<typeof mount>> = {
    full: () =>
      mount({
        fake: withBalance({
          held: "120",
          buckets: [1, 2, 3, 4].map((n) => ({ amount: "100", expiresAt: `2027-02-0${n}T12:00:00.000000Z` })),
        }),
        attributes: "show-held low=9999",
      }),
    compact: () => mount({ attributes: "compact low=9999" }),
    empty: () => mount({ fake: withBalance({ version: 0, available: "0", buckets: [] }) }),
    loading: () => mount({ session: "" }),
    failed: () => mount({ fake: unreachable() }),
    stale: async () => {
      const mounted = await mount();
      mounted.fake.isUp = false;
      dispatchEvent(new Event("offline"));
      await settle();
      return mounted;
    },
  };
  type Scheme = Parameters<typeof commands.emulateMedia>[0] & { direction?: string };
  const schemes: Record<string, Scheme> = {
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    "forced colours": { forcedColors: "active" },
    "right to left": { colorScheme: "light", direction: "rtl" },
  };

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
      const { violations } = await axe.run(document.body, { rules: { region: { enabled: false } } });
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary)}`),
      ).toEqual([]);
    });
  }

  it("is a group with the name of the credit type, and a heading of the level that the page says", async () => {
    const { balance } = await mount({ attributes: "heading-level=2" });
    expect(balance.part("heading")?.ariaLevel).toBe("2");
    expect(balance.part("card")?.role).toBe("group");
    const heading = balance.part("heading")?.firstElementChild?.textContent;
    expect(heading).toBe("AI credits");
    balance.element.removeAttribute("heading-level");
    await settle();
    expect(balance.part("heading")?.ariaLevel).toBe("3");
  });
});
