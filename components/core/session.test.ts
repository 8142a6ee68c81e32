import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeBalance, FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { install } from "../../frontend_embed/testing/install.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineProvider } from "../provider/provider.ts";
import { compose, Session, type Topic } from "./session.ts";

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

const topic = (value: string): Topic<never> => ({
  read: "balance",
  live: "balanceUpdated",
  args: { creditType: ["String!", value] },
  selection: "{version}",
  isNewer: () => true,
});

/** A provider whose tokens come from the fake; `asked` says why each was fetched. */
async function withTokens(life_s = 600) {
  const fake = new FakeScrip();
  const asked: string[] = [];
  const given: string[] = [];
  const mounted = await mount({ fake, session: "" });
  mounted.provider.fetchToken = async ({ reason }: { reason: string }) => {
    asked.push(reason);
    const token = fake.mint({ life_s });
    given.push(token);
    return token;
  };
  await pass(60);
  return { ...mounted, asked, given };
}

describe("one page", () => {
  it("sends one request and opens one socket for all its elements", async () => {
    const fake = new FakeScrip();
    fake.set("images", {
      creditType: { key: "images", name: "Images", unitSingular: "image", unitPlural: "images", scale: 0 },
    });
    const { provider } = await mount({ fake });
    for (const type of ["ai", "images", "ai", "images"]) {
      const another = document.createElement("scrip-balance");
      another.setAttribute("credit-type", type);
      provider.append(another);
    }
    await settle();
    expect(fake.requests.length).toBe(2); // one when the page was made, one for the topic that was added later
    expect(fake.peers.size).toBe(1);
    expect(fake.frames.filter(({ type }) => type === "subscribe").length).toBe(2);
  });

  it("asks for several topics in one document", () => {
    const batch = ["ai", "images"].map((value) => ({
      topic: topic(value),
      confirmed_ms: 0,
      listeners: new Set<() => void>(),
      stop() {},
    }));
    expect(compose(batch, "read")).toEqual({
      declared: ["$creditType0:String!", "$creditType1:String!"],
      fields: "r0:balance(creditType:$creditType0){version} r1:balance(creditType:$creditType1){version}",
      variables: { creditType0: "ai", creditType1: "images" },
    });
  });

  it("carries the token in the header and the greeting, never in an address", async () => {
    const { fake, given } = await withTokens();
    expect(fake.requests[0]?.token).toBe(given[0]);
    expect(fake.frames[0]).toMatchObject({ type: "connection_init", payload: { authorization: `Bearer ${given[0]}` } });
  });

  it("lets go of the socket when the last element leaves, after a moment", async () => {
    const { fake, balance } = await withTokens();
    balance.element.remove();
    await pass(4_900);
    expect(fake.peers.size).toBe(1);
    await pass(200);
    expect(fake.peers.size).toBe(0);
  });

  it("keeps data and socket of an element that is moved", async () => {
    const { fake, provider, balance } = await withTokens();
    const aside = document.createElement("aside");
    provider.append(aside);
    aside.append(balance.element);
    await pass(60_000);
    expect(balance.value).toBe("1,500");
    expect(fake.requests.length).toBe(1);
    expect(fake.peers.size).toBe(1);
  });
});

describe("the newest state wins", () => {
  it("drops what is older by version, then by time", async () => {
    const { fake, balance } = await withTokens();
    const old = { ...fake.balances.get("ai") } as Parameters<FakeScrip["push"]>[0];
    fake.set("ai", { available: "1400" });
    await settle();
    fake.push({ ...old, available: "9999" });
    await settle();
    expect(balance.value).toBe("1,400");

    const now = fake.balances.get("ai") as typeof old;
    fake.push({ ...now, available: "900", asOf: "2027-01-31T12:00:00.000001Z" }); // an expiry has no entry yet
    await settle();
    expect(balance.value).toBe("900");
    fake.push({ ...now, available: "1400", asOf: "2027-01-31T12:00:00.000000Z" });
    await settle();
    expect(balance.value).toBe("900");
  });

  it("shows the last of a burst", async () => {
    const { fake, balance } = await withTokens();
    for (let left = 1499; left >= 1000; left--) fake.set("ai", { available: `${left}` });
    await settle();
    expect(balance.value).toBe("1,000");
  });
});

