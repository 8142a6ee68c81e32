import { floor } from "./decimal.ts";
import { rightToLeft } from "./intl.ts";

/** Formatters are dear to make, and a chart or a table needs the same ones hundreds of times. */
const made = new Map<string, unknown>();
export function once<T>(key: string, make: () => T): T {
  const known = (made.get(key) as T | undefined) ?? make();
  made.set(key, known);
  return known;
}

/** A decimal string in the digits of a language, with at most `scale` places, cut and never rounded up. */
export const amountOf = (locale: string, decimal: string, scale: number, signDisplay?: "exceptZero"): string =>
  once(
    `${locale}${scale}${signDisplay}`,
    () => new Intl.NumberFormat(locale, { maximumFractionDigits: scale, signDisplay }),
  ).format(floor(decimal, scale) as `${number}`);

/** A day or a moment. */
export const moment = (locale: string, instant: string, options: Intl.DateTimeFormatOptions): string =>
  once(locale + JSON.stringify(options), () => new Intl.DateTimeFormat(locale, options)).format(new Date(instant));

/** What is read from left to right also within words that are not, such as a number with its unit. */
export const isolated = (locale: string, said: string): string => (rightToLeft(locale) ? `\u2066${said}\u2069` : said);

export interface Money {
  amount: string;
  currency: string;
}

/** A decimal string goes into the format as it is; a price is never rounded. */
export const price = (locale: string, { amount, currency }: Money, options?: Intl.NumberFormatOptions): string =>
  isolated(
    locale,
    new Intl.NumberFormat(locale, { style: "currency", currency, ...options }).format(amount as `${number}`),
  );

const DAY_MS = 86_400_000;

/** "in 3 days", "tomorrow", "in 5 hours": how far `instant` is from `now`, in units that are full. */
export function until(locale: string, instant: string, now: string): string {
  const left_ms = Date.parse(instant) - Date.parse(now);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (left_ms < DAY_MS) return format.format(Math.floor(left_ms / 3_600_000), "hour");
  return format.format(Math.floor(left_ms / DAY_MS), "day");
}
