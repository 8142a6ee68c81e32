import { type Balance, balanceTopic, FOLLOWED, type Followed } from "../balance/topic.ts";
import { ScripElement } from "./element.ts";
import { ScripError } from "./errors.ts";
import { request } from "./graphql.ts";
import { fill, type Messages } from "./messages.ts";
import { html } from "./render.ts";
import type { Args, Resource, Session, Topic } from "./session.ts";

/** What an element reads, and what else it wants to know. */
export interface Asked<T> extends Pick<Topic<T>, "merge" | "args"> {
  /** Fields of the customer beside its balance; `$creditType` is there, other arguments are in `args`. */
  fields: string;
  besides?: Topic[];
}
/** Places of lines that are on their way, so many letters long; without text, which high contrast would show. */
export const bones = (...lines: number[]): unknown[] =>
  lines.map(
    (letters, index) =>
      html`${index > 0 && html`<br>`}<span part="skeleton" class=${index ? "small" : ""}>${"\xa0".repeat(letters)}</span>`,
  );
/** The same for `count` things with such lines each. */
export const skeleton = (count: number, ...lines: number[]): unknown[] =>
  Array(count).fill(html`<p>${bones(...lines)}</p>`);

/** At most one read in this time, however fast the balance falls. */
const PAUSE_MS = 1_000;
/** A balance confirmed that much later than the data: there was a new socket, and whatever was said before it is lost. */
const GAP_MS = 3_000;

/**
 * An element that shows what has no subscription of its own: it follows the balance, which the page's
 * one socket brings anyway, and reads anew when that has a newer version than the data.
 */
export abstract class FollowingElement<T extends Followed> extends ScripElement<T> {
  #timer: ReturnType<typeof setTimeout> | undefined;

  protected abstract asked(creditType: string): Asked<T> | ScripError;
  protected abstract captionText(): string;

  protected override ownTopics(creditType: string): Topic[] | ScripError {
    const asked = this.asked(creditType);
    if (asked instanceof ScripError) return asked;
    const { fields, merge, args, besides = [] } = asked;
    const own = {
      asked: `customer{${FOLLOWED}${fields}}`,
      args: { creditType: ["String!", creditType], ...args } as Args,
      merge,
    };
    return [own, balanceTopic(creditType), ...besides];
  }

  protected override get isWordy(): boolean {
    return true;
  }

  /** Whether what is shown is kept new. */
  protected get isFollowing(): boolean {
    return true;
  }

  protected override headline(data: T): string {
    return `${super.headline(data)} · ${this.captionText()}`;
  }

  override requestUpdate(): void {
    super.requestUpdate();
    // After it: which balance is followed may follow from the data, and that balance may be the newer one already.
    queueMicrotask(() => this.isConnected && this.#follow());
  }

  /** The balance that is followed. */
  protected get balanceResource(): Resource<{ balance: Balance }> | undefined {
    return this.resources[1] as Resource<{ balance: Balance }> | undefined;
  }

  #follow(): void {
    const [own] = this.resources as [Resource<T>?];
    const live = this.balanceResource;
    if (!this.isFollowing || this.#timer || !own?.data || !live?.data || !this.#isBehind(own, live)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // What was pushed in between may have closed the gap.
      if (this.resources[0] === own && this.#isBehind(own, live)) this.pageSession?.readAnew(own);
    }, PAUSE_MS);
  }

  /** An entry that was pushed tells its version, and nothing of what is available. */
  #isBehind(own: Resource<T>, live: Resource<Followed>): unknown {
    const shown = own.data?.balance;
    const now = live.data?.balance;
    if (!shown || !now) return false;
    return (
      now.version > shown.version ||
      (now.version === shown.version && shown.available && now.available !== shown.available) ||
      live.confirmed_ms > own.confirmed_ms + GAP_MS
    );
  }

  /** Tells the page before it is done; false where the page will do something else instead. */
  protected propose<E extends object, K extends keyof E & string>(type: K, detail: E[K]): boolean {
    return this.emit<E, K>(type, detail, true);
  }

  /** Asks for something once; nothing where no answer came. */
  protected async ask<A>(query: string, variables: Record<string, unknown>): Promise<Partial<A>> {
    try {
      const { baseUrl, tokens } = this.pageSession as Session;
      return (await request(baseUrl, tokens, { query, variables })).data as Partial<A>;
    } catch {
      return {};
    }
  }

  /** Of a list as many as fit, or all where somebody has opened it; and what opens it. */
  protected shortened<R>(all: R[], fitting: number): [shown: R[], toggle: unknown] {
    const hidden = all.length - fitting;
    return [
      this.isOpen ? all : all.slice(0, fitting),
      hidden > 0 &&
        html`<div><button part="more" class="small" aria-expanded=${this.isOpen} @click=${this.openOrClose}>${this.isOpen ? "−" : "+"} ${fill(this.texts.more, { n: hidden })}</button></div>`,
    ];
  }

  /** A word for a name of the wire; what is new there is written as it is. */
  protected word(name = ""): string {
    return this.texts[name as keyof Messages] ?? name;
  }
}
