import { backoff } from "./backoff.ts";
import { type Fault, fromFault, type ScripError } from "./errors.ts";
import type { Answer, Question } from "./graphql.ts";

export interface Subscription extends Question {
  next(data: Record<string, unknown>): void;
  error(error: ScripError): void;
  /** Has nothing to say until something happens: nobody waits for its first answer. */
  isSilent?: boolean | undefined;
  /** Refusals in a row, for the back-off. */
  failures?: number;
}
export type Subscriptions = ReadonlyMap<string, Subscription>;

interface Message {
  type: string;
  id?: string;
  payload?: unknown;
}

const OPEN_MS_MAX = 15_000;
const PING_MS = 20_000;
const PROBE_MS_MAX = 5_000;

/** One socket that speaks graphql-transport-ws, from greeting to end. */
export class Connection {
  readonly token: string;
  /** When the server was last heard. */
  seen_ms = Date.now();
  /** Once: every subscription that is due to answer has. */
  onSettled: (() => void) | undefined;
  onClosed: ((code: number) => void) | undefined;
  #socket: WebSocket;
  #subscriptions: Subscriptions;
  #unanswered = new Set<string>();
  #isReady = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, token: string, subscriptions: Subscriptions) {
    this.token = token;
    this.#subscriptions = subscriptions;
    for (const [id, { isSilent }] of subscriptions) if (!isSilent) this.#unanswered.add(id);
    const socket = new WebSocket(url, "graphql-transport-ws");
    this.#socket = socket;
    // The token goes into the greeting: an address would end up in logs.
    socket.onopen = () => this.#send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = ({ code }) => this.#end(code);
    this.#expectWithin(OPEN_MS_MAX);
  }

  start(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (!this.#isReady || !subscription) return;
    const { query, variables } = subscription;
    this.#send({ id, type: "subscribe", payload: { query, variables } });
  }

  stop(id: string): void {
    if (this.#isReady) this.#send({ id, type: "complete" });
    this.#answered(id);
  }

  /** Is anybody there? After sleep or a change of network a socket may be dead and not know it. */
  probe(delay_ms = PROBE_MS_MAX): void {
    this.#send({ type: "ping" });
    this.#expectWithin(delay_ms);
  }

  close(): void {
    this.onClosed = this.onSettled = undefined;
    this.#end(1000);
  }

  #send(message: Message): void {
    this.#socket.send(JSON.stringify(message));
  }

  #expectWithin(delay_ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(1006), delay_ms);
  }

  /** Doesn't wait for the socket's own close event: on a dead network that takes minutes. */
  #end(code: number): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    socket.onmessage = socket.onclose = null;
    socket.close(1000);
    this.#isReady = false;
    this.onClosed?.(code);
  }

  #receive({ type, id = "", payload }: Message): void {
    this.seen_ms = Date.now();
    clearTimeout(this.#timer);
    // Counted from the ping, not from the last word: in a hidden tab timers come a minute late.
    this.#timer = setTimeout(() => this.probe(PING_MS), PING_MS);
    const subscription = this.#subscriptions.get(id);
    if (type === "ping") this.#send({ type: "pong" });
    else if (type === "connection_ack") {
      this.#isReady = true;
      for (const each of this.#subscriptions.keys()) this.start(each);
    } else if (subscription) {
      const { data, errors } = (type === "error" ? { errors: payload } : (payload ?? {})) as Answer;
      if (data) {
        subscription.failures = 0;
        subscription.next(data);
      } else this.#failed(id, subscription, errors);
      this.#answered(id);
    }
  }

  /** The socket lives on; this one subscription was refused, or ended though nobody asked it to. */
  #failed(id: string, subscription: Subscription, errors: Fault[] | undefined): void {
    const error = fromFault(errors?.[0]);
    if (errors) subscription.error(error);
    subscription.failures ??= 0;
    if (error.retryable) setTimeout(() => this.start(id), backoff(subscription.failures++));
  }

  #answered(id: string): void {
    this.#unanswered.delete(id);
    if (!this.#isReady || this.#unanswered.size) return;
    this.onSettled?.();
    this.onSettled = undefined;
  }
}
