import type { Followed } from "../balance/topic.ts";
import { actions } from "../core/actions.styles.ts";
import { text, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import { lasting } from "../core/duration.ts";
import type { CommonEvents } from "../core/element.ts";
import { type Asked, FollowingElement, skeleton } from "../core/following.ts";
import { type Money, price } from "../core/intl.ts";
import { lists } from "../core/lists.styles.ts";
import { fill } from "../core/messages.ts";
import { PaymentPage } from "../core/payment_page.ts";
import { html, type Template } from "../core/render.ts";
import { type Resource, receive } from "../core/session.ts";
import { theme } from "../core/theme.styles.ts";
import { declined, type Purchase, purchaseOf, recall, remember, returned } from "./purchase.ts";
import { styles } from "./top-up.styles.ts";

interface Bundle {
  key: string;
  name: string;
  credits: string;
  bonus: string;
  price: Money;
  expiresAfter: string | null;
  available: boolean;
}

interface Data extends Followed {
  bundles: Bundle[];
}

interface TopUp {
  id: string;
  status: string;
  credits: string;
  failure: string | null;
  checkoutUrl: string | null;
  bundle: { key: string };
}

export interface TopUpEvents extends CommonEvents {
  /** Before anything happens. */
  "scrip-top-up-start": { bundle: string; price: Money };
  "scrip-top-up-done": { id: string; bundle: string; credits: string };
  /** `code` is the refusal's, NETWORK where no answer came, or PAYMENT_FAILED. */
  "scrip-top-up-failed": { code: string };
}

const TOP_UP = "{id status credits failure checkoutUrl bundle{key}}";
const OPEN = /^(PENDING|REQUIRES_ACTION)$/;
/** Rows that fit into the height that is kept free; the others are one press away. */
const ROWS = 3;

/**
 * Bundles to buy. The provider's payment page opens beside the host's; here is told, live, what becomes of the
 * payment, until the credits are there. A purchase is never started twice: not by a double click, a reload or a retry.
 *
 * @summary Buys credits.
 * @element scrip-top-up
 * @attr {string} credit-type - Key of the credit type.
 * @attr {string} bundles - Keys of the bundles to offer, in this order; all that are on sale when left out.
 * @attr {string} return-url - Where the payment page leads back to; when left out nowhere, as it stands in a tab of its own, and to this page where no tab is let through.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{bundle: string, price: {amount: string, currency: string}}>} scrip-top-up-start - Somebody wants to buy; the purchase begins unless this is prevented.
 * @fires {CustomEvent<{id: string, bundle: string, credits: string}>} scrip-top-up-done - It is paid, and the credits are there.
 * @fires {CustomEvent<{code: string}>} scrip-top-up-failed - It could not be started, or was not paid.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that nothing is on sale.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart bundles - The list of bundles.
 * @csspart bundle - One of them.
 * @csspart suggested - The mark of the one that would do for about a month.
 * @csspart price - What it costs.
 * @csspart action - The button that buys it.
 * @csspart more - The button that shows the rest of a long list.
 * @csspart status - What becomes of a purchase.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the bundles are old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - Buttons that buy, and focus.
 * @cssproperty --scrip-color-on-accent - Text on such a button.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card.
 * @cssproperty --scrip-color-negative - A payment that failed.
 * @cssproperty --scrip-color-warning - What is old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripTopUp extends FollowingElement<Data> {
  static override readonly css = theme + lists + actions + styles;

  /** Whose purchase is followed, and its id. */
  #creditType = "";
  #id: string | undefined;
  /** Began here: whoever is led back to another tab is told, and the page has been told where it began. */
  #isOurs = true;
  #topUp: TopUp | undefined;
  /** The bundle that is being started, or could not be. */
  #bundle: Bundle | undefined;
  #refusal = "";

  protected override asked(creditType: string): Asked<Data> {
    if (creditType !== this.#creditType) {
      this.#creditType = creditType;
      const kept = recall(creditType);
      this.#isOurs = !!kept?.key;
      this.#id = this.#isOurs ? kept?.id : returned();
      this.#topUp = this.#bundle = undefined;
    }
    const suggestion = {
      asked: "customer{runway(creditType:$creditType){suggestedBundle{key}}}",
      args: { creditType: ["String!", creditType] } as const,
    };
    const topUp = {
      asked: `topUp(id:$id)${TOP_UP}`,
      pushed: `topUp:topUpUpdated(id:$id)${TOP_UP}`,
      isSilent: true,
      args: { id: ["ID!", this.#id] } as const,
      merge: latest,
    };
    return {
      fields: "bundles(creditType:$creditType){key name credits bonus price{amount currency}expiresAfter available}",
      besides: this.#id ? [suggestion, topUp] : [suggestion],
    };
  }

  protected override captionText(): string {
    return this.texts.buy;
  }

  override requestUpdate(): void {
    super.requestUpdate();
    const { data, error } = (this.resources[3] ?? {}) as Partial<Resource<TopUp>>;
    if (data && data.id === this.#id && data !== this.#topUp) this.#moved(data);
    // Another customer's, or one that is long gone.
    else if (error && !error.retryable) this.#forget();
  }

  #forget(): void {
    remember(this.#creditType);
    this.#id = undefined;
  }

  #moved(topUp: TopUp): void {
    const before = this.#topUp?.status;
    this.#topUp = topUp;
    const { id, status, credits, bundle } = topUp;
    if (status === before) return;
    if (!OPEN.test(status)) {
      // What was declined may yet be paid, on the page that has declined it.
      if (status !== "FAILED") this.#id = undefined;
      declined(this.#creditType, this.#id);
      if (!this.#isOurs) {
        // Nothing has happened here.
      } else if (status === "FAILED") this.#failed("PAYMENT_FAILED");
      else if (status === "SUCCEEDED") {
        this.emit<TopUpEvents, "scrip-top-up-done">("scrip-top-up-done", { id, bundle: bundle.key, credits });
      }
    }
    if (status !== "FAILED" && this.resources[0]?.data) this.say(this.#sentence(topUp).join(""));
  }

  #failed(code: string): void {
    this.emit<TopUpEvents, "scrip-top-up-failed">("scrip-top-up-failed", { code });
  }

  get #isBusy(): boolean {
    return (!!this.#id && this.#topUp?.status !== "FAILED") || (!!this.#bundle && !this.#refusal);
  }

  async #buy(bundle: Bundle): Promise<void> {
    if (this.#isBusy) return;
    const detail = { bundle: bundle.key, price: bundle.price };
    if (!this.propose<TopUpEvents, "scrip-top-up-start">("scrip-top-up-start", detail)) return;
    const page = new PaymentPage(this.texts.starting);
    const creditType = this.#creditType;
    // In a tab of its own the payment page need not lead anywhere.
    const wish = this.getAttribute("return-url") ?? (page.isBeside ? undefined : "");
    const returnUrl = wish === undefined ? wish : new URL(wish, location.href).href;
    const purchase = purchaseOf(creditType, bundle.key, returnUrl, this.#id);
    remember(creditType, purchase);
    this.#isOurs = true;
    this.#bundle = bundle;
    this.#refusal = "";
    this.#id = this.#topUp = undefined;
    this.requestUpdate();
    const { topUp, code } = await this.#start(bundle.key, purchase);
    if (topUp) {
      remember(creditType, { ...purchase, id: topUp.id });
      this.#bundle = undefined;
      if (creditType === this.#creditType) {
        this.#id = topUp.id;
        this.#moved(topUp);
      }
      if (OPEN.test(topUp.status)) page.go(topUp.checkoutUrl);
      else page.close();
    } else {
      page.close();
      // Without a definite answer it may have been started: the next try says so by its key.
      if (code !== "NETWORK" && code !== "UNAVAILABLE") declined(creditType, purchase.replaces);
      this.#refusal = code;
      this.#failed(code);
    }
    this.requestUpdate();
  }

  async #start(bundle: string, purchase: Purchase): Promise<{ topUp?: TopUp; code: string }> {
    const query = `mutation startTopUp($input:TopUpInput!){startTopUp(input:$input){...on TopUpOk{topUp${TOP_UP}}...on Refusal{code}...on InvalidInput{field}}}`;
    const { key, returnUrl, replaces } = purchase;
    const { startTopUp } = await this.ask<{ startTopUp: { topUp?: TopUp; code?: string; field?: string } }>(query, {
      input: { bundle, returnUrl, replaces, idempotencyKey: key },
    });
    const { code, field } = startTopUp ?? {};
    // This page is none that the server leads back to, and the host has not asked for it: then it leads nowhere.
    const isStray = returnUrl && field === "returnUrl" && !this.hasAttribute("return-url");
    // Another customer's was declined.
    if (isStray || (replaces && code === "NOT_FOUND")) {
      delete purchase[isStray ? "returnUrl" : "replaces"];
      return this.#start(bundle, purchase);
    }
    return { code: "NETWORK", ...startTopUp };
  }

  async #cancel(): Promise<void> {
    const query = `mutation cancelTopUp($id:ID!){cancelTopUp(id:$id){...on TopUpOk{topUp${TOP_UP}}}}`;
    const { cancelTopUp } = await this.ask<{ cancelTopUp: { topUp?: TopUp } }>(query, { id: this.#id });
    const resource = this.resources[3];
    if (!resource) return;
    if (cancelTopUp?.topUp) receive(resource, cancelTopUp);
    else this.pageSession?.readAnew(resource); // it may be paid already
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    if (!data) return skeleton(3, 20, 30);
    const bundles = this.#offered(data);
    const [shown, toggle] = this.shortened(bundles, ROWS);
    return html`${
      shown.length
        ? html`<ul part="bundles" role="list">${shown.map((each) => this.#row(each))}</ul>`
        : html`<slot name="empty"><p class="muted">${this.texts.nothingOnSale}</p></slot>`
    }${toggle}<div part="status" class="row small">${notice || this.#status(bundles)}</div>`;
  }

  /** What is on sale, or of it what the page wants, in its order. */
  #offered({ bundles }: Data): Bundle[] {
    const onSale = bundles.filter(({ available }) => available);
    const wanted = this.getAttribute("bundles")?.match(/[^\s,]+/g);
    return wanted?.flatMap((wish) => onSale.filter(({ key }) => key === wish)) ?? onSale;
  }

  #row(bundle: Bundle): Template {
    const { localeTag } = this;
    const a = this.inCredits(bundle.credits);
    const p = price(localeTag, bundle.price);
    // In units of 10⁻¹² again, so as exact as anybody can read.
    const one = (units(bundle.price.amount) * 10n ** 12n) / (units(bundle.credits) + units(bundle.bonus));
    const single = price(localeTag, { ...bundle.price, amount: text(one) }, { maximumSignificantDigits: 3 });
    const suggested = this.resources[2]?.data as { runway: { suggestedBundle?: { key: string } } | null } | undefined;
    const isSuggested = suggested?.runway?.suggestedBundle?.key === bundle.key;
    return html`<li part="bundle" class="row"><div><strong>${bundle.name}</strong> ${
      isSuggested && html`<span part="suggested">${this.texts.suggested}</span>`
    }<p class="small muted">${a}${
      units(bundle.bonus) && [" ", ...fill(this.texts.bonus, { a: this.inDigits(bundle.bonus) })]
    }<br>${fill(this.texts.each, { p: single })}${
      bundle.expiresAfter && [" · ", ...fill(this.texts.lasts, { t: lasting(localeTag, bundle.expiresAfter) })]
    }</p></div><button part="action" aria-disabled=${this.#isBusy} aria-label=${fill(this.texts.suggestion, {
      b: bundle.name,
      a,
      p,
    }).join("")} @click=${() => this.#buy(bundle)}><span part="price">${p}</span></button></li>`;
  }

  /** What is being told, in one line. */
  #sentence({ status, credits }: TopUp): unknown[] {
    const { available = "0" } = this.balanceResource?.data?.balance ?? {};
    const told = this.texts[`TOP_UP_${status}` as "TOP_UP_PENDING"] ?? this.word(status);
    return fill(told, { a: this.inCredits(credits), b: this.inDigits(available) });
  }

  #status(bundles: Bundle[]): unknown {
    const topUp = this.#topUp;
    const again = (bundle: Bundle | undefined) =>
      bundle && html`<button @click=${() => this.#buy(bundle)}>${this.texts.retry}</button>`;
    if (this.#refusal)
      return html`<span role="alert" class="bad">${this.#refusal === "PAYMENT_FAILED" ? this.texts.TOP_UP_FAILED : this.texts.notStarted}</span>${again(this.#bundle)}`;
    if (this.#bundle) return this.texts.starting;
    if (!topUp) {
      // It was here already, from an element before this one.
      if (this.resources[3]?.data) queueMicrotask(() => this.requestUpdate());
      return this.#id ? "…" : "";
    }
    if (topUp.status === "FAILED")
      return html`<span role="alert" class="bad">${this.texts.TOP_UP_FAILED}${
        topUp.failure && html`: <bdi lang="en">${topUp.failure}</bdi>`
      }</span>${again(bundles.find(({ key }) => key === topUp.bundle.key))}`;
    if (!OPEN.test(topUp.status)) return html`<strong>${this.#sentence(topUp)}</strong>`;
    return html`<span>${this.#sentence(topUp)}</span><span class="tools">${
      /^https?:/.test(topUp.checkoutUrl ?? "") &&
      html`<a href=${topUp.checkoutUrl} target="_blank">${this.texts.payPage}</a>`
    }<button @click=${() => this.#cancel()}>${this.texts.cancel}</button></span>`;
  }
}

/** What is settled stays so, whatever comes late; what was declined may be paid after all. */
const latest = (next: TopUp & { topUp?: TopUp }, shown: TopUp | undefined): TopUp => {
  const topUp = next.topUp ?? next;
  return shown && rank(shown) > rank(topUp) ? shown : topUp;
};
const rank = ({ status }: TopUp): number => (OPEN.test(status) ? 0 : status === "FAILED" ? 1 : 2);

export const defineTopUp = (): void => define("scrip-top-up", ScripTopUp);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-top-up": ScripTopUp;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-top-up-start": CustomEvent<TopUpEvents["scrip-top-up-start"]>;
    "scrip-top-up-done": CustomEvent<TopUpEvents["scrip-top-up-done"]>;
    "scrip-top-up-failed": CustomEvent<TopUpEvents["scrip-top-up-failed"]>;
  }
}
