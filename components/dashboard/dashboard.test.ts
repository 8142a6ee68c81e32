import { afterEach, describe, expect, it, vi } from "vitest";
import { describeAccessible } from "../../frontend_embed/testing/accessible.ts";
import { described_as, names } from "../../frontend_embed/testing/described.ts";
import { entry } from "../../frontend_embed/testing/fake_data.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { ElementHarness, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineExpirations } from "../expirations/expirations.ts";
import { defineLedger } from "../ledger/ledger.ts";
import ar from "../locales/ar.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineRecharge } from "../recharge/recharge.ts";
import { defineRunway } from "../runway/runway.ts";
import { defineTopUp } from "../top-up/top-up.ts";
import { defineUsage } from "../usage/usage.ts";
import { defineDashboard, ScripDashboard } from "./dashboard.ts";

defineProvider();
for (const define of [defineBalance, defineRunway, defineUsage, defineTopUp, defineRecharge]) define();
for (const define of [defineExpirations, defineLedger, defineDashboard]) define();

afterEach(async () => {
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-dashboard";
const page = (attributes = "", around = "<div>") => {
  const fake = new FakeScrip();
  fake.entries = [entry(8)];
  return mount({ tag, fake, attributes, around, locales: { ar } });
};
const cards = (element: HTMLElement): HTMLElement[] => [
  ...(element.shadowRoot?.querySelectorAll<HTMLElement>("[part=grid] > *") ?? []),
];

describe("what it shows", () => {
  it("every element, of this credit type, and its own heading above them", async () => {
    const { shown } = await mount({ tag, content: '<h2 slot="heading">Billing</h2>' });
    expect(cards(shown.element).map(({ localName }) => localName)).toEqual([
      "scrip-balance",
      "scrip-runway",
      "scrip-usage",
      "scrip-top-up",
      "scrip-recharge",
      "scrip-expirations",
      "scrip-ledger",
    ]);
    for (const card of cards(shown.element)) {
      expect(card.getAttribute("credit-type")).toBe("ai");
      expect(new ElementHarness(card).isLoading).toBe(false);
    }
  });

  it("also where each of them takes a task of its own, as on a busy machine", async () => {
    let now_ms = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now_ms += 1_000));
    const content = `<${tag} credit-type="ai"></${tag}>`.repeat(4);
    const { provider } = await mount({ tag: "article", content });
    const all = [...provider.querySelectorAll<HTMLElement>(tag)].flatMap(cards);
    expect(all.length).toBe(28);
    expect(all.filter((card) => new ElementHarness(card).isLoading)).toEqual([]);
  });

  it("in one request or what the server takes of it, and one socket", async () => {
    const { fake } = await page();
    expect(fake.requests.length).toBeLessThanOrEqual(2);
    expect(fake.peers.size).toBe(1);
  });

  it("its language and its headings are those of all", async () => {
    const { shown } = await page('locale="ar" heading-level="2"');
    for (const card of cards(shown.element)) {
      const harness = new ElementHarness(card);
      expect(harness.part("card")?.dir).toBe("rtl");
      expect(harness.part("heading")?.getAttribute("aria-level")).toBe("2");
    }
    shown.element.removeAttribute("locale");
    await settle();
    for (const card of cards(shown.element)) expect(new ElementHarness(card).part("card")?.dir).toBe("ltr");
  });

  it.each([320, 800, 1200])("nothing sticks out at %i px", async (width) => {
    const { shown } = await page();
    const frame = shown.element.parentElement?.parentElement as HTMLElement;
    frame.style.width = `${width}px`;
    await settle();
    const edge = frame.getBoundingClientRect().right;
    for (const card of cards(shown.element)) {
      expect(card.getBoundingClientRect().right).toBeLessThanOrEqual(edge + 0.5);
      for (const part of card.shadowRoot?.querySelectorAll("[part~=card] *") ?? []) {
        const { right, width } = part.getBoundingClientRect();
        if (width && !part.closest("thead, table, svg, select"))
          expect(`${card.localName} ${part.outerHTML.slice(0, 80)} ${right <= edge + 0.5}`).toContain("true");
      }
    }
  });
});

it("what happens in an element is heard on the dashboard", async () => {
  const { fake, events } = await page();
  fake.set("ai", { available: "1" });
  await settle();
  expect(events.filter(({ type }) => type === "scrip-load").length).toBe(7);
  expect(events.some(({ type }) => type === "scrip-balance-change")).toBe(true);
});

it("every part of every element can be styled from outside", async () => {
  const { shown } = await page();
  const [card] = cards(shown.element);
  const exported = card?.getAttribute("exportparts")?.split(",") ?? [];
  for (const element of cards(shown.element)) {
    const parts = names(described_as(element.localName).cssParts);
    expect(parts.filter((part) => !exported.includes(part))).toEqual([]);
  }
});

describe("custom-elements.json", () => {
  it("names the attributes that are observed", () => {
    expect(names(described_as(tag).attributes)).toEqual([...ScripDashboard.observedAttributes].sort());
  });
});

describeAccessible({ full: () => page(), "in Arabic": () => page('locale="ar"') });
