import type { Followed } from "../balance/topic.ts";
import { floor, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import { type Asked, bones, FollowingElement } from "../core/following.ts";
import { day, type Money, price, until } from "../core/intl.ts";
import { lists } from "../core/lists.styles.ts";
import { fill } from "../core/messages.ts";
import { html, type Template } from "../core/render.ts";
import { theme } from "../core/theme.styles.ts";
import { styles } from "./runway.styles.ts";

interface Runway {
  dailyBurn: string;
  runsOutAt: string | null;
  projectedExpiryLoss: string;
  basis: string;
  suggestedBundle: { name: string; credits: string; bonus: string; price: Money } | null;
}

interface Data extends Followed {
  runway: Runway;
}

/**
 * How long the credits last at the present rate, what that rate is, and which bundle would do for a month.
 *
 * @summary How long the credits last.
 * @element scrip-runway
 * @attr {string} credit-type - Key of the credit type.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the answer while nothing has been used yet.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @slot action - Beside the suggestion, such as a link to buy it.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart date - Until when the credits last.
 * @csspart basis - How much is used a day, and over which days that is the mean.
 * @csspart loss - How many credits will probably expire unused.
 * @csspart suggestion - The bundle that would do for about a month.
 * @csspart action - Around the action slot.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the numbers are old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - Focus.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card.
 * @cssproperty --scrip-color-negative - Debt.
 * @cssproperty --scrip-color-warning - What will be lost, or is old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripRunway extends FollowingElement<Data> {
  static override readonly css = theme + lists + styles;

  protected override asked(): Asked<Data> {
    return {
      fields:
        "runway(creditType:$creditType){dailyBurn runsOutAt projectedExpiryLoss basis suggestedBundle{name credits bonus price{amount currency}}}",
    };
  }

  protected override captionText(): string {
    return this.texts.runway;
  }

  protected override arrived(data: Data, previous: Data | undefined): void {
    if (previous && this.#headlineOf(data) !== this.#headlineOf(previous))
      this.say(`${this.captionText()}: ${this.#headlineOf(data)}`);
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    if (!data) return html`<p part="date">${bones(14)}</p><p class="small">${bones(36)}</p>`;
    const { dailyBurn, runsOutAt, projectedExpiryLoss, basis } = data.runway;
    const { asOf } = data.balance;
    const isIdle = !units(dailyBurn);
    const answer = html`<p class="row"><span part="date">${runsOutAt ? html`<time datetime=${runsOutAt}>${this.#headlineOf(data)}</time>` : this.#headlineOf(data)}</span><span class="small muted">${
      runsOutAt && runsOutAt > asOf && until(this.localeTag, runsOutAt, asOf)
    }</span></p>`;
    return html`<div>${isIdle ? html`<slot name="empty">${answer}</slot>` : answer}<p class="small muted"><span part="basis">${
      !isIdle && [fill(this.texts.daily, { a: this.inCredits(dailyBurn) }), " · "]
    }<bdi lang="en">${basis}</bdi></span></p>${
      units(floor(projectedExpiryLoss, this.decimals)) &&
      html`<p class="small"><span part="loss">${fill(this.texts.unused, { a: this.inCredits(projectedExpiryLoss) })}</span></p>`
    }</div><div class="fill"></div>${notice || this.#suggestion(data)}`;
  }

  #headlineOf({ runway: { runsOutAt }, balance: { asOf } }: Data): string {
    if (!runsOutAt) return this.texts.endless;
    if (runsOutAt <= asOf) return this.texts.usedUp;
    return fill(this.texts.until, { d: day(this.localeTag, runsOutAt, asOf) }).join("");
  }

  #suggestion({ runway: { suggestedBundle } }: Data): Template {
    return html`<div class="row small"><span part="suggestion">${
      suggestedBundle &&
      fill(this.texts.suggestion, {
        b: suggestedBundle.name,
        a: this.inCredits(suggestedBundle.credits),
        p: price(this.localeTag, suggestedBundle.price),
      })
    }</span><span class="whole" part="action"><slot name="action"></slot></span></div>`;
  }
}

export const defineRunway = (): void => define("scrip-runway", ScripRunway);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-runway": ScripRunway;
  }
}
