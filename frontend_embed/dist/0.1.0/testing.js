// frontend_embed/testing/element_harness.ts
var ElementHarness = class {
  element;
  constructor(element) {
    if (!element) throw new Error("there is no such element");
    this.element = element;
  }
  /** The first element with this part name, inside. */
  part(name) {
    return this.element.shadowRoot?.querySelector(`[part~="${name}"]`) ?? null;
  }
  parts(name) {
    return [...this.element.shadowRoot?.querySelectorAll(`[part~="${name}"]`) ?? []];
  }
  text(name) {
    return this.part(name)?.textContent?.trim();
  }
  get isLoading() {
    return this.part("card")?.getAttribute("aria-busy") === "true";
  }
};
var BalanceHarness = class extends ElementHarness {
  /** The number as it is written. */
  get value() {
    return this.text("value");
  }
  /** The number as it is. */
  get exact() {
    return this.part("value")?.getAttribute("value");
  }
  get buckets() {
    return this.parts("bucket").map((bucket) => bucket.querySelector("span")?.textContent?.trim());
  }
};

// frontend_embed/testing/fake_data.ts
var now_ms = Date.parse("2027-01-10T12:00:00Z");
var setNow = (moment_ms) => {
  now_ms = moment_ms;
};
var at = (version) => `${new Date(now_ms).toISOString().slice(0, -4)}${`${version}`.padStart(6, "0")}Z`;
var DAY_MS = 864e5;
var daysFromNow = (days) => `${new Date(now_ms + days * DAY_MS).toISOString().slice(0, -1)}000Z`;
var dayOf = (moment) => new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" }).format(new Date(moment));
var expirations = () => [
  { amount: "120.5", expiresAt: daysFromNow(4), projectedLoss: "60.25", grant: { id: "g1", source: "PROMOTION" } },
  { amount: "500", expiresAt: daysFromNow(21), projectedLoss: "0", grant: { id: "g2", source: "PLAN" } }
];
var runway = () => ({
  dailyBurn: "41.5",
  runsOutAt: daysFromNow(36),
  projectedExpiryLoss: "60.25",
  basis: "mean of the 12 days with usage in the last 28",
  suggestedBundle: {
    key: "large",
    name: "Large pack",
    credits: "1500",
    bonus: "0",
    price: { amount: "29.00", currency: "USD" }
  }
});
function entry(sequence, change = {}) {
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
      { amount: "3.74", overdraft: false, grant: { source: "PLAN", amount: "500", expiresAt: daysFromNow(21) } }
    ],
    reversedAmount: "0",
    dispute: null,
    explanation: `374 tokens of Input tokens at 0.01 credits each, from 500 credits that expire ${dayOf(daysFromNow(21))}`,
    ...change
  };
}
var granted = (sequence) => entry(sequence, {
  kind: "GRANT",
  amount: "500",
  quantity: null,
  feature: null,
  member: null,
  rate: null,
  allocations: [],
  explanation: `500 credits from the plan, expiring ${dayOf(daysFromNow(21))}`
});
function usage(from, to, interval, groups) {
  const step_ms = { HOUR: DAY_MS / 24, DAY: DAY_MS, WEEK: 7 * DAY_MS }[interval] ?? DAY_MS;
  const points = [];
  let total = 0;
  for (let start = Date.parse(from), n = 0; start < Date.parse(to); start += step_ms, n++) {
    const isQuiet = [0, 6].includes(new Date(start).getUTCDay());
    const whole = start > now_ms + 999 ? 0 : n * 37 % 60 + (isQuiet ? 2 : 30);
    total += whole;
    for (const [index, group] of groups.entries()) {
      const amount = groups.length === 1 ? whole : Math.floor(whole / 2 ** (index + 1));
      const end = new Date(start + step_ms).toISOString();
      points.push({ start: new Date(start).toISOString(), end, group, amount: `${amount}` });
    }
  }
  return { total: `${total}`, points };
}

