/** Code in boxes: it names this server, it can be copied, and panels of it are tabs. */
import { pieces } from "./marks.mjs";

const EXAMPLE = "https://credits.example.com";

/** Puts other code into a box. */
export function show(code: HTMLElement, text: string): void {
  code.replaceChildren(
    ...pieces(text).map(({ kind, text }) =>
      kind ? Object.assign(document.createElement("span"), { className: kind, textContent: text }) : text,
    ),
  );
}

/** Where the page itself came from is where the scripts come from. */
function nameThisServer(): void {
  const sockets = location.origin.replace("http", "ws");
  for (const code of document.querySelectorAll(".code code")) {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      node.nodeValue = `${node.nodeValue}`
        .replaceAll(EXAMPLE.replace("http", "ws"), sockets)
        .replaceAll(EXAMPLE, location.origin);
    }
  }
}

async function copy(box: Element, button: HTMLElement): Promise<void> {
  const code = box.querySelector("code") as HTMLElement;
  const told = document.querySelector("#told") as HTMLElement;
  try {
    await navigator.clipboard.writeText(`${code.textContent}\n`);
    button.textContent = told.textContent = "Copied";
  } catch {
    // No clipboard where the page is not secure: the next best thing is one keystroke away.
    getSelection()?.selectAllChildren(code);
    button.textContent = told.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
    told.textContent = "";
  }, 2_000);
}

/** Tabs as everybody knows them: arrow keys, Home and End; the panels stay where they are. */
function tabs(group: HTMLElement): void {
  const panels = [...group.querySelectorAll<HTMLElement>(":scope > .panel")];
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", `${group.dataset["label"]}`);
  const buttons = panels.map((panel) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = `${panel.dataset["name"]}`;
    tab.id = `${panel.id}-tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.removeAttribute("aria-label");
    return tab;
  });
  const choose = (chosen: number): void => {
    for (const [index, tab] of buttons.entries()) {
      tab.setAttribute("aria-selected", `${index === chosen}`);
      tab.tabIndex = index === chosen ? 0 : -1;
      (panels[index] as HTMLElement).hidden = index !== chosen;
    }
  };
  for (const [index, tab] of buttons.entries()) {
    tab.addEventListener("click", () => choose(index));
    tab.addEventListener("keydown", (event) => {
      const last = buttons.length - 1;
      const step = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: last }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = (step + buttons.length) % buttons.length;
      choose(next);
      buttons[next]?.focus();
    });
  }
  list.append(...buttons);
  group.prepend(list);
  choose(0);
}

export function liven(): void {
  nameThisServer();
  for (const group of document.querySelectorAll<HTMLElement>(".tabs")) tabs(group);
  for (const box of document.querySelectorAll(".code")) {
    const button = box.querySelector<HTMLElement>(".copy");
    button?.addEventListener("click", () => copy(box, button));
  }
}
