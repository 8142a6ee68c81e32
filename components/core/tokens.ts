import { backoff } from "./backoff.ts";
import { ScripError } from "./errors.ts";

export type TokenReason = "initial" | "expiring" | "rejected";
export type TokenAnswer = string | { token: string; expiresAt?: string };
/** How a host hands out customer tokens. `signal` aborts when it takes too long. */
export type FetchToken = (request: { reason: TokenReason; signal: AbortSignal }) => TokenAnswer | Promise<TokenAnswer>;

const FETCH_MS_MAX = 30_000;

/** What a token says of itself; an opaque one says nothing. */
function claimsOf(token: string): { sub?: string; iat?: number; exp?: number } {
  try {
    return JSON.parse(atob(`${token.split(".")[1]}`.replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}

/**
 * The customer's token: kept in memory alone, fetched once at a time, renewed at 80% of its life.
 * A hidden tab lets it run out and asks again when somebody looks.
 */
export class Tokens {
  /** A later token has come; `isOther` when it is another customer's. */
  onRenewed!: (isOther: boolean) => void;
  #source: FetchToken;
  #value: string | undefined;
  #customer: string | undefined;
  #expiresAt_ms = Infinity;
  #renewAt_ms = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pending: Promise<string> | undefined;
  #failures = 0;

  constructor(source: FetchToken) {
    this.#source = source;
  }

  /** A token that the server has not refused yet, at once where there is one: `rejected` is the one it has. */
  get(rejected?: string): string | Promise<string> {
    const value = this.#value;
    if (value && value !== rejected && Date.now() < this.#expiresAt_ms) return value;
    return this.#fetch(!value ? "initial" : value === rejected ? "rejected" : "expiring");
  }

  acceptToken(token: string, expiresAt?: string): void {
    const { sub, iat, exp } = claimsOf(token);
    const now_ms = Date.now();
    // The token's own span, where it tells one: the clock of this machine may be wrong by hours.
    const life_ms = exp && iat ? (exp - iat) * 1000 : Date.parse(expiresAt ?? "") - now_ms;
    this.#expiresAt_ms = now_ms + (life_ms > 0 ? life_ms : Infinity);
    // 80% ± 10%, so that tabs opened together don't renew together.
    this.#renewAt_ms = now_ms + (this.#expiresAt_ms - now_ms) * (0.72 + Math.random() * 0.16);
    const before = this.#value;
    const isOther = this.#customer !== sub;
    this.#value = token;
    this.#customer = sub;
    this.#failures = 0;
    this.#renewIn(this.#renewAt_ms - now_ms);
    if (before) this.onRenewed(isOther);
  }

  /** Somebody looks at the page again, or the network is back. */
  wake(): void {
    if (Date.now() >= this.#renewAt_ms) this.#renew();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #renewIn(delay_ms: number): void {
    clearTimeout(this.#timer);
    if (delay_ms < Infinity) this.#timer = setTimeout(() => document.hidden || this.#renew(), delay_ms);
  }

  #renew(): void {
    this.#fetch("expiring").catch(() => this.#renewIn(backoff(this.#failures++, 60_000)));
  }

  #fetch(reason: TokenReason): Promise<string> {
    this.#pending ??= this.#ask(reason).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(reason: TokenReason): Promise<string> {
    const signal = AbortSignal.timeout(FETCH_MS_MAX);
    try {
      const answer = await new Promise<TokenAnswer>((resolve, reject) => {
        signal.onabort = () => reject("timed out"); // also when the source doesn't listen
        Promise.resolve(this.#source({ reason, signal })).then(resolve, reject);
      });
      const { token, expiresAt }: Exclude<TokenAnswer, string> =
        typeof answer === "string" ? { token: answer } : answer;
      if (!token) throw "none";
      this.acceptToken(token, expiresAt);
      return token;
    } catch (error) {
      throw new ScripError("TOKEN", `no token: ${error}`);
    }
  }
}
