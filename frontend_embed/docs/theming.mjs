/** The controls of the playground: one for each custom property that any element reads. */
import { codeBox, escaped } from "./markup.mjs";

/** What a control begins with when it is first touched; a property that has none here is a colour. */
const SIZES = { "--scrip-radius": [0, 2, 0.125, 0.75], "--scrip-space": [0.5, 2.5, 0.125, 1] };
const CHOICES = {
  "--scrip-font": [
    ["The page’s", ""],
    ["Serif", 'Georgia, "Liberation Serif", serif'],
    ["Rounded", 'ui-rounded, "Hiragino Maru Gothic ProN", Quicksand, sans-serif'],
    ["Monospace", 'ui-monospace, Menlo, "Liberation Mono", monospace'],
  ],
  "--scrip-shadow": [
    ["None", ""],
    ["Soft", "0 1px 2px #0001, 0 8px 24px -12px #0004"],
    ["Lifted", "0 2px 4px #0002, 0 24px 48px -16px #0006"],
  ],
};
const COLORS = {
  text: "#1c1f26",
  muted: "#5b6270",
  accent: "#3451d1",
  "on-accent": "#ffffff",
  surface: "#ffffff",
  border: "#d9dce3",
  negative: "#b4232c",
  warning: "#a15c00",
};
const PRESETS = ["None", "Ink", "Meadow", "Dusk", "Terminal"];

function control(name, id) {
  if (SIZES[name]) {
    const [min, max, step, value] = SIZES[name];
    return `<input type="range" id="${id}" data-property="${name}" min="${min}" max="${max}" step="${step}" value="${value}">`;
  }
  if (CHOICES[name])
    return `<select id="${id}" data-property="${name}">${CHOICES[name].map(([label, value]) => `<option value="${escaped(value)}">${label}</option>`).join("")}</select>`;
  return `<input type="color" id="${id}" data-property="${name}" value="${COLORS[name.slice(14)] ?? "#000000"}">`;
}

const field = ({ name, description }) => {
  const id = `theme${name.slice(7)}`;
  return `<div class="field"><label for="${id}">${name.slice(8)}</label>${control(name, id)}<output for="${id}">unset</output><button type="button" class="unset" data-property="${name}" aria-label="Unset ${name.slice(8)}" disabled>×</button></div>`.replace(
    "<label ",
    `<label title="${escaped(description)}" `,
  );
};

/** Colours, then the rest, each as it was met; what goes on the accent comes after it. */
const inOrder = (properties) => {
  const rank = ({ name }) => [name.includes("color") ? 0 : 1, name.replace("on-accent", "accent2")].join();
  const known = ["text", "muted", "accent", "accent2", "surface", "border", "negative", "warning"];
  const place = (each) => known.indexOf(rank(each).slice("0,--scrip-color-".length)) + 1 || known.length + 1;
  return [...properties.values()].sort((a, b) => place(a) - place(b));
};

export function theme(elements) {
  const properties = new Map(elements.flatMap(({ cssProperties }) => cssProperties).map((each) => [each.name, each]));
  const presets = PRESETS.map(
    (name, index) =>
      `<label><input type="radio" name="preset" value="${name.toLowerCase()}"${index ? "" : " checked"}><span>${name}</span></label>`,
  ).join("");
  return `<div class="playground"><form class="controls" aria-label="Theme"><fieldset class="choice"><legend class="unseen">Begin with</legend>${presets}</fieldset><div class="fields">${inOrder(properties).map(field).join("")}</div></form><div class="stage" data-theme><div class="view"><div class="frame"><p class="needs-script">The playground is live: it needs JavaScript.</p></div></div></div>${codeBox("Your theme", "/* Nothing: all is your page’s. */", "theme-output")}</div>`;
}
