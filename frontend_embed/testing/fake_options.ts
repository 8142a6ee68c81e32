/** A fake Scrip as a test describes it: what it leaves out is as any customer has it. */
import {
  entry,
  type FakeBalance,
  type FakeCreditType,
  type FakeEntry,
  type FakeExpiration,
  type FakeRunway,
  setNow,
} from "./fake_data.ts";
import type { FakeBundle, FakeRule } from "./fake_payments.ts";
import { FakeScrip } from "./fake_scrip.ts";

/** A balance in short: how much is available, or more of it. */
export type BalanceOption =
  | string
  | (Partial<Omit<FakeBalance, "creditType">> & { creditType?: Partial<FakeCreditType> });

export interface FakeScripOptions {
  /** Key of the customer that tokens are for; `acme` when left out. */
  customer?: string;
  /** By key of the credit type, such as `{ ai: "1500" }`. Amounts are decimal strings. */
  balances?: Record<string, BalanceOption>;
  /** Entries of the book, newest first; what an entry leaves out is that of a burn. */
  entries?: Partial<FakeEntry>[];
  expirations?: FakeExpiration[];
  runway?: Partial<FakeRunway>;
  features?: { key: string; name: string }[];
  members?: { key: string; name: string }[];
  /** What is on sale. */
  bundles?: FakeBundle[];
  /** The recharge rule; null where none was ever set. */
  recharge?: Partial<FakeRule> | null;
  /** What the customer's token may do; everything when left out. */
  scopes?: string[];
  /** What `scrip-gate` is told: `{ allowed: false, reason: { code: "INSUFFICIENT_CREDITS" } }`. */
  decision?: { allowed: boolean; wouldBlock?: boolean; mode?: string; reason?: { code: string } | null };
  /** Address of the payment page of a top-up. */
  checkoutUrl?: (topUpId: string) => string;
  /** The moment that dates count from; now when left out. */
  now?: Date;
}

/** A Scrip that needs no server: `install()` puts it into a page, `serveFakeScrip()` behind a port. */
export function fakeScrip(options: FakeScripOptions = {}): FakeScrip {
  setNow((options.now ?? new Date()).getTime());
  const fake = new FakeScrip();
  const { payments } = fake;
  const { customer, balances = {}, entries, expirations, runway, features, members, decision } = options;
  if (customer !== undefined) fake.customer = customer;
  if (options.balances && !("ai" in balances)) fake.balances.clear();
  for (const [key, option] of Object.entries(balances)) {
    const { creditType, ...rest } = typeof option === "string" ? { available: option } : { creditType: {}, ...option };
    const first = fake.set(key, {});
    const buckets = [{ amount: rest.available ?? first.available, expiresAt: null }];
    fake.set(key, { version: first.version, buckets, ...rest, creditType: { ...first.creditType, ...creditType } });
  }
  if (entries) fake.entries = entries.map((each, index) => entry(entries.length - index, each));
  Object.assign(fake, defined({ expirations, features, members }));
  Object.assign(fake.runway, runway);
  if (decision) fake.decision = { wouldBlock: !decision.allowed, mode: "ENFORCE", reason: null, ...decision };
  Object.assign(payments, defined({ bundles: options.bundles, scopes: options.scopes }));
  if (options.recharge === null) payments.recharge = null;
  else if (payments.recharge) Object.assign(payments.recharge, options.recharge);
  if (options.checkoutUrl) payments.checkoutUrl = options.checkoutUrl;
  return fake;
}

const defined = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
