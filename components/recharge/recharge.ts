import { type Followed, newest } from "../balance/topic.ts";
import { actions } from "../core/actions.styles.ts";
import { text, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import type { CommonEvents } from "../core/element.ts";
import { type Asked, FollowingElement, skeleton } from "../core/following.ts";
import { type Money, moment, price } from "../core/intl.ts";
import { lists } from "../core/lists.styles.ts";
import { fill } from "../core/messages.ts";
import { PaymentPage } from "../core/payment_page.ts";
import { html, type Template } from "../core/render.ts";
import { type Resource, receive } from "../core/session.ts";
import { theme } from "../core/theme.styles.ts";
import { styles } from "./recharge.styles.ts";

interface Rule {
  enabled: boolean;
  threshold: string;
  target: string | null;
  suspendedReason: string | null;
  paymentMethod: string | null;
  bundle: { key: string };
  monthlyCap: Money;
  spentThisMonth: Money;
  attempts: { status: string; createdAt: string; price: Money; failure: string | null }[];
}

interface Data extends Followed {
  recharge: Rule | null;
  bundles: { key: string; name: string; price: Money }[];
}

interface Method {
  id: string;
  label: string;
  expires: string | null;
  isDefault: boolean;
}

export interface RechargeEvents extends CommonEvents {
  /** Before anything happens; amounts are exact decimals. */
  "scrip-recharge-change": {
    enabled: boolean;
    threshold: string;
    bundle: string;
    target: string | null;
    monthlyCap: Money;
  };
}

const RULE =
  "{enabled threshold target suspendedReason paymentMethod bundle{key}monthlyCap{amount currency}spentThisMonth{amount currency}attempts(first:$attempts){status createdAt price{amount currency}failure}}";
const ATTEMPTS = 3;

/** Its fields, as they stand in the form. */
interface Form {
  enabled?: string;
  threshold: string;
  bundle: string;
  target: string;
  cap: string;
}

type Step = "" | "saving" | "saved" | "failed";

/**
 * The rule that keeps the balance filled: below which balance to buy which bundle, at most for how much a month, and
 * with which payment method; what it did, and why it stopped. Without the scope `recharge:manage` it only shows.
 *
 * @summary Keeps the balance filled.
 * @element scrip-recharge
 * @attr {string} credit-type - Key of the credit type.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{enabled: boolean, threshold: string, bundle: string, target: string | null, monthlyCap: {amount: string, currency: string}}>} scrip-recharge-change - Somebody wants another rule; it is saved unless this is prevented.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that there is nothing to buy.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart form - The rule.
 * @csspart field - One line of it.
 * @csspart action - The button that saves it.
 * @csspart method - With what is paid.
 * @csspart status - What was spent this month, or why it stopped.
 * @csspart attempts - What it did last.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the rule is old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - The button that saves, and focus.
 * @cssproperty --scrip-color-on-accent - Text on that button.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card and of fields.
 * @cssproperty --scrip-color-negative - What is wrong.
 * @cssproperty --scrip-color-warning - That it stopped, or is old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripRecharge extends FollowingElement<Data> {
  static override readonly css = theme + lists + actions + styles;

  #step: Step = "";
  /** What the server said against it. */
  #against = "";

  protected override asked(): Asked<Data> {
    return {
      fields: `recharge(creditType:$creditType)${RULE}bundles(creditType:$creditType){key name price{amount currency}}`,
      args: { attempts: ["Int", ATTEMPTS] },
      merge: (next: Data | { rule: Rule }, shown) =>
        "rule" in next ? shown && { ...shown, recharge: next.rule } : newest(next, shown),
      // What may be done, and what can be paid with: roots of their own, so that a no to one is no to it alone.
      besides: [{ asked: "viewer{scopes}" }, { asked: "customer{paymentMethods{id label expires isDefault}}" }],
    };
  }

  protected override captionText(): string {
    return this.texts.recharge;
  }

  protected override arrived({ recharge }: Data, previous: Data | undefined): void {
    const reason = recharge?.suspendedReason;
    if (reason && reason !== previous?.recharge?.suspendedReason) this.say(`${this.texts.suspended}: ${reason}`);
  }

  get #mayChange(): boolean {
    return !!(this.resources[2]?.data as { scopes: string[] | null } | undefined)?.scopes?.includes("recharge:manage");
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    if (!data) return skeleton(4, 14, 28);
    const { recharge, bundles } = data;
    if (!recharge && !bundles[0])
      return html`<slot name="empty"><p class="muted">${this.texts.nothingOnSale}</p></slot>${notice}`;
    return html`${notice || this.#standing(recharge)}${this.#form(data)}<div class="fill"></div>${recharge?.attempts[0] && this.#attempts(recharge)}`;
  }

  #standing(rule: Rule | null): Template {
    if (rule?.suspendedReason)
      return html`<p part="status" class="small bad"><strong>${this.texts.suspended}:</strong> <bdi lang="en">${rule.suspendedReason}</bdi></p>`;
    const money = (sum: Money): string => price(this.localeTag, sum);
    return html`<p part="status" class="small muted">${
      rule ? fill(this.texts.spentOf, { p: money(rule.spentThisMonth), c: money(rule.monthlyCap) }) : "\xa0"
    }</p>`;
  }

  #form({ recharge, bundles }: Data): Template {
    const chosen = recharge?.bundle.key ?? bundles[0]?.key;
    const isFixed = !this.#mayChange || this.#step === "saving";
    const step = `${1 / 10 ** this.decimals}`;
    const amount = (name: string, label: string, value: unknown, isRequired: boolean, each: string): Template =>
      html`<label part="field">${label}<input type="number" name=${name} min="0" step=${each} value=${value} ?required=${isRequired}></label>`;
    return html`<form part="form" @submit=${(event: Event) => this.#save(event)}><fieldset ?disabled=${isFixed}><label part="field" class="wide"><input type="checkbox" name="enabled" ?checked=${recharge?.enabled}>${this.texts.auto}</label>${amount(
      "threshold",
      this.texts.below,
      recharge && text(units(recharge.threshold)),
      true,
      step,
    )}<label part="field">${this.texts.bundle}<select name="bundle">${bundles.map(
      ({ key, name, price: sum }) =>
        html`<option value=${key} ?selected=${key === chosen}>${name} · ${price(this.localeTag, sum)}</option>`,
    )}</select></label>${amount("target", this.texts.target, recharge?.target && text(units(recharge.target)), false, step)}${amount(
      "cap",
      `${this.texts.cap} (${recharge?.monthlyCap.currency ?? bundles[0]?.price.currency})`,
      recharge?.monthlyCap.amount,
      true,
      "0.01",
    )}${this.#method(recharge)}${
      this.#mayChange &&
      html`<div class="wide row"><button part="action">${this.texts.save}</button><span class="small" role=${
        this.#step === "failed" ? "alert" : "none"
      }>${
        this.#step === "saved"
          ? this.texts.saved
          : this.#step === "failed" && html`${this.texts.refused} <bdi lang="en">${this.#against}</bdi>`
      }</span></div>`
    }</fieldset></form>`;
  }

  #method(rule: Rule | null): Template {
    const known = (this.resources[3]?.data as { paymentMethods: Method[] | null } | undefined)?.paymentMethods ?? [];
    const paying = known.find(({ id }) => id === rule?.paymentMethod) ?? known.find(({ isDefault }) => isDefault);
    return html`<div part="method" class="wide row small"><span class="muted">${this.texts.method}</span><bdi>${
      paying ? [paying.label, paying.expires].filter(Boolean).join(" · ") : (rule?.paymentMethod ?? this.texts.noMethod)
    }</bdi>${
      this.#mayChange &&
      html`<button type="button" aria-label=${`${this.texts.addMethod}: ${this.texts.method}`} @click=${() => this.#add()}>${this.texts.addMethod}</button>`
    }</div>`;
  }

  #attempts({ attempts }: Rule): Template {
    return html`<div class="small"><div class="muted">${this.texts.attempts}</div><ul part="attempts" role="list">${attempts.map(
      ({ createdAt, price: sum, status, failure }) =>
        html`<li class="row"><time datetime=${createdAt}>${moment(this.localeTag, createdAt, { dateStyle: "medium" })}</time><span>${price(this.localeTag, sum)} · ${this.word(
          status,
        )}${failure && html` · <bdi lang="en">${failure}</bdi>`}</span></li>`,
    )}</ul></div>`;
  }

  async #save(event: Event): Promise<void> {
    event.preventDefault();
    const [own] = this.resources as [Resource<Data>?];
    if (!own?.data || this.#step === "saving") return;
    const form = event.target as HTMLFormElement;
    const { enabled, threshold, bundle, target, cap } = Object.fromEntries(new FormData(form)) as unknown as Form;
    const { recharge, bundles } = own.data;
    const currency = recharge?.monthlyCap.currency ?? bundles.find(({ key }) => key === bundle)?.price.currency ?? "";
    const change = {
      enabled: !!enabled,
      threshold,
      bundle,
      target: target || null,
      monthlyCap: { amount: cap, currency },
    };
    if (!this.propose<RechargeEvents, "scrip-recharge-change">("scrip-recharge-change", change)) return;
    this.#turn("saving");
    const query = `mutation setRecharge($input:RechargeInput!,$attempts:Int){setRecharge(input:$input){...on RechargeOk{rule${RULE}}...on Refusal{message}}}`;
    const creditType = this.getAttribute("credit-type");
    const { setRecharge } = await this.ask<{ setRecharge: { rule?: Rule; message?: string } }>(query, {
      input: { creditType, ...change },
      attempts: ATTEMPTS,
    });
    const { rule, message = "" } = setRecharge ?? {};
    this.#against = message;
    if (rule) receive(own, { rule });
    this.#turn(rule ? "saved" : "failed");
    if (!rule) return;
    // What was written is what is shown now; when it changes elsewhere, that shows.
    queueMicrotask(() => form.reset());
    this.say(this.texts.saved);
  }

  #turn(step: Step): void {
    this.#step = step;
    this.requestUpdate();
  }

  /** On the provider's page; whoever comes back sees what is new. */
  async #add(): Promise<void> {
    const page = new PaymentPage(this.texts.starting);
    const query =
      "mutation setupPaymentMethod($returnUrl:String){setupPaymentMethod(returnUrl:$returnUrl){...on PaymentSetupOk{url}...on Refusal{message}}}";
    // In a tab of its own it need not lead anywhere.
    const { setupPaymentMethod } = await this.ask<{ setupPaymentMethod: { url?: string; message?: string } }>(query, {
      returnUrl: page.isBeside ? undefined : location.href,
    });
    const { url, message = "" } = setupPaymentMethod ?? {};
    page.go(url);
    this.#against = message;
    this.#turn(url ? "" : "failed");
    addEventListener("focus", () => this.pageSession?.retryNow(), { once: true });
  }
}

export const defineRecharge = (): void => define("scrip-recharge", ScripRecharge);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-recharge": ScripRecharge;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-recharge-change": CustomEvent<RechargeEvents["scrip-recharge-change"]>;
  }
}
