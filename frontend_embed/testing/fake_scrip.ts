import { text, units } from "../../components/core/decimal.ts";
import {
  at,
  daysFromNow,
  entry,
  expirations,
  type FakeBalance,
  type FakeBucket,
  type FakeDispute,
  type FakeEntry,
  type FakeExpiration,
  type FakeRunway,
  granted,
  runway,
  usage,
} from "./fake_data.ts";
import { parse, select, type Variables } from "./fake_graphql.ts";
import { FakePayments, type FakeTopUp } from "./fake_payments.ts";

export type { FakeBalance, FakeBucket, FakeDispute, FakeEntry } from "./fake_data.ts";

/** The client's end of a socket, as the fake sees it. */
export interface Wire {
  send(text: string): void;
  close(code: number): void;
}

interface Peer {
  wire: Wire;
  token: string | undefined;
  /** Running subscriptions: id → what they asked for. */
  running: Map<string, { query: string; variables: Variables }>;
}

interface Frame {
  type: string;
  id?: string;
  payload?: { query?: string; variables?: Variables; authorization?: string };
}

type Fault = { message: string; path?: (string | number)[]; extensions?: { code: string } };

/** What is left of buckets after a burn, which takes from the first ones. */
function without(buckets: FakeBucket[], amount: string): FakeBucket[] {
  let due = units(amount);
  const left = buckets.map((bucket) => {
    const has = units(bucket.amount);
    const taken = due < has ? due : has;
    due -= taken;
    return { ...bucket, amount: text(has - taken) };
  });
  return left.filter((bucket) => bucket.amount !== "0");
}

const encode = (value: unknown): string =>
  btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/**
 * A Scrip for one customer, for tests of elements and of the pages that embed them. It knows the wire
 * (GraphQL over POST, graphql-transport-ws, tokens) and a customer's data; nothing is worked out.
 *
 * `install()` puts it in place of `fetch` and `WebSocket`; `serveFakeScrip()` puts the same object behind a port.
 */
export class FakeScrip {
  /** The key of the customer that tokens are for. */
  customer = "acme";
  readonly balances = new Map<string, FakeBalance>();
  expirations: FakeExpiration[] = expirations();
  runway: FakeRunway = runway();
  /** Newest first. */
  entries: FakeEntry[] = [];
  features = [
    { key: "input-tokens", name: "Input tokens" },
    { key: "output-tokens", name: "Output tokens" },
    { key: "images", name: "Images" },
  ];
  members = [{ key: "ada", name: "Ada Lovelace" }];
  usage = usage;
  readonly payments = new FakePayments((topUp) => this.#settle(topUp));
  /** Answers `check`, beside the balance; with a code alone it is a refusal. */
  decision: Record<string, unknown> = { allowed: true, wouldBlock: false, mode: "ENFORCE", reason: null };
  policy = { mode: "ENFORCE", failurePolicy: "FAIL_CLOSED", overdraftLimit: "0" };
  /** Answers `openDispute`; a refusal has a code. */
  disputeAnswer: Record<string, unknown> | undefined;
  /** What elements have asked, for tests to look at. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into them
  readonly requests: { query: string; variables: Record<string, any>; token: string }[] = [];
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
        { amount: "500", source: "PLAN", expiresAt: daysFromNow(21) },
        { amount: "1000", source: "PURCHASE", expiresAt: null },
      ],
    };
    const version = before.version + 1;
    const balance = { ...before, version, asOf: at(version), ...change };
    this.balances.set(key, balance);
    this.push(balance);
    return balance;
  }

  /** Pushes a state as it is, also an old one. */
  push(balance: FakeBalance): void {
    this.#publish("balanceUpdated", balance, balance.creditType.key);
  }

  /** Books an entry, as a burn does: the balance moves on, and both are pushed. */
  book(change: Partial<FakeEntry> = {}, key = "ai"): FakeEntry {
    const before = this.balances.get(key) as FakeBalance;
    const booked = entry(before.version + 1, change);
    this.entries.unshift(booked);
    this.#publish("ledgerEntryAdded", booked, key);
    this.set(key, { available: booked.balanceAfter });
    return booked;
  }

  /** A dispute of these entries moves on, and is pushed. */
  dispute(ids: string[], status: string): FakeDispute & { entries: { id: string }[] } {
    const open = this.entries.find(({ id, dispute }) => ids.includes(id) && dispute)?.dispute;
    const timeline = [...(open?.timeline ?? []), { at: at(0) }];
    const dispute: FakeDispute = { id: open?.id ?? `dis_${ids[0]}`, status, timeline };
    this.entries = this.entries.map((each) => (ids.includes(each.id) ? { ...each, dispute } : each));
    const contested = { ...dispute, entries: ids.map((id) => ({ id })) };
    this.#publish("disputeUpdated", contested);
    return contested;
  }

  /** Uses credits up, exactly, as a burn does: booked, and both entry and balance are pushed. */
  burn(amount: string, change: Partial<FakeEntry> = {}, key = "ai"): FakeEntry {
    const { available, buckets } = this.balances.get(key) as FakeBalance;
    const balanceAfter = text(units(available) - units(amount));
    this.#keep(key, without(buckets, amount));
    const explanation = `${amount} credits used`;
    return this.book({ amount: `-${amount}`, quantity: amount, explanation, balanceAfter, ...change }, key);
  }

  /** Gives credits, exactly. */
  grant(amount: string, change: Partial<FakeEntry> = {}, key = "ai"): FakeEntry {
    const { available, version, buckets } = this.balances.get(key) as FakeBalance;
    const balanceAfter = text(units(available) + units(amount));
    this.#keep(key, [...buckets, { amount, source: "PLAN", expiresAt: null }]);
    const explanation = `${amount} credits given`;
    return this.book({ ...granted(version + 1), amount, explanation, balanceAfter, ...change }, key);
  }

  #keep(key: string, buckets: FakeBucket[]): void {
    this.balances.set(key, { ...(this.balances.get(key) as FakeBalance), buckets });
  }

