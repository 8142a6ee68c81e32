/**
 * `npm run dev`: the gallery, the examples and a fake Scrip behind one port. Bundle and locales are those of dist/.
 * Nothing of it is part of the product.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { WebSocketServer } from "ws";
import { bundle, ROOT, VERSION } from "../build_steps/bundle.mjs";

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json" };

async function loadFake() {
  const outfile = `${ROOT}/node_modules/.cache/fake_scrip.mjs`;
  await build({
    entryPoints: [`${ROOT}/frontend_embed/testing/fake_scrip.ts`],
    outfile,
    bundle: true,
    format: "esm",
    logLevel: "error",
  });
  const { FakeScrip } = await import(pathToFileURL(outfile).href);
  return new FakeScrip();
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** @returns {Promise<[status: number, body: string | Buffer, headers?: Record<string, string>]>} */
async function answer(request, fake) {
  const { pathname } = new URL(request.url, "http://localhost");
  const file = (path) => readFile(`${ROOT}/${path}`);
  if (pathname === "/graphql") {
    const { status, body: data } = fake.http(request.headers.authorization ?? "", await body(request));
    return [status, JSON.stringify(data), { "content-type": "application/json" }];
  }
  if (pathname === "/billing/credits-token") {
    const token = fake.mint();
    return [200, JSON.stringify({ token, expiresAt: new Date(Date.now() + 600_000).toISOString() })];
  }
  const built = pathname.replace("/embed/v1.js", `/embed/${VERSION}/embed.js`);
  if (new RegExp(`^/embed/${VERSION}/(locales/)?[\\w.]+$`).test(built)) {
    return [200, await file(`frontend_embed/dist/${built.slice("/embed/".length)}`)];
  }
  if (pathname === "/testing/gallery.js") {
    return [200, await bundle({ entry: "frontend_embed/testing/gallery.ts", minified: false })];
  }
  const path = normalize(pathname);
  if (/^\/(testing|examples)\/\w[\w.-]*\.(html|css|js)$/.test(path)) {
    const csp = /strict-csp/.test(path) ? { "content-security-policy": strictPolicy(request.headers.host) } : {};
    return [200, await file(`frontend_embed${path}`), csp];
  }
  return [404, "not found"];
}

/** The policy of the documentation, with this host's name in it. */
export const strictPolicy = (host) =>
  `default-src 'none'; script-src http://${host}; connect-src http://${host} ws://${host}; style-src 'self'; require-trusted-types-for 'script'`;

/** @returns {Promise<{origin: string, fake: import("./fake_scrip.ts").FakeScrip, close: () => Promise<void>}>} */
export async function serve(port = 0) {
  const fake = await loadFake();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    try {
      const [status, content, headers] = await answer(request, fake);
      const type = TYPES[extname(pathname)] ?? "application/json";
      response.writeHead(status, {
        "content-type": `${type}; charset=utf-8`,
        "access-control-allow-origin": "*",
        ...headers,
      });
      response.end(content);
    } catch (error) {
      response.writeHead(500).end(`${error.stack}`);
    }
  });
  const sockets = new WebSocketServer({ server, path: "/graphql", handleProtocols: () => "graphql-transport-ws" });
  sockets.on("connection", (socket) => {
    const peer = fake.connect({ send: (text) => socket.send(text), close: (code) => socket.close(code) });
    socket.on("message", (data) => fake.receive(peer, `${data}`));
    socket.on("close", () => fake.peers.delete(peer));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = async () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, fake, close };
}

if (process.argv[1]?.endsWith("serve.mjs")) {
  const { origin } = await serve(5178);
  console.log(`${origin}/testing/gallery.html`);
}
