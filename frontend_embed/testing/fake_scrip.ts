/**
 * A Scrip of one page, for tests of elements and of the pages that embed them. It knows the wire
 * (GraphQL over POST, graphql-transport-ws, tokens) and a few balances; it has no ledger.
 *
 * `install()` puts it in place of `fetch` and `WebSocket`; `serve.ts` puts the same object behind a port.
 */
export interface FakeBucket {
  amount: string;
  source?: string;
  expiresAt: string | null;
}

export interface FakeBalance {
  creditType: { key: string; name: string; unitSingular: string; unitPlural: string; scale: number };
  available: string;
  held: string;
  version: number;
  asOf: string;
  buckets: FakeBucket[];
}

/** The client's end of a socket, as the fake sees it. */
export interface Wire {
  send(text: string): void;
  close(code: number): void;
}

interface Peer {
  wire: Wire;
  token: string | undefined;
  /** Running subscriptions: id → credit type. */
  running: Map<string, string>;
}

interface Frame {
  type: string;
  id?: string;
  payload?: { query?: string; variables?: Record<string, string>; authorization?: string };
}

type Fault = { message: string; path?: (string | number)[]; extensions?: { code: string } };

const encode = (value: unknown): string =>
  btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

export class FakeScrip {
  readonly balances = new Map<string, FakeBalance>();
  /** What elements have asked, for tests to look at. */
  readonly requests: { query: string; variables: Record<string, string>; token: string }[] = [];
  readonly frames: Frame[] = [];
  readonly refused = new Set<string>();
  readonly peers = new Set<Peer>();
  /** The network between page and server. */
  isUp = true;
  /** Sockets alone: some networks let none through. */
  letsSocketsThrough = true;
  /** Answers neither greeting nor ping: a dead network that nobody noticed. */
  isMute = false;
  /** Answer of every HTTP request, in place of the real one. */
  httpAnswer: { status: number; body: unknown } | undefined;
  /** The next `subscribe` messages are answered with these errors. */
  readonly subscriptionFaults: Fault[] = [];
  #tokens = 0;

  constructor() {
    this.set("ai", {});
  }

  /** Changes a balance as one ledger entry would, and pushes it. */
  set(key: string, change: Partial<FakeBalance>): FakeBalance {
    const before = this.balances.get(key) ?? {
      creditType: { key, name: "AI credits", unitSingular: "credit", unitPlural: "credits", scale: 3 },
      available: "1500",
      held: "0",
      version: 6,
      asOf: "",
      buckets: [
        { amount: "500", source: "PLAN", expiresAt: "2027-01-31T12:00:00.000000Z" },
        { amount: "1000", source: "PURCHASE", expiresAt: null },
      ],
    };
    const version = before.version + 1;
    const asOf = `2027-01-10T12:00:00.${`${version}`.padStart(6, "0")}Z`;
    const balance = { ...before, version, asOf, ...change };
    this.balances.set(key, balance);
    this.push(balance);
    return balance;
  }

  /** Pushes a state as it is, also an old one. */
  push(balance: FakeBalance): void {
    for (const peer of this.peers) {
      for (const [id, key] of peer.running) {
        if (key === balance.creditType.key) this.#next(peer, id, balance);
      }
    }
  }

  /** An unsigned token: the elements look at its times only. */
  mint({ life_s = 600, customer = "acme", age_s = 0 } = {}): string {
    const iat = Math.floor(Date.now() / 1000) - age_s;
    return [encode({ alg: "none" }), encode({ sub: customer, iat, exp: iat + life_s, n: ++this.#tokens }), "x"].join(
      ".",
    );
  }

  /** Closes the sockets that carry this token, or all. */
  closeAll(code: number, token?: string): void {
    for (const peer of [...this.peers]) {
      if (token && peer.token !== token) continue;
      this.peers.delete(peer);
      peer.wire.close(code);
    }
  }

  /** What a server does with a token whose time is up. */
  expire(token: string): void {
    this.refused.add(token);
    this.closeAll(4403, token);
  }

  http(authorization: string, body: string): { status: number; body: unknown } {
    const { query, variables } = JSON.parse(body);
    const token = authorization.replace("Bearer ", "");
    this.requests.push({ query, variables, token });
    if (this.httpAnswer) return this.httpAnswer;
    if (this.refused.has(token)) {
      const errors = [{ message: "expired", extensions: { code: "UNAUTHENTICATED" } }];
      return { status: 401, body: { data: null, errors } };
    }
    const customer: Record<string, unknown> = {};
    for (const [, alias, variable] of query.matchAll(/(\w+):balance\(creditType:\$(\w+)\)/g)) {
      customer[alias] = this.balances.get(variables[variable]) ?? null;
    }
    return { status: 200, body: { data: { customer } } };
  }

  connect(wire: Wire): Peer {
    const peer: Peer = { wire, token: undefined, running: new Map() };
    this.peers.add(peer);
    return peer;
  }

  receive(peer: Peer, text: string): void {
    const frame: Frame = JSON.parse(text);
    this.frames.push(frame);
    if (this.isMute) return;
    const { type, id = "", payload } = frame;
    if (type === "connection_init") {
      peer.token = payload?.authorization?.replace("Bearer ", "") ?? "";
      if (this.refused.has(peer.token)) {
        this.peers.delete(peer);
        peer.wire.close(4403);
      } else this.#send(peer, { type: "connection_ack" });
    } else if (type === "ping") this.#send(peer, { type: "pong" });
    else if (type === "complete") peer.running.delete(id);
    else if (type === "subscribe") {
      const fault = this.subscriptionFaults.shift();
      if (fault) {
        this.#send(peer, { type: "error", id, payload: [fault] });
        return;
      }
      const key = Object.values(payload?.variables ?? {})[0] ?? "";
      peer.running.set(id, key);
      const balance = this.balances.get(key);
      if (balance) this.#next(peer, id, balance);
    }
  }

  #next(peer: Peer, id: string, balance: FakeBalance): void {
    this.#send(peer, { type: "next", id, payload: { data: { r0: balance } } });
  }

  #send(peer: Peer, message: unknown): void {
    peer.wire.send(JSON.stringify(message));
  }
}
