import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { VERSION } from "../build_steps/bundle.mjs";
import { describe as describeElements } from "../build_steps/describe.mjs";
import { launchOptions } from "../testing/chromium.mjs";
import { serve } from "../testing/serve.mjs";

const description = await describeElements();
let browser: Browser;
let host: Awaited<ReturnType<typeof serve>>;
const troubles: string[] = [];

beforeAll(async () => {
  browser = await chromium.launch(launchOptions());
  host = await serve();
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
});
beforeEach(() => {
  const buckets = [
    { amount: "500", expiresAt: "2027-01-31T12:00:00.000000Z" },
    { amount: "1000", expiresAt: null },
  ];
  host.fake.entries = [];
  host.fake.book({ balanceAfter: "1500" });
  host.fake.set("ai", { available: "1500", buckets });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  troubles.length = 0;
});

async function open(
  path: string,
  options: BrowserContextOptions = {},
  prepare?: (page: Page) => Promise<void>,
): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.on("pageerror", (error) => troubles.push(`${error}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") troubles.push(message.text());
  });
  await page.addInitScript(() => {
    Object.assign(globalThis, { violations: [], shifts: [] });
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      (globalThis as unknown as { violations: string[] }).violations.push(`${violatedDirective} ${blockedURI}`),
    );
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        (globalThis as unknown as { shifts: number[] }).shifts.push((entry as unknown as { value: number }).value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  await prepare?.(page);
  await page.goto(host.origin + path);
  return page;
}

const noIcon = async (page: Page): Promise<void> => {
  await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
};
const shown = (page: Page, nth = 1): Promise<string> =>
  page.locator("scrip-balance").nth(nth).locator("data").innerText();

describe("the built bundle in a page with the policy of the documentation", () => {
  it("works over real HTTP and a real socket, without one violation", async () => {
    const page = await open("/examples/strict-csp.html", {}, noIcon);
    expect(await shown(page)).toBe("1,500");
    const there = ["usage [part=bar]", "expirations [part=item]", "runway time", "ledger [part=row]"];
    for (const shown of [...there, "top-up [part=bundle]", "recharge [part=form]"]) {
      await page.locator(`scrip-${shown}`).first().waitFor();
    }
    host.fake.set("ai", { available: "1234.5678" });
    await page.locator("scrip-balance data", { hasText: "1,234.567" }).nth(1).waitFor();
    await page.evaluate(() => document.documentElement.setAttribute("lang", "ar"));
    await page.locator("scrip-balance [dir=rtl]").nth(1).waitFor();
    host.fake.closeAll(4403);
    host.fake.set("ai", { available: "7" });
    await page.locator("scrip-balance data", { hasText: /^7$/ }).nth(1).waitFor();
    expect(await page.evaluate("violations")).toEqual([]);
    expect(troubles).toEqual([]);
  });

  it("the policy is really in force there", async () => {
    const page = await open("/examples/strict-csp.html", {}, noIcon);
    await page.evaluate(() => {
      try {
        document.body.innerHTML = "<p>";
      } catch {}
    });
    expect(await page.evaluate("violations")).toEqual([expect.stringContaining("require-trusted-types-for")]);
  });
});

describe("a page that loses its network", () => {
  it("keeps the number, says so, and comes back by itself", async () => {
    const page = await open("/examples/plain.html", {}, noIcon);
    expect(await shown(page)).toBe("1,500");
    await page.context().setOffline(true);
    const stale = page.locator("scrip-balance").nth(1).locator("[part=stale]");
    await stale.waitFor();
    expect(await stale.textContent()).toMatch(/^Offline · updated \d+ sec\. ago/);
    expect(await shown(page)).toBe("1,500");
    host.fake.set("ai", { available: "1499" });
    await page.context().setOffline(false);
    await stale.waitFor({ state: "detached" });
    expect(await shown(page)).toBe("1,499");
  });

  it("finds its way back after the server was gone", async () => {
    const page = await open("/examples/plain.html", {}, noIcon);
    expect(await shown(page)).toBe("1,500");
    host.fake.httpAnswer = { status: 503, body: {} };
    host.fake.closeAll(1012);
    host.fake.httpAnswer = undefined;
    host.fake.set("ai", { available: "1498" });
    await page.locator("scrip-balance data", { hasText: "1,498" }).nth(1).waitFor();
  });
});

describe("the snippet", () => {
  it.each([1280, 320])("keeps everything in its place at %i px: layout shift 0", async (width) => {
    const page = await open("/examples/plain.html", { viewport: { width, height: 800 } }, async (page) => {
      await noIcon(page);
      // Everything comes late, one after the other.
      await page.route(/v1\.js|credits-token|graphql/, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await route.continue();
      });
    });
    const text = page.locator("p", { hasText: "What follows" });
    const before = await text.boundingBox();
    expect(await shown(page)).toBe("1,500");
    expect(await text.boundingBox()).toEqual(before);
    expect(await page.evaluate("shifts")).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
  });

  it.each([1280, 320])("and so does the rest of the elements at %i px", async (width) => {
    const page = await open("/examples/strict-csp.html", { viewport: { width, height: 4000 } }, async (page) => {
      await noIcon(page);
      await page.route(/v1\.js|credits-token|graphql/, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await route.continue();
      });
    });
    for (const late of ["top-up [part=bundle]", "recharge [part=form]", "gate button", "ledger [part=row]"])
      await page.locator(`scrip-${late}`).first().waitFor();
    expect(await page.evaluate("shifts")).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
  });

  it("shows its fallback where there is no script", async () => {
    const page = await open("/examples/plain.html", { javaScriptEnabled: false });
    expect(await page.getByRole("link", { name: "Billing" }).isVisible()).toBe(true);
  });

  it("is usable by keyboard alone", async () => {
    host.fake.set("ai", {
      buckets: [1, 2, 3, 4].map((n) => ({ amount: `${n}`, expiresAt: `2027-02-0${n}T12:00:00.000000Z` })),
    });
    const page = await open("/examples/plain.html", {}, noIcon);
    await page.locator("scrip-balance li").nth(1).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("scrip-balance li").nth(3).waitFor();
    expect(await page.locator("scrip-balance li").count()).toBe(4);
    expect(
      await page
        .locator("scrip-balance button:focus-visible")
        .evaluate((button) => getComputedStyle(button).outlineStyle),
    ).toBe("solid");
  });
});

const ELEMENTS = "provider balance expirations runway usage ledger gate top-up recharge dashboard".split(" ");

describe("the ways to load it", () => {
  const load = async (...scripts: { src: string; type?: string }[]): Promise<Page> => {
    const page = await open("/testing/blank.html", {}, noIcon);
    for (const script of scripts) {
      await page.evaluate(
        (attributes) => document.head.append(Object.assign(document.createElement("script"), attributes)),
        script,
      );
    }
    await page.locator("scrip-balance data").waitFor();
    return page;
  };
  const classic = { src: `/embed/${VERSION}/embed.iife.js` };

  it("as a classic script: its functions are in Scrip", async () => {
    const page = await load(classic);
    await page.evaluate(() =>
      (globalThis as never as { Scrip: { registerLocale(...args: unknown[]): void } }).Scrip.registerLocale("pt", {
        never: "{a} sem prazo",
      }),
    );
    await page.locator("scrip-balance li", { hasText: "sem prazo" }).waitFor();
    expect(troubles).toEqual([]);
  });

  it("twice, of which the first copy stays", async () => {
    await load(classic, { src: "/embed/v1.js", type: "module" });
    await expect.poll(() => troubles).toEqual(ELEMENTS.map((name) => expect.stringContaining(`scrip-${name}`)));
  });

  it("on a server that renders pages, where nothing happens", async () => {
    const { readFile } = await import("node:fs/promises");
    const source = await readFile(new URL(`../dist/${VERSION}/embed.js`, import.meta.url), "utf8");
    const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
    expect(module.version).toBe(VERSION);
  });
});

describe("the dashboard", () => {
  it("shows everything in one page", async () => {
    const page = await open("/testing/blank.html", {}, noIcon);
    await page.evaluate(() => {
      const provider = document.querySelector("scrip-provider") as HTMLElement;
      provider.innerHTML = '<scrip-dashboard credit-type="ai"></scrip-dashboard>';
      document.head.append(Object.assign(document.createElement("script"), { src: "/embed/v1.js", type: "module" }));
    });
    for (const part of ["top-up [part=bundle]", "recharge [part=form]", "usage [part=bar]", "ledger [part=row]"])
      await page.locator(`scrip-${part}`).first().waitFor();
    const handedOn = await page.locator("scrip-dashboard scrip-usage").getAttribute("exportparts");
    const own = description.modules[0]?.declarations.find(({ tagName }) => tagName === "scrip-dashboard")?.cssParts;
    expect(handedOn?.split(",")).toEqual(expect.arrayContaining((own ?? []).map(({ name }) => name)));
    expect(own?.length).toBeGreaterThan(40);
    expect(troubles).toEqual([]);
  });
});

it("every template is drawn, also the one that the build has put first", async () => {
  const page = await open("/examples/strict-csp.html", {}, noIcon);
  const attempts = page.locator("scrip-recharge [part=attempts] li");
  expect(await attempts.last().locator("bdi").textContent()).toBe("card declined");
  expect(await attempts.last().innerText()).toMatch(/Failed · card declined$/);
});

describe("a purchase", () => {
  it("opens the payment page in a tab beside it, and is told to the end", async () => {
    const page = await open("/examples/strict-csp.html", {}, noIcon);
    await page.context().route("https://pay.test/**", (route) => route.fulfill({ body: "the payment page" }));
    const tab = page.waitForEvent("popup");
    await page.locator("scrip-top-up [part=action]").first().click();
    await (await tab).waitForURL(/^https:\/\/pay\.test\/top_\d+$/);
    expect(await (await tab).evaluate(() => opener)).toBeNull();
    await page.locator("scrip-top-up [part=status] a").waitFor();
    host.fake.payments.pay();
    await page.locator("scrip-top-up [part=status]", { hasText: "500 credits added" }).waitFor();
    expect(await page.evaluate("violations")).toEqual([]);
  });
});

describe("the script", () => {
  it("has nothing that a strict policy forbids", async () => {
    const { readFile } = await import("node:fs/promises");
    const source = await readFile(new URL(`../dist/${VERSION}/embed.js`, import.meta.url), "utf8");
    for (const forbidden of [
      /\beval\(/,
      /new Function/,
      /style=/,
      /localStorage/,
      /document\.cookie/,
      /createElement\("script/,
    ]) {
      expect(source).not.toMatch(forbidden);
    }
    expect(source.match(/https?:\/\/[\w.]+/g) ?? []).toEqual([]);
  });
});
