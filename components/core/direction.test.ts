import { afterEach, describe, expect, it } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { mount, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { withEntries } from "../../frontend_embed/testing/ledger_page.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineExpirations } from "../expirations/expirations.ts";
import { defineLedger } from "../ledger/ledger.ts";
import ar from "../locales/ar.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineTopUp } from "../top-up/top-up.ts";

defineProvider();
defineBalance();
defineExpirations();
defineLedger();
defineTopUp();

afterEach(async () => {
  await unmountAll();
  document.body.replaceChildren();
});

/** The letters of a part from the left to the right, as they stand on the screen. */
function seen(part: Element | null): string {
  const letters: [number, string][] = [];
  const texts = document.createTreeWalker(part as Element, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    [...(node as Text).data].forEach((letter, index) => {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + 1);
      const { left, width } = range.getBoundingClientRect();
      if (width && letter.trim()) letters.push([left, letter]);
    });
  }
  return letters
    .sort(([a], [b]) => a - b)
    .map(([, letter]) => letter)
    .join("");
}

const inDebt = (): FakeScrip => {
  const fake = new FakeScrip();
  fake.set("ai", { available: "-41.5" });
  return fake;
};

describe.each([
  ["English words on a page from right to left", '<section lang="en" dir="rtl">'],
  ["Arabic", '<section lang="ar" dir="rtl">'],
])("amounts in %s", (_, around) => {
  const page = { around, locales: { ar } };

  it("have their sign before them", async () => {
    const debt = await mount({ ...page, fake: inDebt() });
    expect(seen(debt.balance.part("value"))).toBe("-41.5");
    const { shown } = await mount({ ...page, tag: "scrip-ledger", fake: withEntries(2) });
    expect(shown.parts("amount").map(seen)).toEqual(["-3.74", "+500"]);
  });

  it("have their unit behind them", async () => {
    const { shown } = await mount({ ...page, tag: "scrip-expirations" });
    expect(seen(shown.part("amount"))).toBe("120.5credits");
  });
});

it("a price in Arabic is read like a number", async () => {
  const { shown } = await mount({ around: '<section lang="ar">', locales: { ar }, tag: "scrip-top-up" });
  expect(seen(shown.part("price"))).toBe("10.00US$");
});
