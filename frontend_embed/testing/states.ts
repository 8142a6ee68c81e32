import { dayOf, daysFromNow, entry, type FakeBucket, type FakeEntry, granted, usage } from "./fake_data.ts";
import type { FakeScrip } from "./fake_scrip.ts";

const many = (): FakeBucket[] => [
  { amount: "120.5", expiresAt: daysFromNow(4) },
  { amount: "500", expiresAt: daysFromNow(21) },
  { amount: "800", expiresAt: daysFromNow(80) },
  { amount: "1000", expiresAt: daysFromNow(386) },
  { amount: "4000", expiresAt: null },
];

/** Sixty entries as a customer has them, newest first. */
const book = (): FakeEntry[] =>
  Array.from({ length: 60 }, (_, n) => {
    const sequence = 60 - n;
    if (sequence % 20 === 0) return granted(sequence);
    if (sequence % 7 === 0)
      return entry(sequence, {
        kind: "EXPIRE",
        feature: null,
        amount: "-41.5",
        explanation: `41.5 of 200 credits for the trial expired unused on ${dayOf(daysFromNow(-30 + sequence / 4))}`,
      });
    if (sequence % 5 === 0)
      return entry(sequence, {
        feature: { name: "Output tokens", unit: "token" },
        amount: "-18.214",
        quantity: "9107",
        explanation: `9,107 tokens of Output tokens (model large) at 0.002 credits each, from 500 credits that expire ${dayOf(daysFromNow(21))}`,
      });
    return entry(sequence);
  });

/** A purchase that waits: the page's own session of the tab says so. */
function purchase(fake: FakeScrip): string {
  const { id } = fake.payments.start({ bundle: "large", idempotencyKey: "large:1" })["topUp"] as { id: string };
  sessionStorage.setItem("scrip-top-up ai", JSON.stringify({ key: "large:1", id }));
  return id;
}

/** States that a customer, or the network to it, can be in. Each makes a fake that is as any other into one of these. */
export const states: Record<string, (fake: FakeScrip) => void> = {
  plain: () => {},
  slow: (fake) => {
    fake.isMute = true;
    fake.httpAnswer = { status: 200, body: new Promise(() => {}) };
  },
  low: (fake) =>
    fake.set("ai", {
      available: "37.2",
      held: "12",
      buckets: [{ amount: "49.2", expiresAt: daysFromNow(21) }],
    }),
  many: (fake) => {
    fake.set("ai", { available: "6420.5", held: "120", buckets: many() });
    fake.expirations = ["PROMOTION", "PLAN", "ROLLOVER", "PURCHASE", "TRIAL"].map((source, n) => ({
      amount: `${(n + 1) * 120}.5`,
      expiresAt: daysFromNow(4 + n * 18),
      projectedLoss: n % 2 ? "0" : `${n * 30 + 41}.25`,
      grant: { id: source, source },
    }));
  },
  empty: (fake) => {
    fake.set("ai", { available: "0", buckets: [], version: 0 });
    fake.expirations = [];
    fake.payments.bundles = [];
    fake.usage = (...given) => {
      const { points } = usage(...given);
      return { total: "0", points: points.map((point) => ({ ...point, amount: "0" })) };
    };
    Object.assign(fake.runway, {
      dailyBurn: "0",
      runsOutAt: null,
      projectedExpiryLoss: "0",
      basis: "no usage in the last 28 days",
      suggestedBundle: null,
    });
  },
  debt: (fake) => fake.set("ai", { available: "-41.0004", buckets: [] }),
  waiting: (fake) => void purchase(fake),
  paid: (fake) => {
    fake.payments.pay(purchase(fake));
  },
  declined: (fake) => {
    fake.payments.decline(purchase(fake));
  },
  suspended: (fake) =>
    void Object.assign(fake.payments.recharge as object, { suspendedReason: "3 payments in a row were declined" }),
  reader: (fake) => {
    fake.payments.scopes = [];
  },
  blocked: (fake) => {
    fake.decision = { allowed: false, wouldBlock: true, mode: "ENFORCE", reason: { code: "INSUFFICIENT_CREDITS" } };
  },
  warned: (fake) => {
    fake.decision = { allowed: true, wouldBlock: true, mode: "SOFT", reason: { code: "LIMIT_REACHED" } };
  },
  huge: (fake) =>
    fake.set("ai", {
      available: "1234567890123.456789",
      buckets: [{ amount: "1234567890123.456789", expiresAt: null }],
    }),
  book: (fake) => {
    fake.entries = book();
    fake.dispute(["ent_58"], "OPEN");
  },
  stopped: (fake) => {
    fake.entries = book();
    states["offline"]?.(fake);
  },
  broken: (fake) => {
    fake.httpAnswer = { status: 500, body: {} };
    fake.letsSocketsThrough = false;
  },
  offline: (fake) =>
    void setTimeout(() => {
      fake.isUp = false;
      fake.closeAll(1006);
      dispatchEvent(new Event("offline"));
    }, 400),
  forbidden: (fake) => {
    fake.httpAnswer = {
      status: 200,
      body: { data: null, errors: [{ message: "no", extensions: { code: "FORBIDDEN" } }] },
    };
    fake.letsSocketsThrough = false;
  },
};
