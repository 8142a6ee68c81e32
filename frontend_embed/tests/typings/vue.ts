/** What templates in Vue 3 are checked against: every element, and what must not compile. Compiled, never run. */
import type { GlobalComponents } from "vue";
import "../../dist/0.1.0/types/vue.d.ts";

type Props<Tag extends keyof GlobalComponents> = GlobalComponents[Tag] extends { new (): { $props: infer P } }
  ? P
  : never;

const ai = { "credit-type": "ai" } as const;
export const balance: Props<"scrip-balance"> = {
  ...ai,
  onScripBalanceChange: ({ detail }) => console.log(detail.previous),
};
export const usage: Props<"scrip-usage"> = { ...ai, "group-by": "member", interval: "hour" };
export const runway: Props<"scrip-runway"> = { ...ai, "heading-level": 2 };
export const expirations: Props<"scrip-expirations"> = { ...ai, within: "P30D" };
export const ledger: Props<"scrip-ledger"> = { ...ai, live: true, onScripExport: (event) => event.preventDefault() };
export const gate: Props<"scrip-gate"> = { feature: "images", onScripGateChange: ({ detail }) => detail.allowed };
export const topUp: Props<"scrip-top-up"> = { ...ai, onScripTopUpDone: ({ detail }) => detail.credits };
export const recharge: Props<"scrip-recharge"> = { ...ai, onScripRechargeChange: ({ detail }) => detail.enabled };
export const dashboard: Props<"scrip-dashboard"> = { ...ai, onScripTopUpFailed: ({ detail }) => detail.code };
export const provider: Props<"scrip-provider"> = { "token-url": "/token", onScripError: ({ detail }) => detail.code };

// @ts-expect-error There is no such attribute.
export const wrongName: Props<"scrip-balance"> = { creditKind: "ai" };
// @ts-expect-error Without a feature there is nothing to ask.
export const wrongGate: Props<"scrip-gate"> = { quantity: "1" };
// @ts-expect-error A chart or a table.
export const wrongView: Props<"scrip-usage"> = { ...ai, view: "pie" };
// @ts-expect-error The detail has no such field.
export const wrongDetail: Props<"scrip-top-up"> = { ...ai, onScripTopUpDone: ({ detail }) => detail.amount };
