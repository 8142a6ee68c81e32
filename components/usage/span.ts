import { hoursOf } from "../core/duration.ts";
import { formatter, moment } from "../core/intl.ts";

export type Interval = "hour" | "day" | "week";

export interface Span {
  interval: Interval;
  from: string;
  to: string;
}

/** More bars than that are no bars any more; the server would also say no at some point. */
const BARS_MAX = 400;
const HOURS: Record<Interval, number> = { hour: 1, day: 24, week: 168 };

/**
 * From where to where, in whole hours, days or weeks of the visitor's place, the present one included;
 * undefined where an attribute says what is none. Days are counted by the calendar, so that one of 23
 * hours is one too.
 */
export function spanOf(interval: Interval, range: string, now?: string): Span | undefined {
  const bars = Math.ceil(hoursOf(range) / HOURS[interval]);
  if (!(bars > 0 && bars <= BARS_MAX)) return undefined;
  const to = new Date(now ?? Date.now());
  const from = new Date(to);
  if (interval === "hour") {
    to.setMinutes(60, 0, 0);
    from.setTime(to.getTime() - bars * 3_600_000);
  } else {
    const isWeek = interval === "week";
    const untilEnd = isWeek ? 8 - (to.getDay() || 7) : 1; // weeks begin on Mondays, as the server's do
    to.setHours(0, 0, 0, 0);
    to.setDate(to.getDate() + untilEnd);
    from.setTime(to.getTime());
    from.setDate(from.getDate() - bars * (isWeek ? 7 : 1));
  }
  return { interval, from: from.toISOString(), to: to.toISOString() };
}

/** The second of them is shown until somebody chooses. */
export const OFFERED: Record<Interval, string[]> = {
  hour: ["P1D", "P2D", "P7D"],
  day: ["P7D", "P30D", "P90D"],
  week: ["P4W", "P13W", "P52W"],
};

/** The periods to choose from, the present one among them. */
export function spansFor(interval: Interval, chosen: string): string[] {
  const ranges = OFFERED[interval];
  return ranges.includes(chosen) ? ranges : [...ranges, chosen].sort((a, b) => hoursOf(a) - hoursOf(b));
}

/** "Sat, Jan 9", "Jan 9, 14:00", "Jan 4 – 10": an hour, a day or a week. */
export function labelOf(locale: string, interval: Interval, start: string, end: string): string {
  const day = { month: "short", day: "numeric" } as const;
  if (interval === "hour") return moment(locale, start, { ...day, hour: "numeric", minute: "2-digit" });
  if (interval === "day") return moment(locale, start, { weekday: "short", ...day });
  return formatter("DateTimeFormat", locale, day).formatRange(new Date(start), new Date(Date.parse(end) - 1));
}

/** The visitor's time zone. Before the first request there is no time for the first formatter, where the browser can do without. */
export const timeZone = (): string =>
  (globalThis as { Temporal?: { Now: { timeZoneId(): string } } }).Temporal?.Now.timeZoneId() ??
  new Intl.DateTimeFormat().resolvedOptions().timeZone;
