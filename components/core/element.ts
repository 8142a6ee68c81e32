import { type CreditType, credits, type Followed } from "../balance/topic.ts";
import { announce, makeRegion } from "./announce.ts";
import { ScripError } from "./errors.ts";
import { ago, canonical, getReady, isolated, number, rightToLeft } from "./intl.ts";
import { few, fill, type Messages, messagesFor, type Spoken } from "./messages.ts";
import { html, render, type Template } from "./render.ts";
import type { Resource, Session, Topic } from "./session.ts";
import { sheetOf } from "./sheet.ts";
import { join, leave, nearest } from "./surroundings.ts";
import { theme } from "./theme.styles.ts";
import { inTurn } from "./turns.ts";

/** How long a page may take to set up its provider before the element says that there is none. */
const PROVIDER_MS_MAX = 5_000;
const AGE_STEP_MS = 10_000;

/** What happens in every element, by the name of its event. */
export interface CommonEvents {
  "scrip-load": null;
  "scrip-error": { code: string; message: string; retryable: boolean };
}

declare global {
  interface GlobalEventHandlersEventMap {
    "scrip-load": CustomEvent<CommonEvents["scrip-load"]>;
    "scrip-error": CustomEvent<CommonEvents["scrip-error"]>;
  }
}

/**
 * An element that shows something of the customer. It finds the session, follows language and
 * direction, and has the states that all elements share; a subclass draws the data.
 *
 * Attributes are all that a page sets: plain pages and every framework can do that. Lit renders; its
 * base class would be a fifth of the whole size budget, for more than these elements need.
 */
export abstract class ScripElement<T extends Followed> extends HTMLElement {
  /** Those of all elements: one that another has changes nothing here. */
  static readonly observedAttributes =
    "locale heading-level credit-type compact low show-held within interval range group-by view page-size kinds live disputable feature quantity on-error bundles return-url".split(
      " ",
    );
  static readonly css: string = theme;

  protected readonly tree = this.attachShadow({ mode: "open" });
  /** The texts and the language of this moment. */
  protected texts: Messages = few.texts;
  protected localeTag = "en";
  protected pageSession: Session | undefined;
  /** What `topics()` asks for, in its order. */
  protected resources: Resource<unknown>[] = [];
  /** A list that is longer than its room is shown as a whole. */
  protected isOpen = false;
  /** The data on the screen, and the code of the error that was told last: retries don't repeat it. */
  #shown: T | undefined;
  #told: string | undefined;
  #noSession: ScripError | undefined;
  #ageing: ReturnType<typeof setTimeout> | undefined;
  #isUpdating = false;
  #spoken: Spoken | undefined;
  #mistake: ScripError | undefined;
  /** The part that had the focus when a skeleton took its place. */
  #left: string | undefined;
  #changed = (): void => this.requestUpdate();

  constructor() {
    super();
    this.tree.adoptedStyleSheets = [sheetOf((this.constructor as typeof ScripElement).css)];
  }

  /** What to show, by the attributes, and behind it what else is needed; an error when they say too little. */
  protected topics(): Topic[] | ScripError {
    const creditType = this.getAttribute("credit-type");
    return creditType ? this.ownTopics(creditType) : new ScripError("CONFIG", "no credit-type");
  }
  protected abstract ownTopics(creditType: string): Topic[] | ScripError;
  /** Whether it has more to say than the few texts in the script. */
  protected get isWordy(): boolean {
    return false;
  }
  protected headline({ balance }: T): string {
    return balance.creditType.name;
  }
  /** Stands beside the heading. */
  protected beside(_data: T): unknown {
    return "";
  }
  /**
   * The card below its heading; without data a skeleton of the same size. `notice` says that the
   * data is old; where it goes, it moves nothing.
   */
  protected abstract body(data: T | undefined, notice: unknown): unknown;
  /** The data has changed, and is on the screen. */
  protected arrived(_data: T, _previous: T | undefined): void {}

  connectedCallback(): void {
    makeRegion();
    join(this);
    this.follow();
    setTimeout(() => {
      if (this.pageSession) return;
      this.#noSession = new ScripError("CONFIG", "no scrip-provider");
      this.requestUpdate();
    }, PROVIDER_MS_MAX);
  }

