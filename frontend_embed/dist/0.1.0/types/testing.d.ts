/** Types of the Scrip embed's testing.js. Written by the build: don't edit. */
/** What a person finds in an element, without knowing how it is built: for tests of pages that embed one. */
declare class ElementHarness {
    readonly element: HTMLElement;
    constructor(element: HTMLElement | null);
    /** The first element with this part name, inside. */
    part(name: string): HTMLElement | null;
    parts(name: string): HTMLElement[];
    text(name: string): string | undefined;
    get isLoading(): boolean;
}
declare class BalanceHarness extends ElementHarness {
    /** The number as it is written. */
    get value(): string | undefined;
    /** The number as it is. */
    get exact(): string | null | undefined;
    get buckets(): (string | undefined)[];
}

/** What a fake Scrip knows of its customer, and where it comes from when a test says nothing. */
interface FakeCreditType {
    key: string;
    name: string;
    unitSingular: string;
    unitPlural: string;
    scale: number;
}
interface FakeBucket {
    amount: string;
    source?: string;
    expiresAt: string | null;
}
interface FakeBalance {
    creditType: FakeCreditType;
    available: string;
    held: string;
    version: number;
    asOf: string;
    buckets: FakeBucket[];
}
interface FakeExpiration {
    amount: string;
    expiresAt: string;
    projectedLoss: string;
    grant: {
        id: string;
        source: string;
    };
}
interface FakeRunway {
    dailyBurn: string;
    runsOutAt: string | null;
    projectedExpiryLoss: string;
    basis: string;
    suggestedBundle: {
        key: string;
        name: string;
        credits: string;
        bonus: string;
        price: {
            amount: string;
            currency: string;
        };
    } | null;
}
interface FakeDispute {
    id: string;
    status: string;
    timeline: {
        at: string;
    }[];
}
interface FakeEntry {
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
    feature: {
        name: string;
        unit: string;
    } | null;
    member: {
        name: string;
    } | null;
    rate: {
        cohort: string;
        version: number;
        perUnit: string | null;
    } | null;
    allocations: {
        amount: string;
        overdraft: boolean;
        grant: {
            source: string;
            amount: string;
            expiresAt: string | null;
        } | null;
    }[];
    reversedAmount: string;
    dispute: FakeDispute | null;
    explanation: string;
}
declare const setNow: (moment_ms: number) => void;
declare const at: (version: number) => string;
declare const daysFromNow: (days: number) => string;
/** "Jan 31" */
declare const dayOf: (moment: string) => string;
declare const expirations: () => FakeExpiration[];
declare const runway: () => FakeRunway;
declare function entry(sequence: number, change?: Partial<FakeEntry>): FakeEntry;
declare const granted: (sequence: number) => FakeEntry;
/** Bars that look like somebody's work: less at weekends, and each day another. */
declare function usage(from: string, to: string, interval: string, groups: readonly (string | null)[]): {
    total: string;
    points: {
        start: string;
        end: string;
        group: string | null;
        amount: string;
    }[];
};

/** As much of GraphQL as the elements write: aliases, arguments that are variables, selections, and `... on`. */
interface Field {
    alias: string;
    name: string;
    args: Record<string, string>;
    fields: Field[];
}
type Variables = Record<string, unknown>;
/** The root fields of a document. */
declare function parse(document: string): Field[];
/** What is asked of `value`, and nothing else: an element that forgets a field does not get it here either. */
declare function select(value: unknown, fields: Field[], variables: Variables): unknown;

