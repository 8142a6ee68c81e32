/** Whether custom-elements.json says of an element what is true of it. */
import { describe, expect, it } from "vitest";
import manifest from "../dist/manifest.json" with { type: "json" };
import { type MountOptions, mount, settle } from "./harness.ts";

interface Described {
  tagName: string;
  attributes: { name: string }[];
  events: { name: string }[];
  slots: { name: string }[];
  cssParts: { name: string }[];
  cssProperties: { name: string }[];
}
const files = import.meta.glob<{ default: { modules: { declarations: Described[] }[] } }>(
  "../dist/*/custom-elements.json",
  { eager: true },
);
const described = Object.entries(files).find(([path]) => path.includes(`/${manifest.version}/`))?.[1].default;

export const described_as = (tag: string): Described => {
  const found = described?.modules.flatMap(({ declarations }) => declarations).find(({ tagName }) => tagName === tag);
  if (!found) throw new Error(`${tag} is not described`);
  return found;
};
export const names = (list: readonly { name: string }[]): string[] => list.map(({ name }) => name).sort();

interface ElementClass {
  readonly observedAttributes: readonly string[];
  readonly css: string;
}

/** `states` are those an element can be in, each with what somebody does there. */
export function describeDescription(
  tag: string,
  element: ElementClass,
  states: (() => MountOptions)[],
  act: (root: ShadowRoot) => Promise<unknown> | unknown = () => {},
): void {
  describe("custom-elements.json", () => {
    it("names the attributes that are observed", () => {
      expect(element.observedAttributes).toEqual(expect.arrayContaining(names(described_as(tag).attributes)));
    });

    it("names the parts and slots that there are", async () => {
      const parts = new Set<string>();
      const slots = new Set<string>();
      const note = (root: ShadowRoot | null): void => {
        for (const node of root?.querySelectorAll("[part]") ?? []) for (const part of node.part) parts.add(part);
        for (const slot of root?.querySelectorAll("slot") ?? []) slots.add(slot.name);
      };
      for (const state of states) {
        const { shown, fake } = await mount(state());
        const root = shown.element.shadowRoot as ShadowRoot;
        note(root);
        await act(root);
        await settle();
        note(root);
        fake.isUp = false;
        dispatchEvent(new Event("offline"));
        await settle();
        note(root);
      }
      expect(names(described_as(tag).cssParts)).toEqual([...parts].sort());
      expect(names(described_as(tag).slots)).toEqual([...slots].sort());
    });

    it("names the variables that the style sheet reads", () => {
      const read = new Set(element.css.match(/--scrip-[\w-]+/g));
      expect(names(described_as(tag).cssProperties)).toEqual([...read].sort());
    });
  });
}
