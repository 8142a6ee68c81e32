import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { settle } from "../../frontend_embed/testing/harness.ts";
import { type TokenAnswer, type TokenReason, Tokens } from "./tokens.ts";

const fake = new FakeScrip();
let asked: TokenReason[] = [];
let renewed: boolean[] = [];
let answer: () => TokenAnswer | Promise<TokenAnswer>;
let tokens: Tokens;
let isHidden = false;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  isHidden = false;
  asked = [];
  renewed = [];
  answer = () => fake.mint({ life_s: 600 });
  tokens = new Tokens(({ reason }) => {
    asked.push(reason);
    return answer();
  });
  tokens.onRenewed = (isOther) => renewed.push(isOther);
});

afterEach(() => {
  tokens.close();
  vi.useRealTimers();
  Reflect.deleteProperty(document, "hidden");
});

describe("a customer's token", () => {
  it("is fetched once, however many ask", async () => {
    const all = await Promise.all([tokens.get(), tokens.get(), tokens.get()]);
    expect(new Set(all).size).toBe(1);
    expect(asked).toEqual(["initial"]);
  });

  it("is renewed at 80% of its life, give or take a tenth", async () => {
    for (const chance of [0, 0.5, 0.999]) {
      vi.spyOn(Math, "random").mockReturnValue(chance);
      asked = [];
      tokens.acceptToken(fake.mint({ life_s: 600 }));
      const due_ms = 600_000 * (0.72 + 0.16 * chance);
      await vi.advanceTimersByTimeAsync(due_ms - 10);
      expect(asked).toEqual([]);
      await vi.advanceTimersByTimeAsync(20);
      expect(asked).toEqual(["expiring"]);
    }
  });

  it("lives as long as it says itself, also where this machine's clock is wrong", async () => {
    tokens.acceptToken(fake.mint({ life_s: 600, age_s: 86_400 }), "1999-01-01T00:00:00Z");
    await tokens.get();
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(540_000);
    expect(asked).toEqual(["expiring"]);
  });

  it("may be opaque, with its end beside it", async () => {
    answer = () => ({ token: "opaque", expiresAt: new Date(Date.now() + 100_000).toISOString() });
    expect(await tokens.get()).toBe("opaque");
    await vi.advanceTimersByTimeAsync(71_000);
    expect(asked).toEqual(["initial"]);
    await vi.advanceTimersByTimeAsync(18_000);
    expect(asked).toEqual(["initial", "expiring"]);
  });

  it("may be opaque without any end: then only a refusal renews it", async () => {
    answer = () => "opaque";
    await tokens.get();
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(asked).toEqual(["initial"]);
    answer = () => "another";
    expect(await tokens.get("opaque")).toBe("another");
    expect(asked).toEqual(["initial", "rejected"]);
  });

  it("is not asked for again when somebody else has replaced the refused one", async () => {
    const first = await tokens.get();
    const second = await tokens.get(first);
    expect(await tokens.get(first)).toBe(second);
    expect(asked).toEqual(["initial", "rejected"]);
  });

  it("runs out in a hidden tab, and is renewed when somebody looks", async () => {
    await tokens.get();
    isHidden = true;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(asked).toEqual(["initial"]);
    isHidden = false;
    tokens.wake();
    await settle();
    expect(asked).toEqual(["initial", "expiring"]);
    expect(renewed).toEqual([false]);
  });

  it("is asked for again and again, at most a minute apart, while the host's source fails", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    await tokens.get();
    answer = () => {
      throw new Error("backend down");
    };
    await vi.advanceTimersByTimeAsync(540_000);
    const early = asked.length;
    expect(early).toBeGreaterThan(1);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(asked.length - early).toBeGreaterThanOrEqual(9);
    expect(asked.length - early).toBeLessThanOrEqual(20);
    answer = () => fake.mint();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(renewed).toEqual([false]);
  });

  it("tells when it is another customer's", async () => {
    await tokens.get();
    tokens.acceptToken(fake.mint({ customer: "acme" }));
    tokens.acceptToken(fake.mint({ customer: "globex" }));
    expect(renewed).toEqual([false, true]);
  });

  it.each([
    ["a source that throws", () => Promise.reject(new Error("no session")), /no session/],
    ["an answer without a token", () => ({}) as TokenAnswer, /no token/],
  ])("fails with TOKEN for %s", async (_, source, message) => {
    answer = source;
    await expect(tokens.get()).rejects.toMatchObject({ code: "TOKEN", retryable: true, message });
    answer = () => "fine";
    expect(await tokens.get()).toBe("fine");
  });

  it("stays in memory", async () => {
    const token = await tokens.get();
    const kept = [
      ...Object.values({ ...localStorage }),
      ...Object.values({ ...sessionStorage }),
      document.cookie,
      location.href,
    ];
    expect(kept.join()).not.toContain(token);
  });
});
