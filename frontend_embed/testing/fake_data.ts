/** What a fake Scrip knows of its customer, and where it comes from when a test says nothing. */
export interface FakeCreditType {
  key: string;
  name: string;
  unitSingular: string;
  unitPlural: string;
  scale: number;
}

export interface FakeBucket {
  amount: string;
  source?: string;
  expiresAt: string | null;
}

export interface FakeBalance {
  creditType: FakeCreditType;
  available: string;
  held: string;
  version: number;
  asOf: string;
  buckets: FakeBucket[];
}

export interface FakeExpiration {
  amount: string;
  expiresAt: string;
  projectedLoss: string;
  grant: { id: string; source: string };
}

export interface FakeRunway {
  dailyBurn: string;
  runsOutAt: string | null;
  projectedExpiryLoss: string;
  basis: string;
  suggestedBundle: {
    key: string;
    name: string;
    credits: string;
    bonus: string;
    price: { amount: string; currency: string };
  } | null;
}

export interface FakeDispute {
  id: string;
  status: string;
  timeline: { at: string }[];
}

export interface FakeEntry {
  id: string;
  sequence: number;
  kind: string;
  amount: string;
  heldAmount: string;
  balanceAfter: string;
  occurredAt: string;
  recordedAt: string;
  late: boolean;
  quantity: string | null;
  feature: { name: string; unit: string } | null;
  member: { name: string } | null;
  rate: { cohort: string; version: number; perUnit: string | null } | null;
  allocations: {
    amount: string;
    overdraft: boolean;
    grant: { source: string; amount: string; expiresAt: string | null } | null;
  }[];
  reversedAmount: string;
  dispute: FakeDispute | null;
  explanation: string;
}

/** The moment of all fakes, unless somebody says otherwise. */
let now_ms = Date.parse("2027-01-10T12:00:00Z");
export const setNow = (moment_ms: number): void => {
  now_ms = moment_ms;
};
export const at = (version: number): string =>
  `${new Date(now_ms).toISOString().slice(0, -4)}${`${version}`.padStart(6, "0")}Z`;
const DAY_MS = 86_400_000;
export const daysFromNow = (days: number): string =>
  `${new Date(now_ms + days * DAY_MS).toISOString().slice(0, -1)}000Z`;

/** "Jan 31" */
export const dayOf = (moment: string): string =>
  new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" }).format(new Date(moment));

export const expirations = (): FakeExpiration[] => [
  { amount: "120.5", expiresAt: daysFromNow(4), projectedLoss: "60.25", grant: { id: "g1", source: "PROMOTION" } },
  { amount: "500", expiresAt: daysFromNow(21), projectedLoss: "0", grant: { id: "g2", source: "PLAN" } },
];

export const runway = (): FakeRunway => ({
  dailyBurn: "41.5",
  runsOutAt: daysFromNow(36),
  projectedExpiryLoss: "60.25",
  basis: "mean of the 12 days with usage in the last 28",
  suggestedBundle: {
    key: "large",
    name: "Large pack",
    credits: "1500",
    bonus: "0",
    price: { amount: "29.00", currency: "USD" },
  },
});

export function entry(sequence: number, change: Partial<FakeEntry> = {}): FakeEntry {
  const when = daysFromNow(-30 + sequence / 4);
  return {
    id: `ent_${sequence}`,
    sequence,
    kind: "BURN",
    amount: "-3.74",
    heldAmount: "0",
    balanceAfter: `${1600 - 10 * sequence}`,
    occurredAt: when,
    recordedAt: when,
    late: false,
    quantity: "374",
    feature: { name: "Input tokens", unit: "token" },
    member: { name: "Ada" },
    rate: { cohort: "default", version: 2, perUnit: "0.01" },
    allocations: [
      { amount: "3.74", overdraft: false, grant: { source: "PLAN", amount: "500", expiresAt: daysFromNow(21) } },
    ],
    reversedAmount: "0",
    dispute: null,
    explanation: `374 tokens of Input tokens at 0.01 credits each, from 500 credits that expire ${dayOf(daysFromNow(21))}`,
    ...change,
  };
}

export const granted = (sequence: number): FakeEntry =>
  entry(sequence, {
    kind: "GRANT",
    amount: "500",
    quantity: null,
    feature: null,
    member: null,
    rate: null,
    allocations: [],
    explanation: `500 credits from the plan, expiring ${dayOf(daysFromNow(21))}`,
  });

/** Bars that look like somebody's work: less at weekends, and each day another. */
export function usage(
  from: string,
  to: string,
  interval: string,
  groups: readonly (string | null)[],
): { total: string; points: { start: string; end: string; group: string | null; amount: string }[] } {
  const step_ms = { HOUR: DAY_MS / 24, DAY: DAY_MS, WEEK: 7 * DAY_MS }[interval] ?? DAY_MS;
  const points = [];
  let total = 0;
  for (let start = Date.parse(from), n = 0; start < Date.parse(to); start += step_ms, n++) {
    const isQuiet = [0, 6].includes(new Date(start).getUTCDay());
    const whole = start > now_ms + 999 ? 0 : ((n * 37) % 60) + (isQuiet ? 2 : 30);
    total += whole;
    for (const [index, group] of groups.entries()) {
      const amount = groups.length === 1 ? whole : Math.floor(whole / 2 ** (index + 1));
      const end = new Date(start + step_ms).toISOString();
      points.push({ start: new Date(start).toISOString(), end, group, amount: `${amount}` });
    }
  }
  return { total: `${total}`, points };
}
