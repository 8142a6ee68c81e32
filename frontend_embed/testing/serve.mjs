/**
 * `npm run dev`: the gallery, the examples and a fake Scrip behind one port. Bundle and locales are those of dist/, and
 * so is the fake: it is what host products test with. Nothing of it is part of the product.
 */
import { readFile } from "node:fs/promises";
import { extname, normalize } from "node:path";
import { bundle, ROOT, VERSION } from "../build_steps/bundle.mjs";

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json" };
const published = `${ROOT}/frontend_embed/dist/${VERSION}`;

/** @returns {Promise<[body: string | Buffer, headers?: Record<string, string>] | undefined>} */
async function answer(request, fake) {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = (path) => readFile(`${ROOT}/${path}`);
  if (pathname === "/billing/credits-token") {
    const token = fake.mint();
    return [JSON.stringify({ token, expiresAt: new Date(Date.now() + 600_000).toISOString() })];
  }
  if (pathname === "/testing/gallery.js") {
    return [await bundle({ entry: "frontend_embed/testing/gallery.ts", minified: false })];
  }
  const path = normalize(pathname);
  if (/^\/(testing|examples)\/\w[\w.-]*\.(html|css|js)$/.test(path)) {
    const csp = /strict-csp/.test(path) ? { "content-security-policy": strictPolicy(request.headers.host) } : {};
    return [await file(`frontend_embed${path}`), csp];
  }
  return undefined;
}

/** The policy of the documentation, with this host's name in it. */
export const strictPolicy = (host) =>
  `default-src 'none'; script-src http://${host}; connect-src http://${host} ws://${host}; style-src 'self'; require-trusted-types-for 'script'`;

/** @returns {Promise<{origin: string, fake: import("./fake_scrip.ts").FakeScrip, close: () => Promise<void>}>} */
export async function serve(port = 0) {
  const { FakeScrip } = await import(`${published}/testing.js`);
  const { serveFakeScrip } = await import(`${published}/testing_server.js`);
  const fake = new FakeScrip();
  const otherwise = async (request, response) => {
    const found = await answer(request, fake);
    if (!found) return false;
    const type = TYPES[extname(new URL(request.url, "http://localhost").pathname)] ?? "application/json";
    response.writeHead(200, { "content-type": `${type}; charset=utf-8`, ...found[1] }).end(found[0]);
    return true;
  };
  return { ...(await serveFakeScrip(fake, { port, otherwise })), fake };
}

if (process.argv[1]?.endsWith("serve.mjs")) {
  const { origin } = await serve(5178);
  console.log(`${origin}/testing/gallery.html`);
}
