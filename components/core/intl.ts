import { floor } from "./decimal.ts";
import { inTurn } from "./turns.ts";

/** A language tag that `Intl` takes; English for what is none. */
export function canonical(tag: string): string {
  try {
    return Intl.getCanonicalLocales(tag.replace(/_/g, "-"))[0] as string;
  } catch {
    return "en";
  }
}

export const rightToLeft = (locale: string): boolean => /^(ar|fa|he|ps|ur|yi)\b/.test(locale);

type Kind = "NumberFormat" | "DateTimeFormat" | "RelativeTimeFormat";
type Options<K extends Kind> = ConstructorParameters<(typeof Intl)[K]>[1];
const made = new Map<string, unknown>();
/** Formatters are dear to make, and a chart or a table needs the same ones hundreds of times. */
export function formatter<K extends Kind>(kind: K, locale: string, options: Options<K>) {
  type Formatter = InstanceType<(typeof Intl)[K]>;
  const key = kind + locale + JSON.stringify(options);
  const known = made.get(key) ?? new (Intl[kind] as new (...args: unknown[]) => unknown)(locale, options);
  made.set(key, known);
  return known as Formatter;
}

/** A decimal string in the digits of a language, with at most `scale` places, cut and never rounded up. */
export const number = (locale: string, decimal: string, scale: number, signDisplay?: "exceptZero"): string =>
  // format() takes a decimal *string* exactly. It is cut beforehand, because browsers that don't
  // know `roundingMode` ignore it and round up.
  formatter("NumberFormat", locale, { maximumFractionDigits: scale, signDisplay }).format(
    floor(decimal, scale) as `${number}`,
  );

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
    formatter("NumberFormat", locale, { style: "currency", currency, ...options }).format(amount as `${number}`),
  );

/** A day or a moment. */
export const moment = (locale: string, instant: string, options: Intl.DateTimeFormatOptions): string =>
  formatter("DateTimeFormat", locale, options).format(new Date(instant));

/** A day such as "Jan 31", with its year where that is not the year of `now` (the server's, not the visitor's clock). */
export function day(locale: string, instant: string, now: string): string {
  const isThisYear = new Date(instant).getFullYear() === new Date(now).getFullYear();
  return moment(locale, instant, { month: "short", day: "numeric", year: isThisYear ? undefined : "numeric" });
}

/** How far away, in the largest unit that is full; before now where it is negative. */
function away(locale: string, span_ms: number, options: Intl.RelativeTimeFormatOptions): string {
  const size_ms = Math.abs(span_ms);
  const [unit_ms, unit] =
    size_ms < 60_000
      ? ([1_000, "second"] as const)
      : size_ms < 3_600_000
        ? ([60_000, "minute"] as const)
        : size_ms < 86_400_000
          ? ([3_600_000, "hour"] as const)
          : ([86_400_000, "day"] as const);
  return formatter("RelativeTimeFormat", locale, options).format(Math.trunc(span_ms / unit_ms) || -1, unit);
}

/** "5 min. ago", for a negative number. */
export const ago = (locale: string, before_ms: number): string => away(locale, before_ms, { style: "short" });

/** "in 3 days", "tomorrow", "in 5 hours": how far `instant` is from `now`. */
export const until = (locale: string, instant: string, now: string): string =>
  away(locale, Date.parse(instant) - Date.parse(now), { numeric: "auto" });

/**
 * The first formatter has the browser list all its languages: in Chromium that takes longer than anything else of a
 * page. It need not come with the first data, and the names that have changed are a part that can be had before it.
 */
const STEPS: (() => unknown)[] = [
  () => Intl.getCanonicalLocales("en-SU"),
  () => new Intl.NumberFormat(),
  () => new Intl.DateTimeFormat(),
];
export const getReady = (): void => STEPS.splice(0).forEach(inTurn);
