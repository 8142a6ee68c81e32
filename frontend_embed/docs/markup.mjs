/** Parts of the page: escaped text, code that can be copied, tabs. */
import { pieces } from "./marks.mjs";

export const escaped = (text) =>
  `${text}`.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

/** Prose as the elements' own comments have it: `code` in backticks. */
export const prose = (text) => escaped(text).replace(/`([^`]*)`/g, "<code>$1</code>");

const highlight = (code) =>
  pieces(code)
    .map(({ kind, text }) => (kind ? `<span class="${kind}">${escaped(text)}</span>` : escaped(text)))
    .join("");

/** Code in a box with a button that copies it. It is read as it stands: `label` says what it is. */
export const codeBox = (label, code, id = "") =>
  `<figure class="code"${id && ` id="${id}"`}><figcaption>${escaped(label)}<button type="button" class="copy" hidden>Copy</button></figcaption><pre tabindex="0" role="group" aria-label="${escaped(label)}"><code>${highlight(code.trimEnd())}</code></pre></figure>`;

/** Panels of which one is shown, where there is a script; all of them below each other, where there is none. */
export const tabs = (id, label, panels) =>
  `<div class="tabs" data-label="${escaped(label)}">${panels
    .map(
      ([name, content], index) =>
        `<section class="panel" id="${id}-${index}" aria-label="${escaped(name)}" data-name="${escaped(name)}">${content}</section>`,
    )
    .join("")}</div>`;
