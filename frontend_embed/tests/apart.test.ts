import { describe, expect, it } from "vitest";
import { apart } from "../build_steps/apart.mjs";

/** What the array holds, and the code that is left. */
const sorted = (code: string, wanted: string[] = []): { all: string[]; code: string } => {
  const { code: rest, texts } = apart(code, wanted);
  return { all: texts, code: rest };
};

describe("what is taken out of the code", () => {
  it("templates, also within others, each once, with places for values in their order", () => {
    const { all, code } = sorted(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: code as a text
      'const a = html`<ul part="list">${b.map((c) => html`<li class="${c}">${c}</li>`)}</ul>${d ? html`<hr>` : html`<hr>`}`;',
    );
    expect(all).toEqual(["<hr>", "<li class=~>~", "<ul part=list>~</ul>~"]);
    expect(code).toBe("const a = html(2,b.map((c) => html(1,c,c)),d ? html(0) : html(0));");
  });

  it("style sheets, behind the templates", () => {
    const sheet = ":host{color:red}";
    const { all, code } = sorted(`const css = ${JSON.stringify(sheet)}, other = "red", b = html\`<b>\${other}</b>\`;`, [
      sheet,
    ]);
    expect(all).toEqual(["<b>~", sheet]);
    expect(code).toBe('const css = $[1], other = "red", b = html(0,other);');
  });

  it("style sheets without their names where these are read once", () => {
    const { code } = sorted('var a = ":host{}"; var b = "p{}"; f(a + b, b);', [":host{}", "p{}"]);
    expect(code).toBe(" var b = $[1]; f($[0] + b, b);");
  });

  it("what the sources do where nothing is taken out", () => {
    expect(sorted("const a = (s) => $ ? $[s] : s.join();").code).toBe("const a = (s) => $[s];");
  });
});

it("texts of a language are found by their places, whatever holds them; nothing else is", () => {
  const names = ["retry", "low"];
  const { code } = apart(
    "this.texts.low + texts.retry + texts2.low + texts.length + texts[name] + data.low",
    [],
    names,
  );
  expect(code).toBe("this.texts[1] + texts[0] + texts2[1] + texts.length + texts[name] + data.low");
});

it("a name that becomes a letter may not be in quotes too, where it would stay as it is", () => {
  expect(() => sorted('const is = "css" in element;')).toThrow("css");
});

describe("templates", () => {
  it("lose quotes around one word, indentation, and tags that close at the end; no others", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: code as a text
    const { all } = sorted('html`<p class="a b" lang="${x}">\n    <b part="c">${x}</b> and</p></div>`');
    expect(all).toEqual(['<p class="a b" lang=~> <b part=c>~</b> and']);
  });

  it("have their classes shortened as the sheets have, but for those that the code puts together", () => {
    const sheet = ".row,.row>.far{top:.5em}.long .c1{left:0}li.far:hover{top:0}";
    const { all } = sorted(
      `${JSON.stringify(sheet)}; html\`<p class="row far \${kind + "long"}"><i class="row"></i><b class="c\${1}">far row</b></p>\``,
      [sheet],
    );
    expect(all[1]).toBe(".a,.a>.b{top:.5em}.long .c1{left:0}li.b:hover{top:0}");
    expect(all[0]).toBe('<p class="a b ~"><i class=a></i><b class=c~>far row');
  });

  it("that use the letter between texts are refused", () => {
    expect(() => sorted("html`<p>a|b</p>`")).toThrow("a|b");
  });

  it("have no more classes than there are letters", () => {
    const names = [..."abcdefghijklmnopqrstuvwxyzä"].map((_, index) => `.class${"x".repeat(index)}`);
    const sheet = `${names.join()}{top:0}`;
    expect(() => sorted(JSON.stringify(sheet), [sheet])).toThrow("more classes than letters");
    expect(() => sorted(JSON.stringify(sheet.slice(7)), [sheet.slice(7)])).not.toThrow();
  });
});