describe("a token that runs out", () => {
  it("is replaced on a second socket before the first one closes: nothing is missed", async () => {
    const { fake, balance, asked, given } = await withTokens(100);
    const sockets: number[] = [];
    const push = fake.receive.bind(fake);
    fake.receive = (peer, text) => {
      push(peer, text);
      sockets.push(fake.peers.size);
    };
    await pass(90_000);
    expect(asked).toEqual(["initial", "expiring"]);
    expect(Math.max(...sockets)).toBe(2);
    expect(fake.peers.size).toBe(1);
    expect([...fake.peers][0]?.token).toBe(given[1]);
    fake.set("ai", { available: "1" });
    await settle();
    expect(balance.value).toBe("1");
  });

  it("over ten thousand changes and many renewals loses none and repeats none", async () => {
    const fake = new FakeScrip();
    const undo = install(fake, "https://many.test");
    const session = new Session("https://many.test", () => fake.mint({ life_s: 30 }));
    const shown: number[] = [];
    const balance: Topic<FakeBalance> = { ...topic("ai"), isNewer: (next, now) => next.version > now.version };
    const resource = session.watchTopic(balance, () => {
      const { version = 0 } = resource.data ?? {};
      if (version !== shown.at(-1)) shown.push(version);
    });
    await settle();
    const first = shown.at(-1) ?? 0;
    for (let n = 1; n <= 10_000; n++) {
      fake.set("ai", {});
      await Promise.resolve(); // somewhere in the middle of whatever goes on
      if (n % 20 === 0) await pass(1_000);
    }
    await settle();
    expect(shown).toEqual(Array.from({ length: 10_001 }, (_, n) => first + n));
    expect(new Set(fake.requests.concat().map(({ token }) => token)).size).toBe(1);
    expect(fake.frames.filter(({ type }) => type === "connection_init").length).toBeGreaterThan(15);
    session.close();
    undo();
  });

  it.each([4403, 4401])("and was not renewed in time (%i) costs one reconnect with a new one", async (code) => {
    const { fake, balance, asked, given } = await withTokens();
    fake.refused.add(given[0] ?? "");
    fake.closeAll(code);
    await settle();
    expect(asked).toEqual(["initial", "rejected"]);
    fake.set("ai", { available: "7" });
    await settle();
    expect(balance.value).toBe("7");
    expect(balance.part("stale")).toBeNull();
  });

  it("is forced once on HTTP; when the new one is refused too, that is an error with retry", async () => {
    const fake = new FakeScrip();
    const asked: string[] = [];
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const { provider, balance, events } = await mount({ fake, session: "" });
    provider.fetchToken = ({ reason }: { reason: string }) => {
      asked.push(reason);
      const token = fake.mint();
      fake.refused.add(token);
      return token;
    };
    fake.letsSocketsThrough = false;
    await pass(60);
    expect(asked.slice(0, 2)).toEqual(["initial", "rejected"]);
    expect(fake.requests.length).toBe(2);
    expect(events.at(0)).toMatchObject({ type: "scrip-error", detail: { code: "UNAUTHENTICATED", retryable: true } });
    expect(balance.part("retry")).not.toBeNull();

    provider.fetchToken = () => fake.mint();
    fake.letsSocketsThrough = true;
    balance.part("retry")?.click();
    await pass(1_000);
    expect(balance.value).toBe("1,500");
  });

  it("with a server that refuses every token, asks less and less often", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { fake, asked } = await withTokens();
    const mint = fake.mint.bind(fake);
    fake.mint = (options) => {
      const token = mint(options);
      fake.refused.add(token);
      return token;
    };
    fake.refused.add([...fake.peers][0]?.token ?? "");
    fake.closeAll(4403);
    await pass(600_000);
    expect(asked.length).toBeGreaterThan(20); // never gives up
    expect(asked.length).toBeLessThan(120);
  });
});

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
