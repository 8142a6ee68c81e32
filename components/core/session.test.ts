import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import documents from "../../frontend_embed/documents.graphql?raw";
import { at, entry } from "../../frontend_embed/testing/fake_data.ts";
import { type FakeBalance, FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import {
  BalanceHarness,
  type MountedWithTokens,
  mount,
  mountWithTokens,
  settle,
  unmountAll,
} from "../../frontend_embed/testing/harness.ts";
import { install } from "../../frontend_embed/testing/install.ts";
import { defineBalance } from "../balance/balance.ts";
import { balanceTopic } from "../balance/topic.ts";
import { defineExpirations } from "../expirations/expirations.ts";
import { defineLedger } from "../ledger/ledger.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineRunway } from "../runway/runway.ts";
import { defineUsage } from "../usage/usage.ts";
import { compose, Session, type Topic } from "./session.ts";

defineProvider();
defineBalance();
defineExpirations();
defineRunway();
defineUsage();
defineLedger();

/** A document without what makes it readable; operations of one document have different names there. */
const pack = (document: string): string =>
  document
    .replace(/^#.*/gm, "")
    .replace(/[\s,]+/g, " ") // commas are for readers too
    .replace(/ ?([{}():[\]]|\.\.\.) ?/g, "$1")
    .replace(/(ScripLive)\w+/g, "$1")
    .trim();

/** A page that shows everything, in the order of `documents.graphql`. */
const ALL: Record<string, Record<string, string>> = {
  "scrip-expirations": {},
  "scrip-runway": {},
  "scrip-usage": { "group-by": "feature" },
  "scrip-ledger": { live: "", disputable: "" },
};

const pass = (time_ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(time_ms).then(settle);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});

afterEach(async () => {
  await unmountAll();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const topic = (value: string): Topic<never> => ({
  asked: "customer{balance(creditType:$creditType){version}}",
  pushed: "balance:balanceUpdated(creditType:$creditType){version}",
  args: { creditType: ["String!", value] },
  merge: ({ balance }) => balance as never,
});

/** With a token that lives so long, fetched and in use. */
async function withTokens(life_s?: number): Promise<MountedWithTokens> {
  const mounted = await mountWithTokens(life_s);
  await pass(60);
  return mounted;
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
    expect(compose(batch, ({ asked }, index) => `r${index}:${asked}`)).toEqual({
      declared: "($creditType0:String!,$creditType1:String!)",
      fields:
        "r0:customer{balance(creditType:$creditType0){version}} r1:customer{balance(creditType:$creditType1){version}}",
      variables: { creditType0: "ai", creditType1: "images" },
    });
  });

  it("stays within what the server takes, with a second request where it must", async () => {
    const fake = new FakeScrip();
    const keys = Array.from({ length: 25 }, (_, n) => `type-${n}`);
    for (const key of keys) {
      fake.set(key, { creditType: { key, name: key, unitSingular: "credit", unitPlural: "credits", scale: 0 } });
    }
    const undo = install(fake, "https://wide.test");
    const session = new Session("https://wide.test", () => fake.mint());
    const resources = keys.map((key) => session.watchTopic(balanceTopic(key), () => {}));
    await settle();
    expect(resources.map(({ data }) => data?.balance.creditType.key)).toEqual(keys);
    expect(fake.requests.length).toBe(2);
    for (const { query } of fake.requests) {
      expect(query.match(/\w+|[^\w\s,]/g)?.length).toBeLessThan(1_000);
      expect(query.match(/r\d+:/g)?.length).toBeLessThanOrEqual(20);
    }
    session.close();
    undo();
  });

  it("asks again for the rest when the server refuses a document for one part of it", async () => {
    const fake = new FakeScrip();
    const { http } = fake;
    fake.http = (authorization, body) => {
      const answer = http.call(fake, authorization, body);
      if (!body.includes("noSuchField")) return answer;
      return { status: 400, body: { errors: [{ message: "no such field", extensions: { code: "BAD_REQUEST" } }] } };
    };
    const undo = install(fake, "https://older.test");
    const session = new Session("https://older.test", () => fake.mint());
    const unknown: Topic<never> = { asked: "customer{noSuchField}", args: {}, merge: (next) => next as never };
    const [balance, wrong] = [balanceTopic("ai"), unknown].map((each) =>
      session.watchTopic(each as Topic<never>, () => {}),
    );
    await settle();
    expect((balance?.data as { balance: FakeBalance } | undefined)?.balance.available).toBe("1500");
    expect(wrong?.error?.code).toBe("BAD_REQUEST");
    session.close();
    undo();
  });

  it("shows what there is when one of its elements asks for something that is not", async () => {
    const { provider, balance, events } = await mount();
    const wrong = document.createElement("scrip-balance");
    wrong.setAttribute("credit-type", "no-such");
    provider.append(wrong);
    const other = document.createElement("scrip-balance");
    other.setAttribute("credit-type", "ai");
    provider.append(other);
    await settle();
    expect(balance.value).toBe("1,500");
    expect(new BalanceHarness(other).value).toBe("1,500");
    expect(events.filter(({ type }) => type === "scrip-error").map(({ detail }) => detail["code"])).toEqual([
      "NOT_FOUND",
    ]);
  });

  it("sends the documents that are checked against the schema, and no others", async () => {
    vi.setSystemTime(at(0)); // the server's
    const { fake, provider } = await mount({ session: "" });
    fake.entries = Array.from({ length: 30 }, (_, n) => entry(30 - n));
    for (const [tag, attributes] of Object.entries(ALL)) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries({ "credit-type": "ai", ...attributes })) {
        element.setAttribute(name, value);
      }
      provider.append(element);
    }
    provider.fetchToken = () => fake.mint();
    await pass(60);
    expect(fake.requests.length).toBe(1);
    const within = provider.querySelector("scrip-ledger")?.shadowRoot;
    for (const selector of ["[part=more]", ".title", "[part=details] button"]) {
      within?.querySelector<HTMLElement>(selector)?.click();
      await pass(0);
    }
    Object.assign(within?.querySelector("textarea") ?? {}, { value: "not mine" });
    within?.querySelector("form")?.requestSubmit();
    await pass(0);
    const subscribed = fake.frames.filter(({ type }) => type === "subscribe").map(({ payload }) => payload?.query);
    const sent = [...fake.requests.map(({ query }) => query), ...subscribed].join("\n");
    if (pack(sent) !== pack(documents)) console.log(`SENT\n${sent}\nTNES`);
    expect(pack(sent)).toBe(pack(documents));
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
    const balance: Topic<FakeBalance> = {
      ...topic("ai"),
      merge: ({ balance: next }, now) => (now && next.version <= now.version ? now : next),
    };
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
