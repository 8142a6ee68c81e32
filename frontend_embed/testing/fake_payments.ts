/** What a fake Scrip sells, and what becomes of it: one can pay, decline, or be asked by the bank. */
import { at } from "./fake_data.ts";

export interface FakeMoney {
  amount: string;
  currency: string;
}

export interface FakeBundle {
  key: string;
  name: string;
  credits: string;
  bonus: string;
  price: FakeMoney;
  expiresAfter: string | null;
  available: boolean;
}

export interface FakeTopUp {
  id: string;
  bundle: FakeBundle;
  credits: string;
  price: FakeMoney;
  status: string;
  failure: string | null;
  checkoutUrl: string | null;
  createdAt: string;
}

export interface FakeRule {
  enabled: boolean;
  threshold: string;
  target: string | null;
  bundle: { key: string };
  monthlyCap: FakeMoney;
  spentThisMonth: FakeMoney;
  suspendedReason: string | null;
  paymentMethod: string | null;
  attempts: FakeTopUp[];
}

const usd = (amount: string): FakeMoney => ({ amount, currency: "USD" });
const bundle = (key: string, name: string, credits: string, price: string, change: Partial<FakeBundle> = {}) => ({
  key,
  name,
  credits,
  bonus: "0",
  price: usd(price),
  expiresAfter: "P1Y",
  available: true,
  ...change,
});

export const bundles = (): FakeBundle[] => [
  bundle("small", "Small pack", "500", "10.00"),
  bundle("large", "Large pack", "1500", "29.00", { bonus: "100" }),
  bundle("huge", "Huge pack", "10000", "150.00", { bonus: "2000", expiresAfter: null }),
];

export const rule = (): FakeRule => ({
  enabled: true,
  threshold: "200",
  target: null,
  bundle: { key: "large" },
  monthlyCap: usd("100.00"),
  spentThisMonth: usd("58.00"),
  suspendedReason: null,
  paymentMethod: "pm_1",
  attempts: [
    attempt("top_a3", "PENDING"),
    attempt("top_a2", "SUCCEEDED"),
    attempt("top_a1", "FAILED", "card declined"),
  ],
});

const attempt = (id: string, status: string, failure: string | null = null): FakeTopUp => ({
  id,
  bundle: bundles()[1] as FakeBundle,
  credits: "1500",
  price: usd("29.00"),
  status,
  failure,
  checkoutUrl: null,
  createdAt: at(0),
});

type Answer = Record<string, unknown>;
type Input = Record<string, unknown>;

export class FakePayments {
  bundles = bundles();
  /** Null where none was ever set. */
  recharge: FakeRule | null = rule();
  methods = [{ id: "pm_1", label: "Visa •••• 4242", expires: "12/29", isDefault: true }];
  scopes = ["balance:read", "ledger:read", "usage:read", "topup:create", "recharge:manage"];
  /** Where the payment page of a top-up is. */
  checkoutUrl = (id: string): string => `https://pay.test/${id}`;
  /** Newest last. */
  readonly topUps: FakeTopUp[] = [];
  /** Answers the next of these in place of the real one: a refusal has a code. */
  refusal: Answer | undefined;
  /** Where it leads back to, unless told otherwise. */
  leadsBack = true;
  readonly #byKey = new Map<string, FakeTopUp & { asked: string }>();
  readonly #moved: (topUp: FakeTopUp) => void;

  constructor(moved: (topUp: FakeTopUp) => void) {
    this.#moved = moved;
  }

  find(id: unknown): FakeTopUp | null {
    return this.topUps.find((each) => each.id === id) ?? null;
  }

  /** What is done on the payment page. */
  pay = (id?: string): void => this.move("SUCCEEDED", id);
  decline = (id?: string, failure = "card declined"): void => this.move("FAILED", id, failure);
  authenticate = (id?: string): void => this.move("REQUIRES_ACTION", id);

  /** The newest one, where none is named. Topics are compared as they are, so what moves is another object. */
  move(status: string, id = this.topUps.at(-1)?.id, failure: string | null = null): void {
    const index = this.topUps.findIndex((each) => each.id === id);
    const moved = { ...(this.topUps[index] as FakeTopUp), status, failure };
    this.topUps[index] = moved;
    this.#moved(moved);
  }

  #refused(): Answer | undefined {
    const { refusal } = this;
    this.refusal = undefined;
    return refusal;
  }

  start(input: Input): Answer {
    const key = `${input["idempotencyKey"]}`;
    const known = this.#byKey.get(key);
    const asked = JSON.stringify(input);
    if (known && known.asked !== asked) return { code: "IDEMPOTENCY_CONFLICT", message: "another purchase" };
    if (known) return { topUp: this.find(known.id) };
    const refusal = this.#refused();
    if (refusal) return refusal;
    const before = this.find(input["replaces"]);
    if (input["replaces"] && !before) return { code: "NOT_FOUND", message: "no such top-up" };
    if (before?.status === "SUCCEEDED") return { topUp: before };
    if (before) this.move("CANCELED", before.id);
    if (input["returnUrl"] && !this.leadsBack)
      return { code: "INVALID_INPUT", message: "leads elsewhere", field: "returnUrl" };
    const bundle = this.bundles.find((each) => each.key === input["bundle"]);
    if (!bundle) return { code: "NOT_FOUND", message: "no such bundle" };
    const id = `top_${this.topUps.length + 1}`;
    const { credits, price } = bundle;
    const checkoutUrl = this.checkoutUrl(id);
    const topUp = { id, bundle, credits, price, status: "PENDING", failure: null, checkoutUrl, createdAt: at(0) };
    this.topUps.push(topUp);
    this.#byKey.set(key, { ...topUp, asked });
    return { topUp };
  }

  cancel(id: unknown): Answer {
    if (!/^(PENDING|FAILED)$/.test(this.find(id)?.status ?? "")) return { code: "CONFLICT", message: "it is settled" };
    this.move("CANCELED", `${id}`);
    return { topUp: this.find(id) };
  }

  setRecharge({ enabled, threshold, target, bundle, monthlyCap }: Input): Answer {
    const refusal = this.#refused();
    if (refusal) return refusal;
    const rest = this.recharge ?? { ...rule(), spentThisMonth: usd("0"), attempts: [], paymentMethod: null };
    this.recharge = { ...rest, enabled, threshold, target, bundle: { key: bundle }, monthlyCap } as FakeRule;
    return { rule: this.recharge };
  }

  setup(): Answer {
    return this.#refused() ?? { url: this.checkoutUrl("setup") };
  }
}
