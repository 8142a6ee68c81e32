const DAY_MS = 86_400_000;

/** "in 3 weeks", "tomorrow", "in 5 hours": how far `instant` is from `now`, in units that are full. */
export function until(locale: string, instant: string, now: string): string {
  const left_ms = Date.parse(instant) - Date.parse(now);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (left_ms < DAY_MS) return format.format(Math.floor(left_ms / 3_600_000), "hour");
  return format.format(Math.floor(left_ms / DAY_MS), "day");
}