  /** The network is gone: requests fail and the sockets are closed. In a page, it is told so. */
  goOffline(): void {
    this.isUp = false;
    this.closeAll(1006);
    globalThis.dispatchEvent?.(new Event("offline"));
  }

  goOnline(): void {
    this.isUp = true;
    globalThis.dispatchEvent?.(new Event("online"));
  }

  /** Another policy is in force, and is pushed. */
  enforce(change: Partial<FakeScrip["policy"]>, decision: Record<string, unknown> = this.decision): void {
    this.policy = { ...this.policy, ...change };
    this.decision = decision;
    this.#publish("enforcementChanged", this.policy);
  }

  /** A paid top-up brings its credits, before anybody hears that it is paid. */
  #settle(topUp: FakeTopUp): void {
    const { available, creditType } = this.balances.get("ai") as FakeBalance;
    if (topUp.status === "SUCCEEDED")
      this.set(creditType.key, { available: text(units(available) + units(topUp.credits)) });
    this.#publish("topUpUpdated", topUp, topUp.id);
  }

  /** To whoever asks for this, and for `only` this where it is many. */
  #publish(name: string, value: unknown, only?: string): void {
    for (const peer of this.peers) {
      for (const [id, { query, variables }] of peer.running) {
        const [field] = parse(query);
        const asked = Object.values(variables)[0];
        if (!field || field.name !== name || (only && asked !== only)) continue;
        const data = { [field.alias]: select(value, field.fields, variables) };
        this.#send(peer, { type: "next", id, payload: { data } });
      }
    }
  }

  /** An unsigned token: the elements look at its times only. */
  mint({ life_s = 600, customer = this.customer, age_s = 0 } = {}): string {
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
    return { status: 200, body: { data: select(this.#root(), parse(query), variables) } };
  }

  #root(): Record<string, unknown> {
    const nodes = (of: unknown[]) => ({ edges: of.map((node) => ({ node })) });
    return {
      customer: {
        balance: ({ creditType }: Variables) => this.balances.get(`${creditType}`) ?? null,
        expirations: () => this.expirations,
        runway: () => this.runway,
        bundles: () => this.payments.bundles,
        recharge: () =>
          this.payments.recharge && { ...this.payments.recharge, attempts: () => this.payments.recharge?.attempts },
        paymentMethods: () => this.payments.methods,
        enforcement: () => this.policy,
        members: () => nodes(this.members),
        usage: ({ from, to, interval, groupBy }: Variables) => {
          const groups = { FEATURE: this.features.map(({ key }) => key), MEMBER: ["ada", null] }[`${groupBy}`] ?? [
            null,
          ];
          return this.usage(`${from}`, `${to}`, `${interval}`, groups);
        },
        ledger: ({ filter, first, after }: Variables) => {
          const { kinds } = filter as { kinds?: string[] | null };
          const all = this.entries.filter(({ kind }) => !kinds || kinds.includes(kind));
          const from = after ? all.findIndex(({ id }) => id === after) + 1 : 0;
          const page = all.slice(from, from + Number(first));
          const pageInfo = { hasNextPage: from + page.length < all.length, endCursor: page.at(-1)?.id ?? null };
          return { ...nodes(page), pageInfo };
        },
      },
      catalog: { features: this.features },
      viewer: { scopes: this.payments.scopes },
      topUp: ({ id }: Variables) => this.payments.find(id),
      startTopUp: ({ input }: Variables) => this.payments.start(input as Variables),
      cancelTopUp: ({ id }: Variables) => this.payments.cancel(id),
      setRecharge: ({ input }: Variables) => this.payments.setRecharge(input as Variables),
      setupPaymentMethod: () => this.payments.setup(),
      check: () => ({
        ...(this.decision["allowed"] !== undefined && { balance: this.balances.get("ai") }),
        ...this.decision,
      }),
      openDispute: ({ entries }: Variables) =>
        this.disputeAnswer ?? { __typename: "DisputeOk", dispute: this.dispute(entries as string[], "OPEN") },
    };
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
      const { query = "", variables = {} } = payload ?? {};
      peer.running.set(id, { query, variables });
      const [field] = parse(query);
      const asked = `${Object.values(variables)[0]}`;
      const present = {
        balanceUpdated: this.balances.get(asked),
        topUpUpdated: this.payments.find(asked),
        enforcementChanged: this.policy,
      }[`${field?.name}`];
      if (!field || !present) return;
      const data = { [field.alias]: select(present, field.fields, variables) };
      this.#send(peer, { type: "next", id, payload: { data } });
    }
  }

  #send(peer: Peer, message: unknown): void {
    peer.wire.send(JSON.stringify(message));
  }
}
