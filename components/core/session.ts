import { fromFault, ScripError } from "./errors.ts";
import { type Answer, type Question, request } from "./graphql.ts";
import { Live } from "./live.ts";
import { type FetchToken, Tokens } from "./tokens.ts";

/** What an element shows: one field of the customer, and the subscription that keeps it fresh. */
export interface Topic<T> {
  /** A field of `customer`, such as `balance`. */
  read: string;
  /** The subscription whose first answer is the present state; it takes the same arguments. */
  live: string;
  args: Record<string, readonly [type: string, value: unknown]>;
  selection: string;
  isNewer(next: T, shown: T): boolean;
}

/** The shared state of one topic: however many elements show it, it is read once. */
export interface Resource<T> {
  readonly topic: Topic<T>;
  /** The last good data. An error leaves it in place. */
  data?: T | undefined;
  error?: ScripError | undefined;
  /** When the data was last known to be right. */
  confirmed_ms: number;
  readonly listeners: Set<() => void>;
  stop(): void;
}

// biome-ignore lint/suspicious/noExplicitAny: topics of all types share one list, each element knows its own
type AnyResource = Resource<any>;

/** How long nobody has to look before a topic is dropped: a moved element comes back at once. */
const LINGER_MS = 5_000;

const change = (resource: AnyResource, change: Partial<AnyResource>): void => {
  Object.assign(resource, change);
  for (const listener of resource.listeners) listener();
};

const receive = (resource: AnyResource, next: unknown): void => {
  const { data: shown, topic } = resource;
  const data = shown && !topic.isNewer(next, shown) ? shown : next;
  change(resource, { data, error: undefined, confirmed_ms: Date.now() });
};

/** Everything the elements under one provider share: token, socket, data. */
export class Session {
  /** Where Scrip answers, without a slash at its end. */
  readonly baseUrl: string;
  readonly tokens: Tokens;
  #live: Live;
  #resources = new Map<string, AnyResource>();
  #unread = new Set<AnyResource>();
  #end = new AbortController();
  /** Counts customers: answers to questions of an earlier one are dropped. */
  #customer = 0;

  constructor(endpoint: string, fetchToken: FetchToken) {
    this.baseUrl = endpoint;
    this.tokens = new Tokens(fetchToken);
    this.tokens.onRenewed = (isOther) => (isOther ? this.#startOver() : this.#live.renew());
    this.#live = new Live(endpoint, this.tokens);
    this.#live.onError = (error) => this.#each((resource) => change(resource, { error }));
    this.#live.onDown = (failures, seen_ms) =>
      this.#each((resource) => {
        if (!resource.error) resource.confirmed_ms = Math.max(resource.confirmed_ms, seen_ms);
        // A restart of the server is over after one try. After that HTTP tells whether anybody is
        // there, and keeps the numbers fresh where a network lets no socket through.
        if (failures) this.#read(resource);
      });
    const { signal } = this.#end;
    // Offline too: the read fails at once, and the element says why.
    for (const type of ["online", "offline"]) addEventListener(type, () => this.retryNow(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake(), { signal });
  }

  /** The shared data of a topic; `listener` hears of every change until `unwatch`. */
  watchTopic<T>(topic: Topic<T>, listener: () => void): Resource<T> {
    const key = JSON.stringify(topic);
    let resource = this.#resources.get(key);
    if (!resource) {
      resource = { topic, confirmed_ms: 0, listeners: new Set(), stop() {} };
      this.#resources.set(key, resource);
      this.#subscribe(resource);
      this.#read(resource);
    }
    resource.listeners.add(listener);
    return resource;
  }

  unwatch(resource: AnyResource, listener: () => void): void {
    resource.listeners.delete(listener);
    setTimeout(() => {
      const key = JSON.stringify(resource.topic);
      if (resource.listeners.size || this.#resources.get(key) !== resource) return;
      this.#resources.delete(key);
      resource.stop();
    }, LINGER_MS);
  }

  /** Somebody pressed retry, or the network is back: nothing waits any longer. */
  retryNow(): void {
    this.#wake();
    this.#each((resource) => this.#read(resource));
  }

  close(): void {
    this.#end.abort();
    this.#live.close();
    this.tokens.close();
    this.#resources.clear();
  }

  #wake(): void {
    this.tokens.wake();
    this.#live.wake();
  }

  #each(act: (resource: AnyResource) => void): void {
    this.#resources.forEach(act);
  }

  /** Another customer must never see what this one had. */
  #startOver(): void {
    this.#customer++;
    this.#live.close();
    this.#each((resource) => {
      change(resource, { data: undefined, error: undefined });
      this.#subscribe(resource);
      this.#read(resource);
    });
  }

  #subscribe(resource: AnyResource): void {
    const { declared, fields, variables } = compose([resource], "live");
    resource.stop = this.#live.openStream({
      query: `subscription ScripLive(${declared}){${fields}}`,
      variables,
      next: ({ r0 }) => receive(resource, r0),
      error: (error) => change(resource, { error }),
    });
  }

  /** Whatever the elements of a page want in one moment is one request. */
  async #read(resource: AnyResource): Promise<void> {
    const unread = this.#unread;
    const customer = this.#customer;
    let batch: AnyResource[] = [];
    const take = (): void => {
      batch = [...unread];
      unread.clear();
    };
    if (unread.size) return void unread.add(resource);
    unread.add(resource);
    try {
      await this.tokens.get();
      take();
      const answer = await request(this.baseUrl, this.tokens, ask(batch));
      if (customer === this.#customer) share(batch, answer);
    } catch (error) {
      if (!batch.length) take();
      for (const each of batch) change(each, { error: error as ScripError });
    }
  }
}

const ask = (batch: AnyResource[]): Question => {
  const { declared, fields, variables } = compose(batch, "read");
  return { query: `query ScripRead(${declared}){customer{${fields}}}`, variables };
};

/** Fields r0, r1 … with their arguments as variables: `r0:balance(creditType:$creditType0){…}`. */
export function compose(batch: AnyResource[], kind: "read" | "live") {
  const variables: Record<string, unknown> = {};
  const declared: string[] = [];
  const fields = batch.map(({ topic }, index) => {
    const passed = Object.entries(topic.args).map(([name, [type, value]]) => {
      variables[name + index] = value;
      declared.push(`$${name}${index}:${type}`);
      return `${name}:$${name}${index}`;
    });
    return `r${index}:${topic[kind]}(${passed})${topic.selection}`;
  });
  return { declared, fields: fields.join(" "), variables };
}

function share(batch: AnyResource[], { data, errors = [] }: Answer): void {
  const customer = data?.["customer"] as Record<string, unknown> | undefined;
  batch.forEach((resource, index) => {
    const value = customer?.[`r${index}`];
    if (value) receive(resource, value);
    else
      change(resource, { error: errors[0] ? fromFault(errors[0]) : new ScripError("NOT_FOUND", resource.topic.read) });
  });
}
