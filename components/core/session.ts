import { newest } from "../balance/topic.ts";
import { type Fault, fromFault, ScripError } from "./errors.ts";
import { type Answer, request } from "./graphql.ts";
import { Live } from "./live.ts";
import { type FetchToken, Tokens } from "./tokens.ts";
import { inTurn } from "./turns.ts";

export type Args = Record<string, readonly [type: string, value: unknown]>;

/** What an element shows: where it is read, the subscription that keeps it fresh, or both. */
// biome-ignore lint/suspicious/noExplicitAny: topics of all types share one list, each element knows its own
export interface Topic<T = any> {
  /** A field of the query's root, arguments as `$name`: `customer{balance(creditType:$creditType){…}}`. */
  asked?: string;
  /** A field of the subscription's root. Its first answer is the present state, unless it is silent. */
  pushed?: string;
  isSilent?: boolean;
  args?: Args;
  /** What is known now that `next` has come, whichever way; nothing where there is no such thing. `newest` when left out. */
  // biome-ignore lint/suspicious/noExplicitAny: it comes as the wire brings it
  merge?(next: any, shown: T | undefined): T | null | undefined;
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

/** Words and what stands between them. The server takes 1,000 of its own counting, which is finer, and 20 root fields; a topic has more than 35. */
const WORDS_MAX = 700;

/** How long nobody has to look before a topic is dropped: a moved element comes back at once. */
const LINGER_MS = 5_000;

const change = (resource: AnyResource, change: Partial<AnyResource>): void => {
  Object.assign(resource, change);
  for (const listener of resource.listeners) listener();
};

/** Something has come; the topic knows whether it is newer than what is there. */
export const receive = (resource: AnyResource, next: unknown, fault?: Fault): void => {
  const { merge = newest } = resource.topic;
  const data = next && merge(next, resource.data);
  if (data) change(resource, { data, error: undefined, confirmed_ms: Date.now() });
  else change(resource, { error: fault ? fromFault(fault) : new ScripError("NOT_FOUND", "no data") });
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
        if (failures) this.readAnew(resource);
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
      this.readAnew(resource);
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
    this.#each((resource) => this.readAnew(resource));
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
      this.readAnew(resource);
    });
  }

  #subscribe(resource: AnyResource): void {
    const { pushed, isSilent } = resource.topic;
    if (!pushed) return;
    const { declared, fields, variables } = compose([resource], () => pushed);
    resource.stop = this.#live.openStream({
      query: `subscription ScripLive${declared}{${fields}}`,
      variables,
      isSilent,
      next: (data) => receive(resource, data),
      error: (error) => change(resource, { error }),
    });
  }

  /**
   * Reads a topic anew. Whatever the elements of a page want in one moment is one request. The first of them waits for
   * nothing, not even for its own drawing; those that still have to be defined then ask together.
   */
  async readAnew(resource: AnyResource): Promise<void> {
    const unread = this.#unread;
    if (!resource.topic.asked || unread.add(resource).size > 1) return;
    await (this.#resources.size > 1 && new Promise<void>(inTurn));
    const token = this.tokens.get();
    if (typeof token !== "string") await token.catch(() => {});
    this.#send([...unread], token);
    unread.clear();
  }

  async #send(batch: AnyResource[], token: string | Promise<string>): Promise<void> {
    const customer = this.#customer;
    const { declared, fields, variables } = compose(batch, ({ asked }, index) => `r${index}:${asked}`);
    const query = `query ScripRead${declared}{${fields}}`;
    const inHalves = (): void => {
      this.#send(batch.splice(batch.length / 2), token);
      this.#send(batch, token);
    };
    if (batch[1] && query.split(/\b/).length > WORDS_MAX) return inHalves();
    try {
      const answer = await request(this.baseUrl, this.tokens, { query, variables }, token);
      if (customer === this.#customer) share(batch, answer);
    } catch (error) {
      // What the token may not ask for, or this server doesn't know, is refused as a whole: the rest may be asked alone.
      if (batch[1] && !(error as ScripError).retryable) inHalves();
      else for (const each of batch) change(each, { error: error as ScripError });
    }
  }
}

/** The topics' fields, each with its arguments as variables of its own. */
export function compose(batch: AnyResource[], field: (topic: Topic<unknown>, index: number) => string | undefined) {
  const variables: Record<string, unknown> = {};
  const declared: string[] = [];
  const fields = batch.map(({ topic }, index) => {
    for (const [name, [type, value]] of Object.entries(topic.args ?? {})) {
      variables[name + index] = value;
      declared.push(`$${name}${index}:${type}`);
    }
    return field(topic, index)?.replace(/\$\w+/g, (name) => name + index);
  });
  return { declared: declared[0] ? `(${declared})` : "", fields: fields.join(" "), variables };
}

/** Each topic has a root of its own in the answer, so what fails one leaves the others alone. */
function share(batch: AnyResource[], { data, errors = [] }: Answer): void {
  batch.forEach((resource, index) => {
    const name = `r${index}`;
    receive(resource, data?.[name], errors.find(({ path }) => path?.[0] === name) ?? errors[0]);
  });
}
