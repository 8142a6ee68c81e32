import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { entry, granted } from "../../frontend_embed/testing/fake_data.ts";
import { type FakeEntry, FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type Mounted, type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { cell, csv } from "./csv.ts";
import { defineLedger, ScripLedger } from "./ledger.ts";

defineProvider();
defineLedger();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-ledger";
/** A customer with so many entries, the first a grant, and a balance that is as new as the last. */
function withEntries(count: number, change: (sequence: number) => Partial<FakeEntry> = () => ({})): FakeScrip {
  const fake = new FakeScrip();
  fake.entries = Array.from({ length: count }, (_, n) =>
    n === count - 1 ? granted(1) : entry(count - n, change(count - n)),
  );
  fake.set("ai", { version: count });
  return fake;
}
/** With `unlike`, amounts are the sequences; the grant at the beginning counts as 0. */
const sequences = ({ shown }: Mounted): number[] =>
  shown.parts("row").map((row) => Number(row.querySelector("[part=amount]")?.getAttribute("value")?.slice(1)));
const unlike = (sequence: number): Partial<FakeEntry> => ({ amount: `-${sequence}` });
const open = async ({ shown }: Mounted, nth = 0): Promise<void> => {
  shown.element.shadowRoot?.querySelectorAll<HTMLElement>(".title")[nth]?.click();
  await settle();
};
const details = ({ shown }: Mounted): string[] =>
  [...(shown.part("details")?.querySelectorAll("dt") ?? [])].map(
    (name) => `${name.textContent}: ${name.nextElementSibling?.textContent}`,
  );
const press = async ({ shown }: Mounted, text: string): Promise<void> => {
  const buttons = shown.element.shadowRoot?.querySelectorAll<HTMLElement>("button") ?? [];
  [...buttons].find((button) => button.textContent?.trim() === text)?.click();
  await settle();
};
/** The whole second in which reads are gathered. */
const pass = async (time_ms = 1_100): Promise<void> => {
  await settle();
  await vi.advanceTimersByTimeAsync(time_ms);
  await settle();
};
const fakeTime = (): unknown => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });

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
    select.value = "added";
    select.dispatchEvent(new Event("change"));
    await settle();
    expect(mounted.fake.requests.at(-1)?.variables["filter0"]).toEqual({ creditType: "ai", kinds: ["GRANT"] });
    expect(mounted.shown.parts("row").length).toBe(1);
    select.value = "";
    select.dispatchEvent(new Event("change"));
    await settle();
    expect(mounted.shown.parts("row").length).toBe(10);
  });
});

