import { type Balance, balanceTopic, type CreditType, isNewer } from "../balance/topic.ts";
import { enLists } from "../locales/en_lists.ts";
import { floor } from "./decimal.ts";
import { ScripElement } from "./element.ts";
import { ScripError } from "./errors.ts";
import { amountOf, isolated } from "./formats.ts";
import { request } from "./graphql.ts";
import { addTexts } from "./messages.ts";
import { html } from "./render.ts";
import type { Resource, Topic } from "./session.ts";

addTexts(enLists);

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

  /** Whether what is shown is kept new. */
  protected get isFollowing(): boolean {
    return true;
  }

  protected override headline({ balance }: T): string {
    return `${balance.creditType.name} · ${this.captionText()}`;
  }

  protected override beside(_: T): unknown {
    return "";
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
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  /** Asks for something once; undefined where no answer came. */
  protected async ask(query: string, variables: Record<string, unknown>): Promise<Record<string, unknown> | undefined> {
    const session = this.pageSession;
    try {
      return (session && (await request(session.baseUrl, session.tokens, { query, variables })).data) ?? undefined;
    } catch {
      return undefined;
    }
  }

  #creditType(): CreditType {
    const [own] = this.resources as [Resource<T>];
    return (own.data as T).balance.creditType;
  }

  /** Decimal places of the credit type. */
  protected get decimals(): number {
    return this.#creditType().scale;
  }

  /** "1,500" */
  protected inDigits(amount: string): string {
    return amountOf(this.localeTag, amount, this.decimals);
  }

  /** "1,500 credits" */
  protected inCredits(amount: string): string {
    const { scale, unitSingular, unitPlural } = this.#creditType();
    const unit = floor(amount, scale) === "1" ? unitSingular : unitPlural;
    return isolated(this.localeTag, `${this.inDigits(amount)} ${unit}`);
  }
}
