import type { Followed } from "../balance/topic.ts";
import { floor, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import type { CommonEvents } from "../core/element.ts";
import { type Asked, FollowingElement, skeleton } from "../core/following.ts";
import { day, until } from "../core/intl.ts";
import { lists } from "../core/lists.styles.ts";
import { fill } from "../core/messages.ts";
import { html, type Template } from "../core/render.ts";
import { theme } from "../core/theme.styles.ts";
import { styles } from "./expirations.styles.ts";

interface Expiration {
  amount: string;
  expiresAt: string;
  projectedLoss: string;
  grant: { id: string; source: string };
}

interface Data extends Followed {
  expirations: Expiration[];
}

export interface ExpirationsEvents extends CommonEvents {
  /** The first to expire; amounts are exact decimals. */
  "scrip-expiring": { amount: string; expiresAt: string; projectedLoss: string };
}

/** Rows that fit into the height that is kept free; the others are one press away. */
const ROWS = 3;

/**
 * Which credits expire when, soonest first, and how much of them will go unused at the present rate.
 *
 * @summary What expires when, and what of it will be lost.
 * @element scrip-expirations
 * @attr {string} credit-type - Key of the credit type.
 * @attr {string} within - How far to look ahead, an ISO 8601 duration; P90D when left out.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{amount: string, expiresAt: string, projectedLoss: string}>} scrip-expiring - What expires first is another now, or was first shown; amounts are exact decimals.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that nothing expires.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart list - The list.
 * @csspart item - One line of it: credits of one grant.
 * @csspart amount - How many.
 * @csspart when - The date, and how far away it is.
 * @csspart source - How they came to the customer.
 * @csspart loss - How many of them will probably go unused.
 * @csspart more - The button that shows the rest of a long list.
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
export class ScripExpirations extends FollowingElement<Data> {
  static override readonly css = theme + lists + styles;

  protected override asked(): Asked<Data> {
    return {
      fields: "expirations(creditType:$creditType,within:$within){amount expiresAt projectedLoss grant{id source}}",
      args: { within: ["String", this.getAttribute("within") || "P90D"] },
    };
  }

  protected override captionText(): string {
    return this.texts.expirations;
  }

  protected override arrived({ expirations: [first] }: Data, previous: Data | undefined): void {
    const before = previous?.expirations[0];
    if (!first || (first.grant.id === before?.grant.id && first.expiresAt === before.expiresAt)) return;
    const { amount, expiresAt, projectedLoss } = first;
    this.emit<ExpirationsEvents, "scrip-expiring">("scrip-expiring", { amount, expiresAt, projectedLoss });
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    if (!data) return skeleton(3, 24, 32);
    const { expirations, balance } = data;
    const [shown, toggle] = this.shortened(expirations, ROWS);
    return html`${
      shown.length
        ? html`<ul part="list" role="list">${shown.map((each) => this.#item(each, balance.asOf))}</ul>`
        : html`<slot name="empty"><p class="muted">${this.texts.nothingExpires}</p></slot>`
    }<div class="fill"></div>${notice || toggle}`;
  }

  #item({ amount, expiresAt, projectedLoss, grant }: Expiration, now: string): Template {
    const lost = floor(projectedLoss, this.decimals);
    return html`<li part="item"><div class="row"><data part="amount" value=${amount}>${this.inCredits(amount)}</data><time part="when" datetime=${expiresAt}>${day(this.localeTag, expiresAt, now)}</time></div><div class="row small"><span><span part="source" class="muted">${this.word(
      grant.source,
    )}</span> ${
      units(lost) && html`<span part="loss">${fill(this.texts.unused, { a: this.inDigits(projectedLoss) })}</span>`
    }</span><span class="muted whole far">${until(this.localeTag, expiresAt, now)}</span></div></li>`;
  }
}

export const defineExpirations = (): void => define("scrip-expirations", ScripExpirations);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-expirations": ScripExpirations;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-expiring": CustomEvent<ExpirationsEvents["scrip-expiring"]>;
  }
}
