/**
 * What may be called anything and stand anywhere: names that only we use, private names, methods of a class, texts. Which
 * letters and which order make the smallest script can only be found by trying (`npm run arrange`). `arranged.json`
 * keeps what was found, under the names of the sources, so that it goes on holding for what a change leaves as it is.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { ALL, BETWEEN } from "./apart.mjs";

/**
 * @typedef {object} Arrangement
 * @property {string[]} texts in their order, by their digests
 * @property {Record<string, string[]>} methods in their order, by class
 * @property {Record<string, Record<string, string>>} letters of private names by class, of OURS by ""
 * @property {Record<string, Record<string, string>>} variables by function, which is told by its digest: letter → letter
 */
export const ARRANGED = fileURLToPath(new URL("arranged.json", import.meta.url));
/** @type {Arrangement} */
export const arranged = JSON.parse(
  await readFile(ARRANGED, "utf8").catch(() => '{"texts":[],"methods":{},"letters":{},"variables":{}}'),
);

/** Numbers of texts begin here until they have their places: no other number is one of these. */
export const TEXTS_FROM = 700_000;
export const LETTERS = [..."teisrnahoulcdpmfgybvwTASkExDOCUINRMLFqPjB_zWHGJKVYZQX"];

export const digest = (text) => createHash("sha256").update(text).digest("hex").slice(0, 6);
const parsed = (code) => parse(code, { ecmaVersion: "latest", sourceType: "module" });
const within = (node) =>
  Object.values(node)
    .flat()
    .filter((child) => typeof child?.type === "string");

const isFunction = ({ type }) => /Function/.test(type);
/** Names that a pattern declares. */
const declaredBy = (pattern) =>
  pattern?.type === "Identifier"
    ? [pattern.name]
    : pattern?.type === "Property"
      ? declaredBy(pattern.value)
      : pattern?.type === "AssignmentPattern"
        ? declaredBy(pattern.left)
        : pattern
          ? within(pattern).flatMap(declaredBy)
          : [];
/** Names that a node declares for what is within it. */
function declaredIn(node) {
  const of = (statement) =>
    statement?.type === "VariableDeclaration"
      ? statement.declarations.flatMap(({ id }) => declaredBy(id))
      : /(Function|Class)Declaration/.test(statement?.type)
        ? [statement.id.name]
        : [];
  if (isFunction(node))
    return [...node.params.flatMap(declaredBy), ...(node.type === "FunctionExpression" ? declaredBy(node.id) : [])];
  if (node.type === "ClassExpression") return declaredBy(node.id);
  if (node.type === "CatchClause") return declaredBy(node.param);
  if (/^For/.test(node.type)) return of(node.init ?? node.left);
  return /^(Program|BlockStatement)$/.test(node.type) ? node.body.flatMap(of) : [];
}

/** Private names as `Class$name`: like that they come through everything that gives letters to names. */
export function withOwners(code) {
  const names = [];
  const visit = (node, owner) => {
    const isNamed = node.type === "ClassDeclaration" || node.init?.type === "ClassExpression";
    if (node.type === "PrivateIdentifier") names.push({ ...node, owner });
    for (const child of within(node)) visit(child, isNamed ? node.id.name : owner);
  };
  visit(parsed(code), "");
  let at = 0;
  const pieces = names.map(({ start, end, name, owner }) => {
    const piece = `${code.slice(at, start)}${owner}$${name}`;
    at = end;
    return piece;
  });
  return pieces.join("") + code.slice(at);
}

/**
 * The script in pieces: strings, names that get a letter, texts that get a number, and classes, whose methods may stand
 * in any order.
 * @param {string} code
 * @param {Record<string, string>} ours the letters that OURS have so far
 */
