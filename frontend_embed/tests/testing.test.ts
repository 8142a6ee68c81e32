/** What is published for tests of host pages: that it does what the documentation says, and carries the example host. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../build_steps/bundle.mjs";
import { launchOptions } from "../testing/chromium.mjs";
import type * as Testing from "../testing.ts";
import type { serveFakeScrip as Serve, Served } from "../testing_server.ts";

const root = new URL("../..", import.meta.url).pathname;
const published = `file://${root}frontend_embed/dist/${VERSION}`;
// As texts: what transforms this file would look for the sources.
const { fakeScrip, states } = (await import(/* @vite-ignore */ `${published}/testing.js`)) as typeof Testing;
const { serveFakeScrip } = (await import(/* @vite-ignore */ `${published}/testing_server.js`)) as {
  serveFakeScrip: typeof Serve;
};
const snippet = (name: string): Promise<string> => readFile(`${root}frontend_embed/docs/snippets/${name}`, "utf8");

let browser: Browser;
let ends: (() => unknown)[] = [];
beforeAll(async () => {
  browser = await chromium.launch(launchOptions());
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  ends = [];
});

async function served(...given: Parameters<typeof serveFakeScrip>): Promise<Served> {
  const server = await serveFakeScrip(...given);
  ends.push(server.close);
  return server;
}
async function open(url?: string, baseURL?: string): Promise<Page> {
  const context = await browser.newContext(baseURL ? { baseURL } : {});
  ends.push(() => context.close());
  const page = await context.newPage();
  if (url) await page.goto(url);
  return page;
}
/** The line that a process prints when it is ready. */
async function started(process: ChildProcess): Promise<string> {
  ends.push(() => process.kill());
  for await (const line of process.stdout ?? []) return `${line}`.trim();
  throw new Error("it ended before it was ready");
}

describe("a fake Scrip", () => {
  it("is what its options say, and what they leave out as any customer has it", () => {
    const scrip = fakeScrip({
      customer: "acme",
      balances: { ai: "0.3", images: { available: "3", held: "1", creditType: { unitPlural: "images", scale: 0 } } },
      entries: [{ amount: "-2" }, { kind: "GRANT", amount: "5" }],
      bundles: [],
      recharge: null,
      scopes: ["balance:read"],
      decision: { allowed: false, reason: { code: "LIMIT_REACHED" } },
    });
    expect(scrip.balances.get("ai")).toMatchObject({
      available: "0.3",
      held: "0",
      creditType: { key: "ai", scale: 3 },
    });
    expect(scrip.balances.get("images")).toMatchObject({
      held: "1",
      creditType: { key: "images", unitPlural: "images" },
    });
    expect(scrip.entries.map(({ sequence, kind, amount }) => [sequence, kind, amount])).toEqual([
      [2, "BURN", "-2"],
      [1, "GRANT", "5"],
    ]);
    expect([scrip.payments.bundles, scrip.payments.recharge, scrip.payments.scopes]).toEqual([
      [],
      null,
      ["balance:read"],
    ]);
    expect(scrip.decision).toMatchObject({ allowed: false, wouldBlock: true, reason: { code: "LIMIT_REACHED" } });
    expect(JSON.parse(atob(`${scrip.mint().split(".")[1]}`))).toMatchObject({ sub: "acme" });
  });

  it("has no credits in a type that nobody named", () => {
    expect([...fakeScrip({ balances: { images: "3" } }).balances.keys()]).toEqual(["images"]);
    expect([...fakeScrip().balances.keys()]).toEqual(["ai"]);
  });

  it("burns and gives exactly, in the order of the buckets", () => {
    const scrip = fakeScrip({
      balances: {
        ai: {
          available: "0.3",
          buckets: [
            { amount: "0.1", expiresAt: null },
            { amount: "0.2", expiresAt: null },
          ],
        },
      },
    });
    expect(scrip.burn("0.2")).toMatchObject({ kind: "BURN", amount: "-0.2", balanceAfter: "0.1" });
    expect(scrip.balances.get("ai")).toMatchObject({ available: "0.1", buckets: [{ amount: "0.1" }] });
    expect(scrip.grant("0.000001")).toMatchObject({ kind: "GRANT", balanceAfter: "0.100001" });
    expect(scrip.entries.length).toBe(2);
  });

  it("counts its dates from now, or from when it is told", () => {
    const [first] = fakeScrip({ now: new Date("2030-01-01T00:00:00Z") }).expirations;
    expect(first?.expiresAt).toBe("2030-01-05T00:00:00.000000Z");
    expect(Date.parse(`${fakeScrip().expirations[0]?.expiresAt}`)).toBeGreaterThan(Date.now());
  });

  it("goes into every state of the gallery", async () => {
    const { GALLERY } = await import("../docs/states.mjs");
    const wanted = Object.values(GALLERY).flatMap((all) => all.map(({ state }) => state));
    expect(wanted.filter((state) => !states[state])).toEqual([]);
  });
});