interface FakeMoney {
    amount: string;
    currency: string;
}
interface FakeBundle {
    key: string;
    name: string;
    credits: string;
    bonus: string;
    price: FakeMoney;
    expiresAfter: string | null;
    available: boolean;
}
interface FakeTopUp {
    id: string;
    bundle: FakeBundle;
    credits: string;
    price: FakeMoney;
    status: string;
    failure: string | null;
    checkoutUrl: string | null;
    createdAt: string;
}
interface FakeRule {
    enabled: boolean;
    threshold: string;
    target: string | null;
    bundle: {
        key: string;
    };
    monthlyCap: FakeMoney;
    spentThisMonth: FakeMoney;
    suspendedReason: string | null;
    paymentMethod: string | null;
    attempts: FakeTopUp[];
}
declare const bundles: () => FakeBundle[];
declare const rule: () => FakeRule;
type Answer = Record<string, unknown>;
type Input = Record<string, unknown>;
declare class FakePayments {
    #private;
    bundles: FakeBundle[];
    /** Null where none was ever set. */
    recharge: FakeRule | null;
    methods: {
        id: string;
        label: string;
        expires: string;
        isDefault: boolean;
    }[];
    scopes: string[];
    /** Where the payment page of a top-up is. */
    checkoutUrl: (id: string) => string;
    /** Newest last. */
    readonly topUps: FakeTopUp[];
    /** Answers the next of these in place of the real one: a refusal has a code. */
    refusal: Answer | undefined;
    /** Where it leads back to, unless told otherwise. */
    leadsBack: boolean;
    constructor(moved: (topUp: FakeTopUp) => void);
    find(id: unknown): FakeTopUp | null;
    /** What is done on the payment page. */
    pay: (id?: string) => void;
    decline: (id?: string, failure?: string) => void;
    authenticate: (id?: string) => void;
    /** The newest one, where none is named. Topics are compared as they are, so what moves is another object. */
    move(status: string, id?: string | undefined, failure?: string | null): void;
    start(input: Input): Answer;
    cancel(id: unknown): Answer;
    setRecharge({ enabled, threshold, target, bundle, monthlyCap }: Input): Answer;
    setup(): Answer;
}

/** The client's end of a socket, as the fake sees it. */
interface Wire {
    send(text: string): void;
    close(code: number): void;
}
interface Peer {
    wire: Wire;
    token: string | undefined;
    /** Running subscriptions: id → what they asked for. */
    running: Map<string, {
        query: string;
        variables: Variables;
    }>;
}
interface Frame {
    type: string;
    id?: string;
    payload?: {
        query?: string;
        variables?: Variables;
        authorization?: string;
    };
}
type Fault = {
    message: string;
    path?: (string | number)[];
    extensions?: {
        code: string;
    };
};
/**
 * A Scrip for one customer, for tests of elements and of the pages that embed them. It knows the wire
 * (GraphQL over POST, graphql-transport-ws, tokens) and a customer's data; nothing is worked out.
 *
 * `install()` puts it in place of `fetch` and `WebSocket`; `serveFakeScrip()` puts the same object behind a port.
 */
declare class FakeScrip {
    #private;
    /** The key of the customer that tokens are for. */
    customer: string;
    readonly balances: Map<string, FakeBalance>;
    expirations: FakeExpiration[];
    runway: FakeRunway;
    /** Newest first. */
    entries: FakeEntry[];
    features: {
        key: string;
        name: string;
    }[];
    members: {
        key: string;
        name: string;
    }[];
    usage: typeof usage;
    readonly payments: FakePayments;
    /** Answers `check`, beside the balance; with a code alone it is a refusal. */
    decision: Record<string, unknown>;
    policy: {
        mode: string;
        failurePolicy: string;
        overdraftLimit: string;
    };
    /** Answers `openDispute`; a refusal has a code. */
    disputeAnswer: Record<string, unknown> | undefined;
    /** What elements have asked, for tests to look at. */
    readonly requests: {
        query: string;
        variables: Record<string, any>;
        token: string;
    }[];
    readonly frames: Frame[];
    readonly refused: Set<string>;
    readonly peers: Set<Peer>;
    /** The network between page and server. */
    isUp: boolean;
    /** Sockets alone: some networks let none through. */
    letsSocketsThrough: boolean;
    /** Answers neither greeting nor ping: a dead network that nobody noticed. */
    isMute: boolean;
    /** Answer of every HTTP request, in place of the real one. */
    httpAnswer: {
        status: number;
        body: unknown;
    } | undefined;
    /** The next `subscribe` messages are answered with these errors. */
    readonly subscriptionFaults: Fault[];
    constructor();
    /** Changes a balance as one ledger entry would, and pushes it. */
    set(key: string, change: Partial<FakeBalance>): FakeBalance;
    /** Pushes a state as it is, also an old one. */
    push(balance: FakeBalance): void;
    /** Books an entry, as a burn does: the balance moves on, and both are pushed. */
    book(change?: Partial<FakeEntry>, key?: string): FakeEntry;
    /** A dispute of these entries moves on, and is pushed. */
    dispute(ids: string[], status: string): FakeDispute & {
        entries: {
            id: string;
        }[];
    };
    /** Uses credits up, exactly, as a burn does: booked, and both entry and balance are pushed. */
    burn(amount: string, change?: Partial<FakeEntry>, key?: string): FakeEntry;
    /** Gives credits, exactly. */
    grant(amount: string, change?: Partial<FakeEntry>, key?: string): FakeEntry;
    /** The network is gone: requests fail and the sockets are closed. In a page, it is told so. */
    goOffline(): void;
    goOnline(): void;
    /** Another policy is in force, and is pushed. */
    enforce(change: Partial<FakeScrip["policy"]>, decision?: Record<string, unknown>): void;
    /** An unsigned token: the elements look at its times only. */
    mint({ life_s, customer, age_s }?: {
        age_s?: number | undefined;
        customer?: string | undefined;
        life_s?: number | undefined;
    }): string;
    /** Closes the sockets that carry this token, or all. */
    closeAll(code: number, token?: string): void;
    /** What a server does with a token whose time is up. */
    expire(token: string): void;
    http(authorization: string, body: string): {
        status: number;
        body: unknown;
    };
    connect(wire: Wire): Peer;
    receive(peer: Peer, text: string): void;
}