// components/core/decimal.ts
var PLACES = 12;
function units(decimal) {
  const [, whole, part = ""] = /^(-?\d+)(?:\.(\d{1,12}))?$/.exec(decimal) ?? [];
  return BigInt(whole + part.padEnd(PLACES, "0"));
}
function text(amount) {
  const digits = `${amount < 0n ? -amount : amount}`.padStart(PLACES + 1, "0");
  const part = digits.slice(-PLACES).replace(/0+$/, "");
  return (amount < 0n ? "-" : "") + digits.slice(0, -PLACES) + (part && `.${part}`);
}

// frontend_embed/testing/fake_graphql.ts
function parse(document) {
  const words = document.slice(document.indexOf("{")).match(/\.\.\.|\$?\w+|[{}():[\]]/g) ?? [];
  let at2 = 0;
  const args = () => {
    const found = {};
    for (at2++; words[at2] !== ")"; at2 += 3) found[`${words[at2]}`] = `${words[at2 + 2]}`;
    at2++;
    return found;
  };
  const selection = () => {
    const found = [];
    for (at2++; words[at2] !== "}"; ) {
      if (words[at2] === "...") {
        at2 += 3;
        found.push(...selection());
        continue;
      }
      let name = `${words[at2++]}`;
      const alias = name;
      if (words[at2] === ":") {
        name = `${words[at2 + 1]}`;
        at2 += 2;
      }
      const given = words[at2] === "(" ? args() : {};
      found.push({ alias, name, args: given, fields: words[at2] === "{" ? selection() : [] });
    }
    at2++;
    return found;
  };
  return selection();
}
function select(value, fields, variables) {
  if (Array.isArray(value)) return value.map((each) => select(each, fields, variables));
  if (!fields.length || value === null || typeof value !== "object") return value ?? null;
  const answer = {};
  for (const { alias, name, args, fields: inner } of fields) {
    const found = value[name];
    const given = Object.fromEntries(
      Object.entries(args).map(([key, text2]) => [key, text2.startsWith("$") ? variables[text2.slice(1)] : text2])
    );
    answer[alias] = select(typeof found === "function" ? found(given) : found, inner, variables);
  }
  return answer;
}

// frontend_embed/testing/fake_payments.ts
var usd = (amount) => ({ amount, currency: "USD" });
var bundle = (key, name, credits, price, change = {}) => ({
  key,
  name,
  credits,
  bonus: "0",
  price: usd(price),
  expiresAfter: "P1Y",
  available: true,
  ...change
});
var bundles = () => [
  bundle("small", "Small pack", "500", "10.00"),
  bundle("large", "Large pack", "1500", "29.00", { bonus: "100" }),
  bundle("huge", "Huge pack", "10000", "150.00", { bonus: "2000", expiresAfter: null })
];
var rule = () => ({
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
    attempt("top_a1", "FAILED", "card declined")
  ]
});
var attempt = (id, status, failure = null) => ({
  id,
  bundle: bundles()[1],
  credits: "1500",
  price: usd("29.00"),
  status,
  failure,
  checkoutUrl: null,
  createdAt: at(0)
});
var FakePayments = class {
  bundles = bundles();
  /** Null where none was ever set. */
  recharge = rule();
  methods = [{ id: "pm_1", label: "Visa •••• 4242", expires: "12/29", isDefault: true }];
  scopes = ["balance:read", "ledger:read", "usage:read", "topup:create", "recharge:manage"];
  /** Where the payment page of a top-up is. */
  checkoutUrl = (id) => `https://pay.test/${id}`;
  /** Newest last. */
  topUps = [];
  /** Answers the next of these in place of the real one: a refusal has a code. */
  refusal;
  /** Where it leads back to, unless told otherwise. */
  leadsBack = true;
  #byKey = /* @__PURE__ */ new Map();
  #moved;
  constructor(moved) {
    this.#moved = moved;
  }
  find(id) {
    return this.topUps.find((each) => each.id === id) ?? null;
  }
  /** What is done on the payment page. */
  pay = (id) => this.move("SUCCEEDED", id);
  decline = (id, failure = "card declined") => this.move("FAILED", id, failure);
  authenticate = (id) => this.move("REQUIRES_ACTION", id);
  /** The newest one, where none is named. Topics are compared as they are, so what moves is another object. */
  move(status, id = this.topUps.at(-1)?.id, failure = null) {
    const index = this.topUps.findIndex((each) => each.id === id);
    const moved = { ...this.topUps[index], status, failure };
    this.topUps[index] = moved;
    this.#moved(moved);
  }
  #refused() {
    const { refusal } = this;
    this.refusal = void 0;
    return refusal;
  }
  start(input) {
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
    const bundle2 = this.bundles.find((each) => each.key === input["bundle"]);
    if (!bundle2) return { code: "NOT_FOUND", message: "no such bundle" };
    const id = `top_${this.topUps.length + 1}`;
    const { credits, price } = bundle2;
    const checkoutUrl = this.checkoutUrl(id);
    const topUp = { id, bundle: bundle2, credits, price, status: "PENDING", failure: null, checkoutUrl, createdAt: at(0) };
    this.topUps.push(topUp);
    this.#byKey.set(key, { ...topUp, asked });
    return { topUp };
  }
  cancel(id) {
    if (!/^(PENDING|FAILED)$/.test(this.find(id)?.status ?? "")) return { code: "CONFLICT", message: "it is settled" };
    this.move("CANCELED", `${id}`);
    return { topUp: this.find(id) };
  }
  setRecharge({ enabled, threshold, target, bundle: bundle2, monthlyCap }) {
    const refusal = this.#refused();
    if (refusal) return refusal;
    const rest = this.recharge ?? { ...rule(), spentThisMonth: usd("0"), attempts: [], paymentMethod: null };
    this.recharge = { ...rest, enabled, threshold, target, bundle: { key: bundle2 }, monthlyCap };
    return { rule: this.recharge };
  }
  setup() {
    return this.#refused() ?? { url: this.checkoutUrl("setup") };
  }
};

