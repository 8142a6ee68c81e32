import type { Followed } from "../balance/topic.ts";
import { text, units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import { lasting } from "../core/duration.ts";
import type { CommonEvents } from "../core/element.ts";
import { ScripError } from "../core/errors.ts";
import { type Asked, bones, FollowingElement } from "../core/following.ts";
import { lists } from "../core/lists.styles.ts";
import { fill } from "../core/messages.ts";
import { html, type Template } from "../core/render.ts";
import type { Args, Resource } from "../core/session.ts";
import { theme } from "../core/theme.styles.ts";
import { type Bucket, bucketsOf, type Group } from "./groups.ts";
import { type Interval, labelOf, OFFERED, type Span, spanOf, spansFor, timeZone } from "./span.ts";
import { styles } from "./usage.styles.ts";

interface Point {
  start: string;
  end: string;
  amount: string;
}

interface Data extends Followed {
  usage: { total: string; points: Point[] };
  groups?: { points: { start: string; group: string | null; amount: string }[] };
  runway: { dailyBurn: string };
}

interface Name {
  key: string;
  name: string;
}
/** Features or members. */
interface Named {
  features?: Name[];
  members?: { edges: { node: Name }[] };
}

export interface UsageEvents extends CommonEvents {
  /** `range` as the attribute writes it. */
  "scrip-range-change": { range: string; interval: string };
}

/** Height of the drawing in its own units. */
const HIGH = 1000n;

/**
 * What was used, as bars by hour, day or week, told apart by feature or member where the page says so; as a
 * table too; and what an average day burns. The arrow keys go from bar to bar.
 *
 * @summary Usage over time, as a chart and as a table.
 * @element scrip-usage
 * @attr {string} credit-type - Key of the credit type.
 * @attr {"hour" | "day" | "week"} interval - What a bar is: `hour`, `day` or `week`; `day` when left out.
 * @attr {string} range - How far back, an ISO 8601 duration such as P30D; P30D when left out, P2D by hours, P13W by weeks.
 * @attr {"feature" | "member"} group-by - `feature` or `member`; all in one when left out.
 * @attr {"chart" | "table"} view - `chart` or `table`; `chart` when left out.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{range: string, interval: string}>} scrip-range-change - Somebody chose another period.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that nothing was used.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart range - The choice of the period.
 * @csspart toggle - The button between chart and table.
 * @csspart readout - The sum and the average day, or the bar that is pointed at.
 * @csspart chart - The drawing.
 * @csspart bar - One bar of it.
 * @csspart axis - The first and the last day below the bars.
 * @csspart legend - Which groups there are, and how much each used.
 * @csspart table - Around the table.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the numbers are old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - Bars and focus.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card.
 * @cssproperty --scrip-color-negative - Debt.
 * @cssproperty --scrip-color-warning - What is old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripUsage extends FollowingElement<Data> {
  static override readonly css = theme + lists + styles;

  /** What somebody chose in place of the attributes. */
  #range: string | undefined;
  #isTable: boolean | undefined;
  /** The bar that the keys have come to, and the one that is pointed at. */
  #at: number | undefined;
  #pointed: number | undefined;
  #buckets: Bucket[] = [];

  override attributeChangedCallback(name?: string): void {
    if (name === "range" || name === "interval") this.#range = this.#at = undefined;
    if (name === "view") this.#isTable = undefined;
    super.attributeChangedCallback();
  }

  protected override asked(): Asked<Data> | ScripError {
    const groupBy = this.#groupBy;
    // The server's clock where it is known: a test workspace has another day.
    const span = this.#span(this.balanceResource?.data?.balance.asOf);
    if (!span) return new ScripError("CONFIG", "no such range");
    const args: Args = {
      from: ["DateTime!", span.from],
      to: ["DateTime!", span.to],
      interval: ["Interval!", span.interval.toUpperCase()],
      timezone: ["String", timeZone()],
    };
    const usage = "usage(creditType:$creditType,from:$from,to:$to,interval:$interval,timezone:$timezone";
    const fields = `${usage}){total points{start end amount}}runway(creditType:$creditType){dailyBurn}`;
    if (!groupBy) return { fields, args };
    return {
      fields: `${fields}groups:${usage},groupBy:$groupBy){points{start group amount}}`,
      args: { ...args, groupBy: ["UsageGroup!", groupBy] },
      // Series know groups by their keys; people know them by their names.
      besides: [
        {
          asked:
            groupBy === "FEATURE"
              ? "catalog{features{key name}}"
              : "customer{members(first:500){edges{node{key name}}}}",
        },
      ],
    };
  }

  protected override captionText(): string {
    return this.texts.usage;
  }

  protected override beside(): Template {
    const chosen = this.#chosen;
    return html`<span class="tools"><select part="range" aria-label=${this.texts.range} @change=${(event: Event) => this.#choose(event)}>${spansFor(
      this.#interval,
      chosen,
    ).map(
      (each) => html`<option value=${each} ?selected=${each === chosen}>${lasting(this.localeTag, each)}</option>`,
    )}</select><button part="toggle" aria-pressed=${this.#showsTable} @click=${() => {
      this.#isTable = !this.#showsTable;
      this.#pointed = undefined;
      this.requestUpdate();
    }}>${this.texts.table}</button></span>`;
  }

  get #showsTable(): boolean {
    return this.#isTable ?? this.getAttribute("view") === "table";
  }

  protected override body(data: Data | undefined, notice: unknown): unknown {
    if (!data)
      return html`<p part="readout">${bones(26, 24)}</p><div part="chart"></div><p part="axis">${bones(12)}</p>`;
    const { points, total } = data.usage;
    const [groups, buckets] = bucketsOf(points, data.groups?.points, this.#names(), this.texts.others);
    this.#buckets = buckets;
    const isTable = this.#showsTable;
    return html`<p part="readout">${this.#readout(data)}</p>${
      isTable
        ? this.#table(groups)
        : units(total)
          ? this.#chart()
          : html`<div part="chart"><slot name="empty"><p class="muted">${this.texts.noUsage}</p></slot></div>`
    }${isTable ? "" : this.#axis()}${notice || (isTable ? "" : this.#legend(groups))}`;
  }

  #readout({ usage: { total }, runway: { dailyBurn } }: Data): unknown {
    const bucket = this.#buckets[this.#pointed ?? -1];
    if (!bucket)
      return html`<strong>${fill(this.texts.used, { a: this.inCredits(total) })}</strong><br><span class="small muted">${fill(this.texts.daily, { a: this.inCredits(dailyBurn) })}</span>`;
    return html`<strong>${this.inCredits(bucket.amount)}</strong><br><span class="small muted">${this.#label(bucket)}${this.#parts(bucket)}</span>`;
  }

  #label({ start, end }: Bucket): string {
    return labelOf(this.localeTag, this.#interval, start, end);
  }

  #parts({ parts }: Bucket): string {
    const said = parts
      .filter(({ amount }) => amount > 0n)
      .map(({ name, amount }) => `${name} ${this.inDigits(text(amount))}`);
    return said.length ? ` · ${said.join(", ")}` : "";
  }

  #choose({ target }: Event): void {
    this.#range = (target as HTMLSelectElement).value;
    this.#at = undefined;
    this.requestUpdate();
    this.emit<UsageEvents, "scrip-range-change">("scrip-range-change", {
      range: this.#range,
      interval: this.#interval,
    });
  }

  /** The chart has one stop for the Tab key; the arrows go on from there. A bar is read by its label. */
  #chart(): Template {
    const buckets = this.#buckets;
    const most = buckets.reduce((most, { amount }) => (units(amount) > most ? units(amount) : most), 1n);
    const stop = Math.min(this.#at ?? buckets.length - 1, buckets.length - 1);
    return html`<div part="chart" role="group" aria-roledescription=${this.texts.chart} aria-label=${this.captionText()} @keydown=${(
      event: KeyboardEvent,
    ) =>
      this.#move(
        event,
        stop,
      )} @pointerleave=${() => this.#point()}><svg viewBox="0 0 ${buckets.length * 10} ${HIGH}" preserveAspectRatio="none">${buckets.map(
      (bucket, index) =>
        html`<g part="bar" role="img" aria-label=${`${this.#label(bucket)}: ${this.inCredits(bucket.amount)}${this.#parts(bucket)}`} tabindex=${
          index === stop ? 0 : -1
        } @focus=${() => this.#arrive(index)} @blur=${() => this.#arrive()} @pointerenter=${() => this.#point(index)}><rect class="hit" x=${index * 10} width="10" height=${`${HIGH}`} />${this.#bar(bucket, index, most)}</g>`,
    )}</svg></div>`;
  }

  /** Integers all the way: a thousandth of the height is near enough for the eye. */
  #bar({ parts, amount }: Bucket, index: number, most: bigint): unknown {
    let below = 0n;
    const drawn = parts.length ? parts.map((part) => part.amount) : [units(amount)];
    return drawn.map((part, group) => {
      if (part <= 0n) return "";
      const from = (below * HIGH) / most;
      below += part;
      const to = (below * HIGH) / most;
      return html`<rect class="g${group}" x=${index * 10 + 1.5} width="7" y=${`${HIGH - to}`} height=${`${to - from || 1n}`} />`;
    });
  }

  #point(index?: number): void {
    this.#pointed = index;
    this.requestUpdate();
  }

  #arrive(index?: number): void {
    this.#at = index ?? this.#at;
    this.#point(index);
  }

  #move(event: KeyboardEvent, from: number): void {
    const isMirrored = (this.tree.firstElementChild as HTMLElement).dir === "rtl";
    const forward = isMirrored ? -1 : 1;
    const to = { ArrowRight: from + forward, ArrowLeft: from - forward, Home: 0, End: this.#buckets.length - 1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    this.tree.querySelectorAll<SVGElement>("[part=bar]")[to]?.focus();
  }

  #axis(): Template {
    const [first] = this.#buckets;
    const last = this.#buckets.at(-1);
    return html`<div part="axis" class="row small muted" aria-hidden="true"><span>${first && this.#label(first)}</span><span>${last && this.#label(last)}</span></div>`;
  }

  #legend(groups: Group[]): Template {
    return html`<ul part="legend" class="small" role="list">${groups.map(
      ({ name, amount }, index) =>
        html`<li><svg aria-hidden="true"><rect class="g${index}" width="100%" height="100%" /></svg>${name} <span class="muted">${this.inDigits(text(amount))}</span></li>`,
    )}</ul>`;
  }

  #table(groups: Group[]): Template {
    return html`<div part="table" class="small" tabindex="0" role="group" aria-label=${this.captionText()}><table><thead><tr><th scope="col">${this.texts.when}</th><th scope="col">${this.texts.amount}</th>${groups.map(
      ({ name }) => html`<th scope="col">${name}</th>`,
    )}</tr></thead><tbody>${this.#buckets
      .toReversed()
      .map(
        (bucket) =>
          html`<tr><th scope="row" class="whole">${this.#label(bucket)}</th><td>${this.inDigits(bucket.amount)}</td>${groups.map(
            (_, index) => html`<td>${this.inDigits(text(bucket.parts[index]?.amount ?? 0n))}</td>`,
          )}</tr>`,
      )}</tbody></table></div>`;
  }

  #names(): Map<string, string> {
    const { features, members } = (this.resources[2] as Resource<Named> | undefined)?.data ?? {};
    const all = features ?? members?.edges.map(({ node }) => node) ?? [];
    return new Map(all.map(({ key, name }) => [key, name]));
  }

  get #groupBy(): string {
    const by = this.getAttribute("group-by")?.toUpperCase() ?? "";
    return by === "FEATURE" || by === "MEMBER" ? by : "";
  }

  get #interval(): Interval {
    return (this.getAttribute("interval") || "day") as Interval;
  }

  get #chosen(): string {
    return this.#range ?? (this.getAttribute("range") || OFFERED[this.#interval]?.[1] || "");
  }

  #span(now?: string): Span | undefined {
    return spanOf(this.#interval, this.#chosen, now);
  }
}

export const defineUsage = (): void => define("scrip-usage", ScripUsage);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-usage": ScripUsage;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-range-change": CustomEvent<UsageEvents["scrip-range-change"]>;
  }
}