describe("live", () => {
  it("new entries come on top as they are booked, without another request", async () => {
    fakeTime();
    const mounted = await mount({ tag, fake: withEntries(5, unlike), attributes: "live" });
    const { fake } = mounted;
    for (let n = 0; n < 3; n++) fake.book(unlike(6 + n));
    await settle();
    expect(sequences(mounted).slice(0, 4)).toEqual([8, 7, 6, 5]);
    await pass();
    expect(fake.requests.length).toBe(1);
    expect(fake.peers.size).toBe(1);
  });

  it("each entry once, though it comes twice or late", async () => {
    fakeTime();
    const mounted = await mount({ tag, fake: withEntries(5, unlike), attributes: "live" });
    const [peer] = mounted.fake.peers;
    mounted.fake.book(unlike(6));
    await settle();
    const again = mounted.fake.entries[0];
    for (const [id, { query }] of peer?.running ?? []) {
      if (query.includes("ledgerEntryAdded"))
        for (const entry of [again, mounted.fake.entries[3], again])
          peer?.wire.send(JSON.stringify({ type: "next", id, payload: { data: { entry } } }));
    }
    await pass();
    expect(sequences(mounted)).toEqual([6, 5, 4, 3, 2, 0]);
  });

  it("a lost message does not matter: the version of the balance tells that something is missing", async () => {
    fakeTime();
    const mounted = await mount({ tag, fake: withEntries(5, unlike), attributes: "live" });
    mounted.fake.entries.unshift(entry(6, unlike(6)));
    mounted.fake.set("ai", { available: "1" });
    await pass();
    expect(sequences(mounted).slice(0, 2)).toEqual([6, 5]);
  });

  it("after more than a page was missed it begins anew, rather than leave a gap", async () => {
    fakeTime();
    const mounted = await mount({ tag, fake: withEntries(30, unlike), attributes: "live page-size=5" });
    mounted.fake.entries = withEntries(60, unlike).entries;
    mounted.fake.set("ai", { version: 60 });
    await pass();
    expect(sequences(mounted)).toEqual([60, 59, 58, 57, 56]);
    await press(mounted, "Load more");
    expect(sequences(mounted).length).toBe(10);
  });

  it("leaves out what the filter leaves out", async () => {
    fakeTime();
    const mounted = await mount({ tag, fake: withEntries(3, unlike), attributes: "live kinds=GRANT" });
    mounted.fake.book(unlike(4));
    await pass();
    expect(mounted.shown.parts("row").length).toBe(1);
    expect(mounted.fake.requests.length).toBe(1);
  });

  it("never interrupts somebody who is writing", async () => {
    const mounted = await mount({ tag, fake: withEntries(5), attributes: "live disputable" });
    await open(mounted);
    await press(mounted, "This is not mine");
    const area = mounted.shown.element.shadowRoot?.querySelector("textarea") as HTMLTextAreaElement;
    area.value = "I was away";
    area.focus();
    mounted.fake.book();
    await settle();
    expect(mounted.shown.element.shadowRoot?.activeElement).toBe(area);
    expect(area.value).toBe("I was away");
    expect(mounted.shown.parts("row").length).toBe(6);
  });

  it("is what the page asks for: without it nothing is subscribed to but the balance", async () => {
    fakeTime();
    const { fake, shown } = await mount({ tag, fake: withEntries(3) });
    fake.book();
    await pass();
    expect(shown.parts("row").length).toBe(3);
    expect(fake.frames.filter(({ type }) => type === "subscribe").length).toBe(1);
  });

  it("without a network it keeps what it has, in its place", async () => {
    const { fake, shown } = await mount({ tag, fake: withEntries(30), attributes: "live" });
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(shown.text("stale")).toMatch(/^Offline · updated/);
    expect(shown.parts("row").length).toBe(20);
    expect(shown.element.offsetHeight).toBe(512);
  });
});

