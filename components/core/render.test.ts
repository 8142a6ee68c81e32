import { describe, expect, it, vi } from "vitest";
import { html, render, type Template } from "./render.ts";

const host = (): HTMLElement => document.createElement("div");
/** What a reader of the page's source would see, without the places that are kept for values. */
const shown = (root: Element): string => root.innerHTML.replace(/<!--.*?-->/g, "");

describe("a value as a child", () => {
  it.each<[string, unknown, string]>([
    ["a text", "a", "a"],
    ["a number, also nought", 0, "0"],
    ["nothing", undefined, ""],
    ["null", null, ""],
    ["what is not so", false, ""],
    ["markup, which stays a text", "<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"],
    ["a template", html`<b>${"a"}</b>`, "<b>a</b>"],
    ["a list of all of them", ["a", html`<i>b</i>`, ["c", null], 1], "a<i>b</i>c1"],
    ["a node", Object.assign(document.createElement("hr"), { id: "n" }), '<hr id="n">'],
  ])("%s", (_, value, written) => {
    const root = host();
    render(html`<p>${value}!</p>`, root);
    expect(shown(root)).toBe(`<p>${written}!</p>`);
  });

  it("what somebody has put on a prototype makes no template of it (X8)", () => {
    Object.defineProperty(Object.prototype, "strings", { value: ["<img src=x>"], configurable: true });
    try {
      for (const value of ["a", 1, { values: [] }, { strings: ["<img src=x>"], values: [] }]) {
        const root = host();
        render(html`<p>${value}</p>`, root);
        expect(shown(root)).toBe(`<p>${value}</p>`);
      }
    } finally {
      Reflect.deleteProperty(Object.prototype, "strings");
    }
  });

  it("gives way to whatever comes next, in every order", () => {
    const node = document.createElement("hr");
    const values = ["a", ["b", "c", "d"], html`<b>1</b>`, node, ["e"], [], html`<i>${"2"}</i>`, null, "f"];
    const written = ["a", "bcd", "<b>1</b>", "<hr>", "e", "", "<i>2</i>", "", "f"];
    for (const first of values.keys()) {
      for (const second of values.keys()) {
        const root = host();
        for (const index of [first, second]) {
          render(html`<p>(${values[index]})</p>`, root);
          expect(shown(root)).toBe(`<p>(${written[index]})</p>`);
        }
      }
    }
  });

  it("a list grows, shrinks and grows again", () => {
    const root = host();
    for (const letters of ["abc", "a", "", "abcd", "xy"]) {
      render(html`<ul>${[...letters].map((letter) => html`<li>${letter}</li>`)}</ul>`, root);
      expect(root.textContent).toBe(letters);
    }
  });
});

describe("what has not changed", () => {
  const draw = (root: HTMLElement, letter: string): void => render(html`<p class="a ${letter}">${letter}</p>`, root);

  it("is the same node, so focus and what somebody writes stay", () => {
    const root = host();
    draw(root, "a");
    const before = root.firstElementChild;
    draw(root, "b");
    expect(root.firstElementChild).toBe(before);
    expect(shown(root)).toBe('<p class="a b">b</p>');
  });

  it("is not touched", async () => {
    const root = host();
    draw(root, "a");
    const seen = vi.fn();
    const observer = new MutationObserver(seen);
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    draw(root, "a");
    await Promise.resolve();
    expect(seen).not.toHaveBeenCalled();
    observer.disconnect();
  });
});

describe("a value as an attribute", () => {
  it("is the whole, or parts of it", () => {
    const root = host();
    render(html`<p id=${"a"} class="${1} b ${undefined} c" aria-busy=${false}></p>`, root);
    expect(shown(root)).toBe('<p id="a" class="1 b  c" aria-busy="false"></p>');
  });

  it("can't end the attribute", () => {
    const root = host();
    render(html`<p title=${'"><b>'}></p>`, root);
    expect(root.firstElementChild?.getAttribute("title")).toBe('"><b>');
    expect(root.querySelector("b")).toBeNull();
  });

  it("is there or not, with a question mark", () => {
    const root = host();
    for (const isOff of [true, false, true]) {
      render(html`<button ?disabled=${isOff}></button>`, root);
      expect(root.querySelector("button")?.disabled).toBe(isOff);
    }
  });

  it("listens, with the newest of the listeners alone", () => {
    const root = host();
    const heard: string[] = [];
    for (const name of ["first", "second"]) render(html`<button @click=${() => heard.push(name)}></button>`, root);
    root.querySelector("button")?.click();
    expect(heard).toEqual(["second"]);
  });
});

it("what stands within an svg is drawn", () => {
  const root = host();
  const bar = (width: number): Template => html`<rect width=${width} />`;
  render(html`<svg viewBox="0 0 ${2} 1">${[1, 2].map(bar)}</svg>`, root);
  expect([...root.querySelectorAll("rect")].every((rect) => rect instanceof SVGRectElement)).toBe(true);
  expect(root.querySelector("svg")?.viewBox.baseVal.width).toBe(2);
});

it("two places draw on their own", () => {
  const [one, other] = [host(), host()];
  const draw = (root: HTMLElement, text: string): void => render(html`<p>${text}</p>`, root);
  draw(one, "a");
  draw(other, "b");
  draw(one, "c");
  expect([one.textContent, other.textContent]).toEqual(["c", "b"]);
});
