/** Types of the Scrip embed. Written by the build: don't edit. */
export type TokenReason = "initial" | "expiring" | "rejected";
export type TokenAnswer = string | { token: string; expiresAt?: string };
export type FetchToken = (request: { reason: TokenReason; signal: AbortSignal }) => TokenAnswer | Promise<TokenAnswer>;

/** A customer's balance, live. */
export interface ScripBalance extends HTMLElement {
}

/** Everything in one page. */
export interface ScripDashboard extends HTMLElement {
}

/** What expires when, and what of it will be lost. */
export interface ScripExpirations extends HTMLElement {
}

/** Shows a feature, or why not. */
export interface ScripGate extends HTMLElement {
}

/** What happened to the credits, and why. */
export interface ScripLedger extends HTMLElement {
}

/** The session of a page. */
export interface ScripProvider extends HTMLElement {
  /** In place of `token-url`: a function that gets `{reason, signal}` and returns a token, or `{token, expiresAt}`. */
  fetchToken?: FetchToken;
}

/** Keeps the balance filled. */
export interface ScripRecharge extends HTMLElement {
}

/** How long the credits last. */
export interface ScripRunway extends HTMLElement {
}

/** Buys credits. */
export interface ScripTopUp extends HTMLElement {
}

/** Usage over time, as a chart and as a table. */
export interface ScripUsage extends HTMLElement {
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
  expirations: string;
  unused: string;
  nothingExpires: string;
  runway: string;
  until: string;
  endless: string;
  usedUp: string;
  daily: string;
  suggestion: string;
  usage: string;
  used: string;
  range: string;
  table: string;
  chart: string;
  when: string;
  amount: string;
  noUsage: string;
  others: string;
  ledger: string;
  filter: string;
  all: string;
  entry: string;
  after: string;
  noEntries: string;
  loadMore: string;
  exportCsv: string;
  quantity: string;
  rate: string;
  rateOf: string;
  from: string;
  overdraft: string;
  by: string;
  reported: string;
  returned: string;
  notMine: string;
  why: string;
  send: string;
  cancel: string;
  refused: string;
  blocked: string;
  buy: string;
  recharge: string;
  bonus: string;
  each: string;
  lasts: string;
  suggested: string;
  nothingOnSale: string;
  starting: string;
  payPage: string;
  notStarted: string;
  auto: string;
  below: string;
  bundle: string;
  target: string;
  cap: string;
  save: string;
  saved: string;
  spentOf: string;
  method: string;
  addMethod: string;
  noMethod: string;
  suspended: string;
  attempts: string;
  PURCHASE: string;
  RECHARGE: string;
  PLAN: string;
  TRIAL: string;
  PROMOTION: string;
  MANUAL: string;
  REFUND: string;
  ROLLOVER: string;
  ADJUSTMENT: string;
  GRANT: string;
  BURN: string;
  HOLD: string;
  SETTLE: string;
  RELEASE: string;
  LAPSE: string;
  EXPIRE: string;
  UNEXPIRE: string;
  REALLOCATE: string;
  VOID: string;
  REVERSE: string;
  CLAWBACK: string;
  ADJUST: string;
  OPEN: string;
  INVESTIGATING: string;
  UPHELD: string;
  REJECTED: string;
  WITHDRAWN: string;
  INSUFFICIENT_CREDITS: string;
  LIMIT_REACHED: string;
  PENDING: string;
  REQUIRES_ACTION: string;
  SUCCEEDED: string;
  FAILED: string;
  CANCELED: string;
  REFUNDED: string;
  DISPUTED: string;
  TOP_UP_PENDING: string;
  TOP_UP_REQUIRES_ACTION: string;
  TOP_UP_SUCCEEDED: string;
  TOP_UP_FAILED: string;
  TOP_UP_CANCELED: string;
  "BURN SETTLE": string;
  "GRANT UNEXPIRE": string;
  "EXPIRE VOID CLAWBACK": string;
  "HOLD RELEASE LAPSE": string;
  "REVERSE REALLOCATE ADJUST": string;
}
/** Adds a language, or replaces texts of one; what is left out is said in English. */
export declare function registerLocale(locale: string, messages: Partial<Messages>): void;
export declare const version: string;
export declare const ScripBalance: { new (): ScripBalance };
export declare const ScripDashboard: { new (): ScripDashboard };
export declare const ScripExpirations: { new (): ScripExpirations };
export declare const ScripGate: { new (): ScripGate };
export declare const ScripLedger: { new (): ScripLedger };
export declare const ScripProvider: { new (): ScripProvider };
export declare const ScripRecharge: { new (): ScripRecharge };
export declare const ScripRunway: { new (): ScripRunway };
export declare const ScripTopUp: { new (): ScripTopUp };
export declare const ScripUsage: { new (): ScripUsage };

declare global {
  interface HTMLElementTagNameMap {
    "scrip-balance": ScripBalance;
    "scrip-dashboard": ScripDashboard;
    "scrip-expirations": ScripExpirations;
    "scrip-gate": ScripGate;
    "scrip-ledger": ScripLedger;
    "scrip-provider": ScripProvider;
    "scrip-recharge": ScripRecharge;
    "scrip-runway": ScripRunway;
    "scrip-top-up": ScripTopUp;
    "scrip-usage": ScripUsage;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-balance-change": CustomEvent<{previous: string, available: string, version: number}>;
    "scrip-balance-low": CustomEvent<{available: string, low: string, version: number}>;
    "scrip-load": CustomEvent<null>;
    "scrip-error": CustomEvent<{code: string, message: string, retryable: boolean}>;
    "scrip-range-change": CustomEvent<{range: string, interval: string}>;
    "scrip-top-up-start": CustomEvent<{bundle: string, price: {amount: string, currency: string}}>;
    "scrip-top-up-done": CustomEvent<{id: string, bundle: string, credits: string}>;
    "scrip-top-up-failed": CustomEvent<{code: string}>;
    "scrip-recharge-change": CustomEvent<{enabled: boolean, threshold: string, bundle: string, target: string | null, monthlyCap: {amount: string, currency: string}}>;
    "scrip-expiring": CustomEvent<{amount: string, expiresAt: string, projectedLoss: string}>;
    "scrip-entry-select": CustomEvent<{id: string, sequence: number, kind: string, amount: string}>;
    "scrip-export": CustomEvent<{creditType: string, kinds: string[] | null}>;
    "scrip-gate-change": CustomEvent<{allowed: boolean, reason: string | null}>;
  }
}
