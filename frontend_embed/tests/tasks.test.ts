/** What the built bundle does in which task of a page, without measuring how long: a slow telephone feels each of them. */
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { VERSION } from "../build_steps/bundle.mjs";
import { launchOptions } from "../testing/chromium.mjs";
import { serve } from "../testing/serve.mjs";

type Log = { task: number; does: string; what: string }[];

let browser: Browser;
let host: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  browser = await chromium.launch(launchOptions());
  host = await serve();
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
});
beforeEach(() => {
  host.fake.requests.length = 0;
  host.fake.entries = [];
  host.fake.book({ balanceAfter: "1500" });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** Notes what happens in the page, and in which task. Every look at the clock finds that much time has passed. */
function record(step_ms: number): void {
  const log: Log = [];
  let task = 0;
  let isNoted = false;
  const { port1, port2 } = new MessageChannel();
  const note = (does: string, what: string): void => {
    if (!isNoted) {
      isNoted = true;
      task++;
      port2.postMessage(0);
    }
    log.push({ task, does, what });
  };
  const onmessage = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  Object.defineProperty(MessagePort.prototype, "onmessage", {
    set(listener: (event: MessageEvent) => void) {
      onmessage?.set?.call(this, (event: MessageEvent) => {
        isNoted = false;
        listener(event);
      });
    },
  });
  port1.onmessage = () => {};
  const { attachShadow } = Element.prototype;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    note("make", this.localName);
    new MutationObserver(() => note("draw", this.localName)).observe(root, { subtree: true, childList: true });
    return root;
  };
  const noting = <T extends object>(made: T, does: string, name: string): T =>
    new Proxy(made, {
      construct(target, args) {
        note(does, name);
        return Reflect.construct(target as never, args);
      },
    });
  const { fetch } = globalThis;
  let now_ms = 0;
  performance.now = () => {
    now_ms += step_ms;
    return now_ms;
  };
  Object.assign(Intl, {
    NumberFormat: noting(Intl.NumberFormat, "format", "numbers"),
    DateTimeFormat: noting(Intl.DateTimeFormat, "format", "days"),
  });
  Object.assign(globalThis, {
    log,
    CSSStyleSheet: noting(CSSStyleSheet, "style", ""),
    fetch(...args: Parameters<typeof fetch>) {
      note("ask", `${args[0]}`);
      return fetch(...args);
    },
  });
}

const SCRIPT = '<script type="module" src="/embed/v1.js"></script>';

/** A page that has these elements when the script comes. */
async function open(
  elements: string[],
  prepare?: (page: Page) => Promise<void>,
  { script = SCRIPT, step_ms = 1_000 } = {},
): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.addInitScript(record, step_ms);
  await prepare?.(page);
  const inside = elements
    .map((name) => `<scrip-${name} credit-type="ai" feature="images"><b slot="allowed">Generate</b></scrip-${name}>`)
    .join("");
  const provider = elements.length
    ? `<scrip-provider endpoint="/" token="${host.fake.mint()}">${inside}</scrip-provider>`
    : "";
  await page.route("**/page", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><html lang="en"><link rel="icon" href="data:,">${script}${provider}`,
    }),
  );
  await page.goto(`${host.origin}/page`);
  return page;
}
const logOf = (page: Page): Promise<Log> => page.evaluate("log");
const first = (log: Log, does: string): number => log.findIndex((each) => each.does === does);
const ALL = ["balance", "expirations", "runway", "usage", "ledger", "gate"];

it("defines all, and makes nothing that the page has not", async () => {
  const page = await open([]);
  await page.waitForFunction(() => customElements.get("scrip-gate"));
  expect(await page.evaluate((all) => all.filter((name) => !customElements.get(`scrip-${name}`)), ALL)).toEqual([]);
  await page.waitForTimeout(100);
  expect(await logOf(page)).toEqual([]);
});

it("asks before it draws, and draws in the task that ends the room kept by the page", async () => {
  const page = await open(["balance"]);
  await page.locator("scrip-balance data").waitFor();
  const log = await logOf(page);
  const [made, asked, drawn] = ["make", "ask", "draw"].map((does) => first(log, does)) as [number, number, number];
  expect(made).toBeLessThan(asked);
  expect(asked).toBeLessThan(drawn);
  expect(log[drawn]?.task).toBe(log[made]?.task);
});

it("has the first formatters made while the answer is on its way, in tasks of their own", async () => {
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const page = await open(["balance"], async (page) => {
    await page.routeWebSocket(/graphql/, () => {});
    await page.route("**/graphql", async (route) => {
      await asked;
      await route.continue();
    });
  });
  await page.waitForFunction("log.filter(({ does }) => does === 'format').length >= 2");
  expect(await page.locator("scrip-balance data").count()).toBe(0);
  answer();
  await page.locator("scrip-balance data").waitFor();
  const log = await logOf(page);
  const drawn = new Set(log.filter(({ does }) => does === "draw").map(({ task }) => task));
  for (const what of ["numbers", "days"]) {
    const { task } = log.find((each) => each.does === "format" && each.what === what) as Log[0];
    expect(log.filter((each) => each.task === task)).toHaveLength(1);
    expect(drawn).not.toContain(task);
  }
});

it("draws no two elements in one task, neither their places nor their data", async () => {
  const page = await open(ALL);
  const there = ["balance data", "expirations [part=item]", "runway time", "usage [part=bar]", "ledger [part=row]"];
  for (const shown of [...there, "gate > b"]) await page.locator(`scrip-${shown}`).first().waitFor();
  const tasks = new Map<number, Set<string>>();
  const log = await logOf(page);
  for (const { task, does, what } of log)
    if (does === "draw") tasks.set(task, (tasks.get(task) ?? new Set()).add(what));
  expect([...tasks.values()].filter((drawn) => drawn.size > 1)).toEqual([]);
  for (const name of ALL) {
    const own = log.filter(({ what }) => what === `scrip-${name}`);
    expect(own.find(({ does }) => does === "draw")?.task).toBe(own.find(({ does }) => does === "make")?.task);
  }
});

it("defines each name in a task of its own, however fast it is", async () => {
  const page = await open(ALL, undefined, { step_ms: 0 });
  await page.locator("scrip-usage [part=bar]").first().waitFor();
  const made = (await logOf(page)).filter(({ does }) => does === "make");
  expect(new Set(made.map(({ task }) => task)).size).toBe(ALL.length);
});

it("what the first element asks waits for none of the others, and they ask together", async () => {
  const requests: string[] = []; // as they leave the page: on two connections the second may be read first
  const page = await open(ALL, async (page) => {
    page.on("request", (request) => request.url().endsWith("/graphql") && requests.push(`${request.postData()}`));
  });
  await page.locator("scrip-ledger [part=row]").first().waitFor();
  await page.locator("scrip-usage [part=bar]").first().waitFor();
  const log = await logOf(page);
  expect(log.slice(0, first(log, "ask")).filter(({ does }) => does === "make")).toEqual([
    { task: 1, does: "make", what: "scrip-balance" },
  ]);
  const [own, others] = requests;
  expect(own?.match(/r\d:/g)).toEqual(["r0:"]);
  for (const asked of ["expirations(", "runway(", "usage(", "ledger(", "check("]) expect(others).toContain(asked);
});

it("two copies of the script that come together leave all names to the first, also those that wait", async () => {
  const other = `<script defer src="/embed/${VERSION}/embed.iife.js"></script>`;
  const page = await open(ALL, undefined, { script: other + SCRIPT });
  await page.locator("scrip-ledger [part=row]").first().waitFor();
  const copies = await page.evaluate(
    (all) =>
      all.map((name) => {
        const { Scrip } = globalThis as unknown as { Scrip: Record<string, unknown> };
        return Object.values(Scrip).includes(customElements.get(`scrip-${name}`));
      }),
    ALL,
  );
  expect(new Set(copies)).toEqual(new Set([true]));
});

it("an element that cannot be drawn holds up none of those that wait", async () => {
  host.fake.runway.runsOutAt = "never";
  const page = await open(ALL);
  await page.locator("scrip-ledger [part=row]").first().waitFor();
  await page.locator("scrip-usage [part=bar]").first().waitFor();
  expect(await page.locator("scrip-runway [part=basis]").count()).toBe(0);
});
