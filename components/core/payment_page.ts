/**
 * A page of the payment provider, beside the host's own. A browser opens a tab only while it handles a click, and the
 * address comes later: so the tab is opened empty. Where none is let through, the page itself goes, and comes back.
 */
export class PaymentPage {
  #tab: Window | null;

  /** In the click. `text` stands there until the address is known. */
  constructor(text: string) {
    this.#tab = open("", "_blank");
    if (!this.#tab) return;
    this.#tab.opener = null; // what comes there has no business here
    this.#tab.document.title = text;
    this.#tab.document.body.textContent = text;
  }

  get isBeside(): boolean {
    return !!this.#tab;
  }

  /** Nothing but addresses of the web, whatever an answer says. */
  go(url: string | null | undefined): void {
    if (!url || !/^https?:/.test(new URL(url, location.href).href)) this.close();
    else (this.#tab ?? window).location.assign(url);
  }

  close(): void {
    this.#tab?.close();
  }
}