describe("“this is not mine”", () => {
  const asking = async (fake = withEntries(3)): Promise<Mounted> => {
    const mounted = await mount({ tag, fake, attributes: "live disputable" });
    await open(mounted);
    await press(mounted, "This is not mine");
    const area = mounted.shown.element.shadowRoot?.querySelector("textarea") as HTMLTextAreaElement;
    area.value = "I was away";
    return mounted;
  };

  it("opens a dispute with what somebody says, once, and shows how it stands", async () => {
    const mounted = await asking();
    const form = mounted.shown.part("form") as HTMLFormElement;
    form.requestSubmit();
    form.requestSubmit();
    await settle();
    const sent = mounted.fake.requests.filter(({ query }) => query.startsWith("mutation"));
    expect(sent.map(({ variables }) => variables)).toEqual([{ entries: ["ent_3"], reason: "I was away" }]);
    expect(mounted.shown.text("dispute")).toBe("Disputed");
    expect(mounted.shown.part("form")).toBeNull();
    expect(mounted.shown.part("details")?.querySelector("button")).toBeNull();
  });

  it("moves on with the dispute, and never back", async () => {
    const mounted = await asking();
    (mounted.shown.part("form") as HTMLFormElement).requestSubmit();
    await settle();
    const before = mounted.fake.entries[0]?.dispute;
    mounted.fake.dispute(["ent_3"], "INVESTIGATING");
    await settle();
    expect(mounted.shown.text("dispute")).toBe("Being looked into");
    mounted.fake.dispute(["ent_3"], "UPHELD");
    await settle();
    expect(mounted.shown.text("dispute")).toBe("Dispute upheld");
    const [peer] = mounted.fake.peers;
    for (const [id, { query }] of peer?.running ?? []) {
      const dispute = { ...before, entries: [{ id: "ent_3" }] };
      if (query.includes("disputeUpdated"))
        peer?.wire.send(JSON.stringify({ type: "next", id, payload: { data: { dispute } } }));
    }
    await settle();
    expect(mounted.shown.text("dispute")).toBe("Dispute upheld");
  });

  it("says so when it could not be sent, keeps the words, and can be tried again", async () => {
    const mounted = await asking();
    mounted.fake.disputeAnswer = { __typename: "Conflict", code: "CONFLICT", message: "no" };
    (mounted.shown.part("form") as HTMLFormElement).requestSubmit();
    await settle();
    expect(mounted.shown.part("form")?.querySelector("[role=alert]")?.textContent).toBe("This could not be sent");
    expect(mounted.shown.element.shadowRoot?.querySelector("textarea")?.value).toBe("I was away");
    mounted.fake.disputeAnswer = undefined;
    (mounted.shown.part("form") as HTMLFormElement).requestSubmit();
    await settle();
    expect(mounted.shown.text("dispute")).toBe("Disputed");
  });

  it("can be thought better of", async () => {
    const mounted = await asking();
    await press(mounted, "Cancel");
    expect(mounted.shown.part("form")).toBeNull();
    expect(mounted.fake.requests.length).toBe(1);
  });

  it("is offered for usage alone, and only where the page wants it", async () => {
    const mounted = await mount({ tag, fake: withEntries(2), attributes: "disputable" });
    await open(mounted, 1);
    expect(mounted.shown.part("details")?.querySelector("button")).toBeNull();
    mounted.shown.element.removeAttribute("disputable");
    await open(mounted);
    expect(mounted.shown.part("details")?.querySelector("button")).toBeNull();
  });
});

describe("the file", () => {
  it.each([
    ["=1+1", "'=1+1"],
    ["+1 (555)", "'+1 (555)"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\tx", "'\tx"],
    ["\r=x", `"'\r=x"`],
    ["＝1", "'＝1"],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ["-3.74", "-3.74"],
    ["500", "500"],
    ["-", "'-"],
    ["a,b", '"a,b"'],
    ["two\nlines", '"two\nlines"'],
    [null, ""],
    [0, "0"],
  ])("holds no formula (X3): %j is written %s", (value, written) => {
    expect(cell(value)).toBe(written);
  });

  it("has a line for each entry, and begins as spreadsheets like it", () => {
    const lines = csv([entry(7, { feature: { name: "=cmd", unit: "token" } }) as never]).split("\r\n");
    expect(lines[0]).toBe(
      "\ufeffsequence,occurredAt,recordedAt,kind,amount,balanceAfter,feature.name,quantity,feature.unit,member.name,explanation,id",
    );
    expect(lines[1]).toMatch(/^7,.*,BURN,-3.74,1530,'=cmd,374,token,Ada,"374 tokens .*, from .*",ent_7$/);
    expect(lines[2]).toBe("");
  });

  it("has everything that the filter lets through, however much is on the screen", async () => {
    const blobs: Blob[] = [];
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      blobs.push(blob as Blob);
      return "blob:x";
    });
    const names: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      names.push(this.download);
    });
    const mounted = await mount({ tag, fake: withEntries(1_234) });
    await press(mounted, "Export CSV");
    await settle();
    expect(names).toEqual(["ai.csv"]);
    expect((await blobs[0]?.text())?.split("\r\n").length).toBe(1_234 + 2);
    expect(mounted.events.at(-1)).toEqual({ type: "scrip-export", detail: { creditType: "ai", kinds: null } });
  });

  it("is none where the page prevents it and makes its own", async () => {
    const mounted = await mount({ tag, fake: withEntries(3) });
    mounted.shown.element.addEventListener("scrip-export", (event) => event.preventDefault());
    await press(mounted, "Export CSV");
    expect(mounted.fake.requests.length).toBe(1);
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