// frontend_embed/testing/fake_scrip.ts
function without(buckets, amount) {
  let due = units(amount);
  const left = buckets.map((bucket) => {
    const has = units(bucket.amount);
    const taken = due < has ? due : has;
    due -= taken;
    return { ...bucket, amount: text(has - taken) };
  });
  return left.filter((bucket) => bucket.amount !== "0");
}
var encode = (value) => btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
var FakeScrip = class {
  /** The key of the customer that tokens are for. */
  customer = "acme";
  balances = /* @__PURE__ */ new Map();
  expirations = expirations();
  runway = runway();
  /** Newest first. */
  entries = [];
  features = [
    { key: "input-tokens", name: "Input tokens" },
    { key: "output-tokens", name: "Output tokens" },
    { key: "images", name: "Images" }
  ];
  members = [{ key: "ada", name: "Ada Lovelace" }];
  usage = usage;
  payments = new FakePayments((topUp) => this.#settle(topUp));
  /** Answers `check`, beside the balance; with a code alone it is a refusal. */
  decision = { allowed: true, wouldBlock: false, mode: "ENFORCE", reason: null };
  policy = { mode: "ENFORCE", failurePolicy: "FAIL_CLOSED", overdraftLimit: "0" };
  /** Answers `openDispute`; a refusal has a code. */
  disputeAnswer;
  /** What elements have asked, for tests to look at. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into them
  requests = [];
  frames = [];
  refused = /* @__PURE__ */ new Set();
  peers = /* @__PURE__ */ new Set();
  /** The network between page and server. */
  isUp = true;
  /** Sockets alone: some networks let none through. */
  letsSocketsThrough = true;
  /** Answers neither greeting nor ping: a dead network that nobody noticed. */
  isMute = false;
  /** Answer of every HTTP request, in place of the real one. */
  httpAnswer;
  /** The next `subscribe` messages are answered with these errors. */
  subscriptionFaults = [];
  #tokens = 0;
  constructor() {
    this.set("ai", {});
  }
  /** Changes a balance as one ledger entry would, and pushes it. */
  set(key, change) {
    const before = this.balances.get(key) ?? {
      creditType: { key, name: "AI credits", unitSingular: "credit", unitPlural: "credits", scale: 3 },
      available: "1500",
      held: "0",
      version: 6,
      asOf: "",
      buckets: [
        { amount: "500", source: "PLAN", expiresAt: daysFromNow(21) },
        { amount: "1000", source: "PURCHASE", expiresAt: null }
      ]
    };
    const version = before.version + 1;
    const balance = { ...before, version, asOf: at(version), ...change };
    this.balances.set(key, balance);
    this.push(balance);
    return balance;
  }
  /** Pushes a state as it is, also an old one. */
  push(balance) {
    this.#publish("balanceUpdated", balance, balance.creditType.key);
  }
  /** Books an entry, as a burn does: the balance moves on, and both are pushed. */
  book(change = {}, key = "ai") {
    const before = this.balances.get(key);
    const booked = entry(before.version + 1, change);
    this.entries.unshift(booked);
    this.#publish("ledgerEntryAdded", booked, key);
    this.set(key, { available: booked.balanceAfter });
    return booked;
  }
  /** A dispute of these entries moves on, and is pushed. */
  dispute(ids, status) {
    const open = this.entries.find(({ id, dispute: dispute2 }) => ids.includes(id) && dispute2)?.dispute;
    const timeline = [...open?.timeline ?? [], { at: at(0) }];
    const dispute = { id: open?.id ?? `dis_${ids[0]}`, status, timeline };
    this.entries = this.entries.map((each) => ids.includes(each.id) ? { ...each, dispute } : each);
    const contested = { ...dispute, entries: ids.map((id) => ({ id })) };
    this.#publish("disputeUpdated", contested);
    return contested;
  }
  /** Uses credits up, exactly, as a burn does: booked, and both entry and balance are pushed. */
  burn(amount, change = {}, key = "ai") {
    const { available, buckets } = this.balances.get(key);
    const balanceAfter = text(units(available) - units(amount));
    this.#keep(key, without(buckets, amount));
    const explanation = `${amount} credits used`;
    return this.book({ amount: `-${amount}`, quantity: amount, explanation, balanceAfter, ...change }, key);
  }
  /** Gives credits, exactly. */
  grant(amount, change = {}, key = "ai") {
    const { available, version, buckets } = this.balances.get(key);
    const balanceAfter = text(units(available) + units(amount));
    this.#keep(key, [...buckets, { amount, source: "PLAN", expiresAt: null }]);
    const explanation = `${amount} credits given`;
    return this.book({ ...granted(version + 1), amount, explanation, balanceAfter, ...change }, key);
  }
  #keep(key, buckets) {
    this.balances.set(key, { ...this.balances.get(key), buckets });
  }
  /** The network is gone: requests fail and the sockets are closed. In a page, it is told so. */
  goOffline() {
    this.isUp = false;
    this.closeAll(1006);
    globalThis.dispatchEvent?.(new Event("offline"));
  }
  goOnline() {
    this.isUp = true;
    globalThis.dispatchEvent?.(new Event("online"));
  }
  /** Another policy is in force, and is pushed. */
  enforce(change, decision = this.decision) {
    this.policy = { ...this.policy, ...change };
    this.decision = decision;
    this.#publish("enforcementChanged", this.policy);
  }
  /** A paid top-up brings its credits, before anybody hears that it is paid. */
  #settle(topUp) {
    const { available, creditType } = this.balances.get("ai");
    if (topUp.status === "SUCCEEDED")
      this.set(creditType.key, { available: text(units(available) + units(topUp.credits)) });
    this.#publish("topUpUpdated", topUp, topUp.id);
  }
  /** To whoever asks for this, and for `only` this where it is many. */
  #publish(name, value, only) {
    for (const peer of this.peers) {
      for (const [id, { query, variables }] of peer.running) {
        const [field] = parse(query);
        const asked = Object.values(variables)[0];
        if (!field || field.name !== name || only && asked !== only) continue;
        const data = { [field.alias]: select(value, field.fields, variables) };
        this.#send(peer, { type: "next", id, payload: { data } });
      }
    }
  }
  /** An unsigned token: the elements look at its times only. */
  mint({ life_s = 600, customer = this.customer, age_s = 0 } = {}) {
    const iat = Math.floor(Date.now() / 1e3) - age_s;
    return [encode({ alg: "none" }), encode({ sub: customer, iat, exp: iat + life_s, n: ++this.#tokens }), "x"].join(
      "."
    );
  }
  /** Closes the sockets that carry this token, or all. */
  closeAll(code, token) {
    for (const peer of [...this.peers]) {
      if (token && peer.token !== token) continue;
      this.peers.delete(peer);
      peer.wire.close(code);
    }
  }
  /** What a server does with a token whose time is up. */
  expire(token) {
    this.refused.add(token);
    this.closeAll(4403, token);
  }
  http(authorization, body) {
    const { query, variables } = JSON.parse(body);
    const token = authorization.replace("Bearer ", "");
    this.requests.push({ query, variables, token });
    if (this.httpAnswer) return this.httpAnswer;
    if (this.refused.has(token)) {
      const errors = [{ message: "expired", extensions: { code: "UNAUTHENTICATED" } }];
      return { status: 401, body: { data: null, errors } };
    }
    return { status: 200, body: { data: select(this.#root(), parse(query), variables) } };
  }
  #root() {
    const nodes = (of) => ({ edges: of.map((node) => ({ node })) });
    return {
      customer: {
        balance: ({ creditType }) => this.balances.get(`${creditType}`) ?? null,
        expirations: () => this.expirations,
        runway: () => this.runway,
        bundles: () => this.payments.bundles,
        recharge: () => this.payments.recharge && { ...this.payments.recharge, attempts: () => this.payments.recharge?.attempts },
        paymentMethods: () => this.payments.methods,
        enforcement: () => this.policy,
        members: () => nodes(this.members),
        usage: ({ from, to, interval, groupBy }) => {
          const groups = { FEATURE: this.features.map(({ key }) => key), MEMBER: ["ada", null] }[`${groupBy}`] ?? [
            null
          ];
          return this.usage(`${from}`, `${to}`, `${interval}`, groups);
        },
        ledger: ({ filter, first, after }) => {
          const { kinds } = filter;
          const all = this.entries.filter(({ kind }) => !kinds || kinds.includes(kind));
          const from = after ? all.findIndex(({ id }) => id === after) + 1 : 0;
          const page = all.slice(from, from + Number(first));
          const pageInfo = { hasNextPage: from + page.length < all.length, endCursor: page.at(-1)?.id ?? null };
          return { ...nodes(page), pageInfo };
        }
      },
      catalog: { features: this.features },
      viewer: { scopes: this.payments.scopes },
      topUp: ({ id }) => this.payments.find(id),
      startTopUp: ({ input }) => this.payments.start(input),
      cancelTopUp: ({ id }) => this.payments.cancel(id),
      setRecharge: ({ input }) => this.payments.setRecharge(input),
      setupPaymentMethod: () => this.payments.setup(),
      check: () => ({
        ...this.decision["allowed"] !== void 0 && { balance: this.balances.get("ai") },
        ...this.decision
      }),
      openDispute: ({ entries }) => this.disputeAnswer ?? { __typename: "DisputeOk", dispute: this.dispute(entries, "OPEN") }
    };
  }
  connect(wire) {
    const peer = { wire, token: void 0, running: /* @__PURE__ */ new Map() };
    this.peers.add(peer);
    return peer;
  }
  receive(peer, text2) {
    const frame = JSON.parse(text2);
    this.frames.push(frame);
    if (this.isMute) return;
    const { type, id = "", payload } = frame;
    if (type === "connection_init") {
      peer.token = payload?.authorization?.replace("Bearer ", "") ?? "";
      if (this.refused.has(peer.token)) {
        this.peers.delete(peer);
        peer.wire.close(4403);
      } else this.#send(peer, { type: "connection_ack" });
    } else if (type === "ping") this.#send(peer, { type: "pong" });
    else if (type === "complete") peer.running.delete(id);
    else if (type === "subscribe") {
      const fault = this.subscriptionFaults.shift();
      if (fault) {
        this.#send(peer, { type: "error", id, payload: [fault] });
        return;
      }
      const { query = "", variables = {} } = payload ?? {};
      peer.running.set(id, { query, variables });
      const [field] = parse(query);
      const asked = `${Object.values(variables)[0]}`;
      const present = {
        balanceUpdated: this.balances.get(asked),
        topUpUpdated: this.payments.find(asked),
        enforcementChanged: this.policy
      }[`${field?.name}`];
      if (!field || !present) return;
      const data = { [field.alias]: select(present, field.fields, variables) };
      this.#send(peer, { type: "next", id, payload: { data } });
    }
  }
  #send(peer, message) {
    peer.wire.send(JSON.stringify(message));
  }
};

// frontend_embed/testing/fake_options.ts
function fakeScrip(options = {}) {
  setNow((options.now ?? /* @__PURE__ */ new Date()).getTime());
  const fake = new FakeScrip();
  const { payments } = fake;
  const { customer, balances = {}, entries, expirations: expirations2, runway: runway2, features, members, decision } = options;
  if (customer !== void 0) fake.customer = customer;
  if (options.balances && !("ai" in balances)) fake.balances.clear();
  for (const [key, option] of Object.entries(balances)) {
    const { creditType, ...rest } = typeof option === "string" ? { available: option } : { creditType: {}, ...option };
    const first = fake.set(key, {});
    const buckets = [{ amount: rest.available ?? first.available, expiresAt: null }];
    fake.set(key, { version: first.version, buckets, ...rest, creditType: { ...first.creditType, ...creditType } });
  }
  if (entries) fake.entries = entries.map((each, index) => entry(entries.length - index, each));
  Object.assign(fake, defined({ expirations: expirations2, features, members }));
  Object.assign(fake.runway, runway2);
  if (decision) fake.decision = { wouldBlock: !decision.allowed, mode: "ENFORCE", reason: null, ...decision };
  Object.assign(payments, defined({ bundles: options.bundles, scopes: options.scopes }));
  if (options.recharge === null) payments.recharge = null;
  else if (payments.recharge) Object.assign(payments.recharge, options.recharge);
  if (options.checkoutUrl) payments.checkoutUrl = options.checkoutUrl;
  return fake;
}
var defined = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== void 0));

