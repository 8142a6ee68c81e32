/** Types of the Scrip embed. Written by the build: don't edit. */
export type TokenReason = "initial" | "expiring" | "rejected";
export type TokenAnswer = string | { token: string; expiresAt?: string };
export type FetchToken = (request: { reason: TokenReason; signal: AbortSignal }) => TokenAnswer | Promise<TokenAnswer>;

/** A customer's balance, live. */
export interface ScripBalance extends HTMLElement {
}

/** The session of a page. */
export interface ScripProvider extends HTMLElement {
  /** In place of `token-url`: a function that gets `{reason, signal}` and returns a token, or `{token, expiresAt}`. */
  fetchToken?: FetchToken;
}

/** What elements say to people; `{a}` and the like are places for values. */
export interface Messages {
  loading: string;
  retry: string;
  failed: string;
  stale: string;
  offline: string;
  updated: string;
  low: string;
  held: string;
  expiring: string;
  never: string;
  more: string;
  empty: string;
  balance: string;
}
/** Adds a language, or replaces texts of one; what is left out is said in English. */
export declare function registerLocale(locale: string, messages: Partial<Messages>): void;
export declare const version: string;
export declare const ScripBalance: { new (): ScripBalance };
export declare const ScripProvider: { new (): ScripProvider };

declare global {
  interface HTMLElementTagNameMap {
    "scrip-balance": ScripBalance;
    "scrip-provider": ScripProvider;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-balance-change": CustomEvent<{previous: string, available: string, version: number}>;
    "scrip-balance-low": CustomEvent<{available: string, low: string, version: number}>;
    "scrip-load": CustomEvent<null>;
    "scrip-error": CustomEvent<{code: string, message: string, retryable: boolean}>;
  }
}
