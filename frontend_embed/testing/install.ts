import en from "../../components/locales/en.json" with { type: "json" };
import type { FakeScrip } from "./fake_scrip.ts";

/** Texts by language, as objects or as `locales/{language}.json` has them. */
export type Locales = Record<string, unknown>;

interface Place {
  fake: FakeScrip;
  locales: Locales | undefined;
}

/** What stands in place of the network, by endpoint. */
const places = new Map<string, Place>();
let takeAway = (): void => {};

/**
 * Puts a fake in place of the network for one endpoint, in this page: its GraphQL, its socket and English. Scripts still
 * come from there, and so do other languages, unless they are given. Everything else goes where it went before. Returns the way
 * back.
 */
export function install(fake: FakeScrip, endpoint: string, locales?: Locales): () => void {
  const base = endpoint.replace(/\/+$/, "");
  if (!places.size) takeAway = intercept();
  const place = { fake, locales };
  places.set(base, place);
  return () => {
    if (places.get(base) !== place) return;
    places.delete(base);
    if (!places.size) takeAway();
  };
}

function intercept(): () => void {
  const { fetch: realFetch, WebSocket: RealWebSocket } = globalThis;
  globalThis.fetch = async (input, init) => {
    const url = `${input instanceof Request ? input.url : input}`;
    const [base, file] = /^(.*)(\/embed\/.*|\/graphql)$/.exec(url)?.slice(1) ?? [];
    const place = places.get(base ?? "");
    if (!place) return realFetch(input, init);
    const { fake, locales } = place;
    await Promise.resolve();
    if (!fake.isUp) throw new TypeError("Failed to fetch");
    if (file === "/graphql") {
      const { status, body } = fake.http(new Headers(init?.headers).get("authorization") ?? "", `${init?.body}`);
      return Response.json(await body, { status });
    }
    const language = /locales\/(\w+)\.json$/.exec(`${file}`)?.[1];
    const texts = await (locales?.[`${language}`] ?? (language === "en" ? en : undefined));
    if (!language || !(locales || texts)) return realFetch(input, init);
    return texts
      ? Response.json(Array.isArray(texts) ? texts : [texts])
      : Response.json({ detail: "Not Found" }, { status: 404 });
  };
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct: (real, [url, protocol]) => {
      const place = places.get(`${url}`.replace(/^ws/, "http").replace(/\/graphql$/, ""));
      return place ? new FakeSocket(place.fake) : new real(url, protocol);
    },
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
    if (this.readyState === 0) throw new DOMException("not open", "InvalidStateError");
    if (this.readyState === 1 && this.#peer) this.#fake.receive(this.#peer, text);
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
