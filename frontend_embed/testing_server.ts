/**
 * A fake Scrip behind a port, for end-to-end tests of host products. Node 20 and nothing else:
 *
 *     node testing_server.js 5178
 *
 * Beside GraphQL and its socket it answers `POST /v1/embed-token`, as the host's backend asks, and sends the scripts
 * that lie beside it, so that a test needs no Scrip at all.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { openSocket } from "./testing/socket.ts";
import type { FakeScrip } from "./testing.ts";

declare const SCRIP_VERSION: string;

export interface ServeOptions {
  /** A free one when left out. */
  port?: number;
  /** Answers what the fake does not: true when it has. */
  otherwise?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}

export interface Served {
  /** Where it answers, without a slash at its end. */
  origin: string;
  close(): Promise<void>;
}

const TYPES: Record<string, string> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
};
const ALLOWED = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-allow-methods": "POST, GET",
};
const FILE = new RegExp(`^/embed/${SCRIP_VERSION.replaceAll(".", "\\.")}/((?:locales/)?[\\w.-]+)$`);

export async function serveFakeScrip(fake: FakeScrip, options: ServeOptions = {}): Promise<Served> {
  const server = createServer(async (request, response) => {
    try {
      if (await answer(fake, request, response)) return;
      if (await options.otherwise?.(request, response)) return;
      response.writeHead(404, ALLOWED).end("not found");
    } catch (error) {
      response.writeHead(500, ALLOWED).end(`${error}`);
    }
  });
  const sockets = new Set<{ end(): void }>();
  server.on("upgrade", (request, socket) => {
    if (request.url !== "/graphql" || !fake.isUp || !fake.letsSocketsThrough) return socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    openSocket(fake, request, socket);
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${port}`, close };
}

async function answer(fake: FakeScrip, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  const { pathname } = new URL(`${request.url}`, "http://localhost");
  const send = (content: unknown, status = 200, type = "application/json"): true => {
    response.writeHead(status, { ...ALLOWED, "content-type": type });
    response.end(typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
    return true;
  };
  if (request.method === "OPTIONS") return send("", 204);
  const file = FILE.exec(pathname.replace(/^\/embed\/v1\.js$/, `/embed/${SCRIP_VERSION}/embed.js`))?.[1];
  if (file) {
    const content = await readFile(fileURLToPath(new URL(file, import.meta.url))).catch(() => undefined);
    return content ? send(content, 200, TYPES[extname(file)]) : false;
  }
  if (request.method !== "POST" || !/^\/(graphql|v1\/embed-token)$/.test(pathname)) return false;
  if (!fake.isUp) {
    request.socket.destroy();
    return true;
  }
  if (pathname === "/v1/embed-token") {
    const life_s = 600;
    return send({ token: fake.mint({ life_s }), expiresAt: new Date(Date.now() + life_s * 1000).toISOString() });
  }
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const { status, body } = fake.http(request.headers.authorization ?? "", Buffer.concat(parts).toString());
  return send(await body, status);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { fakeScrip } = await import("./testing.ts");
  const { origin } = await serveFakeScrip(fakeScrip(), { port: Number(process.argv[2] ?? 5178) });
  console.log(origin);
}
