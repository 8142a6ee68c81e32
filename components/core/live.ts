import { backoff } from "./backoff.ts";
import { Connection, type Subscription } from "./connection.ts";
import { ScripError } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

/**
 * The one socket of a page. Never gives up, except for a fault of its own; a hidden tab waits until
 * somebody looks. With a new token it opens a second socket and closes the first when every
 * subscription has answered on the second, so nothing is missed in between.
 */
export class Live {
  /** No socket for now; `failures` tries in a row have failed, the last word came at `seen_ms`. */
  onDown!: (failures: number, seen_ms: number) => void;
  onError!: (error: ScripError) => void;
  #url: string;
  #tokens: Tokens;
  #subscriptions = new Map<string, Subscription>();
  #current: Connection | undefined;
  #next: Connection | undefined;
  #isOpening = false;
  #isStopped = false;
  #failures = 0;
  #ids = 0;
  #rejected: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(endpoint: string, tokens: Tokens) {
    this.#url = `${endpoint.replace("http", "ws")}/graphql`;
    this.#tokens = tokens;
  }

  /** Runs until the function it returns is called. */
  openStream(subscription: Subscription): () => void {
    const id = `${++this.#ids}`;
    this.#subscriptions.set(id, subscription);
    this.#each((connection) => connection.start(id));
    if (!this.#current && !this.#next && !this.#failures) this.#open();
    return () => {
      this.#subscriptions.delete(id);
      this.#each((connection) => connection.stop(id));
      if (!this.#subscriptions.size) this.#closeAll();
    };
  }

  /** There is a new token. */
  renew(): void {
    if (this.#current) this.#open();
  }

  /** Now, without waiting: the network is back, the tab is seen again, or somebody asked. */
  wake(): void {
    this.#isStopped = false;
    if (this.#current) this.#current.probe();
    else if (!this.#next) this.#open();
  }

  close(): void {
    this.#subscriptions.clear();
    this.#closeAll();
  }

  #each(tell: (connection: Connection) => void): void {
    for (const connection of [this.#current, this.#next]) if (connection) tell(connection);
  }

  #closeAll(): void {
    clearTimeout(this.#timer);
    this.#each((connection) => connection.close());
    this.#current = this.#next = undefined;
    this.#failures = 0;
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isOpening || this.#isStopped || document.hidden) return;
    this.#isOpening = true;
    try {
      const token = await this.#tokens.get(this.#rejected);
      if (this.#subscriptions.size) this.#connect(token);
    } catch (error) {
      // The token source failed, or the browser refuses such an address.
      this.onError(error as ScripError);
      this.#later(60_000);
    }
    this.#isOpening = false;
  }

  #connect(token: string): void {
    this.#next?.close();
    const connection = new Connection(this.#url, token, this.#subscriptions);
    this.#next = connection;
    connection.onSettled = () => {
      this.#current?.close();
      this.#current = connection;
      this.#next = this.#rejected = undefined;
      this.#failures = 0;
    };
    connection.onClosed = (code) => {
      if (connection === this.#next) this.#next = undefined;
      else this.#current = undefined;
      this.#closed(connection, code);
    };
  }

  #closed({ token, seen_ms }: Connection, code: number): void {
    // Bad message, wrong protocol, the same id or the greeting twice: ours to mend, not to repeat.
    if ([4400, 4406, 4409, 4429].includes(code)) {
      this.#isStopped = true;
      this.#closeAll();
      this.onError(new ScripError("PROTOCOL", `closed with ${code}`));
      return;
    }
    const isRejected = code === 4401 || code === 4403;
    if (isRejected) this.#rejected = token;
    if (this.#next) return; // its successor is on the way
    if (!this.#current) this.onDown(this.#failures, seen_ms);
    // A refused token is replaced at once; if the new one is refused too, that takes its time.
    if (isRejected && !this.#failures++) this.#open();
    else this.#later();
  }

  #later(cap_ms?: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), backoff(this.#failures++, cap_ms));
  }
}
