/** TypeScript, React 19 and Vue typings, from the same description. */
import { readFile } from "node:fs/promises";
import { ROOT } from "./bundle.mjs";

const quote = (name) => (/^\w+$/.test(name) ? name : `"${name}"`);
const field = ({ name, type, description }, optional = "?") =>
  `  /** ${description} */\n  ${quote(name)}${optional}: ${type.text};\n`;
const camel = (name) => name.replace(/(^|-)(\w)/g, (_, _dash, letter) => letter.toUpperCase());
const unique = (events) => [...new Map(events.map((event) => [event.name, event])).values()];

/** Names of the events and types of the page's own script, without any import. */
async function plain(elements, exported) {
  const tokens = await readFile(`${ROOT}/components/core/tokens.ts`, "utf8");
  const shared = tokens.match(/^export type .*;$/gm).join("\n");
  const english = JSON.parse(await readFile(`${ROOT}/components/locales/en.json`, "utf8"));
  const keys = Object.keys(english)
    .map((key) => `  ${quote(key)}: string;\n`)
    .join("");
  const events = unique(elements.flatMap((element) => element.events));
  return `/** Types of the Scrip embed. Written by the build: don't edit. */
${shared}

${elements
  .map(
    (element) =>
      `/** ${element.summary} */\nexport interface ${element.name} extends HTMLElement {\n${element.members.map((member) => field(member)).join("")}}\n`,
  )
  .join("\n")}
/** What elements say to people; \`{a}\` and the like are places for values. */
export interface Messages {
${keys}}
/** Adds a language, or replaces texts of one; what is left out is said in English. */
export declare function registerLocale(locale: string, messages: Partial<Messages>): void;
export declare const version: string;
${exported.map(({ name }) => `export declare const ${name}: { new (): ${name} };`).join("\n")}

declare global {
  interface HTMLElementTagNameMap {
${elements.map(({ tagName, name }) => `    "${tagName}": ${name};`).join("\n")}
  }
  interface GlobalEventHandlersEventMap {
${events.map(({ name, type }) => `    "${name}": ${type.text};`).join("\n")}
  }
}
`;
}

/** Without these an element shows nothing but that they are missing. */
const REQUIRED = ["credit-type", "feature"];

/** What happens inside a provider is heard on it: events bubble. */
const heard = (elements) =>
  elements.map((element) =>
    element.tagName === "scrip-provider"
      ? { ...element, events: unique(elements.flatMap(({ events }) => events)) }
      : element,
  );

const props = ({ attributes, members, events }, listener) =>
  attributes.map((attribute) => field(attribute, REQUIRED.includes(attribute.name) ? "" : "?")).join("") +
  members.map((member) => field(member)).join("") +
  events
    .map(({ name, type, description }) =>
      field({ name: listener(name), type: { text: `(event: ${type.text}) => void` }, description }),
    )
    .join("");

const react = (elements) => `/** JSX of React 19. Written by the build: don't edit. */
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { ${elements.map(({ name }) => name).join(", ")}, FetchToken } from "./embed.js";

${elements.map((element) => `export interface ${element.name}Props {\n${props(element, (name) => `on${name}`)}}\n`).join("\n")}
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
${elements.map(({ tagName, name }) => `      "${tagName}": DetailedHTMLProps<HTMLAttributes<${name}>, ${name}> & ${name}Props;`).join("\n")}
    }
  }
}
`;

const vue = (elements) => `/** Templates of Vue 3. Written by the build: don't edit. */
import type { FetchToken } from "./embed.js";

${elements.map((element) => `export interface ${element.name}Props {\n${props(element, (name) => `on${camel(name)}`)}}\n`).join("\n")}
declare module "vue" {
  interface GlobalComponents {
${elements.map(({ tagName, name }) => `    "${tagName}": { new (): { $props: ${name}Props } };`).join("\n")}
  }
}
`;

export async function typings({ modules }) {
  const elements = modules.flatMap(({ declarations }) => declarations);
  return {
    "types/embed.d.ts": await plain(elements, modules[0].declarations),
    "types/react.d.ts": react(heard(elements)),
    "types/vue.d.ts": vue(heard(elements)),
  };
}
