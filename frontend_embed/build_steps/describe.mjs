/** custom-elements.json: what the comment above each element class says, in the form that tools read. */
import { readdir, readFile } from "node:fs/promises";
import { ROOT } from "./bundle.mjs";

const TAG = /^@(\w+)\s+(?:\{(.*?)\}\s+)?(.*)$/;

/** @returns {{text: string, tags: {tag: string, type?: string, name: string, description: string}[]}} */
function parse(comment) {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
  const tags = lines
    .map((line) => TAG.exec(line))
    .filter(Boolean)
    .map(([, tag, type, rest]) => {
      const [name, description = ""] = rest.includes(" - ") || rest.startsWith("- ") ? rest.split(/ ?- (.*)/) : [rest];
      return { tag, type: type?.replace(/\}$/, ""), name, description };
    });
  const text = lines
    .slice(
      0,
      lines.findIndex((line) => line.startsWith("@")),
    )
    .join(" ")
    .trim();
  return { text, tags };
}

/** Types in braces may have braces of their own. */
const unwrap = (line) =>
  line.replace(/\{(CustomEvent<\{.*?\}>)\}/g, (_, type) => `{${type.replaceAll("{", "⟨").replaceAll("}", "⟩")}}`);
const rewrap = (type) => type?.replaceAll("⟨", "{").replaceAll("⟩", "}");

function declaration(className, comment) {
  const { text, tags } = parse(comment.split("\n").map(unwrap).join("\n"));
  const all = (wanted) => tags.filter(({ tag }) => tag === wanted);
  const one = (wanted) => all(wanted)[0]?.name;
  const plain = ({ name, description }) => ({ name, description });
  const typed = ({ name, type, description }) => ({ name, type: { text: rewrap(type) }, description });
  return {
    kind: "class",
    customElement: true,
    name: className,
    tagName: one("element"),
    summary: one("summary"),
    description: text,
    superclass: { name: "HTMLElement" },
    attributes: all("attr").map(typed),
    members: all("prop").map((prop) => ({ kind: "field", ...typed(prop) })),
    events: all("fires").map(typed),
    slots: all("slot").map(plain),
    cssParts: all("csspart").map(plain),
    cssProperties: all("cssproperty").map(plain),
  };
}

const unique = (entries) => [...new Map(entries.map((each) => [each.name, each])).values()];

/** An element that is made of others tells what they tell, and hands out their parts and variables. */
function gather(composed, source, all) {
  const inside = [...source.matchAll(/<(scrip-[\w-]+)/g)].map(([, tag]) => all.find(({ tagName }) => tagName === tag));
  const parts = new Set(/PARTS =\s*"([^"]*)"/.exec(source)?.[1].split(","));
  const ofAll = (field) => unique([...composed[field], ...inside.flatMap((each) => each[field])]);
  composed.events = ofAll("events");
  composed.cssProperties = ofAll("cssProperties");
  composed.cssParts = ofAll("cssParts").filter(({ name }) => parts.has(name) || name === "grid");
}

export async function describe() {
  const declarations = [];
  const composed = [];
  for (const folder of (await readdir(`${ROOT}/components`)).sort()) {
    const source = await readFile(`${ROOT}/components/${folder}/${folder}.ts`, "utf8").catch(() => "");
    for (const [, comment, className] of source.matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*@element(?:(?!\*\/)[\s\S])*)\*\/\s*export class (\w+)/g,
    )) {
      declarations.push(declaration(className, comment));
    }
    if (source.includes("exportparts")) composed.push([folder, source]);
  }
  for (const [folder, source] of composed)
    gather(
      declarations.find(({ tagName }) => tagName === `scrip-${folder}`),
      source,
      declarations,
    );
  const path = "embed.js";
  const exports = declarations.flatMap(({ name, tagName }) => [
    { kind: "js", name, declaration: { name, module: path } },
    { kind: "custom-element-definition", name: tagName, declaration: { name, module: path } },
  ]);
  const module = { kind: "javascript-module", path, declarations, exports };
  return { schemaVersion: "1.0.0", readme: "", modules: [module] };
}
