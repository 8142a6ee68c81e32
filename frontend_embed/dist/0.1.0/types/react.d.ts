/** JSX of React 19. Written by the build: don't edit. */
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { ScripBalance, ScripDashboard, ScripExpirations, ScripGate, ScripLedger, ScripProvider, ScripRecharge, ScripRunway, ScripTopUp, ScripUsage, FetchToken } from "./embed.js";

export interface ScripBalanceProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** One line without a card, for a menu bar. */
  compact?: boolean;
  /** An amount; below it the balance is marked as low. */
  low?: string;
  /** Also says how much open holds set aside. */
  "show-held"?: boolean;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** The available credits have changed; amounts are exact decimals. */
  "onscrip-balance-change"?: (event: CustomEvent<{previous: string, available: string, version: number}>) => void;
  /** They have fallen below `low`, or were when first shown. */
  "onscrip-balance-low"?: (event: CustomEvent<{available: string, low: string, version: number}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripDashboardProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the headings of the cards, 3 when left out. */
  "heading-level"?: number;
  /** The available credits have changed; amounts are exact decimals. */
  "onscrip-balance-change"?: (event: CustomEvent<{previous: string, available: string, version: number}>) => void;
  /** They have fallen below `low`, or were when first shown. */
  "onscrip-balance-low"?: (event: CustomEvent<{available: string, low: string, version: number}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
  /** Somebody chose another period. */
  "onscrip-range-change"?: (event: CustomEvent<{range: string, interval: string}>) => void;
  /** Somebody wants to buy; the purchase begins unless this is prevented. */
  "onscrip-top-up-start"?: (event: CustomEvent<{bundle: string, price: {amount: string, currency: string}}>) => void;
  /** It is paid, and the credits are there. */
  "onscrip-top-up-done"?: (event: CustomEvent<{id: string, bundle: string, credits: string}>) => void;
  /** It could not be started, or was not paid. */
  "onscrip-top-up-failed"?: (event: CustomEvent<{code: string}>) => void;
  /** Somebody wants another rule; it is saved unless this is prevented. */
  "onscrip-recharge-change"?: (event: CustomEvent<{enabled: boolean, threshold: string, bundle: string, target: string | null, monthlyCap: {amount: string, currency: string}}>) => void;
  /** What expires first is another now, or was first shown; amounts are exact decimals. */
  "onscrip-expiring"?: (event: CustomEvent<{amount: string, expiresAt: string, projectedLoss: string}>) => void;
  /** Somebody wants to know more about an entry; its details open unless this is prevented. */
  "onscrip-entry-select"?: (event: CustomEvent<{id: string, sequence: number, kind: string, amount: string}>) => void;
  /** Somebody wants a file; one is made unless this is prevented. */
  "onscrip-export"?: (event: CustomEvent<{creditType: string, kinds: string[] | null}>) => void;
}

export interface ScripExpirationsProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** How far to look ahead, an ISO 8601 duration; P90D when left out. */
  within?: string;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** What expires first is another now, or was first shown; amounts are exact decimals. */
  "onscrip-expiring"?: (event: CustomEvent<{amount: string, expiresAt: string, projectedLoss: string}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripGateProps {
  /** Key of the feature. */
  feature: string;
  /** How much of it, as a decimal; 1 when left out. */
  quantity?: string;
  /** `open` or `closed`: what to show when nobody can be asked; what the feature's policy says when left out, closed where that isn't known either. */
  "on-error"?: "open" | "closed";
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Of no use here. */
  "heading-level"?: number;
  /** What is shown is another now, or is shown first; `reason` is the code of the refusal, or ERROR. */
  "onscrip-gate-change"?: (event: CustomEvent<{allowed: boolean, reason: string | null}>) => void;
  /** The first answer is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Nobody could be asked; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripLedgerProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** Entries read at once, 1 to 100; 20 when left out. */
  "page-size"?: number;
  /** Kinds of entries to show, such as `BURN SETTLE`; all when left out. */
  kinds?: string;
  /** New entries appear, and disputes move on, as it happens. */
  live?: boolean;
  /** Usage can be disputed. */
  disputable?: boolean;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** Somebody wants to know more about an entry; its details open unless this is prevented. */
  "onscrip-entry-select"?: (event: CustomEvent<{id: string, sequence: number, kind: string, amount: string}>) => void;
  /** Somebody wants a file; one is made unless this is prevented. */
  "onscrip-export"?: (event: CustomEvent<{creditType: string, kinds: string[] | null}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripProviderProps {
  /** Where Scrip answers, such as `https://credits.example.com`; the page's own origin when left out. */
  endpoint?: string;
  /** A first customer token, which saves a round trip. */
  token?: string;
  /** Address on the page's own origin that is POSTed to with its cookies and answers `{"token", "expiresAt"}`. */
  "token-url"?: string;
  /** In place of `token-url`: a function that gets `{reason, signal}` and returns a token, or `{token, expiresAt}`. */
  fetchToken?: FetchToken;
  /** The available credits have changed; amounts are exact decimals. */
  "onscrip-balance-change"?: (event: CustomEvent<{previous: string, available: string, version: number}>) => void;
  /** They have fallen below `low`, or were when first shown. */
  "onscrip-balance-low"?: (event: CustomEvent<{available: string, low: string, version: number}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
  /** Somebody chose another period. */
  "onscrip-range-change"?: (event: CustomEvent<{range: string, interval: string}>) => void;
  /** Somebody wants to buy; the purchase begins unless this is prevented. */
  "onscrip-top-up-start"?: (event: CustomEvent<{bundle: string, price: {amount: string, currency: string}}>) => void;
  /** It is paid, and the credits are there. */
  "onscrip-top-up-done"?: (event: CustomEvent<{id: string, bundle: string, credits: string}>) => void;
  /** It could not be started, or was not paid. */
  "onscrip-top-up-failed"?: (event: CustomEvent<{code: string}>) => void;
  /** Somebody wants another rule; it is saved unless this is prevented. */
  "onscrip-recharge-change"?: (event: CustomEvent<{enabled: boolean, threshold: string, bundle: string, target: string | null, monthlyCap: {amount: string, currency: string}}>) => void;
  /** What expires first is another now, or was first shown; amounts are exact decimals. */
  "onscrip-expiring"?: (event: CustomEvent<{amount: string, expiresAt: string, projectedLoss: string}>) => void;
  /** Somebody wants to know more about an entry; its details open unless this is prevented. */
  "onscrip-entry-select"?: (event: CustomEvent<{id: string, sequence: number, kind: string, amount: string}>) => void;
  /** Somebody wants a file; one is made unless this is prevented. */
  "onscrip-export"?: (event: CustomEvent<{creditType: string, kinds: string[] | null}>) => void;
  /** What is shown is another now, or is shown first; `reason` is the code of the refusal, or ERROR. */
  "onscrip-gate-change"?: (event: CustomEvent<{allowed: boolean, reason: string | null}>) => void;
}

export interface ScripRechargeProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** Somebody wants another rule; it is saved unless this is prevented. */
  "onscrip-recharge-change"?: (event: CustomEvent<{enabled: boolean, threshold: string, bundle: string, target: string | null, monthlyCap: {amount: string, currency: string}}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripRunwayProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripTopUpProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** Keys of the bundles to offer, in this order; all that are on sale when left out. */
  bundles?: string;
  /** Where the payment page leads back to; when left out nowhere, as it stands in a tab of its own, and to this page where no tab is let through. */
  "return-url"?: string;
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** Somebody wants to buy; the purchase begins unless this is prevented. */
  "onscrip-top-up-start"?: (event: CustomEvent<{bundle: string, price: {amount: string, currency: string}}>) => void;
  /** It is paid, and the credits are there. */
  "onscrip-top-up-done"?: (event: CustomEvent<{id: string, bundle: string, credits: string}>) => void;
  /** It could not be started, or was not paid. */
  "onscrip-top-up-failed"?: (event: CustomEvent<{code: string}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

export interface ScripUsageProps {
  /** Key of the credit type. */
  "credit-type": string;
  /** What a bar is: `hour`, `day` or `week`; `day` when left out. */
  interval?: "hour" | "day" | "week";
  /** How far back, an ISO 8601 duration such as P30D; P30D when left out, P2D by hours, P13W by weeks. */
  range?: string;
  /** `feature` or `member`; all in one when left out. */
  "group-by"?: "feature" | "member";
  /** `chart` or `table`; `chart` when left out. */
  view?: "chart" | "table";
  /** A language tag in place of the nearest `lang`. */
  locale?: string;
  /** Level of the heading, 3 when left out. */
  "heading-level"?: number;
  /** Somebody chose another period. */
  "onscrip-range-change"?: (event: CustomEvent<{range: string, interval: string}>) => void;
  /** The first data is on the screen. */
  "onscrip-load"?: (event: CustomEvent<null>) => void;
  /** Data could not be had; what was shown stays. */
  "onscrip-error"?: (event: CustomEvent<{code: string, message: string, retryable: boolean}>) => void;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "scrip-balance": DetailedHTMLProps<HTMLAttributes<ScripBalance>, ScripBalance> & ScripBalanceProps;
      "scrip-dashboard": DetailedHTMLProps<HTMLAttributes<ScripDashboard>, ScripDashboard> & ScripDashboardProps;
      "scrip-expirations": DetailedHTMLProps<HTMLAttributes<ScripExpirations>, ScripExpirations> & ScripExpirationsProps;
      "scrip-gate": DetailedHTMLProps<HTMLAttributes<ScripGate>, ScripGate> & ScripGateProps;
      "scrip-ledger": DetailedHTMLProps<HTMLAttributes<ScripLedger>, ScripLedger> & ScripLedgerProps;
      "scrip-provider": DetailedHTMLProps<HTMLAttributes<ScripProvider>, ScripProvider> & ScripProviderProps;
      "scrip-recharge": DetailedHTMLProps<HTMLAttributes<ScripRecharge>, ScripRecharge> & ScripRechargeProps;
      "scrip-runway": DetailedHTMLProps<HTMLAttributes<ScripRunway>, ScripRunway> & ScripRunwayProps;
      "scrip-top-up": DetailedHTMLProps<HTMLAttributes<ScripTopUp>, ScripTopUp> & ScripTopUpProps;
      "scrip-usage": DetailedHTMLProps<HTMLAttributes<ScripUsage>, ScripUsage> & ScripUsageProps;
    }
  }
}