// components/locales/en.json
var en_default = {
  loading: "Loading…",
  retry: "Try again",
  failed: "This can’t be shown right now",
  stale: "Not up to date",
  offline: "Offline",
  updated: "updated {t}",
  low: "Low",
  held: "{a} held",
  expiring: "{a} expiring {d}",
  never: "{a} without expiry",
  more: "{n} more",
  empty: "No {u} yet",
  balance: "{h}: {a} available",
  expirations: "Expiring",
  unused: "{a} likely unused",
  nothingExpires: "Nothing expires soon",
  runway: "How long it lasts",
  until: "Until {d}",
  endless: "No end in sight",
  usedUp: "Used up",
  daily: "{a} a day",
  suggestion: "{b}: {a} for {p}",
  usage: "Usage",
  used: "{a} used",
  range: "Period",
  table: "Table",
  chart: "Bar chart",
  when: "When",
  amount: "Amount",
  noUsage: "Nothing used in this period",
  others: "Other",
  ledger: "Activity",
  filter: "Show",
  all: "Everything",
  entry: "Entry",
  after: "Balance {a}",
  noEntries: "Nothing to show yet",
  loadMore: "Load more",
  exportCsv: "Export CSV",
  quantity: "Quantity",
  rate: "Rate",
  rateOf: "{a} each · {c}, version {v}",
  from: "From",
  overdraft: "Overdraft",
  by: "By",
  reported: "Reported",
  returned: "Given back",
  notMine: "This is not mine",
  why: "What is wrong with it?",
  send: "Send",
  cancel: "Cancel",
  refused: "This could not be sent",
  blocked: "Not available right now",
  buy: "Buy credits",
  recharge: "Auto-recharge",
  bonus: "+ {a} bonus",
  each: "{p} each",
  lasts: "valid for {t}",
  suggested: "Suggested",
  nothingOnSale: "Nothing is on sale right now",
  starting: "Starting the payment…",
  payPage: "Open the payment page",
  notStarted: "The payment could not be started",
  auto: "Recharge automatically",
  below: "When below",
  bundle: "Buy",
  target: "Up to (optional)",
  cap: "At most per month",
  save: "Save",
  saved: "Saved",
  spentOf: "{p} of {c} spent this month",
  method: "Payment method",
  addMethod: "Add",
  noMethod: "None yet",
  suspended: "Stopped",
  attempts: "Attempts",
  PURCHASE: "Bought",
  RECHARGE: "Auto-recharge",
  PLAN: "Plan",
  TRIAL: "Trial",
  PROMOTION: "Promotion",
  MANUAL: "Granted",
  REFUND: "Refund",
  ROLLOVER: "Rolled over",
  ADJUSTMENT: "Correction",
  GRANT: "Credits added",
  BURN: "Used",
  HOLD: "Set aside",
  SETTLE: "Used",
  RELEASE: "Free again",
  LAPSE: "Free again",
  EXPIRE: "Expired",
  UNEXPIRE: "Expiry undone",
  REALLOCATE: "Late usage",
  VOID: "Withdrawn",
  REVERSE: "Given back",
  CLAWBACK: "Taken back",
  ADJUST: "Correction",
  OPEN: "Disputed",
  INVESTIGATING: "Being looked into",
  UPHELD: "Dispute upheld",
  REJECTED: "Dispute rejected",
  WITHDRAWN: "Dispute withdrawn",
  INSUFFICIENT_CREDITS: "Not enough credits",
  LIMIT_REACHED: "Limit reached",
  PENDING: "Pending",
  REQUIRES_ACTION: "Confirmation needed",
  SUCCEEDED: "Paid",
  FAILED: "Failed",
  CANCELED: "Canceled",
  REFUNDED: "Refunded",
  DISPUTED: "Contested",
  TOP_UP_PENDING: "Waiting for your payment",
  TOP_UP_REQUIRES_ACTION: "Your bank wants you to confirm this payment",
  TOP_UP_SUCCEEDED: "{a} added · {b} available",
  TOP_UP_FAILED: "The payment failed",
  TOP_UP_CANCELED: "Canceled, nothing was charged",
  "BURN SETTLE": "Used",
  "GRANT UNEXPIRE": "Added",
  "EXPIRE VOID CLAWBACK": "Ended",
  "HOLD RELEASE LAPSE": "Set aside",
  "REVERSE REALLOCATE ADJUST": "Corrected"
};

