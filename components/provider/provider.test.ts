import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { BalanceHarness, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { install } from "../../frontend_embed/testing/install.ts";
import { defineBalance } from "../balance/balance.ts";
import { define } from "../core/define.ts";
import { defineProvider } from "./provider.ts";

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const append = (html: string): BalanceHarness => {
  const template = document.createElement("template");
  template.innerHTML = html;
  document.body.append(template.content);
  return new BalanceHarness(document.querySelector("scrip-balance"));
};

// First of all, because an element can be defined only once in a page.
it("elements that stood in the page before they were defined come to life, in whatever order", async () => {
  const fake = new FakeScrip();
  const undo = install(fake, "https://early.test");
  const balance = append(
    `<scrip-provider endpoint="https://early.test/" token="${fake.mint()}"><scrip-balance credit-type="ai">fallback</scrip-balance></scrip-provider>`,
  );
  defineBalance();
  await settle();
  expect(balance.isLoading).toBe(true);
  defineProvider();
  await settle();
  expect(balance.value).toBe("1,500");
  expect(fake.requests.length).toBe(1);
  undo();
});

describe("where elements find their provider", () => {
  it("around them, through shadow roots", async () => {
    const { provider, balance } = await mount();
    const inner = document.createElement("div");
    const root = inner.attachShadow({ mode: "open" });
    provider.append(inner);
    root.append(balance.element);
    await settle();
    expect(balance.value).toBe("1,500");
  });

  it("elsewhere in the document, when none is around them", async () => {
    await mount();
    const aside = document.createElement("scrip-balance");
    aside.setAttribute("credit-type", "ai");
    document.body.append(aside);
    await settle();
    expect(new BalanceHarness(aside).value).toBe("1,500");
  });

  it("when it comes later", async () => {
    const fake = new FakeScrip();
    const undo = install(fake, "https://late.test");
    const balance = append(`<scrip-balance credit-type="ai"></scrip-balance>`);
    await settle();
    document.body.append(Object.assign(document.createElement("scrip-provider"), { fetchToken: () => fake.mint() }));
    document.querySelector("scrip-provider")?.setAttribute("endpoint", "https://late.test");
    await settle();
    expect(balance.value).toBe("1,500");
    undo();
  });

  it("and say so when there is none", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const errors: string[] = [];
    document.body.addEventListener("scrip-error", (event) => errors.push(event.detail.code), { once: true });
    const balance = append(`<scrip-balance credit-type="ai" locale="de"></scrip-balance>`);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(balance.isLoading).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    await settle();
    expect(balance.isLoading).toBe(false);
    expect(errors).toEqual(["CONFIG"]);
  });
});

describe("tokens of a page", () => {
  it("come from token-url by POST with the page's cookies, and no others", async () => {
    const fake = new FakeScrip();
    const real = globalThis.fetch;
    const calls: [string, RequestInit | undefined][] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      calls.push([`${input}`, init]);
      return `${input}` === "/billing/credits-token"
        ? Response.json({ token: fake.mint(), expiresAt: new Date(Date.now() + 600_000).toISOString() })
        : real(input, init);
    });
    const { balance } = await mount({ fake, session: 'token-url="/billing/credits-token"' });
    await settle();
    expect(balance.value).toBe("1,500");
    const [url, init] = calls[0] ?? [];
    expect(url).toBe("/billing/credits-token");
    expect(init?.method).toBe("POST");
    expect(init?.credentials).toBeUndefined(); // same-origin is what fetch does by itself
  });

  it("come from fetchToken, set before or after the element is there", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { provider, balance, fake } = await mount({ session: "" });
    expect(balance.isLoading).toBe(true);
    provider.fetchToken = () => ({ token: fake.mint() });
    await vi.advanceTimersByTimeAsync(60);
    await settle();
    expect(balance.value).toBe("1,500");
  });

  it("of which the first may be in the page already: no round trip", async () => {
    const { provider, fake, balance } = await mount();
    provider.fetchToken = () => {
      throw new Error("not needed");
    };
    expect(balance.value).toBe("1,500");
    expect(fake.requests.length).toBe(1);
  });

  it("that can't be had leave an error with retry, and the retry works", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const fake = new FakeScrip();
    let works = false;
    vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
      works ? Response.json({ token: fake.mint() }) : new Response("", { status: 500 }),
    );
    const { balance, events } = await mount({ fake, session: 'token-url="/billing/credits-token"' });
    expect(events.at(-1)).toMatchObject({ type: "scrip-error", detail: { code: "TOKEN", retryable: true } });
    expect(events.at(-1)?.detail["message"]).toContain("answered 500");
    works = true;
    balance.part("retry")?.click();
    await settle();
    expect(balance.value).toBe("1,500");
  });
});

describe("a provider", () => {
  it("takes no space", async () => {
    const { provider } = await mount();
    expect(getComputedStyle(provider).display).toBe("contents");
  });

  it("that is removed ends its session; moved, it keeps it", async () => {
    const { provider, fake, balance } = await mount();
    const main = document.createElement("main");
    document.body.append(main);
    main.append(provider);
    await settle();
    expect(fake.peers.size).toBe(1);
    expect(balance.value).toBe("1,500");
    provider.remove();
    await settle();
    expect(fake.peers.size).toBe(0);
  });

  it("with another endpoint starts over there", async () => {
    const { provider, fake, balance } = await mount();
    const other = new FakeScrip();
    other.set("ai", { available: "12" });
    const undo = install(other, "https://other.test");
    provider.setAttribute("endpoint", "https://other.test");
    await settle();
    expect(balance.value).toBe("12");
    expect(fake.peers.size).toBe(0);
    undo();
  });

  it("with the same attributes written again changes nothing", async () => {
    const { provider, fake, endpoint } = await mount();
    provider.setAttribute("endpoint", endpoint);
    await settle();
    expect(fake.requests.length).toBe(1);
    expect(fake.peers.size).toBe(1);
  });
});

it("a second copy of the script leaves the first one in place, and says so", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  define("scrip-balance", class extends HTMLElement {});
  expect(warn.mock.calls[0]?.[0]).toMatch(/scrip-balance \d+\.\d+\.\d+: \d+\.\d+\.\d+ came first/);
});
