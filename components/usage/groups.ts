import { units } from "../core/decimal.ts";

export interface Group {
  name: string;
  amount: bigint;
}

export interface Bucket {
  start: string;
  end: string;
  amount: string;
  /** By group, in the order of the legend; empty where nothing is told apart. */
  parts: Group[];
}

interface Part {
  start: string;
  group: string | null;
  amount: string;
}

/** As many as can be told apart at a glance; the others are one. */
const GROUPS_MAX = 3;

/** The largest groups first, and every bucket divided by them. What has no group is among the others. */
export function bucketsOf(
  points: { start: string; end: string; amount: string }[],
  parts: Part[] | undefined,
  names: ReadonlyMap<string, string>,
  others: string,
): [Group[], Bucket[]] {
  if (!parts) return [[], points.map((point) => ({ ...point, parts: [] }))];
  const sums = new Map<string, bigint>();
  for (const { group, amount } of parts) {
    if (group !== null) sums.set(group, (sums.get(group) ?? 0n) + units(amount));
  }
  const keys = [...sums].sort(([, a], [, b]) => (a < b ? 1 : -1)).map(([key]) => key);
  const shown = keys.slice(0, GROUPS_MAX);
  const hasOthers = keys.length > GROUPS_MAX || parts.some(({ group }) => group === null);
  const empty = (): Group[] =>
    [...shown.map((key) => names.get(key) ?? key), ...(hasOthers ? [others] : [])].map((name) => ({
      name,
      amount: 0n,
    }));
  const groups = empty();
  const buckets = new Map<string, Bucket>();
  for (const point of points) buckets.set(point.start, { ...point, parts: empty() });
  for (const { start, group, amount } of parts) {
    const place = shown.indexOf(group ?? "");
    for (const row of [groups, buckets.get(start)?.parts]) {
      const cell = row?.at(place); // -1, the last, is the others
      if (cell) cell.amount += units(amount);
    }
  }
  return [groups, [...buckets.values()]];
}
