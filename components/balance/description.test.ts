import { afterEach, expect, it } from "vitest";
import manifest from "../../frontend_embed/dist/manifest.json" with { type: "json" };
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineProvider, ScripProvider } from "../provider/provider.ts";
import { defineBalance, ScripBalance } from "./balance.ts";

defineProvider();
defineBalance();
afterEach(unmountAll);

interface Described {
  tagName: string;
  attributes: { name: string }[];
  events: { name: string }[];
  slots: { name: string }[];
  cssParts: { name: string }[];
  cssProperties: { name: string }[];
}
const files = import.meta.glob<{ default: { modules: { declarations: Described[] }[] } }>(
  "../../frontend_embed/dist/*/custom-elements.json",
  { eager: true },
);
const described = Object.entries(files).find(([path]) => path.includes(`/${manifest.version}/`))?.[1].default;
const of = (tag: string): Described => {
  const found = described?.modules[0]?.declarations.find(({ tagName }) => tagName === tag);
  if (!found) throw new Error(`${tag} is not described`);
  return found;
};
const names = (list: readonly { name: string }[]): string[] => list.map(({ name }) => name).sort();

/** Every state that an element can be in. */
const states: (() => MountOptions)[] = [
  () => ({ session: "" }),
  () => ({ attributes: "show-held low=9999" }),
  () => {
    const fake = new FakeScrip();
    fake.set("ai", { version: 0, available: "0", buckets: [] });
    return { fake };
  },
  () => {
    const fake = new FakeScrip();
    fake.isUp = false;
    return { fake };
  },
];

it("custom-elements.json names the attributes that are observed", () => {
  expect(names(of("scrip-balance").attributes)).toEqual([...ScripBalance.observedAttributes].sort());
  expect(names(of("scrip-provider").attributes)).toEqual([...ScripProvider.observedAttributes].sort());
});

it("custom-elements.json names the parts and slots that there are", async () => {
  const parts = new Set<string>();
  const slots = new Set<string>();
  const note = (root: ShadowRoot | null): void => {
    for (const node of root?.querySelectorAll("[part]") ?? []) for (const part of node.part) parts.add(part);
    for (const slot of root?.querySelectorAll("slot") ?? []) slots.add(slot.name);
  };
  for (const state of states) {
    const { balance, fake } = await mount(state());
    note(balance.element.shadowRoot);
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    note(balance.element.shadowRoot);
  }
  expect(names(of("scrip-balance").cssParts)).toEqual([...parts].sort());
  expect(names(of("scrip-balance").slots)).toEqual([...slots].sort());
});

it("custom-elements.json names the variables that the style sheet reads", () => {
  const read = new Set(ScripBalance.css.match(/--scrip-[\w-]+/g));
  expect(names(of("scrip-balance").cssProperties)).toEqual([...read].sort());
});
