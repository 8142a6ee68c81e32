/**
 * What is alike stands together. Gzip looks back 32 KB, and has codes for the letters of a stretch: style sheets, templates
 * and texts in one place and code in another are smaller than all of them mixed. So they go into one array, and into
 * the code their numbers.
 */
import { parse } from "acorn";
import { OURS } from "./ours.mjs";

/** Between two texts, and where a value goes: none of them has such a letter of its own. */
export const BETWEEN = "|";
const PLACE = "~";
/** What the array is called: a name that nothing else has. The sources say `SCRIP_TEXTS`. */
export const ALL = "$";

/** Each node once, from the outside in. */
function* nodes(node) {
  yield node;
  for (const child of Object.values(node).flat()) if (typeof child?.type === "string") yield* nodes(child);
}

/** Indentation is for readers, a page would get it as text nodes; quotes around one word hold nothing together; what is open at the end closes there. */
const packed = (markup) =>
  markup
    .replace(/\n\s+/g, " ")
    .replace(/="([^"'\s=<>`]+)"/g, "=$1")
    .replace(/(<\/[\w-]+>)+$/, "");

/** Classes of our own style sheets by one letter, but for those that the code puts together. */
function withShortClasses(texts, code) {
  const ofSheets = /(?<=\.)[a-z]{2,}(?![\w-])(?=[^;{}]*\{)/g;
  const ofTemplates = /(?<= class=)(?:"[^"]*"|[a-z]+(?![\w~-]))/g;
  const isPutTogether = (name) => RegExp(`"${name}[ "]`).test(code);
  const names = [...new Set(texts.join().match(ofSheets))].filter((name) => !isPutTogether(name));
  if (names.length > 26) throw new Error(`more classes than letters: ${names.join(" ")}`);
  const short = (words) =>
    words.replace(/[a-z]+/g, (word) => (names.includes(word) ? (10 + names.indexOf(word)).toString(36) : word));
  return texts.map((text) => text.replace(ofSheets, short).replace(ofTemplates, short));
}

/** A text of a language, `texts.retry`: it is found by its place, so that its name need not be sent. */
const isText = ({ type, computed, object, property }, names) =>
  type === "MemberExpression" &&
  !computed &&
  /^texts\d*$/.test(object.name ?? object.property?.name) &&
  names.includes(property.name);

/** @returns {{start: number, end: number, write: (within: (node: object) => string, texts: string[]) => string}[]} */
function editsOf(tree, wanted, names, from, put) {
  const edits = [];
  const all = [...nodes(tree)];
  // A sheet with a name that is read once needs none.
  const named = new Map();
  for (const { type, declarations: [only, more] = [] } of all)
    if (type === "VariableDeclaration" && !more && wanted.includes(only.init?.value))
      named.set(only.id.name, only.init.value);
  for (const name of [...named.keys()])
    if (all.filter((node) => node.type === "Identifier" && node.name === name).length !== 2) named.delete(name);
  for (const node of all) {
    const { type, start, end } = node;
    const edit = (write) => edits.push({ start, end, write });
    if (type === "VariableDeclaration" && named.has(node.declarations[0].id.name)) edit(() => "");
    if (type === "Identifier" && named.has(node.name))
      edit((_, texts) => `${ALL}[${from + texts.indexOf(named.get(node.name))}]`);
    // The name becomes a letter, what is in quotes stays.
    if (type === "Literal" && OURS.includes(node.value)) throw new Error(`a name of ours in quotes: ${node.value}`);
    if (type === "Literal" && wanted.includes(node.value))
      edit((_, texts) => `${ALL}[${from + texts.indexOf(node.value)}]`);
    if (isText(node, names)) edit((within) => `${within(node.object)}[${names.indexOf(node.property.name)}]`);
    if (type === "ConditionalExpression" && node.test.name === ALL) edit((within) => within(node.consequent));
    if (type === "TaggedTemplateExpression" && node.tag.name === "html") {
      const { quasis, expressions } = node.quasi;
      const markup = packed(quasis.map(({ value }) => value.cooked).join(PLACE));
      put(markup);
      edit((within, texts) => `html(${[from + texts.indexOf(markup), ...expressions.map((each) => within(each))]})`);
    }
  }
  return edits.sort((a, b) => a.start - b.start || b.end - a.end);
}

/**
 * @param {string} code
 * @param {string[]} wanted what goes out beside templates, and at the end of them
 * @param {string[]} names of a language's texts, in the order of the files
 * @param {number} from where the numbers begin
 * @returns {{code: string, texts: string[]}} the code, and the texts that have to stand before it
 */
export function apart(code, wanted, names = [], from = 0) {
  const tree = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const found = new Set();
  const edits = editsOf(tree, wanted, names, from, (text) => found.add(text));
  // By the alphabet, which brings together what begins alike.
  const texts = [...[...found].filter((text) => !wanted.includes(text)).sort(), ...wanted];
  const write = ({ start, end }) => {
    let out = "";
    let at = start;
    for (const edit of edits) {
      if (edit.start < at || edit.end > end) continue; // of an outer one, or of another place
      out += code.slice(at, edit.start) + edit.write(write, texts);
      at = edit.end;
    }
    return out + code.slice(at, end);
  };
  const strange = texts.find((text) => /[|`\\]|\$\{/.test(text));
  if (strange) throw new Error(`this needs another letter between texts: ${strange}`);
  const rest = write(tree);
  return { code: rest, texts: withShortClasses(texts, rest) };
}
