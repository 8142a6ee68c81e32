/** `npm run arrange [seconds]`: tries other letters and another order, keeps what gets smaller, and writes `arranged.json`. */
import { writeFile } from "node:fs/promises";
import { deflateRawSync } from "node:zlib";
import { ALL, BETWEEN } from "./apart.mjs";
import { ARRANGED, digest, fitting, LETTERS, written } from "./arrange.mjs";
import { EMBED, inPieces } from "./bundle.mjs";
import { gzipped } from "./compress.mjs";

const SECONDS = Number(process.argv[2] ?? 300);
const script = await inPieces({ entry: EMBED });
const { pieces, scopes, texts } = script;
const sent = async (arrangement) => (await gzipped(Buffer.from(written(script, arrangement)))).length;

/** All pieces, methods included, and what each has become. */
const leaves = pieces.flatMap((piece) => (piece.methods ? piece.methods.flatMap((each) => each.pieces) : [piece]));
const writer = (now) => {
  const places = new Map(now.texts.map((each, index) => [each, index]));
  return (leaf) => {
    if (typeof leaf === "string") return leaf;
    const lettered = ({ owner, name }) => `${owner ? "#" : ""}${now.letters[owner][name]}`;
    if (!leaf.variable) return leaf.name ? lettered(leaf) : `${places.get(digests[leaf.text])}`;
    let letter = leaf.variable;
    for (const { id } of leaf.inside) letter = now.variables[id]?.[letter] ?? letter;
    const key = typeof leaf.key === "object" ? lettered(leaf.key) : leaf.key;
    return key && key !== letter ? `${key}:${letter}` : letter;
  };
};
const digests = texts.map(digest);
const byDigest = new Map(texts.map((text, index) => [digests[index], text]));
// Zopfli takes a hundred times as long, and what is less for the one is nearly always less for the other.
function sizeOf(now) {
  const out = (leaf) => leaf.out ?? leaf;
  let all = `const ${ALL}=\`${now.texts.map((each) => byDigest.get(each)).join(BETWEEN)}\`.split\`${BETWEEN}\`;`;
  for (const piece of pieces) {
    if (!piece.methods) all += out(piece);
    else for (const name of now.methods[piece.owner]) for (const leaf of piece.byName.get(name)) all += out(leaf);
  }
  return deflateRawSync(all, { level: 9, memLevel: 9 }).length;
}

const any = (list) => list[Math.floor(Math.random() * list.length)];
const moved = (list) => {
  const from = Math.floor(Math.random() * list.length);
  return list.toSpliced(from, 1).toSpliced(Math.floor(Math.random() * list.length), 0, list[from]);
};
const exchanged = (letters, [a, b]) => ({ ...letters, [a]: letters[b] ?? b, [b]: letters[a] ?? a });
const two = (list) => [any(list), any(list)];
const marked = leaves.filter((leaf) => typeof leaf !== "string");
const of = (test) => marked.filter(test);

/** By function: the letters that may change places there, and where they stand. */
const movable = [...new Set(scopes.map(({ id }) => id))].map((id) => {
  const same = scopes.filter((scope) => scope.id === id);
  const taken = new Set(same.flatMap(({ free }) => [...free]));
  const own = of(({ variable, inside }) => variable && inside.some((scope) => scope.id === id));
  const can = (letters) => [...new Set(letters)].filter((letter) => !taken.has(letter));
  const used = can(own.map(({ variable }) => variable));
  // What is used most everywhere is the best to take.
  return { id, own, used, letters: can([...used, ...LETTERS.slice(0, 12)]) };
});
const often = movable.filter(({ used }) => used.length).flatMap((each) => each.own.map(() => each));
const variables = (now) => {
  const { id, own, used, letters } = any(often);
  return [
    { ...now, variables: { ...now.variables, [id]: exchanged(now.variables[id] ?? {}, [any(used), any(letters)]) } },
    own,
  ];
};
const names = (now) => {
  const owner = any(["", ...Object.keys(now.letters)]);
  const letters = { ...now.letters, [owner]: exchanged(now.letters[owner], two(Object.keys(now.letters[owner]))) };
  return [{ ...now, letters }, of((leaf) => (leaf.name ? leaf.owner : leaf.key?.owner) === owner)];
};
const methods = (now) => {
  const owner = any(Object.keys(now.methods));
  return [{ ...now, methods: { ...now.methods, [owner]: moved(now.methods[owner]) } }, []];
};
const numbered = of(({ text }) => text !== undefined);
const order = (now) => [{ ...now, texts: moved(now.texts) }, numbered];
const STEPS = [variables, variables, names, methods, order];

let best = fitting(script);
const first = writer(best);
for (const leaf of marked) leaf.out = first(leaf);
for (const piece of pieces)
  if (piece.methods) piece.byName = new Map(piece.methods.map((each) => [each.name, each.pieces]));
let least = sizeOf(best);
console.log(`${await sent(best)} bytes as it is`);
let tries = 0;
for (const until_ms = Date.now() + SECONDS * 1000; Date.now() < until_ms; tries++) {
  const [next, touched] = any(STEPS)(best);
  const before = touched.map((leaf) => leaf.out);
  const write = writer(next);
  for (const leaf of touched) leaf.out = write(leaf);
  const size = sizeOf(next);
  if (size <= least) {
    // Also what is as good: a way to what is better may lead over it.
    least = size;
    best = next;
  } else
    touched.forEach((leaf, index) => {
      leaf.out = before[index];
    });
}
/** Of the letters that change places in a function, those that it has. */
function own({ id, own }) {
  const now = best.variables[id] ?? {};
  const had = own.map(({ variable, inside }) => {
    const inner = inside.slice(0, inside.map((scope) => scope.id).indexOf(id));
    return inner.reduce((letter, scope) => best.variables[scope.id]?.[letter] ?? letter, variable);
  });
  const changed = [...new Set(had)].sort().filter((letter) => (now[letter] ?? letter) !== letter);
  return [id, Object.fromEntries(changed.map((letter) => [letter, now[letter]]))];
}

console.log(`${await sent(best)} bytes after ${tries} tries`);
const kept = movable.map(own).filter(([, letters]) => Object.keys(letters).length);
const found = { ...best, variables: Object.fromEntries(kept.sort()) };
await writeFile(ARRANGED, `${JSON.stringify(found, null, 1)}\n`);
