import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { daysFromNow } from "../../frontend_embed/testing/fake_data.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineExpirations, ScripExpirations } from "./expirations.ts";

defineProvider();
defineExpirations();

afterEach(async () => {
  vi.useRealTimers();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-expirations";
const withNone = (): FakeScrip => Object.assign(new FakeScrip(), { expirations: [] });
const withMany = (): FakeScrip =>
  Object.assign(new FakeScrip(), {
    expirations: [1, 2, 3, 4, 5].map((n) => ({
      amount: `${n}00`,
      expiresAt: daysFromNow(n * 20),
      projectedLoss: "0",
      grant: { id: `g${n}`, source: "PLAN" },
    })),
  });

describe("what it shows", () => {
  it("soonest first: how many, when, where they came from, and what of them is likely unused", async () => {
    const { shown } = await mount({ tag });
    expect(shown.text("heading")).toBe("AI credits · Expiring");
    expect(shown.parts("amount").map((each) => each.textContent)).toEqual(["120.5 credits", "500 credits"]);
    expect(shown.parts("when").map((each) => each.textContent)).toEqual(["Jan 14", "Jan 31"]);
    expect(shown.parts("source").map((each) => each.textContent?.trim())).toEqual(["Promotion", "Plan"]);
    expect(shown.parts("loss").map((each) => each.textContent)).toEqual(["60.25 likely unused"]);
    expect(shown.parts("item")[0]?.textContent).toContain("in 4 days");
  });

  it("as far ahead as the page says", async () => {
    const { fake, shown } = await mount({ tag, attributes: "within=P7D" });
    expect(fake.requests[0]?.variables).toMatchObject({ within0: "P7D" });
    fake.expirations = [];
    shown.element.setAttribute("within", "P2W");
    await settle();
    expect(fake.requests.at(-1)?.variables).toMatchObject({ within0: "P2W" });
    expect(shown.part("card")?.textContent).toContain("Nothing expires soon");
  });

  it("three lines, the others one press away", async () => {
    const { shown } = await mount({ tag, fake: withMany() });
    expect(shown.parts("item").length).toBe(3);
    const height = shown.element.offsetHeight;
    shown.part("more")?.click();
    await settle();
    expect(shown.parts("item").length).toBe(5);
    expect(shown.part("more")?.ariaExpanded).toBe("true");
    expect(shown.element.offsetHeight).toBeGreaterThan(height);
  });

  it("sources it has never heard of by their own name, and markup as text (X1)", async () => {
    const fake = new FakeScrip();
    fake.expirations = [
      {
        amount: "1",
        expiresAt: daysFromNow(1),
        projectedLoss: "0",
        grant: { id: "g", source: "<img src=x onerror=alert(1)>" },
      },
    ];
    const { shown } = await mount({ tag, fake });
    expect(shown.text("source")).toBe("<img src=x onerror=alert(1)>");
    expect(shown.element.shadowRoot?.querySelector("img")).toBeNull();
  });

  it("in the page's language, right to left where that is", async () => {
    const { shown } = await mount({ tag, around: '<section lang="de">', locales: { de } });
    expect(shown.text("heading")).toBe("AI credits · Läuft ab");
    expect(shown.parts("when").map((each) => each.textContent)).toEqual(["14. Jan.", "31. Jan."]);
    const arabic = await mount({ tag, attributes: "locale=ar", locales: { ar } });
    expect(arabic.shown.part("card")?.dir).toBe("rtl");
  });

  it.each<[string, MountOptions]>([
    ["data", {}],
    ["loading", { session: "" }],
    ["nothing", { fake: withNone() }],
    ["an error", { fake: unreachable() }],
  ])("in the room that is kept for it: %s", async (_, options) => {
    const { shown } = await mount({ tag, ...options });
    expect(shown.element.offsetHeight).toBe(276);
  });

  it("nothing beyond its edge at 320 pixels", async () => {
    const { shown } = await mount({ tag, around: "<div class=narrow>" });
    (shown.element.closest(".narrow") as HTMLElement).style.width = "288px";
    expect(shown.element.offsetHeight).toBe(276);
    const card = shown.part("card") as HTMLElement;
    expect(card.scrollWidth).toBeLessThanOrEqual(card.clientWidth);
  });
});

describe("what happens", () => {
  it("scrip-expiring tells of the first, once, and again when another becomes the first", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, events } = await mount({ tag });
    const told = () => events.filter(({ type }) => type === "scrip-expiring").map(({ detail }) => detail["amount"]);
    expect(told()).toEqual(["120.5"]);
    fake.set("ai", { available: "1" });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    expect(told()).toEqual(["120.5"]);
    fake.expirations = fake.expirations.slice(1);
    fake.set("ai", { available: "0" });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    expect(told()).toEqual(["120.5", "500"]);
  });

  it("it reads anew when the balance has a newer version, at most once a second", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake } = await mount({ tag });
    expect(fake.requests.length).toBe(1);
    for (let left = 1000; left > 900; left--) fake.set("ai", { available: `${left}` });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    await vi.advanceTimersByTimeAsync(5_000);
    await settle();
    expect(fake.requests.length).toBe(2);
  });

  it("it reads anew after a new socket, because nobody knows what was missed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake } = await mount({ tag });
    await vi.advanceTimersByTimeAsync(10_000);
    fake.closeAll(1012);
    await settle();
    await vi.advanceTimersByTimeAsync(2_000);
    await settle();
    await vi.advanceTimersByTimeAsync(2_000);
    await settle();
    expect(fake.requests.length).toBe(2);
  });

  it("an older answer that comes later changes nothing", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, shown } = await mount({ tag });
    const old = fake.balances.get("ai");
    fake.set("ai", { available: "1400" });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    fake.balances.set("ai", old as never);
    fake.expirations = [];
    dispatchEvent(new Event("online"));
    await settle();
    expect(shown.parts("item").length).toBe(2);
  });

  it("without a network it keeps what it has, and says how old that is", async () => {
    const { fake, shown } = await mount({ tag });
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(shown.text("stale")).toMatch(/^Offline · updated/);
    expect(shown.parts("item").length).toBe(2);
    expect(shown.element.offsetHeight).toBe(276);
    fake.isUp = true;
    shown.part("retry")?.click();
    await settle();
    expect(shown.part("stale")).toBeNull();
  });

  it("without a credit type it says so to the developer", async () => {
    const { shown, events } = await mount({ tag });
    shown.element.removeAttribute("credit-type");
    await settle();
    expect(events.at(-1)).toMatchObject({ type: "scrip-error", detail: { code: "CONFIG", retryable: false } });
  });
});

describeAccessible({
  full: () => mount({ tag, fake: withMany() }),
  losing: () => mount({ tag }),
  empty: () => mount({ tag, fake: withNone() }),
  ...commonStates({ tag }),
});

describeDescription(tag, ScripExpirations, [
  () => ({ tag, session: "" }),
  () => ({ tag }),
  () => ({ tag, fake: withMany() }),
  () => ({ tag, fake: withNone() }),
  () => ({ tag, fake: unreachable() }),
]);
