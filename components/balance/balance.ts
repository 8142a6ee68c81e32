import { floor, text, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import { type CommonEvents, ScripElement } from "../core/element.ts";
import { day } from "../core/intl.ts";
import { fill } from "../core/messages.ts";
import { html, type Template } from "../core/render.ts";
import type { Topic } from "../core/session.ts";
import { theme } from "../core/theme.styles.ts";
import { styles } from "./balance.styles.ts";
import { type Balance, balanceTopic, credits } from "./topic.ts";

interface Data {
  balance: Balance;
}

export interface BalanceEvents extends CommonEvents {
  /** `previous` and `available` are exact decimals. */
  "scrip-balance-change": { previous: string; available: string; version: number };
  "scrip-balance-low": { available: string; low: string; version: number };
}

/** Rows that fit into the height that is kept free; the others are one press away. */
const ROWS = 2;
/** Digits that fit beside the word; a longer number is set smaller. */
const LONG = 10;

/**
 * What a customer can spend, live: the available credits, and which of them expire when.
 *
 * @summary A customer's balance, live.
 * @element scrip-balance
 * @attr {string} credit-type - Key of the credit type.
 * @attr {boolean} compact - One line without a card, for a menu bar.
 * @attr {string} low - An amount; below it the balance is marked as low.
 * @attr {boolean} show-held - Also says how much open holds set aside.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{previous: string, available: string, version: number}>} scrip-balance-change - The available credits have changed; amounts are exact decimals.
 * @fires {CustomEvent<{available: string, low: string, version: number}>} scrip-balance-low - They have fallen below `low`, or were when first shown.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that there are no credits yet.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @slot action - Beside the number, such as a link to buy more.
 * @csspart card - The whole.
 * @csspart heading - The credit type's name.
 * @csspart value - The number.
 * @csspart unit - The word after the number.
 * @csspart low - The mark of a low balance.
 * @csspart buckets - The list of credits that expire together.
 * @csspart bucket - One line of it.
 * @csspart expiry - The date in such a line.
 * @csspart held - What open holds set aside.
 * @csspart action - Around the action slot.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the numbers are old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - Bar, focus, and the flash of a change.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card.
 * @cssproperty --scrip-color-negative - Debt.
 * @cssproperty --scrip-color-warning - Low, or old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripBalance extends ScripElement<Data> {
  static override readonly css = theme + styles;

  #wasLow = false;

  protected override ownTopics(creditType: string): Topic[] {
    return [balanceTopic(creditType)];
  }

  protected override arrived(data: Data, shown: Data | undefined): void {
    const { available, version } = data.balance;
    const previous = shown?.balance.available;
    const isLow = this.#isLow(data);
    if (previous && previous !== available) {
      this.emit<BalanceEvents>("scrip-balance-change", { previous, available, version });
      if (floor(available, this.decimals) !== floor(previous, this.decimals)) {
        this.say(fill(this.texts.balance, { h: this.headline(data), a: this.inCredits(available) }).join(""));
        this.#flash();
      }
    }
    if (isLow && !(previous && this.#wasLow)) {
      this.emit<BalanceEvents>("scrip-balance-low", { available, low: this.getAttribute("low") as string, version });
    }
    this.#wasLow = isLow;
  }

  protected override beside(data: Data): unknown {
    return this.#isLow(data) && html`<span part="low">${this.texts.low}</span>`;
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    const figure = data ? this.#figure(data.balance) : BONE;
    if (this.hasAttribute("compact")) return [figure, data && this.beside(data), notice];
    return html`<div class="main">${figure}<div part="action"><slot name="action"></slot></div></div>${
      data ? this.#details(data.balance, notice) : BONES
    }`;
  }

  #figure(data: Balance): Template {
    const [amount, unit] = credits(this.localeTag, data.creditType, data.available);
    return html`<p><data part="value" class=${amount.length > LONG ? "long" : ""} value=${data.available}>${amount}</data> <span part="unit">${unit}</span></p>`;
  }

  #details(data: Balance, notice: unknown): Template {
    const { creditType, held, version } = data;
    const lines = this.#lines(data);
    const hidden = lines.length - ROWS;
    const shown = this.isOpen ? lines : lines.slice(0, ROWS);
    const toggle = html`<button aria-expanded=${this.isOpen} aria-label=${fill(this.texts.more, { n: hidden }).join("")} @click=${this.openOrClose}>${this.isOpen ? "−" : "+"}${hidden}</button>`;
    return html`<div class="between">${notice || bar(lines)}</div>${
      version
        ? html`<ul part="buckets" role="list">${shown.map(
            (line, index) =>
              html`<li part="bucket" class="c${index}"><span>${this.#sentence(line)}</span>${
                hidden > 0 && index === ROWS - 1 && toggle
              }</li>`,
          )}</ul>`
        : html`<slot name="empty"><p class="row">${fill(this.texts.empty, { u: creditType.unitPlural })}</p></slot>`
    }${
      this.hasAttribute("show-held") && html`<p part="held">${fill(this.texts.held, { a: this.inDigits(held) })}</p>`
    }`;
  }

  /** What expires on the same day is one line, soonest first, what never does at the end. */
  #lines({ buckets, asOf }: Balance): Line[] {
    const byDay = new Map<string, Line>();
    const soonest = buckets.toSorted((a, b) => ((a.expiresAt ?? "~") < (b.expiresAt ?? "~") ? -1 : 1));
    for (const { amount, expiresAt } of soonest) {
      const date = expiresAt ? day(this.localeTag, expiresAt, asOf) : "";
      const line = byDay.get(date) ?? { totalUnits: 0n, date, expiresAt };
      line.totalUnits += units(amount);
      if (line.totalUnits) byDay.set(date, line);
    }
    return [...byDay.values()];
  }

  #sentence({ totalUnits, date, expiresAt }: Line): unknown {
    const amount = text(totalUnits);
    return expiresAt
      ? fill(this.texts.expiring, {
          a: this.inCredits(amount),
          d: html`<time part="expiry" datetime=${expiresAt}>${date}</time>`,
        })
      : fill(this.texts.never, { a: this.inDigits(amount) });
  }

  #isLow({ balance }: Data): boolean {
    try {
      return units(balance.available) < units(this.getAttribute("low") as string);
    } catch {
      return false; // `low` is the host's, and may be anything
    }
  }

  /** A glance tells that the number has moved. One colour both ways: spending is no alarm. */
  #flash(): void {
    this.tree.querySelector("data")?.animate([{ color: "var(--_accent)" }, {}], 900);
  }
}

