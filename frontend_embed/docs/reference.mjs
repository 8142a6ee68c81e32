/** An element's own description as a reader wants it: every name with its type and what it means. */
import { codeBox, escaped, prose } from "./markup.mjs";
import { GALLERY, key } from "./states.mjs";

/** What every element with a card has is said once. */
const LISTS = [
  ["Attributes", "attributes"],
  ["Properties", "members"],
  ["Events", "events"],
  ["Slots", "slots"],
  ["Parts", "cssParts"],
  ["Custom properties", "cssProperties"],
];
const NOTES = { cssParts: "<p>Styled from outside by <code>::part(name)</code>.</p>" };

const typeOf = ({ type }) =>
  type ? ` <span class="type">${escaped(type.text.replace(/^CustomEvent<(.*)>$/, "$1"))}</span>` : "";
const item = (each) =>
  `<div><dt><code>${escaped(each.name || "(default)")}</code>${typeOf(each)}</dt><dd>${prose(each.description)}</dd></div>`;

function list(tag, [title, field], entries) {
  if (!entries.length) return "";
  return `<details class="names" id="${tag}-${field}"><summary>${title} <span class="count">${entries.length}</span></summary>${NOTES[field] ?? ""}<dl>${entries.map(item).join("")}</dl></details>`;
}

/** One state in one line of markup, and in as many as it needs. */
function written(tag, { attributes = "", content = "" }) {
  const start = `<${[tag, key(tag), attributes].filter(Boolean).join(" ")}>`;
  const parts = content.match(/<(\w+)[\s\S]*?<\/\1>/g) ?? [];
  return parts.length ? `${start}\n${parts.map((part) => `  ${part}\n`).join("")}</${tag}>` : `${start}</${tag}>`;
}

/** Each state waits in a template, so nothing has to be parsed; headings inside are below that of the element. */
function stage(tag) {
  const states = GALLERY[tag];
  if (!states) return "";
  const choices = states.map(
    (state, index) =>
      `<label><input type="radio" name="${tag}-state" value="${index}" data-state="${state.state}" data-written="${escaped(written(tag, state))}"${index ? "" : " checked"}><span>${escaped(state.label)}</span></label>`,
  );
  const templates = states.map(
    ({ attributes = "", content = "" }) =>
      `<template><${tag} ${key(tag)} ${attributes} heading-level="4">${content}</${tag}></template>`,
  );
  return `<div class="stage" data-tag="${tag}"><fieldset class="choice states"><legend class="unseen">State of ${tag}</legend>${choices.join("")}</fieldset>${templates.join("")}<div class="view"><div class="frame"><p class="needs-script">The gallery is live: it needs JavaScript.</p></div></div>${codeBox("Markup", written(tag, states[0]))}</div>`;
}

export function element({ tagName: tag, summary, description, ...described }) {
  return `<section class="element" id="${tag}"><h3><a href="#${tag}">&lt;${tag}&gt;</a> <span>${prose(summary.replace(/\.$/, ""))}</span></h3><p>${prose(description)}</p>${stage(tag)}<div class="lists">${LISTS.map((each) => list(tag, each, described[each[1]] ?? [])).join("")}</div></section>`;
}
