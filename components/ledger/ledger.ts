import { units } from "../core/decimal.ts";
import { define } from "../core/define.ts";
import type { CommonEvents } from "../core/element.ts";
import { type Asked, FollowingElement, skeleton } from "../core/following.ts";
import { day, moment, number } from "../core/intl.ts";
import { lists } from "../core/lists.styles.ts";
import { fill, type Messages } from "../core/messages.ts";
import { html, render, type Template } from "../core/render.ts";
import { type Args, type Resource, receive } from "../core/session.ts";
import { theme } from "../core/theme.styles.ts";
import { csv } from "./csv.ts";
import { ENTRY, type Entry, type Ledger, merged, type News } from "./entries.ts";
import { styles } from "./ledger.styles.ts";

export interface LedgerEvents extends CommonEvents {
  "scrip-entry-select": { id: string; sequence: number; kind: string; amount: string };
  "scrip-export": { creditType: string; kinds: string[] | null };
}

type Form = "" | "asking" | "sending" | "failed";

const PAGE = "{edges{node" + ENTRY + "}pageInfo{hasNextPage endCursor}}";
const PAGE_MAX = 100;
const EXPORTED_AT_ONCE = 500;

/**
 * Every entry of the book, newest first, and why it is there: the feature, how much of it, at which rate, from
 * which credits. What is not the customer's doing can be disputed in place.
 *
 * @summary What happened to the credits, and why.
 * @element scrip-ledger
 * @attr {string} credit-type - Key of the credit type.
 * @attr {number} page-size - Entries read at once, 1 to 100; 20 when left out.
 * @attr {string} kinds - Kinds of entries to show, such as `BURN SETTLE`; all when left out.
 * @attr {boolean} live - New entries appear, and disputes move on, as it happens.
 * @attr {boolean} disputable - Usage can be disputed.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the heading, 3 when left out.
 * @fires {CustomEvent<{id: string, sequence: number, kind: string, amount: string}>} scrip-entry-select - Somebody wants to know more about an entry; its details open unless this is prevented.
 * @fires {CustomEvent<{creditType: string, kinds: string[] | null}>} scrip-export - Somebody wants a file; one is made unless this is prevented.
 * @fires {CustomEvent<null>} scrip-load - The first data is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Data could not be had; what was shown stays.
 * @slot heading - In place of the credit type's name and what this is.
 * @slot loading - In place of the skeleton.
 * @slot empty - In place of the sentence that there is nothing.
 * @slot error - In place of the message and its retry, when there is nothing to show.
 * @csspart card - The whole.
 * @csspart heading - What this is.
 * @csspart filter - The choice of kinds.
 * @csspart export - The button that makes a file.
 * @csspart table - Around the table; it scrolls.
 * @csspart row - One entry.
 * @csspart explanation - Why it is there, in one sentence.
 * @csspart amount - What it did to the balance.
 * @csspart details - What is known beyond that, when asked.
 * @csspart dispute - How its dispute stands.
 * @csspart form - Where somebody says what is wrong.
 * @csspart more - The button that loads older entries.
 * @csspart skeleton - A placeholder while loading.
 * @csspart error - The message when there is nothing to show.
 * @csspart retry - The button that tries again.
 * @csspart stale - Why, and for how long, the entries are old.
 * @cssproperty --scrip-color-text - Text; the page's when left out, as all others are made from it.
 * @cssproperty --scrip-color-muted - Secondary text.
 * @cssproperty --scrip-color-accent - Focus.
 * @cssproperty --scrip-color-surface - Background of the card.
 * @cssproperty --scrip-color-border - Border of the card.
 * @cssproperty --scrip-color-negative - Debt.
 * @cssproperty --scrip-color-warning - A dispute, or what is old.
 * @cssproperty --scrip-font - Font family.
 * @cssproperty --scrip-radius - Corner radius of the card.
 * @cssproperty --scrip-space - Padding of the card.
 * @cssproperty --scrip-shadow - Shadow of the card.
 */
export class ScripLedger extends FollowingElement<Ledger> {
  static override readonly css = theme + lists + styles;

