/** As much of RFC 6455 as graphql-transport-ws needs: text, close and ping, on a socket that Node has upgraded. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FakeScrip } from "./fake_scrip.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

function frame(opcode: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = 0x80 | opcode;
  head[1] = size === 0 ? length : size === 2 ? 126 : 127;
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, content]);
}

/** The first frame in what has come, and how many bytes it took; undefined while it is not whole. */
function unframe(got: Buffer): { opcode: number; content: Buffer; taken: number } | undefined {
  if (got.length < 2) return undefined;
  const short = got.readUInt8(1) & 0x7f;
  const size = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + size + 4; // whatever a browser sends is masked
  if (got.length < start) return undefined;
  const length = size === 2 ? got.readUInt16BE(2) : size === 8 ? Number(got.readBigUInt64BE(2)) : short;
  if (got.length < start + length) return undefined;
  const mask = got.subarray(start - 4, start);
  const content = Buffer.from(got.subarray(start, start + length));
  for (let n = 0; n < length; n++) content.writeUInt8(content.readUInt8(n) ^ mask.readUInt8(n % 4), n);
  return { opcode: got.readUInt8(0) & 0x0f, content, taken: start + length };
}

export function openSocket(fake: FakeScrip, request: IncomingMessage, socket: Duplex): void {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
  );
  const peer = fake.connect({
    send: (text) => socket.write(frame(TEXT, Buffer.from(text))),
    // 1006 is what is seen when nobody said goodbye.
    close: (code) =>
      code === 1006 ? socket.destroy() : socket.end(frame(CLOSE, Buffer.from([code >> 8, code & 255]))),
  });
  let got = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
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
