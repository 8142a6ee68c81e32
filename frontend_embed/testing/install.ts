import type { FakeScrip } from "./fake_scrip.ts";

/**
 * Puts a fake in place of the network for one endpoint, in this page. Everything else goes where it
 * went before. Returns the way back.
 */
export function install(fake: FakeScrip, endpoint: string, locales: Record<string, unknown> = {}): () => void {
  const { fetch: realFetch, WebSocket: RealWebSocket } = globalThis;

  globalThis.fetch = async (input, init) => {
    const url = `${input instanceof Request ? input.url : input}`;
    if (!url.startsWith(endpoint)) return realFetch(input, init);
    await Promise.resolve();
    if (!fake.isUp) throw new TypeError("Failed to fetch");
    const locale = /locales\/(\w+)\.json$/.exec(url)?.[1];
    if (locale) {
      return locale in locales
        ? Response.json(Object.values(locales[locale] as object))
        : Response.json({ detail: "Not Found" }, { status: 404 });
    }
    const { status, body } = fake.http(new Headers(init?.headers).get("authorization") ?? "", `${init?.body}`);
    return Response.json(await body, { status });
  };

  const sockets = endpoint.replace("http", "ws");
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct: (real, [url, protocol]) => (url.startsWith(sockets) ? new FakeSocket(fake) : new real(url, protocol)),
  });

  return () => {
    globalThis.fetch = realFetch;
    globalThis.WebSocket = RealWebSocket;
  };
}

/** As much of a WebSocket as the elements use. */
class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  #fake: FakeScrip;
  #peer: ReturnType<FakeScrip["connect"]> | undefined;

  constructor(fake: FakeScrip) {
    this.#fake = fake;
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      if (!fake.isUp || !fake.letsSocketsThrough) return this.#closed(1006);
      this.#peer = fake.connect({
        send: (data) => queueMicrotask(() => this.readyState === 1 && this.onmessage?.({ data })),
        close: (code) => this.#closed(code),
      });
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text: string): void {
    if (this.readyState !== 1) throw new DOMException("not open", "InvalidStateError");
    if (this.#peer) this.#fake.receive(this.#peer, text);
  }

  close(code = 1005): void {
    if (this.#peer) this.#fake.peers.delete(this.#peer);
    this.#closed(code);
  }

  #closed(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.onclose?.({ code }));
  }
}
