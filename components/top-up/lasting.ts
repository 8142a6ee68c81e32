import { span } from "../core/intl.ts";

const UNITS: Record<string, string> = { D: "day", W: "week", M: "month", Y: "year" };
/** "1 year": an ISO 8601 duration of one unit; as it is written where it is anything else. */
export function lasting(locale: string, duration: string): string {
  const [, amount, letter = ""] = /^P(\d+)([DWMY])$/.exec(duration) ?? [];
  const unit = UNITS[letter];
  return unit ? span(locale, Number(amount), unit) : duration;
}
