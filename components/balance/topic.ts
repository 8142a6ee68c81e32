import { floor } from "../core/decimal.ts";
import { number } from "../core/intl.ts";
import type { Topic } from "../core/session.ts";

export interface CreditType {
  key: string;
  name: string;
  unitSingular: string;
  unitPlural: string;
  scale: number;
}

interface Bucket {
  amount: string;
  expiresAt: string | null;
}

export interface Balance {
  creditType: CreditType;
  available: string;
  held: string;
  version: number;
  asOf: string;
  buckets: Bucket[];
}

/** The number and its word: "1" "credit". The words are in the catalog's language, not the page's. */
export const credits = (
  locale: string,
  { scale, unitSingular, unitPlural }: CreditType,
  amount: string,
): [string, string] => [number(locale, amount, scale), floor(amount, scale) === "1" ? unitSingular : unitPlural];

/**
 * The balance of one credit type. Other elements follow it too: its version grows by one with every
 * entry, so it tells them when what they show is no longer all.
 */
export function balanceTopic(creditType: string): Topic<Balance> {
  const field =
    "(creditType:$creditType){creditType{key name unitSingular unitPlural scale}available held version asOf buckets{amount expiresAt}}";
  return {
    asked: `customer{balance${field}}`,
    pushed: `balance:balanceUpdated${field}`,
    args: { creditType: ["String!", creditType] },
    merge: ({ balance }, shown) => (shown && balance && !isNewer(balance, shown) ? shown : balance),
  };
}

/**
 * By (version, asOf): what is available changes at an expiry, before there is an entry for it.
 * Instants are UTC with six decimals, so their texts sort as they do.
 */
export const isNewer = (next: Balance, shown: Balance): boolean =>
  next.version === shown.version ? next.asOf > shown.asOf : next.version > shown.version;
