/** What a template in Vue 3 is checked against. Compiled, never run. */
import type { GlobalComponents } from "vue";
import "../../dist/0.1.0/types/vue.d.ts";

type Props = InstanceType<GlobalComponents["scrip-balance"]>["$props"];

export const props: Props = { "credit-type": "ai", onScripBalanceChange: ({ detail }) => console.log(detail.previous) };
// @ts-expect-error There is no such attribute.
export const wrong: Props = { creditKind: "ai" };
