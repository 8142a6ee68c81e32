// frontend_embed/testing_server.ts
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

// frontend_embed/testing/socket.ts
import { createHash } from "node:crypto";
var GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
var TEXT = 1;
var CLOSE = 8;
var PING = 9;
var PONG = 10;
function frame(opcode, content) {
  const { length } = content;
  const size = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = 128 | opcode;
  head[1] = size === 0 ? length : size === 2 ? 126 : 127;
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, content]);
}
function unframe(got) {
  if (got.length < 2) return void 0;
  const short = got.readUInt8(1) & 127;
  const size = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + size + 4;
  if (got.length < start) return void 0;
  const length = size === 2 ? got.readUInt16BE(2) : size === 8 ? Number(got.readBigUInt64BE(2)) : short;
  if (got.length < start + length) return void 0;
  const mask = got.subarray(start - 4, start);
  const content = Buffer.from(got.subarray(start, start + length));
  for (let n = 0; n < length; n++) content.writeUInt8(content.readUInt8(n) ^ mask.readUInt8(n % 4), n);
  return { opcode: got.readUInt8(0) & 15, content, taken: start + length };
}
function openSocket(fake, request, socket) {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Accept: ${accept}\r
Sec-WebSocket-Protocol: graphql-transport-ws\r
\r
`
  );
  const peer = fake.connect({
    send: (text) => socket.write(frame(TEXT, Buffer.from(text))),
    // 1006 is what is seen when nobody said goodbye.
    close: (code) => code === 1006 ? socket.destroy() : socket.end(frame(CLOSE, Buffer.from([code >> 8, code & 255])))
  });
  let got = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    got = Buffer.concat([got, bytes]);
    for (let next = unframe(got); next; next = unframe(got)) {
      got = got.subarray(next.taken);
      if (next.opcode === TEXT) fake.receive(peer, next.content.toString());
      else if (next.opcode === PING) socket.write(frame(PONG, next.content));
      else if (next.opcode === CLOSE) socket.end(frame(CLOSE, next.content.subarray(0, 2)));
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => fake.peers.delete(peer));
}

// frontend_embed/testing_server.ts
var TYPES = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json"
};
var ALLOWED = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-allow-methods": "POST, GET"
};
var FILE = new RegExp(`^/embed/${"0.1.0".replaceAll(".", "\\.")}/((?:locales/)?[\\w.-]+)$`);
async function serveFakeScrip(fake, options = {}) {
  const server = createServer(async (request, response) => {
    try {
      if (await answer(fake, request, response)) return;
      if (await options.otherwise?.(request, response)) return;
      response.writeHead(404, ALLOWED).end("not found");
    } catch (error) {
      response.writeHead(500, ALLOWED).end(`${error}`);
    }
  });
  const sockets = /* @__PURE__ */ new Set();
  server.on("upgrade", (request, socket) => {
    if (request.url !== "/graphql" || !fake.isUp || !fake.letsSocketsThrough) return socket.destroy();
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    openSocket(fake, request, socket);
  });
  await new Promise((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address();
  const close = async () => {
    for (const socket of sockets) socket.end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${port}`, close };
}
async function answer(fake, request, response) {
  const { pathname } = new URL(`${request.url}`, "http://localhost");
  const send = (content, status2 = 200, type = "application/json") => {
    response.writeHead(status2, { ...ALLOWED, "content-type": type });
    response.end(typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
    return true;
  };
  if (request.method === "OPTIONS") return send("", 204);
  const file = FILE.exec(pathname.replace(/^\/embed\/v1\.js$/, `/embed/${"0.1.0"}/embed.js`))?.[1];
  if (file) {
    const content = await readFile(fileURLToPath(new URL(file, import.meta.url))).catch(() => void 0);
    return content ? send(content, 200, TYPES[extname(file)]) : false;
  }
  if (request.method !== "POST" || !/^\/(graphql|v1\/embed-token)$/.test(pathname)) return false;
  if (!fake.isUp) {
    request.socket.destroy();
    return true;
  }
  if (pathname === "/v1/embed-token") {
    const life_s = 600;
    return send({ token: fake.mint({ life_s }), expiresAt: new Date(Date.now() + life_s * 1e3).toISOString() });
  }
  const parts = [];
  for await (const part of request) parts.push(part);
  const { status, body } = fake.http(request.headers.authorization ?? "", Buffer.concat(parts).toString());
  return send(await body, status);
}
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { fakeScrip } = await import("./testing.js");
  const { origin } = await serveFakeScrip(fakeScrip(), { port: Number(process.argv[2] ?? 5178) });
  console.log(origin);
}
export {
  serveFakeScrip
};
