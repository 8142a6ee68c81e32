import { define } from "../core/define.ts";
import { html, render } from "../core/render.ts";
import { sheetOf } from "../core/sheet.ts";
import { styles } from "./dashboard.styles.ts";

declare const SCRIP_TEXTS: readonly string[] | undefined;
/** Every part of every element inside is a part of this one; the build finds them in the templates. */
const PARTS =
  "card,heading,skeleton,error,retry,stale,value,unit,low,buckets,bucket,expiry,held,action,date,basis,loss,suggestion,range,toggle,readout,chart,bar,axis,legend,table,bundles,bundle,suggested,price,status,more,list,item,amount,when,source,form,field,method,attempts,filter,export,row,explanation,details,dispute";

/**
 * All of it in one page: balance, runway, usage, bundles to buy, the recharge rule, expirations and the ledger.
 *
 * @summary Everything in one page.
 * @element scrip-dashboard
 * @attr {string} credit-type - Key of the credit type.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Level of the headings of the cards, 3 when left out.
 * @slot heading - Above the cards.
 * @csspart grid - Around the cards; their own parts are parts of the dashboard too.
 */
export class ScripDashboard extends HTMLElement {
  static readonly observedAttributes: readonly string[] = ["locale", "heading-level", "credit-type"];
  static readonly css: string = styles;
  readonly #tree = this.attachShadow({ mode: "open" });

  connectedCallback(): void {
    this.#tree.adoptedStyleSheets = [sheetOf(styles)];
    this.attributeChangedCallback();
  }

  attributeChangedCallback(): void {
    if (!this.isConnected) return;
    render(
      html`<slot name="heading"></slot><div part="grid"><scrip-balance show-held></scrip-balance><scrip-runway></scrip-runway><scrip-usage class="wide" group-by="feature"></scrip-usage><scrip-top-up></scrip-top-up><scrip-recharge></scrip-recharge><scrip-expirations class="wide"></scrip-expirations><scrip-ledger class="wide" live disputable></scrip-ledger></div>`,
      this.#tree,
    );
    for (const card of this.#tree.querySelectorAll("[part=grid] > *")) {
      const parts = SCRIP_TEXTS ? `${[...new Set(SCRIP_TEXTS.join().match(/(?<=part=)\w+/g))]}` : PARTS;
      card.setAttribute("exportparts", parts);
      for (const name of ScripDashboard.observedAttributes) {
        const value = this.getAttribute(name);
        if (value === null) card.removeAttribute(name);
        else card.setAttribute(name, value);
      }
    }
  }
}

export const defineDashboard = (): void => define("scrip-dashboard", ScripDashboard);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-dashboard": ScripDashboard;
  }
}
