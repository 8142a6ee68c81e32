import { type Balance, balanceTopic, type Followed, newest } from "../balance/topic.ts";
import { define } from "../core/define.ts";
import type { CommonEvents } from "../core/element.ts";
import { ScripError } from "../core/errors.ts";
import { FollowingElement } from "../core/following.ts";
import type { Messages } from "../core/messages.ts";
import { html, type Template } from "../core/render.ts";
import type { Resource, Topic } from "../core/session.ts";
import { styles } from "./gate.styles.ts";

interface Decision extends Followed {
  allowed: boolean;
  wouldBlock: boolean;
  mode: string;
  reason: { code: string } | null;
}

export interface GateEvents extends CommonEvents {
  /** `reason` is a refusal's code, or ERROR where nobody could be asked; null where there is none. */
  "scrip-gate-change": { allowed: boolean; reason: string | null };
}

/**
 * Shows one of two things: what a feature needs, or what to do when it may not be used. Asks before it shows either,
 * and again whenever the balance or the policy changes. It is there for people; what is spent is decided by the server.
 *
 * @summary Shows a feature, or why not.
 * @element scrip-gate
 * @attr {string} feature - Key of the feature.
 * @attr {string} quantity - How much of it, as a decimal; 1 when left out.
 * @attr {"open" | "closed"} on-error - `open` or `closed`: what to show when nobody can be asked; what the feature's policy says when left out, closed where that isn't known either.
 * @attr {string} locale - A language tag in place of the nearest `lang`.
 * @attr {number} heading-level - Of no use here.
 * @fires {CustomEvent<{allowed: boolean, reason: string | null}>} scrip-gate-change - What is shown is another now, or is shown first; `reason` is the code of the refusal, or ERROR.
 * @fires {CustomEvent<null>} scrip-load - The first answer is on the screen.
 * @fires {CustomEvent<{code: string, message: string, retryable: boolean}>} scrip-error - Nobody could be asked; what was shown stays.
 * @slot allowed - What the feature needs.
 * @slot blocked - In place of the sentence that says why not.
 * @slot warning - Beside what is allowed, in place of the sentence that says why it will not be for long.
 * @slot loading - Until the first answer, in place of the room that what is allowed will take.
 * @csspart warning - Why it will not be allowed for long.
 * @csspart reason - Why it is not allowed.
 * @cssproperty --scrip-color-warning - The warning.
 * @cssproperty --scrip-color-muted - The reason.
 */
export class ScripGate extends FollowingElement<Decision> {
  static override readonly css = styles;

  #told = "";
  #policy = "";
  /** The last answer, and the question that it was for. */
  #last: { of: unknown; data: Decision } | undefined;

  protected override topics(): Topic[] | ScripError {
    const feature = this.getAttribute("feature");
    if (!feature) return new ScripError("CONFIG", "no feature");
    const creditType = (this.resources[0] as Resource<Decision> | undefined)?.data?.balance.creditType.key;
    return [
      {
        asked: `check(input:$input){...on Decision{allowed wouldBlock mode reason{code}balance{creditType{key name unitSingular unitPlural scale}available version asOf}}}`,
        args: { input: ["SpendInput!", { feature, quantity: this.getAttribute("quantity") || "1" }] },
        // A refusal has no balance, and is no answer.
        merge: (next: Decision, shown: Decision | undefined) => next.balance && newest(next, shown),
      },
      {
        asked: "customer{enforcement(feature:$feature){failurePolicy}}",
        args: { feature: ["String", feature] },
      },
      { pushed: "policy:enforcementChanged{mode failurePolicy overdraftLimit}", isSilent: true },
      ...(creditType ? [balanceTopic(creditType)] : []),
    ];
  }

  protected override get balanceResource(): Resource<{ balance: Balance }> | undefined {
    return this.resources[3] as Resource<{ balance: Balance }> | undefined;
  }

  /** The first push is the present state, and no news. */
  override requestUpdate(): void {
    super.requestUpdate();
    const [own, , pushed] = this.resources;
    const policy = pushed?.data ? JSON.stringify(pushed.data) : "";
    if (own && policy && this.#policy && policy !== this.#policy) this.pageSession?.readAnew(own);
    this.#policy = policy || this.#policy;
  }

  /** Nobody asks: the credit type is the decision's, so all topics are above. */
  protected override asked(): never {
    return undefined as never;
  }

  protected override captionText(): string {
    return "";
  }

  protected override body(): unknown {
    return "";
  }

  /** A page has many gates, and what they show is read where it stands. */
  protected override say(): void {}

  protected override whole(
    data: Decision | undefined,
    error: ScripError | undefined,
    language: string,
    direction: string,
  ): Template {
    const { texts } = this;
    const [own] = this.resources;
    const isAnswered = data ?? error;
    if (data) this.#last = { of: own, data };
    // Another quantity is another question: until it is answered, nothing that is shown moves.
    else if (!error && this.#last && this.#last.of !== own) data = this.#last.data;
    const isKnown = data ?? error;
    const allowed = data ? data.allowed : this.#opensOnError;
    const reason = data ? (data.reason?.code ?? null) : "ERROR";
    const sentence = texts[reason as keyof Messages] ?? texts.blocked;
    if (isAnswered) this.#tell(allowed, reason);
    // Data that were here already, from a gate before this one: only they say which balance to follow.
    if (data && !this.balanceResource) this.requestUpdate();
    return html`<div lang=${language} dir=${direction}>${
      !isKnown
        ? html`<slot name="loading"><div class="wait"><slot name="allowed"></slot></div></slot>`
        : allowed
          ? html`<slot name="allowed"></slot>${
              data?.mode === "SOFT" &&
              data.wouldBlock &&
              html`<slot name="warning"><p part="warning">${sentence}</p></slot>`
            }`
          : html`<slot name="blocked"><p part="reason">${sentence}</p></slot>`
    }</div>`;
  }

  get #opensOnError(): boolean {
    const policy = this.resources[1]?.data as { enforcement: { failurePolicy: string } | null } | undefined;
    return /open$/i.test(this.getAttribute("on-error") ?? policy?.enforcement?.failurePolicy ?? "");
  }

  #tell(allowed: boolean, reason: string | null): void {
    const now = `${allowed} ${reason}`;
    if (now === this.#told) return;
    this.#told = now;
    // After the screen, as all events.
    queueMicrotask(() => this.emit<GateEvents, "scrip-gate-change">("scrip-gate-change", { allowed, reason }));
  }
}

export const defineGate = (): void => define("scrip-gate", ScripGate);

declare global {
  interface HTMLElementTagNameMap {
    "scrip-gate": ScripGate;
  }
  interface GlobalEventHandlersEventMap {
    "scrip-gate-change": CustomEvent<GateEvents["scrip-gate-change"]>;
  }
}
