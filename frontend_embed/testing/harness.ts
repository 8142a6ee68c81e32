/** Pages with one element and a Scrip of its own, for tests of the elements themselves. */
import { isAtWork } from "../../components/core/turns.ts";
import { BalanceHarness, ElementHarness } from "./element_harness.ts";
import { FakeScrip } from "./fake_scrip.ts";
import { install } from "./install.ts";

export { BalanceHarness, ElementHarness } from "./element_harness.ts";

/** How long a test waits for what must come, when the machine is busy. */
export const PATIENCE_MS = 30_000;

/** A turn of the event loop that fake timers leave alone: bodies of answers are read in tasks. */
export const turn = (): Promise<unknown> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  });

/**
 * Everything that is due, as far as no time has to pass. A turn counts when no element waits for its own: on a busy
 * machine each of them has a task of its own, and there is no number of tasks that would be enough for a page.
 */
export async function settle(): Promise<void> {
  for (let n = 0; n < 12; n++) {
    do await turn();
    while (isAtWork());
  }
}

let undo: (() => void)[] = [];
let endpoints = 0;

export interface Mounted {
  fake: FakeScrip;
  endpoint: string;
  provider: HTMLElement & { fetchToken?: unknown };
  /** The element that was asked for. */
  shown: ElementHarness;
  balance: BalanceHarness;
  /** Events that left the elements, in order. */
  events: { type: string; detail: Record<string, unknown> }[];
}

export interface MountOptions {
  fake?: FakeScrip;
  /** The balance, when left out. */
  tag?: string;
  /** Its attributes. */
  attributes?: string;
  /** What stands between its tags. */
  content?: string;
  /** Attributes of the provider; "" for none, so that the test says how tokens come. */
  session?: string;
  locales?: Record<string, unknown>;
  /** The element around it, such as `<section lang="de">`. */
  around?: string;
}

const EVENTS =
  "load error balance-change balance-low expiring range-change entry-select export top-up-start top-up-done top-up-failed recharge-change gate-change"
    .split(" ")
    .map((name) => `scrip-${name}`);

/** A page with one element and a Scrip of its own. */
export async function mount(options: MountOptions = {}): Promise<Mounted> {
  const { fake = new FakeScrip(), tag = "scrip-balance", attributes = "", content = "" } = options;
  const { locales = {}, around = "<div>" } = options;
  const endpoint = `https://scrip-${++endpoints}.test`;
  undo.push(install(fake, endpoint, locales));
  const session = options.session ?? `token="${fake.mint()}"`;
  const host = document.createElement("template");
  host.innerHTML = `${around}<scrip-provider endpoint="${endpoint}" ${session}><${tag} credit-type="ai" ${attributes}>${content}</${tag}></scrip-provider>`;
  const shown = document.importNode(host.content, true).firstElementChild as HTMLElement;
  const events: Mounted["events"] = [];
  for (const type of EVENTS) {
    shown.addEventListener(type, (event) => events.push({ type, detail: (event as CustomEvent).detail }));
  }
  document.body.append(shown);
  undo.push(() => shown.remove());
  await settle();
  return {
    fake,
    endpoint,
    provider: shown.querySelector("scrip-provider") as Mounted["provider"],
    shown: new ElementHarness(shown.querySelector(tag)),
    balance: new BalanceHarness(shown.querySelector(tag)),
    events,
  };
}

export interface MountedWithTokens extends Mounted {
  /** Why each token was fetched, and which they were. */
  asked: string[];
  given: string[];
}

/** A page whose tokens come from a function that mints them at the fake. */
export async function mountWithTokens(life_s = 600): Promise<MountedWithTokens> {
  const asked: string[] = [];
  const given: string[] = [];
  const mounted = await mount({ session: "" });
  mounted.provider.fetchToken = async ({ reason }: { reason: string }) => {
    asked.push(reason);
    given.push(mounted.fake.mint({ life_s }));
    return given.at(-1);
  };
  return { ...mounted, asked, given };
}

export async function unmountAll(): Promise<void> {
  const steps = undo.reverse();
  undo = [];
  for (const step of steps) step();
  await settle();
}
