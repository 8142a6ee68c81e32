const UNITS: Record<string, string> = { D: "day", W: "week", M: "month", Y: "year" };
/** "1 year": an ISO 8601 duration of one unit; as it is written where it is anything else. */
export function lasting(locale: string, duration: string): string {
  const [, amount, letter = ""] = /^P(\d+)([DWMY])$/.exec(duration) ?? [];
  const unit = UNITS[letter];
  return unit
    ? new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(Number(amount))
    : duration;
}