describe("behind a port", () => {
  it("answers pages of any origin, hands out tokens, and sends the scripts", async () => {
    const scrip = fakeScrip({ balances: { ai: "12" } });
    const { origin } = await served(scrip);
    const asked = await fetch(`${origin}/graphql`, { method: "OPTIONS" });
    expect([asked.status, asked.headers.get("access-control-allow-headers")]).toEqual([
      204,
      "authorization, content-type",
    ]);
    const { token, expiresAt } = await (await fetch(`${origin}/v1/embed-token`, { method: "POST" })).json();
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    const query = "query($c:String!){customer{balance(creditType:$c){available}}}";
    const headers = { authorization: `Bearer ${token}` };
    const body = JSON.stringify({ query, variables: { c: "ai" } });
    const answer = await fetch(`${origin}/graphql`, { method: "POST", headers, body });
    expect(await answer.json()).toEqual({ data: { customer: { balance: { available: "12" } } } });
    expect(scrip.requests.at(-1)).toMatchObject({ token, variables: { c: "ai" } });
    for (const path of ["v1.js", `${VERSION}/embed.js`, `${VERSION}/locales/de.json`])
      expect([path, (await fetch(`${origin}/embed/${path}`)).status]).toEqual([path, 200]);
    for (const path of ["/embed/../package.json", `/embed/${VERSION}/..%2fmanifest.json`, "/other"])
      expect([path, (await fetch(origin + path)).status]).toEqual([path, 404]);
  });

  it("can be down, and up again", async () => {
    const scrip = fakeScrip();
    const { origin } = await served(scrip);
    const ask = () => fetch(`${origin}/v1/embed-token`, { method: "POST" });
    scrip.goOffline();
    await expect(ask()).rejects.toThrow();
    scrip.goOnline();
    expect((await ask()).status).toBe(200);
  });

  it("is a command", async () => {
    const process_ = spawn(process.execPath, [`${root}frontend_embed/dist/${VERSION}/testing_server.js`, "0"]);
    const origin = await started(process_);
    expect((await fetch(`${origin}/embed/v1.js`)).status).toBe(200);
  });
});

describe("the documentation", () => {
  it("tests a page as it says, in the page", async () => {
    const { origin } = await served(fakeScrip(), {
      otherwise: (_, response) => !!response.writeHead(200, { "content-type": "text/html" }).end("<title>Test</title>"),
    });
    const page = await open(`${origin}/test`);
    const code = (await snippet("in_page.test.ts")).replaceAll("./scrip/", `${origin}/embed/${VERSION}/`);
    // What the snippet leaves to the test runner. As texts: what transforms this file would have imports of its own.
    const expectation = `const poll = (look) => ({ async toBe(due) {
      for (let tries = 0; look() !== due; tries++) {
        if (tries > 1000) throw new Error(look() + ", not " + due);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      (globalThis.passed ??= []).push(due);
    } });
    const expect = { poll };\n`;
    const source = JSON.stringify(expectation + code);
    await page.evaluate(`import(URL.createObjectURL(new Blob([${source}], { type: "text/javascript" })))`);
    expect(await page.evaluate("passed")).toEqual(["1500", "1499.5"]);
  });

  it("tests a product as it says, behind a port", async () => {
    const host = createServer((_, response) => {
      const scrip = process.env["SCRIP_URL"];
      response.writeHead(200, { "content-type": "text/html" });
      response.end(
        `<script type="module" src="${scrip}/embed/v1.js"></script><scrip-provider endpoint="${scrip}" token="${fakeScrip().mint()}"><scrip-top-up credit-type="ai"></scrip-top-up></scrip-provider>`,
      );
    });
    await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
    ends.push(() => host.close());
    const page = await open(undefined, `http://127.0.0.1:${(host.address() as { port: number }).port}`);
    await page.context().route("https://pay.test/**", (route) => route.fulfill({ body: "paying" }));
    const code = (await snippet("server.test.ts")).replaceAll("./scrip/", `${published}/`);
    Object.assign(globalThis, { page });
    ends.push(() => Reflect.deleteProperty(globalThis, "page"));
    await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`);
    expect(await page.locator("scrip-top-up [part=status]").innerText()).toContain("510");
  });
});

describe("the example host in React", () => {
  it("sells credits, and hears that they were paid", async () => {
    const scrip = fakeScrip({ balances: { ai: "10" } });
    const { origin } = await served(scrip);
    const example = `${root}frontend_embed/examples/react`;
    const built = mkdtempSync(`${tmpdir()}/react-`);
    execFileSync(process.execPath, [`${example}/build.mjs`, built]);
    const told = { ...process.env, SCRIP_URL: origin, BUILT: built, PORT: "0" };
    const page = await open(await started(spawn(process.execPath, [`${example}/server.mjs`], { env: told })));
    await page.context().route("https://pay.test/**", (route) => route.fulfill({ body: "paying" }));
    await page.getByRole("button", { name: "Shop" }).click();
    await page.locator("scrip-top-up [part=action]").first().click();
    await page.locator("scrip-top-up [part=status] a").waitFor();
    scrip.payments.pay();
    await page.getByText("Thank you: 500 credits").waitFor();
    await page.getByRole("button", { name: "Studio" }).click();
    await expect.poll(() => page.locator("main scrip-balance data").innerText()).toBe("510");
    scrip.enforce({}, { allowed: false, wouldBlock: true, mode: "ENFORCE", reason: { code: "INSUFFICIENT_CREDITS" } });
    scrip.burn("510");
    await page.getByText("No credits left").waitFor();
    await page.getByText("Blocked: INSUFFICIENT_CREDITS").waitFor();
  });
});
