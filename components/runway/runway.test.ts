import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { at, daysFromNow, type FakeRunway, runway } from "../../frontend_embed/testing/fake_data.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import ja from "../locales/ja.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineRunway, ScripRunway } from "./runway.ts";

defineProvider();
defineRunway();

afterEach(async () => {
  vi.useRealTimers();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-runway";
const withRunway = (change: Partial<FakeRunway>): FakeScrip =>
  Object.assign(new FakeScrip(), { runway: { ...runway(), ...change } });
const idle = { dailyBurn: "0", runsOutAt: null, projectedExpiryLoss: "0", basis: "no usage in the last 28 days" };

describe("what it shows", () => {
  it("until when the credits last, at what rate, and what that is the mean of", async () => {
    const { shown } = await mount({ tag });
    expect(shown.text("date")).toBe("Until Feb 15");
    expect(shown.part("date")?.querySelector("time")?.getAttribute("datetime")).toBe(daysFromNow(36));
    expect(shown.text("basis")).toBe("41.5 credits a day · mean of the 12 days with usage in the last 28");
    expect(shown.text("loss")).toBe("60.25 credits likely unused");
    expect(shown.text("suggestion")).toBe("Large pack: 1,500 credits for $29.00");
  });

  it.each<[string, Partial<FakeRunway>, string]>([
    ["no end, when nothing is used", idle, "No end in sight"],
    ["an end that has come", { runsOutAt: at(0) }, "Used up"],
    ["another year by its number", { runsOutAt: daysFromNow(400) }, "Until Feb 14, 2028"],
  ])("%s", async (_, change, written) => {
    const { shown } = await mount({ tag, fake: withRunway(change) });
    expect(shown.text("date")).toBe(written);
  });

  it("no loss that would be written as nothing, and no suggestion where there is none", async () => {
    const { shown } = await mount({
      tag,
      fake: withRunway({ projectedExpiryLoss: "0.0004", suggestedBundle: null }),
    });
    expect(shown.part("loss")).toBeNull();
    expect(shown.text("suggestion")).toBe("");
  });

  it("the server's own words as English, whatever the page speaks", async () => {
    const { shown } = await mount({ tag, attributes: "locale=ja", locales: { ja } });
    expect(shown.text("date")).toBe("2月15日まで");
    expect(shown.part("basis")?.querySelector("[lang=en]")?.textContent).toMatch(/^mean of/);
  });

  it.each<[string, MountOptions]>([
    ["data", {}],
    ["loading", { session: "" }],
    ["nothing used", { fake: withRunway(idle) }],
    ["an error", { fake: unreachable() }],
  ])("in the room that is kept for it: %s", async (_, options) => {
    const { shown } = await mount({ tag, ...options });
    expect(shown.element.offsetHeight).toBe(224);
  });
});

describe("what happens", () => {
  it("it follows the balance", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, shown } = await mount({ tag });
    fake.runway = { ...runway(), runsOutAt: daysFromNow(2) };
    fake.set("ai", { available: "80" });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    expect(shown.text("date")).toBe("Until Jan 12");
    expect(shown.part("card")?.textContent).toContain("in 2 days");
  });

  it("it shares one request and one socket with the other elements of the page", async () => {
    const { fake, provider } = await mount({ tag });
    const second = document.createElement(tag);
    second.setAttribute("credit-type", "ai");
    provider.append(second);
    await settle();
    expect(fake.requests.length).toBe(1);
    expect(fake.peers.size).toBe(1);
    expect(fake.frames.filter(({ type }) => type === "subscribe").length).toBe(1);
  });

  it("without a network it keeps what it has, in its place", async () => {
    const { fake, shown } = await mount({ tag });
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(shown.text("stale")).toMatch(/^Offline · updated/);
    expect(shown.text("date")).toBe("Until Feb 15");
    expect(shown.element.offsetHeight).toBe(224);
  });
});

describeAccessible({
  full: () => mount({ tag, content: '<button slot="action">Buy</button>' }),
  empty: () => mount({ tag, fake: withRunway(idle) }),
  ...commonStates({ tag }),
});

describeDescription(tag, ScripRunway, [
  () => ({ tag, session: "" }),
  () => ({ tag }),
  () => ({ tag, fake: withRunway(idle) }),
  () => ({ tag, fake: unreachable() }),
]);
