import { afterEach, expect, it, vi } from "vitest";
import documents from "../../frontend_embed/documents_buying.graphql?raw";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { withTabs } from "../../frontend_embed/testing/top_up_page.ts";
import { defineGate } from "../gate/gate.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineRecharge } from "../recharge/recharge.ts";
import { defineTopUp } from "../top-up/top-up.ts";

defineProvider();
defineTopUp();
defineRecharge();
defineGate();
withTabs();

afterEach(async () => {
  vi.restoreAllMocks();
  await unmountAll();
});

/** A document without what makes it readable; operations of one document have different names there. */
const pack = (document: string): string =>
  document
    .replace(/^#.*/gm, "")
    .replace(/[\s,]+/g, " ")
    .replace(/ ?([{}():[\]]|\.\.\.) ?/g, "$1")
    .replace(/(ScripLive|ScripRead)\w+/g, "$1")
    .trim();

it("what is sent to buy is what is checked against the schema, and nothing else", async () => {
  const { fake, provider, shown } = await mount({ tag: "scrip-top-up", session: "" });
  for (const tag of ["scrip-recharge", "scrip-gate"]) {
    const element = document.createElement(tag);
    element.setAttribute(tag === "scrip-gate" ? "feature" : "credit-type", "ai");
    provider.append(element);
  }
  provider.fetchToken = () => fake.mint();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await settle();
  const recharge = provider.querySelector("scrip-recharge")?.shadowRoot;
  for (const [root, selector] of [
    [shown.element.shadowRoot, "[part=action]"],
    [shown.element.shadowRoot, "[part=status] button"],
    [recharge, "[part=action]"],
    [recharge, "[part=method] button"],
  ] as const) {
    root?.querySelector<HTMLElement>(selector)?.click();
    await settle();
  }
  const subscribed = fake.frames.filter(({ type }) => type === "subscribe").map(({ payload }) => payload?.query);
  const sent = [...fake.requests.map(({ query }) => query), ...subscribed].join("\n");
  if (pack(sent) !== pack(documents)) console.log(`SENT\n${sent}\nTNES`);
  expect(pack(sent)).toBe(pack(documents));
});
