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

/** What every answer says of the balance it belongs to. */
export interface Followed {
  balance: Pick<Balance, "available" | "version" | "asOf"> & { creditType: CreditType };
}
const CREDIT_TYPE = "(creditType:$creditType){creditType{key name unitSingular unitPlural scale}available ";
export const FOLLOWED = `balance${CREDIT_TYPE}version asOf}`;

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
export function balanceTopic(creditType: string): Topic<{ balance: Balance }> {
  const field = `${CREDIT_TYPE}held version asOf buckets{amount expiresAt}}`;
  return {
    asked: `customer{balance${field}}`,
    pushed: `balance:balanceUpdated${field}`,
    args: { creditType: ["String!", creditType] },
  };
}

/**
 * By (version, asOf): what is available changes at an expiry, before there is an entry for it.
 * Instants are UTC with six decimals, so their texts sort as they do.
 */
export const isNewer = (next: Followed["balance"], shown: Followed["balance"]): boolean =>
  next.version === shown.version ? next.asOf > shown.asOf : next.version > shown.version;

/** Of two answers the one with the newer balance, of two for one balance the later; nothing where there is no such balance. */
export const newest = <T extends Partial<Followed>>(next: T, shown: T | undefined): T | undefined => {
  if (next.balance === null) return undefined;
  return next.balance && shown?.balance && isNewer(shown.balance, next.balance) ? shown : next;
};
