import { type Balance, balanceTopic, type CreditType, credits, isNewer } from "../balance/topic.ts";
import { ScripElement } from "./element.ts";
import { ScripError } from "./errors.ts";
import { request } from "./graphql.ts";
import { isolated, number } from "./intl.ts";
import { fill, type Messages } from "./messages.ts";
import { html, type Template } from "./render.ts";
import type { Resource, Session, Topic } from "./session.ts";

/** What every answer says of the balance it belongs to. */
export interface Followed {
  balance: Pick<Balance, "available" | "version" | "asOf"> & { creditType: CreditType };
}
export const FOLLOWED =
  "balance(creditType:$creditType){creditType{key name unitSingular unitPlural scale}available version asOf}";

/** The newer of two answers, by the balance they belong to. */
export const newest = <T extends Followed>(next: T, shown: T | undefined): T | undefined =>
  next.balance && shown && !isNewer(next.balance as Balance, shown.balance as Balance) ? shown : next.balance && next;

/** Places of lines that are on their way, so many letters long; without text, which high contrast would show. */
export const bones = (...lines: number[]): unknown[] =>
  lines.map(
    (letters, index) =>
      html`${index ? html`<br>` : ""}<span part="skeleton" class=${index ? "small" : ""}>${"\xa0".repeat(letters)}</span>`,
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
  #isOpen = false;

  /** What is read, by the attributes; behind it what else is pushed. */
  protected abstract ownTopics(creditType: string): readonly [Topic<T>, ...Topic<never>[]] | ScripError;
  protected abstract captionText(): string;

  protected override topics(): readonly [Topic<T>, ...Topic<never>[]] | ScripError {
    const creditType = this.getAttribute("credit-type");
    if (!creditType) return new ScripError("CONFIG", "no credit-type");
    const topics = this.ownTopics(creditType);
    if (topics instanceof ScripError) return topics;
    const [own, ...others] = topics;
    return [own, balanceTopic(creditType) as Topic<never>, ...others];
  }

  protected override get isWordy(): boolean {
    return true;
  }

  /** Whether what is shown is kept new. */
  protected get isFollowing(): boolean {
    return true;
  }

  protected override headline({ balance }: T): string {
    return `${balance.creditType.name} · ${this.captionText()}`;
  }

  override requestUpdate(): void {
    super.requestUpdate();
    // After it: which balance is followed may follow from the data, and that balance may be the newer one already.
    queueMicrotask(() => this.isConnected && this.#follow());
  }

  /** The balance that is followed. */
  protected get balanceResource(): Resource<Balance> | undefined {
    return this.resources[1] as Resource<Balance> | undefined;
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
  #isBehind(own: Resource<T>, live: Resource<Balance>): unknown {
    const shown = own.data?.balance;
    const now = live.data;
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
  protected shortened<R>(all: R[], fitting: number): [shown: R[], toggle: Template | ""] {
    const hidden = all.length - fitting;
    const toggle = () => {
      this.#isOpen = !this.#isOpen;
      this.requestUpdate();
    };
    return [
      this.#isOpen ? all : all.slice(0, fitting),
      hidden > 0
        ? html`<div><button part="more" class="small" aria-expanded=${this.#isOpen} @click=${toggle}>${this.#isOpen ? "−" : "+"} ${fill(this.texts.more, { n: hidden })}</button></div>`
        : "",
    ];
  }

  #creditType(): CreditType {
    const [own] = this.resources as [Resource<T>];
    return (own.data as T).balance.creditType;
  }

  /** Decimal places of the credit type. */
  protected get decimals(): number {
    return this.#creditType().scale;
  }

  /** A word for a name of the wire; what is new there is written as it is. */
  protected word(name = ""): string {
    return this.texts[name as keyof Messages] ?? name;
  }

  /** "1,500" */
  protected inDigits(amount: string): string {
    return number(this.localeTag, amount, this.decimals);
  }

  /** "1,500 credits" */
  protected inCredits(amount: string): string {
    return isolated(this.localeTag, credits(this.localeTag, this.#creditType(), amount).join(" "));
  }
}