  disconnectedCallback(): void {
    leave(this);
    clearTimeout(this.#ageing);
    this.#watch();
  }

  attributeChangedCallback(): void {
    this.requestUpdate();
  }

  /** Whatever changes in one moment is asked for and drawn once, after it. */
  requestUpdate(): void {
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    queueMicrotask(() => {
      this.#isUpdating = false;
      if (!this.isConnected) return;
      this.#prepare();
      if (this.tree.firstChild) return inTurn(this.#draw);
      // With the definition the page has given up the room that it kept: the first drawing belongs to the same task.
      queueMicrotask(this.#draw);
      // Behind the elements that are still to come, and behind what they ask for.
      inTurn(getReady);
    });
  }

  /** The provider, the language or the direction around it may have changed. */
  follow(): void {
    type Provider = HTMLElement & { scripSession?: Session };
    const tag = "scrip-provider";
    const session = (nearest<Provider>(this, tag) ?? document.querySelector<Provider>(tag))?.scripSession;
    if (session !== this.pageSession) this.#watch();
    this.pageSession = session;
    this.requestUpdate();
  }

  /** Everything before drawing: nothing that the server is asked for waits for that. */
  #prepare(): void {
    this.localeTag = canonical(this.getAttribute("locale") || nearest(this, "[lang]")?.lang || navigator.language);
    this.#spoken = messagesFor(this.localeTag, this.pageSession?.baseUrl, !this.isWordy);
    this.texts = (this.#spoken ?? few).texts;

    const topics = this.topics();
    this.#mistake = topics instanceof ScripError ? topics : undefined;
    this.#watch(this.#mistake ? [] : (topics as Topic[]));
  }

  #draw = (): void => {
    if (!this.isConnected) return;
    const spoken = this.#spoken;
    const [resource] = this.resources as Resource<T>[];
    // Until its texts are there, an element is still loading: nobody sees two languages.
    const isSpeechless = this.isWordy && spoken === few;
    const data = isSpeechless ? undefined : spoken && resource?.data;
    const error = !this.pageSession
      ? this.#noSession
      : spoken &&
        (this.#mistake ?? resource?.error ?? (isSpeechless ? new ScripError("SERVER", "no texts") : undefined));

    const { activeElement } = this.tree;
    const direction = this.hasAttribute("locale") ? "" : nearest(this, "[dir]")?.dir;
    const language = spoken?.localeTag ?? this.localeTag;
    render(this.whole(data, error, language, direction || (rightToLeft(this.localeTag) ? "rtl" : "ltr")), this.tree);
    if (activeElement && !activeElement.isConnected) this.#left = activeElement.part.value;
    if (data) {
      // Whoever has chosen what came now stays there, unless they have gone elsewhere.
      if (this.#left && document.activeElement === document.body)
        this.tree.querySelector<HTMLElement>(`[part=${this.#left}]`)?.focus();
      this.#left = "";
    }
    this.#tell(data, error);
  };

  /** Everything that is drawn, for these data or this error: an element that is no card draws something else. */
  protected whole(data: T | undefined, error: ScripError | undefined, language: string, direction: string): Template {
    return html`<div part="card" role="group" aria-labelledby="heading" aria-busy=${!data && !error} lang=${language} dir=${direction}>${
      data || !error ? this.#card(data, error) : html`<slot name="error">${this.#failure(error)}</slot>`
    }</div>`;
  }

  /** After the screen, the page: events tell of what can be seen. */
  #tell(data: T | undefined, error: ScripError | undefined): void {
    const previous = this.#shown;
    this.#shown = data;
    if (data && data !== previous) {
      if (!previous) this.emit("scrip-load", null);
      this.arrived(data, previous);
    }
    if (error && error.code !== this.#told) {
      const { code, message, retryable } = error;
      this.emit("scrip-error", { code, message, retryable });
      this.say(this.#problem(error));
    }
    this.#told = error?.code;
    // The age of old data is on the screen, so it has to grow; and texts may be there by then.
    clearTimeout(this.#ageing);
    if (error) this.#ageing = setTimeout(this.#changed, AGE_STEP_MS);
  }

  get #creditType(): CreditType {
    return (this.resources[0] as Resource<T>).data?.balance.creditType as CreditType;
  }

  /** Decimal places of the credit type. */
  protected get decimals(): number {
    return this.#creditType.scale;
  }

  /** "1,500" */
  protected inDigits(amount: string): string {
    return number(this.localeTag, amount, this.decimals);
  }

  /** "1,500 credits" */
  protected inCredits(amount: string): string {
    return isolated(this.localeTag, credits(this.localeTag, this.#creditType, amount).join(" "));
  }

  /** Opens a list that is longer than its room, and closes it. */
  protected openOrClose = (): void => {
    this.isOpen = !this.isOpen;
    this.requestUpdate();
  };

  protected say(text: string): void {
    announce(this, text, (this.tree.firstElementChild as HTMLElement).lang);
  }

  /** False where it is cancelable and the page will do something else instead. */
  protected emit<E extends object = CommonEvents, K extends keyof E & string = keyof E & string>(
    type: K,
    detail: E[K],
    cancelable = false,
  ): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true }));
  }

  #card(data: T | undefined, error: ScripError | undefined): Template {
    const card = html`<div class="top"><div id="heading" part="heading" role="heading" aria-level=${
      this.getAttribute("heading-level") ?? 3
    }><slot name="heading">${data ? this.headline(data) : this.texts.loading}</slot></div>${data && this.beside(data)}</div>${this.body(data, data && error && this.#stale(error))}`;
    return data ? card : html`<slot name="loading">${card}</slot>`;
  }

  #problem({ code }: ScripError): string {
    return code === "NETWORK" ? this.texts.offline : this.#shown ? this.texts.stale : this.texts.failed;
  }

  #stale(error: ScripError): Template {
    const t = ago(this.localeTag, (this.resources[0]?.confirmed_ms ?? 0) - Date.now());
    return html`<span part="stale"><span>${this.#problem(error)} · ${fill(this.texts.updated, { t })}</span>${this.#retry(error, "↻")}</span>`;
  }

  #failure(error: ScripError): Template {
    return html`<div part="error"><p id="heading">${this.#problem(error)}</p>${this.#retry(error, this.texts.retry)}</div>`;
  }

  #retry({ retryable }: ScripError, face: string): unknown {
    return (
      retryable &&
      html`<button part="retry" aria-label=${this.texts.retry} @click=${() => this.pageSession?.retryNow()}>${face}</button>`
    );
  }

  /** Shows these topics from now on; without any, nothing. */
  #watch(topics: Topic[] = []): void {
    const { pageSession: session, resources } = this;
    this.resources = session ? topics.map((topic) => session.watchTopic(topic, this.#changed)) : [];
    for (const each of resources) if (!this.resources.includes(each)) session?.unwatch(each, this.#changed);
    if (resources[0] !== this.resources[0]) this.#shown = undefined;
  }
}
