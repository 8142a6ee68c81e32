/** Every state of every element on one page, each against a fake of its own. */
import ar from "../../components/locales/ar.json" with { type: "json" };
import de from "../../components/locales/de.json" with { type: "json" };
import es from "../../components/locales/es.json" with { type: "json" };
import fr from "../../components/locales/fr.json" with { type: "json" };
import ja from "../../components/locales/ja.json" with { type: "json" };
import { daysFromNow, entry, granted, usage } from "./fake_data.ts";
import { FakeScrip } from "./fake_scrip.ts";
import { install } from "./install.ts";

const locales = { ar, de, es, fr, ja };
const many = [
  { amount: "120.5", expiresAt: "2027-01-14T12:00:00.000000Z" },
  { amount: "500", expiresAt: "2027-01-31T12:00:00.000000Z" },
  { amount: "800", expiresAt: "2027-03-31T12:00:00.000000Z" },
  { amount: "1000", expiresAt: "2028-01-31T12:00:00.000000Z" },
  { amount: "4000", expiresAt: null },
];

/** Sixty entries as a customer has them, newest first. */
const book = () =>
  Array.from({ length: 60 }, (_, n) => {
    const sequence = 60 - n;
    if (sequence % 20 === 0) return granted(sequence);
    if (sequence % 7 === 0)
      return entry(sequence, {
        kind: "EXPIRE",
        feature: null,
        amount: "-41.5",
        explanation: "41.5 of 200 credits for the trial expired unused on Jan 4",
      });
    if (sequence % 5 === 0)
      return entry(sequence, {
        feature: { name: "Output tokens", unit: "token" },
        amount: "-18.214",
        quantity: "9107",
        explanation:
          "9,107 tokens of Output tokens (model large) at 0.002 credits each, from 500 credits that expire Jan 31",
      });
    return entry(sequence);
  });

/** A purchase that waits: the page's own session of the tab says so. */
function purchase(fake: FakeScrip): string {
  const { id } = fake.payments.start({ bundle: "large", idempotencyKey: "large:1" })["topUp"] as { id: string };
  sessionStorage.setItem("scrip-top-up ai", JSON.stringify({ key: "large:1", id }));
  return id;
}

/** What the network of a provider does, by its `data-fake`. */
const worlds: Record<string, (fake: FakeScrip) => void> = {
  plain: () => {},
  slow: (fake) => {
    fake.isMute = true;
    fake.httpAnswer = { status: 200, body: new Promise(() => {}) };
  },
  low: (fake) =>
    fake.set("ai", {
      available: "37.2",
      held: "12",
      buckets: [{ amount: "49.2", expiresAt: "2027-01-31T12:00:00.000000Z" }],
    }),
  many: (fake) => {
    fake.set("ai", { available: "6420.5", held: "120", buckets: many });
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
    worlds["offline"]?.(fake);
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

for (const provider of document.querySelectorAll("scrip-provider")) {
  const fake = new FakeScrip();
  const world = provider.dataset["fake"] ?? "plain";
  const endpoint = `https://${world}-${Math.random().toString(36).slice(2)}.test`;
  provider.setAttribute("endpoint", endpoint);
  install(fake, endpoint, locales);
  worlds[world]?.(fake);
  provider.setAttribute("token", fake.mint());
  Object.assign(provider, { fake });
}

await import("../embed.ts");
await import("../buying.ts");

for (const ledger of document.querySelectorAll(".opened"))
  setTimeout(() => {
    ledger.shadowRoot?.querySelectorAll<HTMLElement>(".title")[2]?.click();
    setTimeout(() => ledger.shadowRoot?.querySelector<HTMLElement>("[part=details] button")?.click(), 100);
  }, 500);
