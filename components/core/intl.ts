import { floor } from "./decimal.ts";
import { inTurn } from "./turns.ts";

/** A language tag that `Intl` takes; English for what is none. */
export function canonical(tag: string): string {
  try {
    return Intl.getCanonicalLocales(tag.replace(/_/g, "-"))[0] ?? "en";
  } catch {
    return "en";
  }
}

export const rightToLeft = (locale: string): boolean => /^(ar|fa|he|ps|ur|yi)\b/.test(locale);

/** A decimal string in the digits of a language, with at most `scale` places, cut and never rounded up. */
export const number = (locale: string, decimal: string, scale: number): string =>
  // format() takes a decimal *string* exactly. It is cut beforehand, because browsers that don't
  // know `roundingMode` ignore it and round up.
  new Intl.NumberFormat(locale, { maximumFractionDigits: scale }).format(floor(decimal, scale) as `${number}`);

/** A day such as "Jan 31", with its year where that is not the year of `now` (the server's, not the visitor's clock). */
export function day(locale: string, instant: string, now: string): string {
  const date = new Date(instant);
  const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(locale, { month: "short", day: "numeric", year });
}

/** "5 min. ago", in the largest unit that is full. */
export function ago(locale: string, elapsed_ms: number): string {
  const seconds = elapsed_ms / 1000;
  const [amount, unit] =
    seconds < 60
      ? ([seconds, "second"] as const)
      : seconds < 3600
        ? ([seconds / 60, "minute"] as const)
        : ([seconds / 3600, "hour"] as const);
  return new Intl.RelativeTimeFormat(locale, { style: "short" }).format(-Math.floor(amount) || -1, unit);
}

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
