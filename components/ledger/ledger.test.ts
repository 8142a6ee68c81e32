import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import type { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { details, open, press, sequences, tag, unlike, withEntries } from "../../frontend_embed/testing/ledger_page.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineLedger, ScripLedger } from "./ledger.ts";

defineProvider();
defineLedger();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

describe("what it shows", () => {
  it("why each entry is there, what it did, and what was left, newest first", async () => {
    const { shown } = await mount({ tag, fake: withEntries(3) });
    expect(shown.text("heading")).toBe("AI credits · Activity");
    const rows = shown.parts("row").map((row) => row.innerText.replace(/\s+/g, " "));
    expect(rows.length).toBe(3);
    expect(rows[0]).toMatch(
      /^Input tokens 374 tokens of Input tokens at 0.01 .* Dec 1\d, 2026, .* -3.74 Balance 1,570$/,
    );
    expect(rows[2]).toMatch(/^Credits added 500 credits from the plan, expiring Jan 31 .* \+500 Balance 1,590$/);
  });

  it("on demand the quantity, the rate, the credits it came from, who, and what was given back", async () => {
    const fake = withEntries(2, () => ({
      late: true,
      reversedAmount: "1.5",
      allocations: [
        {
          amount: "2",
          overdraft: false,
          grant: { source: "PLAN", amount: "500", expiresAt: "2027-01-31T12:00:00.000000Z" },
        },
        { amount: "1", overdraft: false, grant: { source: "PURCHASE", amount: "500", expiresAt: null } },
        { amount: "0.74", overdraft: true, grant: null },
      ],
    }));
    const mounted = await mount({ tag, fake });
    await open(mounted);
    expect(details(mounted)).toEqual([
      "Quantity: 374",
      "Rate: 0.01 each · default, version 2",
      "From: 2 · Plan · Jan 31",
      "From: 1 · Bought",
      "From: 0.74 · Overdraft",
      "By: Ada",
      expect.stringMatching(/^Reported: Dec 1\d, 2026/),
      "Given back: 1.5",
    ]);
    expect(mounted.events.at(-1)).toMatchObject({ type: "scrip-entry-select", detail: { id: "ent_2", sequence: 2 } });
    await open(mounted);
    expect(mounted.shown.part("details")).toBeNull();
  });

  it("no details where the page prevents them and shows its own", async () => {
    const mounted = await mount({ tag, fake: withEntries(2) });
    mounted.shown.element.addEventListener("scrip-entry-select", (event) => event.preventDefault());
    await open(mounted);
    expect(mounted.shown.part("details")).toBeNull();
  });

  it("what is held by its own amount, and kinds it has never heard of by their name", async () => {
    const fake = withEntries(3, (sequence) =>
      sequence === 3 ? { kind: "HOLD", amount: "0", heldAmount: "12" } : { kind: "NOVELTY" },
    );
    const { shown } = await mount({ tag, fake });
    const titles = [...(shown.element.shadowRoot?.querySelectorAll(".title") ?? [])].map((each) => each.textContent);
    expect(titles).toEqual(["Set aside", "NOVELTY", "Credits added"]);
    expect(shown.parts("amount")[0]?.textContent).toBe("12");
  });

  it("markup and directions in names as text (X1)", async () => {
    const evil = '\u202e<img src=x onerror="document.body.dataset.pwned=1">🙂';
    const fake = withEntries(2, () => ({
      feature: { name: evil, unit: evil },
      explanation: evil,
      member: { name: evil },
    }));
    const mounted = await mount({ tag, fake });
    await open(mounted);
    expect(mounted.shown.element.shadowRoot?.querySelector("img")).toBeNull();
    expect(mounted.shown.text("explanation")).toBe(evil);
    expect(mounted.shown.part("explanation")?.tagName).toBe("BDI");
  });

  it("in the page's language, the server's sentences as English", async () => {
    const { shown } = await mount({ tag, fake: withEntries(2), attributes: "locale=de", locales: { de } });
    expect(shown.text("heading")).toBe("AI credits · Aktivität");
    expect(shown.parts("row").at(-1)?.textContent).toContain("Guthaben erhalten");
    expect(shown.part("explanation")?.lang).toBe("en");
    const arabic = await mount({ tag, fake: withEntries(2), attributes: "locale=ar", locales: { ar } });
    expect(arabic.shown.part("card")?.dir).toBe("rtl");
  });

  it.each<[string, () => MountOptions]>([
    ["data", () => ({ fake: withEntries(60) })],
    ["loading", () => ({ session: "" })],
    ["nothing", () => ({})],
    ["an error", () => ({ fake: unreachable() })],
  ])("in the room that is kept for it: %s", async (_, options) => {
    const { shown } = await mount({ tag, ...options() });
    expect(shown.element.offsetHeight).toBe(512);
    expect((shown.part("card") as HTMLElement).offsetHeight).toBe(512);
  });

  it("nothing beyond its edge at 320 pixels", async () => {
    const mounted = await mount({ tag, fake: withEntries(5), attributes: "disputable" });
    mounted.shown.element.style.width = "288px";
    await open(mounted);
    for (const part of ["card", "table"]) {
      const box = mounted.shown.part(part) as HTMLElement;
      expect(box.scrollWidth).toBeLessThanOrEqual(box.clientWidth);
    }
  });
});

describe("long books", () => {
  it("come page by page, each entry once", async () => {
    const mounted = await mount({ tag, fake: withEntries(55, unlike), attributes: "page-size=25" });
    expect(sequences(mounted).length).toBe(25);
    await press(mounted, "Load more");
    await press(mounted, "Load more");
    expect(sequences(mounted)).toEqual([...Array.from({ length: 54 }, (_, n) => 55 - n), 0]);
    expect(mounted.shown.part("more")).toBeNull();
  });

  it("that cannot be had at the moment are said to be, and can be asked for again", async () => {
    const mounted = await mount({ tag, fake: withEntries(55), attributes: "page-size=25" });
    mounted.fake.httpAnswer = { status: 500, body: {} };
    await press(mounted, "Load more");
    expect(mounted.shown.element.shadowRoot?.querySelector("[role=alert]")?.textContent).toBe(
      "This can’t be shown right now",
    );
    mounted.fake.httpAnswer = undefined;
    await press(mounted, "Load more");
    expect(mounted.shown.parts("row").length).toBe(50);
    expect(mounted.shown.element.shadowRoot?.querySelector("[role=alert]")).toBeNull();
  });

  it("of ten thousand entries stay quick: what has not changed is not drawn again", async () => {
    const mounted = await mount({ tag, fake: withEntries(10_000), attributes: "page-size=100 live" });
    for (let n = 0; n < 99; n++) await press(mounted, "Load more");
    expect(mounted.shown.parts("row").length).toBe(10_000);
    let changes = 0;
    const observer = new MutationObserver((records) => (changes += records.length));
    observer.observe(mounted.shown.part("table") as Node, { subtree: true, childList: true, characterData: true });
    mounted.fake.book();
    await settle();
    expect(mounted.shown.parts("row").length).toBe(10_001);
    expect(changes).toBeLessThan(10);
    observer.disconnect();
  });

  it("can be narrowed to what somebody looks for, within what the page wants", async () => {
    const mounted = await mount({ tag, fake: withEntries(10), attributes: 'kinds="BURN GRANT"' });
    const select = mounted.shown.part("filter") as HTMLSelectElement;
    expect([...select.options].map(({ text }) => text)).toEqual(["Everything", "Used", "Added"]);
    select.selectedIndex = 2;
    select.dispatchEvent(new Event("change"));
    await settle();
    expect(mounted.fake.requests.at(-1)?.variables["filter0"]).toEqual({ creditType: "ai", kinds: ["GRANT"] });
    expect(mounted.shown.parts("row").length).toBe(1);
    select.selectedIndex = 0;
    select.dispatchEvent(new Event("change"));
    await settle();
    expect(mounted.shown.parts("row").length).toBe(10);
  });
});

describeAccessible({
  full: () => mount({ tag, fake: withEntries(30), attributes: "live" }),
  open: async () => {
    const fake = withEntries(5);
    fake.dispute(["ent_4"], "OPEN");
    const mounted = await mount({ tag, fake, attributes: "live disputable" });
    await open(mounted);
    await press(mounted, "This is not mine");
  },
  empty: () => mount({ tag }),
  ...commonStates({ tag, fake: withEntries(3) }),
});

const disputed = (): FakeScrip => {
  const fake = withEntries(30);
  fake.dispute(["ent_29"], "OPEN");
  return fake;
};
describeDescription(
  tag,
  ScripLedger,
  [
    () => ({ tag, session: "" }),
    () => ({ tag, fake: disputed(), attributes: "disputable" }),
    () => ({ tag }),
    () => ({ tag, fake: unreachable() }),
  ],
  async (root) => {
    root.querySelector<HTMLElement>(".title")?.click();
    await settle();
    root.querySelector<HTMLElement>("[part=details] button")?.click();
  },
);