export function piecesOf(code, ours, texts) {
  const names = new Map(Object.entries(ours).map(([name, letter]) => [letter, name]));
  const nameOf = ({ type, name }) => {
    if (type !== "Identifier") return undefined;
    const [, owner, own] = /^(\w+)\$(\w+)$/.exec(name) ?? [];
    return own ? { owner, name: own } : names.has(name) ? { owner: "", name: names.get(name) } : undefined;
  };
  const marks = [];
  const scopes = [];
  /** Gathers what is in a node; returns the names that it takes from around it. */
  const visit = (node, inside) => {
    const { type, start, end, key: own = node.property, value, computed } = node;
    const taken = new Set();
    const take = (child, around = inside) => {
      for (const each of visit(child, around)) taken.add(each);
    };
    if (type === "Identifier") {
      marks.push({ start, end, variable: node.name, inside });
      return taken.add(node.name);
    }
    const key = computed ? undefined : (own ?? node.exported ?? node.label);
    const name = key && key === own ? nameOf(key) : undefined;
    if (node.shorthand) {
      const { name: variable } = value.left ?? value;
      marks.push({ start: key.start, end: key.end, variable, inside, key: name ?? key.name });
      if (value.right) take(value.right);
      return taken.add(variable);
    }
    if (name) marks.push({ start: key.start, end: key.end, ...name });
    if (type === "Literal" && texts[Number(value) - TEXTS_FROM] !== undefined)
      marks.push({ start, end, text: Number(value) - TEXTS_FROM });
    if (type === "ClassBody") {
      const owner = node.body.map((each) => nameOf(each.key)?.owner).find(Boolean);
      if (owner) marks.push({ start, end, owner, members: node.body });
    }
    const isScope = isFunction(node) || type === "Program";
    const scope = { start, end };
    if (isScope) scopes.push(scope);
    // The name of a function is one of those around it.
    const named = type === "FunctionDeclaration" ? node.id : undefined;
    if (named) take(named);
    for (const child of within(node))
      if (child !== key && child !== named) take(child, isScope ? [scope, ...inside] : inside);
    for (const each of declaredIn(node)) taken.delete(each);
    if (named) taken.add(named.name);
    scope.free = taken;
    return taken;
  };
  visit(parsed(code), []);
  marks.sort((a, b) => a.start - b.start || b.end - a.end);

  const cut = (start, end, inside) => {
    const pieces = [];
    let at = start;
    for (const mark of inside) {
      if (mark.start < at || mark.start >= end) continue; // of another piece
      pieces.push(code.slice(at, mark.start), ...(mark.members ? classOf(mark, inside) : [mark]));
      at = mark.end;
    }
    return [...pieces, code.slice(at, end)];
  };
  const classOf = ({ start, owner, members }, around) => {
    const inside = around.filter((mark) => mark.start > start);
    const isMethod = ({ type }) => type === "MethodDefinition";
    const methods = members.filter(isMethod).map(({ key, start, end }) => ({
      name: nameOf(key)?.name ?? key.name,
      pieces: cut(start, end, inside),
    }));
    const fields = members.filter((each) => !isMethod(each));
    const ended = ({ start, end }) => [...cut(start, end, inside), code[end - 1] === ";" ? "" : ";"];
    return ["{", ...fields.flatMap(ended), { owner, methods }, "}"];
  };
  // Functions by what they say, whatever letters their variables have.
  for (const scope of scopes) {
    const said = (mark) =>
      mark.variable ? "_" : mark.name ? mark.name : mark.members ? undefined : digest(texts[mark.text]);
    let at = scope.start;
    let all = "";
    for (const mark of marks) {
      if (mark.start < at || mark.end > scope.end || mark.members) continue;
      all += `${code.slice(at, mark.start)}${said(mark)}`;
      at = mark.end;
    }
    scope.id = scope.start ? digest(all + code.slice(at, scope.end)) : "";
  }
  const pieces = cut(0, code.length, marks);
  return { pieces, scopes };
}

