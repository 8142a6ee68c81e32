import { type Followed, isNewer } from "../balance/topic.ts";

export interface Dispute {
  id: string;
  status: string;
  /** Grows with everything that happens to it, so its length is its version. */
  timeline: unknown[];
}

export interface Entry {
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
  explanation: string;
  reversedAmount: string;
  feature: { name: string; unit: string } | null;
  member: { name: string } | null;
  rate: { cohort: string; version: number; perUnit: string | null } | null;
  allocations: { amount: string; overdraft: boolean; grant: { source: string; expiresAt: string | null } | null }[];
  dispute: Dispute | null;
}

export const ENTRY =
  "{id sequence kind amount heldAmount balanceAfter occurredAt recordedAt late quantity explanation reversedAmount feature{name unit}member{name}rate{cohort version perUnit}allocations{amount overdraft grant{source expiresAt}}dispute{id status timeline{at}}}";

interface Page {
  edges: { node: Entry }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface Ledger extends Followed {
  /** Newest first, without a gap down to the last. */
  entries: Entry[];
  pageInfo: Page["pageInfo"];
}

/** What may come: the newest page, an older one, one new entry, or a dispute that has moved on. */
export interface News extends Partial<Followed> {
  ledger?: Page;
  older?: Page;
  entry?: Entry;
  dispute?: Dispute & { entries: { id: string }[] };
}

const latest = (next: Dispute | null, shown: Dispute | null | undefined): Dispute | null =>
  shown && next?.id === shown.id && next.timeline.length < shown.timeline.length ? shown : next;

/** Each entry once, whichever way it came and in whatever order. */
function union(next: Entry[], shown: Entry[]): Entry[] {
  const byId = new Map(shown.map((entry) => [entry.id, entry]));
  for (const entry of next) {
    byId.set(entry.id, { ...entry, dispute: latest(entry.dispute, byId.get(entry.id)?.dispute) });
  }
  return [...byId.values()].sort((a, b) => b.sequence - a.sequence);
}

/** What is known now. `kinds` are those that are shown; null for all. */
export function merged(kinds: string[] | null, news: News, shown: Ledger | undefined): Ledger | null | undefined {
  const { balance, ledger, older, entry, dispute } = news;
  const page = ledger ?? older;
  const entries = page?.edges.map(({ node }) => node) ?? [];
  if (ledger) {
    if (!balance) return null;
    // The two are read side by side. A page from a moment before is as old as its newest entry: what lies between is still to come.
    const newest = kinds ? undefined : entries[0]?.sequence;
    if (newest && newest < balance.version) balance.version = newest;
    if (shown && !isNewer(balance, shown.balance)) return shown;
    // Nothing in common: more has happened than a page holds, and what lies between is not known.
    return shown && entries.some(({ id }) => shown.entries.some((known) => known.id === id))
      ? { ...shown, balance, entries: union(entries, shown.entries) }
      : { balance, entries, pageInfo: ledger.pageInfo };
  }
  if (!shown) return shown;
  if (older) return { ...shown, entries: union(entries, shown.entries), pageInfo: older.pageInfo };
  if (dispute) {
    const moved = shown.entries.filter(({ id }) => dispute.entries.some((each) => each.id === id));
    return {
      ...shown,
      entries: union(
        moved.map((each) => ({ ...each, dispute })),
        shown.entries,
      ),
    };
  }
  // Only the very next one: after a gap the newest page is read anew.
  if (entry?.sequence !== shown.balance.version + 1) return shown;
  return {
    ...shown,
    balance: { ...shown.balance, version: entry.sequence, available: "" },
    entries: !kinds || kinds.includes(entry.kind) ? union([entry], shown.entries) : shown.entries,
  };
}
