/** The playground: a control for every custom property, what they do at once, and the CSS to take along. */
import { show } from "./code.ts";
import { radios, world } from "./page.ts";

type Theme = Record<string, string>;

const PRESETS: Record<string, Theme> = {
  none: {},
  ink: {
    "--scrip-color-text": "#1b1a17",
    "--scrip-color-muted": "#635d52",
    "--scrip-color-accent": "#2743c4",
    "--scrip-color-on-accent": "#ffffff",
    "--scrip-color-surface": "#fffdf8",
    "--scrip-color-border": "#dcd5c6",
    "--scrip-color-warning": "#a3330f",
    "--scrip-font": 'Georgia, "Liberation Serif", serif',
    "--scrip-radius": "0.25rem",
  },
  meadow: {
    "--scrip-color-text": "#12332a",
    "--scrip-color-muted": "#4d6a61",
    "--scrip-color-accent": "#0f766e",
    "--scrip-color-on-accent": "#ffffff",
    "--scrip-color-surface": "#f3faf6",
    "--scrip-color-border": "#cfe5da",
    "--scrip-color-negative": "#a3201f",
    "--scrip-color-warning": "#8a5300",
    "--scrip-radius": "1.25rem",
    "--scrip-space": "1.25rem",
    "--scrip-shadow": "0 1px 2px #0001, 0 8px 24px -12px #0004",
  },
  dusk: {
    "--scrip-color-text": "#f6f1ff",
    "--scrip-color-muted": "#cdbdf3",
    "--scrip-color-accent": "#ffb86b",
    "--scrip-color-on-accent": "#2a1a4f",
    "--scrip-color-surface": "#2a1a4f",
    "--scrip-color-border": "#4a3480",
    "--scrip-color-negative": "#ff9aa8",
    "--scrip-color-warning": "#ffd27a",
    "--scrip-radius": "1rem",
    "--scrip-shadow": "0 2px 4px #0002, 0 24px 48px -16px #0006",
  },
  terminal: {
    "--scrip-color-text": "#d5e4d3",
    "--scrip-color-muted": "#93a891",
    "--scrip-color-accent": "#7ee787",
    "--scrip-color-on-accent": "#0d1410",
    "--scrip-color-surface": "#0d1410",
    "--scrip-color-border": "#2b3a2e",
    "--scrip-color-negative": "#ff8f85",
    "--scrip-color-warning": "#e3b341",
    "--scrip-font": 'ui-monospace, Menlo, "Liberation Mono", monospace',
    "--scrip-radius": "0rem",
  },
};

const rules = (theme: Theme): string =>
  Object.entries(theme)
    .map(([name, value]) => `  ${name}: ${value};\n`)
    .join("");

/** A range takes numbers. */
const asField = (value: string): string => value.replace(/rem$/, "");

export function liven(): void {
  const root = document.querySelector(".playground") as HTMLElement;
  const frame = root.querySelector(".frame") as HTMLElement;
  const output = root.querySelector("#theme-output code") as HTMLElement;
  const fields = [...root.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input[data-property], select")];
  // A sheet of our own: an attribute `style` is what a strict policy forbids.
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  let theme: Theme = {};

  const apply = (): void => {
    sheet.replaceSync(`[data-theme] .frame {\n${rules(theme)}}`);
    const text = rules(theme);
    show(output, text ? `scrip-provider {\n${text}}` : "/* Nothing: all is your page’s. */");
    for (const field of fields) {
      const name = `${field.dataset["property"]}`;
      const value = theme[name];
      const row = field.closest(".field") as HTMLElement;
      row.classList.toggle("set", value !== undefined);
      const said = row.querySelector("output") as HTMLElement;
      said.textContent = value === undefined ? "unset" : field instanceof HTMLSelectElement ? "" : value;
      (row.querySelector(".unset") as HTMLButtonElement).disabled = value === undefined;
    }
  };
  const begin = (chosen: Theme): void => {
    theme = { ...chosen };
    for (const field of fields) {
      const value = theme[`${field.dataset["property"]}`];
      if (value !== undefined) field.value = asField(value);
      else if (field instanceof HTMLSelectElement) field.value = "";
    }
    apply();
  };

  for (const field of fields) {
    field.addEventListener("input", () => {
      const name = `${field.dataset["property"]}`;
      const value = field.type === "range" ? `${field.value}rem` : field.value;
      if (value) theme[name] = value;
      else delete theme[name];
      apply();
    });
  }
  for (const button of root.querySelectorAll<HTMLElement>(".unset")) {
    button.addEventListener("click", () => {
      const { [`${button.dataset["property"]}`]: _, ...rest } = theme;
      begin(rest);
      button.closest(".field")?.querySelector<HTMLElement>("input, select")?.focus();
    });
  }
  radios("preset", (name) => begin(PRESETS[name] ?? {}));

  const { provider } = world("many");
  for (const [tag, attributes] of Object.entries({
    "scrip-balance": { low: "10000" },
    "scrip-top-up": {},
    "scrip-usage": { "group-by": "feature", range: "P14D" },
  })) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries({ "credit-type": "ai", "heading-level": "3", ...attributes }))
      element.setAttribute(name, value);
    provider.append(element);
  }
  frame.replaceChildren(provider);
  apply();
}
