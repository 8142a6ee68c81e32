import { afterEach, describe, expect, it, vi } from "vitest";
import { entry } from "../../frontend_embed/testing/fake_data.ts";
import { type Mounted, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import {
  fakeTime,
  open,
  pass,
  press,
  sequences,
  tag,
  unlike,
  withEntries,
} from "../../frontend_embed/testing/ledger_page.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineLedger } from "./ledger.ts";

defineProvider();
defineLedger();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
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

  it("a page that was read a moment before its balance leaves no gap to what is pushed next", async () => {
    fakeTime();
    const fake = withEntries(5, unlike);
    fake.set("ai", { version: 6 });
    const mounted = await mount({ tag, fake, attributes: "live" });
    fake.entries.unshift(entry(6, unlike(6)));
    fake.book(unlike(7));
    await settle();
    expect(sequences(mounted).slice(0, 2)).toEqual([5, 4]);
    await pass();
    expect(sequences(mounted).slice(0, 3)).toEqual([7, 6, 5]);
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