/** A fake Scrip as a test describes it: what it leaves out is as any customer has it. */
/** A balance in short: how much is available, or more of it. */
type BalanceOption = string | (Partial<Omit<FakeBalance, "creditType">> & {
    creditType?: Partial<FakeCreditType>;
});
interface FakeScripOptions {
    /** Key of the customer that tokens are for; `acme` when left out. */
    customer?: string;
    /** By key of the credit type, such as `{ ai: "1500" }`. Amounts are decimal strings. */
    balances?: Record<string, BalanceOption>;
    /** Entries of the book, newest first; what an entry leaves out is that of a burn. */
    entries?: Partial<FakeEntry>[];
    expirations?: FakeExpiration[];
    runway?: Partial<FakeRunway>;
    features?: {
        key: string;
        name: string;
    }[];
    members?: {
        key: string;
        name: string;
    }[];
    /** What is on sale. */
    bundles?: FakeBundle[];
    /** The recharge rule; null where none was ever set. */
    recharge?: Partial<FakeRule> | null;
    /** What the customer's token may do; everything when left out. */
    scopes?: string[];
    /** What `scrip-gate` is told: `{ allowed: false, reason: { code: "INSUFFICIENT_CREDITS" } }`. */
    decision?: {
        allowed: boolean;
        wouldBlock?: boolean;
        mode?: string;
        reason?: {
            code: string;
        } | null;
    };
    /** Address of the payment page of a top-up. */
    checkoutUrl?: (topUpId: string) => string;
    /** The moment that dates count from; now when left out. */
    now?: Date;
}
/** A Scrip that needs no server: `install()` puts it into a page, `serveFakeScrip()` behind a port. */
declare function fakeScrip(options?: FakeScripOptions): FakeScrip;

/** Texts by language, as objects or as `locales/{language}.json` has them. */
type Locales = Record<string, unknown>;
/**
 * Puts a fake in place of the network for one endpoint, in this page: its GraphQL, its socket and English. Scripts still
 * come from there, and so do other languages, unless they are given. Everything else goes where it went before. Returns the way
 * back.
 */
declare function install(fake: FakeScrip, endpoint: string, locales?: Locales): () => void;

/** States that a customer, or the network to it, can be in. Each makes a fake that is as any other into one of these. */
declare const states: Record<string, (fake: FakeScrip) => void>;

export { BalanceHarness, BalanceOption, ElementHarness, FakeBalance, FakeBucket, FakeBundle, FakeCreditType, FakeDispute, FakeEntry, FakeExpiration, FakeMoney, FakeRule, FakeRunway, FakeScrip, FakeScripOptions, FakeTopUp, Locales, fakeScrip, install, states };
