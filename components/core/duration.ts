import { formatter } from "./intl.ts";

const UNITS: Record<string, [unit: string, hours: number]> = {
  H: ["hour", 1],
  D: ["day", 24],
  W: ["week", 168],
  M: ["month", 720],
  Y: ["year", 8760],
};

/** An ISO 8601 duration of one unit: how many, which, and how long one is, months and years about; [] for anything else. */
function parts(duration: string): [count: number, unit: string, hours: number] | [] {
  const [, count, letter = ""] = /^P(?:T(?=\d+H))?(\d+)([HDWMY])$/.exec(duration) ?? [];
  const unit = UNITS[letter];
  return unit ? [Number(count), ...unit] : [];
}

/** NaN for what is none. */
export function hoursOf(duration: string): number {
  const [count, , hours] = parts(duration);
  return Number(count) * Number(hours);
}

/** "1 year"; what is none as it is written. */
export function lasting(locale: string, duration: string): string {
  const [count, unit] = parts(duration);
  return unit
    ? formatter("NumberFormat", locale, { style: "unit", unit, unitDisplay: "long" }).format(Number(count))
    : duration;
}
