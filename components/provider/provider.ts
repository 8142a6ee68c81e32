import { define } from "../core/define.ts";
import { Session } from "../core/session.ts";
import { surroundingsChanged } from "../core/surroundings.ts";
import type { FetchToken, TokenAnswer } from "../core/tokens.ts";

/**
 * Holds the session that the elements inside it share: where Scrip answers, and how the page gets
 * tokens for its customer. Takes no space and shows nothing. Elements elsewhere in the page use the
 * first one in the document.
 *
 * @summary The session of a page.
 * @element scrip-provider
 * @attr {string} endpoint - Where Scrip answers, such as `https://credits.example.com`; the page's own origin when left out.
 * @attr {string} token - A first customer token, which saves a round trip.
 * @attr {string} token-url - Address on the page's own origin that is POSTed to with its cookies and answers `{"token", "expiresAt"}`.
 * @prop {FetchToken} fetchToken - In place of `token-url`: a function that gets `{reason, signal}` and returns a token, or `{token, expiresAt}`.
 * @slot - The page, elements included.
 */
export class ScripProvider extends HTMLElement {
  static readonly observedAttributes = ["endpoint", "token", "token-url"];

  /** May change at any time, as it does in every render of some frameworks: the next token comes from the new one. */
  declare fetchToken: FetchToken | undefined;
  scripSession: Session | undefined;

  connectedCallback(): void {
    // In a microtask, so that a framework can set everything first.
    queueMicrotask(() => this.#start());
  }

  disconnectedCallback(): void {
    // Being moved within the page is a disconnect too: wait and see.
    queueMicrotask(() => this.isConnected || this.#stop());
  }

  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (!this.scripSession || before === value) return;
    if (name !== "token") {
      this.#stop();
      this.#start();
    } else if (value) this.scripSession.tokens.acceptToken(value);
  }

  #start(): void {
    if (this.scripSession || !this.isConnected) return;
    const { href } = new URL(this.getAttribute("endpoint") ?? "/", location.href);
    this.scripSession = new Session(href.replace(/\/+$/, ""), (request) => this.#token(request));
    const token = this.getAttribute("token");
    if (token) this.scripSession.tokens.acceptToken(token);
    surroundingsChanged();
  }

  #stop(): void {
    this.scripSession?.close();
    this.scripSession = undefined;
    surroundingsChanged();
  }

  async #token(request: Parameters<FetchToken>[0]): Promise<TokenAnswer> {
    const url = this.getAttribute("token-url");
    // The page's own script may come after this one, and set the property then.
    while (!url && !this.fetchToken) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (request.signal.aborted || !this.isConnected) throw "no token-url";
    }
    if (this.fetchToken) return this.fetchToken(request);
    const response = await fetch(url ?? "", {
      method: "POST",
      headers: { accept: "application/json" },
      signal: request.signal,
    });
    if (!response.ok) throw `${url} answered ${response.status}`;
    return response.json();
  }
}

export const defineProvider = (): void => define("scrip-provider", ScripProvider);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-provider": ScripProvider;
  }
}