/** Credits that expire on one day. */
interface Line {
  totalUnits: bigint;
  date: string;
  expiresAt: string | null;
}

/** Without text, which high contrast would show. */
const BONE = html`<p><span part="skeleton">${"\xa0".repeat(14)}</span></p>`;
const ROW = html`<p class="row"><span part="skeleton">${"\xa0".repeat(40)}</span></p>`;
const BONES = html`<div class="between"></div>${ROW}${ROW}`;

/**
 * What expires first, what next, and the rest, as parts of a whole. Integers all the way: thousandths
 * of the sum are near enough for the eye.
 */
function bar([first, second, ...rest]: Line[]): Template {
  const a = first?.totalUnits ?? 0n;
  const b = a + (second?.totalUnits ?? 0n);
  const c = rest.reduce((all, { totalUnits }) => all + totalUnits, b);
  const share = (amount: bigint): string => `${(amount * 1000n) / (c || 1n)}`;
  return html`<svg class="bar" aria-hidden="true" viewBox="0 0 1000 1" preserveAspectRatio="none"><rect class="c2" width=${share(c)} /><rect class="c1" width=${share(b)} /><rect class="c0" width=${share(a)} /></svg>`;
}

export const defineBalance = (): void => define("scrip-balance", ScripBalance);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-balance": ScripBalance;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-balance-change": CustomEvent<BalanceEvents["scrip-balance-change"]>;
    "scrip-balance-low": CustomEvent<BalanceEvents["scrip-balance-low"]>;
  }
}