  /** The kinds that were chosen; "" for all that the page wants. */
  #filter = "";
  /** The entry whose details are open; whether it is being disputed, and what came of the try. */
  #open = "";
  #form: Form = "";
  /** What is on its way: older entries, or a file. */
  #busy = "";
  #failed = "";
  #grid = document.createElement("table");
  #rows = new Map<string, Row>();
  /** The last of what was pushed, by its topic: nothing is taken twice. */
  #taken: unknown[] = [];

  protected override asked(creditType: string): Asked<Ledger> {
    const kinds = this.#kinds;
    const pushed = {
      pushed: `entry:ledgerEntryAdded(creditType:$creditType)${ENTRY}`,
      args: { creditType: ["String!", creditType] } as const,
      isSilent: true,
    };
    const disputes = { pushed: "dispute:disputeUpdated{id status timeline{at}entries{id}}", isSilent: true };
    return {
      fields: `ledger(filter:$filter,first:$first)${PAGE}`,
      args: this.#page(creditType),
      merge: (next: News, shown) => merged(kinds, next, shown),
      besides: this.isFollowing ? [pushed, disputes] : [],
    };
  }

  #page(creditType: string): Args {
    const first = Math.min(PAGE_MAX, Math.max(1, Number(this.getAttribute("page-size")) || 20));
    return { filter: ["LedgerFilter", { creditType, kinds: this.#kinds }], first: ["Int", first] };
  }

  protected override captionText(): string {
    return this.texts.ledger;
  }

  protected override arrived({ entries: [first] }: Ledger, previous: Ledger | undefined): void {
    const newest = previous?.entries[0]?.sequence;
    if (first && newest && first.sequence > newest) this.say(`${this.#title(first)}: ${this.#signed(first)}`);
  }

  /** Without `live` it stays as it was read, until somebody asks for more. */
  protected override get isFollowing(): boolean {
    return this.hasAttribute("live");
  }

  override requestUpdate(): void {
    const [own, , ...pushed] = this.resources;
    pushed.forEach(({ data }, index) => {
      if (!own?.data || !data || this.#taken[index] === data) return;
      this.#taken[index] = data;
      receive(own, data);
    });
    super.requestUpdate();
  }

  protected override beside(): Template {
    return html`<span class="tools"><select part="filter" aria-label=${this.texts.filter} @change=${({
      target,
    }: Event) => {
      this.#filter = (target as HTMLSelectElement).value;
      this.requestUpdate();
    }}><option value="">${this.texts.all}</option>${Object.keys(this.texts)
      // Kinds that are looked for together, by their names.
      .filter((kinds) => / /.test(kinds) && this.#among(kinds).length)
      .map(
        (kinds) => html`<option value=${kinds} ?selected=${kinds === this.#filter}>${this.word(kinds)}</option>`,
      )}</select><button part="export" ?disabled=${this.#busy === "export"} @click=${() => this.#export()}>${this.texts.exportCsv}</button></span>`;
  }

  protected override body(data: Ledger | undefined, notice: unknown): unknown {
    if (!data) return skeleton(4, 24, 40, 20);
    return html`<div part="table" tabindex="0" role="group" aria-label=${this.captionText()}>${
      data.entries.length
        ? this.#table(data)
        : html`<slot name="empty"><p class="muted">${this.texts.noEntries}</p></slot>`
    }${
      data.pageInfo.hasNextPage &&
      html`<button part="more" class="small" ?disabled=${!!this.#busy} @click=${() => this.#more(data)}>${this.texts.loadMore}</button>`
    }</div>${notice || (this.#failed && html`<p part="stale" role="alert">${this.texts.failed}</p>`)}`;
  }

  /**
   * A body for each entry, which stays the same however many come before it: somebody may be writing in
   * one. What has not changed is not drawn again, so ten thousand are no more work than the newest.
   */
  #table({ entries, balance }: Ledger): HTMLElement {
    const { texts } = this;
    const table = this.#grid;
    render(
      html`<tr><th scope="col">${texts.entry}</th><th scope="col">${texts.amount}</th></tr>`,
      (table.tHead ?? table.createTHead()) as HTMLElement,
    );
    const bodies = new Map<string, Row>();
    let place = table.tBodies[0] ?? null;
    for (const entry of entries) {
      const isOpen = entry.id === this.#open;
      const row = this.#rows.get(entry.id) ?? { body: document.createElement("tbody") };
      if (row.entry !== entry || row.texts !== texts || isOpen || row.isOpen) {
        render(this.#row(entry, balance.asOf, isOpen), row.body);
        Object.assign(row, { entry, texts, isOpen });
      }
      if (row.body === place) place = place.nextElementSibling as HTMLTableSectionElement | null;
      else table.insertBefore(row.body, place);
      bodies.set(entry.id, row);
    }
    for (const [id, { body }] of this.#rows) if (!bodies.has(id)) body.remove();
    this.#rows = bodies;
    return table;
  }

  #row(entry: Entry, now: string, isOpen: boolean): unknown {
    const { id, sequence, kind, amount, dispute } = entry;
    const select = () => {
      if (!this.propose<LedgerEvents, "scrip-entry-select">("scrip-entry-select", { id, sequence, kind, amount }))
        return;
      this.#open = isOpen ? "" : id;
      this.#form = "";
      this.requestUpdate();
    };
    return html`<tr part="row"><td><button class="title" aria-expanded=${isOpen} @click=${select}>${this.#title(entry)}</button>${
      dispute && html`<span part="dispute">${this.word(dispute.status)}</span>`
    }<p class="small muted"><bdi part="explanation" lang="en">${entry.explanation}</bdi></p><time class="small muted" datetime=${entry.occurredAt}>${this.#when(entry.occurredAt)}</time></td><td><data part="amount" value=${amount}>${this.#signed(entry)}</data><br><span class="small muted">${fill(this.texts.after, { a: this.inDigits(entry.balanceAfter) })}</span></td></tr>${
      isOpen && html`<tr part="details"><td colspan="2" class="small">${this.#details(entry, now)}</td></tr>`
    }`;
  }

  #details(entry: Entry, now: string): Template {
    const { quantity, rate, allocations, member, late, recordedAt, reversedAmount } = entry;
    const { texts } = this;
    const exact = (amount: string): string => number(this.localeTag, amount, 12);
    const lines: [string, unknown][] = [
      [texts.quantity, quantity && exact(quantity)],
      [texts.rate, rate?.perUnit && fill(texts.rateOf, { a: exact(rate.perUnit), c: rate.cohort, v: rate.version })],
      ...allocations.map(({ amount, grant, overdraft }): [string, unknown] => [
        texts.from,
        [
          this.inDigits(amount),
          overdraft ? texts.overdraft : this.word(grant?.source),
          grant?.expiresAt && day(this.localeTag, grant.expiresAt, now),
        ]
          .filter(Boolean)
          .join(" · "),
      ]),
      [texts.by, member?.name],
      [texts.reported, late && this.#when(recordedAt)],
      [texts.returned, units(reversedAmount) && this.inDigits(reversedAmount)],
    ];
    return html`<dl>${lines.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>${this.#contest(entry)}`;
  }

  /** Usage alone can be disputed, and not while it is. */
  #contest({ id, kind, dispute }: Entry): unknown {
    if (!this.hasAttribute("disputable") || (dispute && dispute.status !== "WITHDRAWN") || !/BURN|SETTLE/.test(kind))
      return "";
    const turn = (form: Form) => () => {
      this.#form = form;
      this.requestUpdate();
    };
    if (!this.#form) return html`<button @click=${turn("asking")}>${this.texts.notMine}</button>`;
    const isSending = this.#form === "sending";
    return html`<form part="form" @submit=${(event: Event) => this.#dispute(event, id)}><label>${this.texts.why}<textarea name="reason" rows="2" maxlength="1000" required ?disabled=${isSending}></textarea></label><span class="tools"><button ?disabled=${isSending}>${this.texts.send}</button><button type="button" ?disabled=${isSending} @click=${turn("")}>${this.texts.cancel}</button></span>${
      this.#form === "failed" && html`<p role="alert">${this.texts.refused}</p>`
    }</form>`;
  }

  async #dispute(event: Event, id: string): Promise<void> {
    event.preventDefault();
    if (this.#form === "sending") return;
    const reason = new FormData(event.target as HTMLFormElement).get("reason");
    this.#form = "sending";
    this.requestUpdate();
    const query =
      "mutation openDispute($entries:[ID!]!,$reason:String!){openDispute(entries:$entries,reason:$reason){...on DisputeOk{dispute{id status timeline{at}entries{id}}}}}";
    const { openDispute } = await this.ask<{ openDispute: News }>(query, { entries: [id], reason });
    if (openDispute?.dispute && this.resources[0]) receive(this.resources[0], openDispute);
    this.#form = openDispute?.dispute ? "" : "failed";
    this.requestUpdate();
  }

  /** A page of older entries, as the filter is now. */
  async #older(first: number, after: string | null): Promise<News["older"] | undefined> {
    const creditType = this.getAttribute("credit-type") as string;
    const query = `query older($filter:LedgerFilter,$first:Int,$after:String){customer{older:ledger(filter:$filter,first:$first,after:$after)${PAGE}}}`;
    const filter = this.#page(creditType)["filter"]?.[1];
    const { customer } = await this.ask<{ customer: News }>(query, { filter, first, after });
    return customer?.older;
  }

  async #work(name: string, work: () => Promise<boolean>): Promise<void> {
    if (this.#busy) return;
    this.#busy = name;
    this.#failed = "";
    this.requestUpdate();
    if (!(await work())) this.#failed = name;
    this.#busy = "";
    this.requestUpdate();
  }

  #more({ pageInfo }: Ledger): Promise<void> {
    const [own] = this.resources as Resource<Ledger>[];
    const first = own?.topic.args?.["first"]?.[1] as number;
    return this.#work("more", async () => {
      const older = await this.#older(first, pageInfo.endCursor);
      if (older && own) receive(own, { older });
      return !!older;
    });
  }

  /** Everything that the filter lets through, however much is on the screen. */
  #export(): void {
    const creditType = this.getAttribute("credit-type") as string;
    if (!this.propose<LedgerEvents, "scrip-export">("scrip-export", { creditType, kinds: this.#kinds })) return;
    this.#work("export", async () => {
      const entries: Entry[] = [];
      let page: News["older"];
      do {
        page = await this.#older(EXPORTED_AT_ONCE, page?.pageInfo.endCursor ?? null);
        if (!page) return false;
        entries.push(...page.edges.map(({ node }) => node));
      } while (page.pageInfo.hasNextPage);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(entries)], { type: "text/csv" }));
      link.download = `${creditType}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href));
      return true;
    });
  }

  #title({ feature, kind }: Entry): string {
    return feature && /BURN|SETTLE/.test(kind) ? feature.name : this.word(kind);
  }

  /** What is held changes no balance: there its own amount is told. */
  #signed({ amount, heldAmount }: Entry): string {
    return number(
      this.localeTag,
      units(amount) ? amount : heldAmount,
      this.decimals,
      units(amount) ? "exceptZero" : undefined,
    );
  }

  #when(instant: string): string {
    return moment(this.localeTag, instant, { dateStyle: "medium", timeStyle: "short" });
  }

  /** The kinds that the page wants; null for all. */
  get #wanted(): string[] | null {
    return this.getAttribute("kinds")?.match(/\w+/g) ?? null;
  }

  #among(kinds: string): string[] {
    return kinds.split(" ").filter((kind) => this.#wanted?.includes(kind) ?? true);
  }

  get #kinds(): string[] | null {
    return this.#filter ? this.#among(this.#filter) : this.#wanted;
  }
}

/** What is on the screen of an entry, and of what it was made. */
interface Row {
  body: HTMLTableSectionElement;
  entry?: Entry;
  texts?: Messages;
  isOpen?: boolean;
}

export const defineLedger = (): void => define("scrip-ledger", ScripLedger);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-ledger": ScripLedger;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-entry-select": CustomEvent<LedgerEvents["scrip-entry-select"]>;
    "scrip-export": CustomEvent<LedgerEvents["scrip-export"]>;
  }
}
