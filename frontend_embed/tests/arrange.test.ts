import { describe, expect, it } from "vitest";
import { fitting, piecesOf, TEXTS_FROM, withOwners, written } from "../build_steps/arrange.mjs";

const nothing = { texts: [], methods: {}, letters: {}, variables: {} };
const code = `
const x = (t) => $[t];
class Counter { #count = 0; #step = 1; c = ${TEXTS_FROM + 1};
  static of(e) { const t = new Counter(); t.#step = e; return t; }
  #add(t) { this.#count += t * this.#step; return this; }
  twice(e) { return [1, 2].map((t) => this.#add(e + t).#count); }
  get said() { const { c: t, ...e } = this; return x(t) + x(${TEXTS_FROM}) + Object.keys(e); } }
const { said: e } = { said: (t, { a = t } = {}) => [t, a] };
return [Counter.of(3).twice(2), new Counter().said, e(1), e(1, { a: 2 })];`;
const texts = ["one", "two"];
// As the build has it: names that are ours have got letters, what is private still says whose it is.
const script = () => ({
  ...piecesOf(withOwners(`(()=>{${code}})()`), { total: "c" }, texts),
  texts,
  ours: { total: "c" },
});
const run = (text: string): unknown => new Function(text.replace(";(", ";return ("))();

describe("a script that is arranged", () => {
  const plain = written(script(), fitting(script(), nothing));

  it("does what it did, its private names private again", () => {
    expect(run(plain)).toEqual(
      new Function("$", code.replaceAll(`${TEXTS_FROM + 1}`, "1").replaceAll(`${TEXTS_FROM}`, "0"))(texts),
    );
    expect(plain).toMatch(/#t = 0;#e = 1.*static of.*get said/s);
  });

  it("does what it did however it is arranged, with methods and texts in their places and letters as they were found", () => {
    const { texts: order, ...rest } = fitting(script(), nothing);
    const ids = script().scopes.map(({ id }: { id: string }) => id);
    const found = {
      ...rest,
      texts: order.toReversed(),
      methods: { Counter: ["said", "twice", "add", "of"] },
      letters: { Counter: { count: "e", step: "t", add: "i" }, "": { total: "c" } },
      variables: Object.fromEntries(ids.map((id: string) => [id, { t: "e", e: "t" }])),
    };
    const other = written(script(), fitting(script(), found));
    expect(other).not.toBe(plain);
    expect(other).toMatch(/two\|one.*#e = 0;#t = 1.*get said.*twice.*static of/s);
    expect(run(other)).toEqual(run(plain));
  });

  it("takes nothing that does not hold any more", () => {
    const ids = script().scopes.map(({ id }: { id: string }) => id);
    const found = {
      texts: ["gone"],
      methods: { Counter: ["gone"], Gone: ["x"] },
      letters: { Counter: { count: "not a letter", gone: "t" }, Gone: {} },
      // One letter for two, and letters that mean something around it.
      variables: Object.fromEntries(ids.flatMap((id: string) => [[id, { t: "i", e: "i" }]])),
    };
    expect(written(script(), fitting(script(), found))).toBe(plain);
    const captured = Object.fromEntries(ids.map((id: string) => [id, { t: "x", x: "t" }]));
    expect(run(written(script(), fitting(script(), { ...nothing, variables: captured })))).toEqual(run(plain));
  });
});