// frontend_embed/testing/install.ts
var places = /* @__PURE__ */ new Map();
var takeAway = () => {
};
function install(fake, endpoint, locales) {
  const base = endpoint.replace(/\/+$/, "");
  if (!places.size) takeAway = intercept();
  const place = { fake, locales };
  places.set(base, place);
  return () => {
    if (places.get(base) !== place) return;
    places.delete(base);
    if (!places.size) takeAway();
  };
}
function intercept() {
  const { fetch: realFetch, WebSocket: RealWebSocket } = globalThis;
  globalThis.fetch = async (input, init) => {
    const url = `${input instanceof Request ? input.url : input}`;
    const [base, file] = /^(.*)(\/embed\/.*|\/graphql)$/.exec(url)?.slice(1) ?? [];
    const place = places.get(base ?? "");
    if (!place) return realFetch(input, init);
    const { fake, locales } = place;
    await Promise.resolve();
    if (!fake.isUp) throw new TypeError("Failed to fetch");
    if (file === "/graphql") {
      const { status, body } = fake.http(new Headers(init?.headers).get("authorization") ?? "", `${init?.body}`);
      return Response.json(await body, { status });
    }
    const language = /locales\/(\w+)\.json$/.exec(`${file}`)?.[1];
    const texts = await (locales?.[`${language}`] ?? (language === "en" ? en_default : void 0));
    if (!language || !(locales || texts)) return realFetch(input, init);
    return texts ? Response.json(Array.isArray(texts) ? texts : [texts]) : Response.json({ detail: "Not Found" }, { status: 404 });
  };
  globalThis.WebSocket = new Proxy(RealWebSocket, {
    construct: (real, [url, protocol]) => {
      const place = places.get(`${url}`.replace(/^ws/, "http").replace(/\/graphql$/, ""));
      return place ? new FakeSocket(place.fake) : new real(url, protocol);
    }
  });
  return () => {
    globalThis.fetch = realFetch;
    globalThis.WebSocket = RealWebSocket;
  };
}
var FakeSocket = class {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  #fake;
  #peer;
  constructor(fake) {
    this.#fake = fake;
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      if (!fake.isUp || !fake.letsSocketsThrough) return this.#closed(1006);
      this.#peer = fake.connect({
        send: (data) => queueMicrotask(() => this.readyState === 1 && this.onmessage?.({ data })),
        close: (code) => this.#closed(code)
      });
      this.readyState = 1;
      this.onopen?.();
    });
  }
  send(text2) {
    if (this.readyState === 0) throw new DOMException("not open", "InvalidStateError");
    if (this.readyState === 1 && this.#peer) this.#fake.receive(this.#peer, text2);
  }
  close(code = 1005) {
    if (this.#peer) this.#fake.peers.delete(this.#peer);
    this.#closed(code);
  }
  #closed(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.onclose?.({ code }));
  }
};

