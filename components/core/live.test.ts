import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeBalance, FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import {
  type MountedWithTokens,
  mount,
  mountWithTokens,
  settle,
  unmountAll,
} from "../../frontend_embed/testing/harness.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineProvider } from "../provider/provider.ts";

defineProvider();
defineBalance();

let isHidden = false;
const seen = (hidden: boolean): void => {
  isHidden = hidden;
  document.dispatchEvent(new Event("visibilitychange"));
};
const pass = (time_ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(time_ms).then(settle);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  isHidden = false;
});

afterEach(async () => {
  await unmountAll();
  vi.restoreAllMocks();
  vi.useRealTimers();
  Reflect.deleteProperty(document, "hidden");
});

/** With a token that lives so long, fetched and in use. */
async function withTokens(life_s?: number): Promise<MountedWithTokens> {
  const mounted = await mountWithTokens(life_s);
  await pass(60);
  return mounted;
}

describe("a lost connection", () => {
  it("comes back by itself, with the present state", async () => {
    const { fake, balance } = await withTokens();
    fake.closeAll(1006);
    fake.set("ai", { available: "1200" });
    await pass(1_000);
    expect(balance.value).toBe("1,200");
    expect(fake.peers.size).toBe(1);
  });

  it("is retried without limit, with full jitter up to 30 s", async () => {
    const delays: number[] = [];
    const { fake } = await withTokens();
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((act: () => void, delay_ms: number) => {
      if (act.toString().includes("#open")) delays.push(delay_ms);
      return real(act, delay_ms);
    }) as typeof setTimeout);
    fake.letsSocketsThrough = false;
    fake.closeAll(1006);
    await pass(3_600_000);
    expect(delays.length).toBeGreaterThan(200);
    delays.slice(0, 5).forEach((delay_ms, n) => {
      expect(delay_ms).toBeLessThan(1000 * 2 ** n);
    });
    const late = delays.slice(10);
    expect(Math.max(...late)).toBeGreaterThan(25_000);
    expect(Math.max(...late)).toBeLessThanOrEqual(30_000);
    expect(Math.min(...late)).toBeLessThan(5_000);
    fake.letsSocketsThrough = true;
    await pass(30_000);
    expect(fake.peers.size).toBe(1);
  });

  it("is found out by a ping after 20 s of silence and given up after 40", async () => {
    const { fake } = await withTokens();
    fake.isMute = true;
    await pass(19_000);
    expect(fake.frames.some(({ type }) => type === "ping")).toBe(false);
    await pass(2_000);
    expect(fake.frames.at(-1)?.type).toBe("ping");
    expect(fake.peers.size).toBe(1);
    fake.isMute = false;
    await pass(21_000);
    expect(fake.frames.filter(({ type }) => type === "connection_init").length).toBe(2);
  });

  it("answers the server's pings", async () => {
    const { fake } = await withTokens();
    for (const { wire } of fake.peers) wire.send('{"type":"ping"}');
    await settle();
    expect(fake.frames.at(-1)?.type).toBe("pong");
  });

  it.each([4400, 4406, 4409, 4429])("closed with %i for a fault of ours stops and says so", async (code) => {
    const { fake, balance, events } = await withTokens();
    fake.closeAll(code);
    await pass(120_000);
    expect(fake.peers.size).toBe(0);
    expect(events.at(-1)).toMatchObject({ type: "scrip-error", detail: { code: "PROTOCOL", retryable: false } });
    expect(balance.value).toBe("1,500");
    expect(balance.part("stale")).not.toBeNull();
    expect(balance.part("retry")).toBeNull();
  });

  it("is tried at once when the network is back", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const { fake, balance } = await withTokens();
    fake.isUp = false;
    fake.closeAll(1006);
    dispatchEvent(new Event("offline"));
    await pass(120_000);
    expect(balance.text("stale")).toContain("Offline");
    fake.isUp = true;
    fake.set("ai", { available: "3" });
    dispatchEvent(new Event("online"));
    await settle();
    expect(balance.value).toBe("3");
    expect(balance.part("stale")).toBeNull();
    expect(fake.peers.size).toBe(1);
  });

  it("in a network that lets no socket through, HTTP keeps the number fresh", async () => {
    const { fake, balance, events } = await withTokens();
    fake.letsSocketsThrough = false;
    fake.closeAll(1006);
    fake.set("ai", { available: "42" });
    await pass(70_000);
    expect(balance.value).toBe("42");
    expect(balance.part("stale")).toBeNull();
    expect(events.some(({ type }) => type === "scrip-error")).toBe(false);
  });

  it("of one subscription that was refused, with a failure that passes, is made up for", async () => {
    const fake = new FakeScrip();
    fake.subscriptionFaults.push({ message: "try later", extensions: { code: "UNAVAILABLE" } });
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { balance } = await mount({ fake });
    fake.set("ai", { available: "4" });
    await settle();
    expect(balance.value).toBe("1,500");
    await pass(1_000);
    expect(balance.value).toBe("4");
    fake.set("ai", { available: "5" });
    await settle();
    expect(balance.value).toBe("5");
  });

  it("of a subscription that is forbidden is not asked for again", async () => {
    const fake = new FakeScrip();
    fake.subscriptionFaults.push({ message: "no scope", extensions: { code: "FORBIDDEN" } });
    await mount({ fake });
    await pass(120_000);
    expect(fake.frames.filter(({ type }) => type === "subscribe").length).toBe(1);
  });
});

describe("a hidden tab", () => {
  it("neither renews nor reconnects, and does both at once when somebody looks", async () => {
    const { fake, balance, asked, given } = await withTokens(100);
    seen(true);
    await pass(100_000);
    fake.expire(given[0] ?? "");
    fake.set("ai", { available: "8" });
    await pass(3_600_000);
    expect(asked).toEqual(["initial"]);
    expect(fake.peers.size).toBe(0);
    seen(false);
    await settle();
    expect(asked.length).toBe(2);
    expect(balance.value).toBe("8");
    expect(fake.peers.size).toBe(1);
  });

  it("finds out within 5 s that its socket died in its sleep", async () => {
    const { fake } = await withTokens();
    seen(true);
    fake.isMute = true;
    seen(false);
    await settle();
    fake.isMute = false;
    await pass(6_100);
    expect(fake.frames.filter(({ type }) => type === "connection_init").length).toBe(2);
  });
});

describe("another customer", () => {
  it("never sees what the first one had, also where its versions are lower", async () => {
    const { fake, provider, balance } = await withTokens();
    expect(balance.value).toBe("1,500");
    fake.balances.set("ai", { ...(fake.balances.get("ai") as FakeBalance), available: "3", version: 1 });
    provider.setAttribute("token", fake.mint({ customer: "globex" }));
    expect(await settle().then(() => balance.value)).toBe("3");
    expect(fake.peers.size).toBe(1);
  });
});