/** Who wishes for a letter that is there gets it, the others what is left. */
function lettersFor(names, wishes = {}, pool) {
  const given = new Map();
  for (const name of names)
    if (pool.includes(wishes[name]) && ![...given.values()].includes(wishes[name])) given.set(name, wishes[name]);
  const left = pool.filter((letter) => ![...given.values()].includes(letter));
  for (const name of names) if (!given.has(name)) given.set(name, left.shift());
  return Object.fromEntries(given);
}

/** Known ones in the order that was found, others behind them as they come. */
const sorted = (all, known = []) => {
  const place = (each) => (known.includes(each) ? known.indexOf(each) : known.length);
  return [...all].sort((a, b) => place(a) - place(b));
};

/** What takes a letter that nobody gives up gives its own for it, so that no two are the same afterwards. */
function exchange(letters) {
  const left = Object.keys(letters).filter((letter) => !Object.values(letters).includes(letter));
  const wanted = Object.values(letters).filter((letter) => !(letter in letters));
  return { ...letters, ...Object.fromEntries(wanted.map((letter, index) => [letter, left[index]])) };
}

/** Letters of variables that change places in a function: none that means something around it. */
function variablesOf(scopes, found = {}) {
  const free = {};
  for (const { id, free: own } of scopes) free[id] = new Set([...(free[id] ?? []), ...own]);
  const holds = ([id, letters]) =>
    free[id] &&
    new Set(Object.values(letters)).size === Object.keys(letters).length &&
    ![...Object.keys(letters), ...Object.values(letters)].some((letter) => free[id].has(letter));
  const held = Object.entries(found).filter(holds);
  return Object.fromEntries(held.map(([id, letters]) => [id, exchange(letters)]));
}

/**
 * What was found, as far as it holds for this script, and something for all the rest of it.
 * @param {object} script
 * @param {Arrangement} found
 * @returns {Arrangement}
 */
export function fitting(script, found = arranged) {
  const { pieces, scopes, texts, ours } = script;
  const names = { "": Object.keys(ours) };
  const methods = {};
  const visit = (piece) => {
    if (piece.methods)
      methods[piece.owner] = sorted(
        piece.methods.map(({ name }) => name),
        found.methods[piece.owner],
      );
    else if (piece.name && piece.owner) names[piece.owner] = [...new Set([...(names[piece.owner] ?? []), piece.name])];
    for (const each of piece.methods ?? []) each.pieces.forEach(visit);
  };
  pieces.forEach(visit);
  const letters = Object.entries(names).map(([owner, own]) => [
    owner,
    lettersFor(own, found.letters[owner], owner ? LETTERS.slice(0, own.length) : Object.values(ours)),
  ]);
  return {
    texts: sorted(texts.map(digest), found.texts),
    methods,
    letters: Object.fromEntries(letters),
    variables: variablesOf(scopes, found.variables),
  };
}

/**
 * The script, arranged like that.
 * @param {object} script
 * @param {Arrangement} arrangement
 */
export function written({ pieces, texts }, { texts: order, methods, letters, variables }) {
  const places = texts.map((text) => order.indexOf(digest(text)));
  const lettered = ({ owner, name }) => `${owner ? "#" : ""}${letters[owner][name]}`;
  const write = (piece) => {
    if (typeof piece === "string") return piece;
    if (piece.methods)
      return methods[piece.owner]
        .map((name) =>
          piece.methods
            .find((each) => each.name === name)
            .pieces.map(write)
            .join(""),
        )
        .join("");
    if (piece.variable) {
      let letter = piece.variable;
      for (const { id } of piece.inside) letter = variables[id]?.[letter] ?? letter;
      const key = typeof piece.key === "object" ? lettered(piece.key) : piece.key;
      return key && key !== letter ? `${key}:${letter}` : letter;
    }
    return piece.name ? lettered(piece) : places[piece.text];
  };
  const all = [];
  texts.forEach((text, index) => {
    all[places[index]] = text;
  });
  return `const ${ALL}=\`${all.join(BETWEEN)}\`.split\`${BETWEEN}\`;${pieces.map(write).join("")}`;
}