// frontend_embed/testing/states.ts
var many = () => [
  { amount: "120.5", expiresAt: daysFromNow(4) },
  { amount: "500", expiresAt: daysFromNow(21) },
  { amount: "800", expiresAt: daysFromNow(80) },
  { amount: "1000", expiresAt: daysFromNow(386) },
  { amount: "4000", expiresAt: null }
];
var book = () => Array.from({ length: 60 }, (_, n) => {
  const sequence = 60 - n;
  if (sequence % 20 === 0) return granted(sequence);
  if (sequence % 7 === 0)
    return entry(sequence, {
      kind: "EXPIRE",
      feature: null,
      amount: "-41.5",
      explanation: `41.5 of 200 credits for the trial expired unused on ${dayOf(daysFromNow(-30 + sequence / 4))}`
    });
  if (sequence % 5 === 0)
    return entry(sequence, {
      feature: { name: "Output tokens", unit: "token" },
      amount: "-18.214",
      quantity: "9107",
      explanation: `9,107 tokens of Output tokens (model large) at 0.002 credits each, from 500 credits that expire ${dayOf(daysFromNow(21))}`
    });
  return entry(sequence);
});
function purchase(fake) {
  const { id } = fake.payments.start({ bundle: "large", idempotencyKey: "large:1" })["topUp"];
  sessionStorage.setItem("scrip-top-up ai", JSON.stringify({ key: "large:1", id }));
  return id;
}
var states = {
  plain: () => {
  },
  slow: (fake) => {
    fake.isMute = true;
    fake.httpAnswer = { status: 200, body: new Promise(() => {
    }) };
  },
  low: (fake) => fake.set("ai", {
    available: "37.2",
    held: "12",
    buckets: [{ amount: "49.2", expiresAt: daysFromNow(21) }]
  }),
  many: (fake) => {
    fake.set("ai", { available: "6420.5", held: "120", buckets: many() });
    fake.expirations = ["PROMOTION", "PLAN", "ROLLOVER", "PURCHASE", "TRIAL"].map((source, n) => ({
      amount: `${(n + 1) * 120}.5`,
      expiresAt: daysFromNow(4 + n * 18),
      projectedLoss: n % 2 ? "0" : `${n * 30 + 41}.25`,
      grant: { id: source, source }
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
      suggestedBundle: null
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
  suspended: (fake) => void Object.assign(fake.payments.recharge, { suspendedReason: "3 payments in a row were declined" }),
  reader: (fake) => {
    fake.payments.scopes = [];
  },
  blocked: (fake) => {
    fake.decision = { allowed: false, wouldBlock: true, mode: "ENFORCE", reason: { code: "INSUFFICIENT_CREDITS" } };
  },
  warned: (fake) => {
    fake.decision = { allowed: true, wouldBlock: true, mode: "SOFT", reason: { code: "LIMIT_REACHED" } };
  },
  huge: (fake) => fake.set("ai", {
    available: "1234567890123.456789",
    buckets: [{ amount: "1234567890123.456789", expiresAt: null }]
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
  offline: (fake) => void setTimeout(() => {
    fake.isUp = false;
    fake.closeAll(1006);
    dispatchEvent(new Event("offline"));
  }, 400),
  forbidden: (fake) => {
    fake.httpAnswer = {
      status: 200,
      body: { data: null, errors: [{ message: "no", extensions: { code: "FORBIDDEN" } }] }
    };
    fake.letsSocketsThrough = false;
  }
};
export {
  BalanceHarness,
  ElementHarness,
  FakeScrip,
  fakeScrip,
  install,
  states
};
