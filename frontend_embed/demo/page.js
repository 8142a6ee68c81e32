/** The page of a made-up product. It speaks with its own backend; the balance in it is the embed's own affair. */
import { hash, make, pull } from "./print.js";

const ACTIVITY_ROWS = 6;
const RACK_PLACES = 4;
const LOW = 40;
const DOUBLE_CLICK_MS = 500;

const $ = (id) => document.getElementById(id);
const form = $("press");
const receipt = $("receipt");
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

function tag(name, text = "", className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Amounts stay decimal text, which Intl groups without rounding it through a float. */
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
const credits = (amount) => `${number.format(amount)} ${amount === "1" ? "credit" : "credits"}`;

// ─── the page's own backend ──────────────────────────────────────────────────────────────────────
async function ask(path, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/demo/${path}`, { ...(body && post), signal: AbortSignal.timeout(15_000) });
  if (!response.ok) throw new Error(`/demo/${path} answered ${response.status}`);
  return response.json();
}

/** A key is kept until its request is answered: who presses again after a lost answer is not charged twice. */
const keys = new Map();
async function once(path, body) {
  const wish = JSON.stringify([path, body]);
  const key = keys.get(wish) ?? `page-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  keys.set(wish, key);
  const answer = await ask(path, { ...body, key });
  keys.delete(wish);
  return answer;
}

// ─── the press ───────────────────────────────────────────────────────────────────────────────────
let prices = {};
let onBed = { scene: $("scene").value, inks: "three", sheet: "poster", seed: 11, palette: 0 };
let isBusy = false;

const chosen = () => ({ sheet: form.elements.sheet.value, inks: form.elements.inks.value });

function showPrices() {
  const { sheet, inks } = chosen();
  const price = prices[`${sheet}-${inks}`];
  $("price").textContent = price ? credits(price) : "";
  $("proof-price").textContent = prices.proof ? credits(prices.proof) : "";
}

function lay(print) {
  onBed.palette = print.palette;
  $("sheet").replaceChildren(print.svg);
  $("sheet").setAttribute("aria-label", `Print: ${onBed.scene}`);
  const circles = print.inks.map(([, fill], index) =>
    make("circle", { class: "plate", cx: 8 + index * 10, cy: 8, r: 7, fill }),
  );
  $("inks").replaceChildren(make("svg", { width: 40, height: 16 }, ...circles));
  $("caption").textContent = print.inks.map(([name]) => name).join(", ");
}

/** One pass through the press for each ink. */
function roll({ plates }) {
  if (isCalm.matches) return;
  plates.forEach((plate, index) => {
    const timing = { duration: 420, delay: index * 260, easing: "cubic-bezier(.2,.7,.2,1)", fill: "backwards" };
    plate.animate([{ opacity: 0 }, {}], timing);
  });
}

function say(...content) {
  receipt.className = "receipt";
  receipt.replaceChildren(...content);
}

function sayCost({ cost, feature, quantity, unit, perUnit, cohort, version }) {
  const line = `${number.format(quantity)} ${unit} at ${perUnit}, rate card ${cohort} v${version}`;
  say(tag("strong", `−${credits(cost)}`), ` for ${feature.toLowerCase()}`, tag("br"), line);
}

function sayDry({ needed, available }) {
  const words = tag("p");
  const left =
    available.startsWith("-") || available === "0"
      ? "none are"
      : `${number.format(available)} ${available === "1" ? "is" : "are"}`;
  words.append(tag("strong", "Out of credits"), `This takes ${number.format(needed)}; ${left} left.`);
  const refill = tag("button", "Refill ", "small");
  refill.type = "button";
  refill.append(tag("span", "demo", "tag"));
  refill.addEventListener("click", () => setLevel("full"));
  receipt.className = "receipt dry";
  receipt.replaceChildren(words, refill);
}

/** One thing at a time: a second press while the first is under way, or by the same double click, does nothing. */
async function busy(work) {
  if (isBusy) return;
  isBusy = true;
  const isOver = new Promise((resolve) => setTimeout(resolve, DOUBLE_CLICK_MS));
  form.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch {
    say("The press did not answer. Press again: you will not be charged twice.");
  }
  showActivity();
  await isOver;
  isBusy = false;
  form.removeAttribute("aria-busy");
}

async function spend(body, next) {
  const answer = await once("generate", body);
  if (answer.refused) return sayDry(answer.refused);
  const before = onBed;
  onBed = { ...onBed, ...next };
  const print = pull(onBed);
  lay(print);
  roll(print);
  if (body.action === "print") hang({ ...before, by: "You" });
  sayCost(answer);
}

const setLevel = (level) =>
  busy(async () => {
    const { granted, burned } = await once("level", { level });
    if (granted)
      say(tag("strong", `+${credits(granted)}`), tag("br"), "Granted for the demo; they expire within three days.");
    else if (burned) say(tag("strong", `−${credits(burned)}`), tag("br"), "Burned for the demo. Now pull a print.");
    else say("Nothing to do: the balance is there already.");
  });

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const scene = $("scene").value.trim();
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  busy(() => spend({ action: "print", scene, ...chosen() }, { scene, seed, palette: undefined, ...chosen() }));
});
$("proof").addEventListener("click", () =>
  busy(() => spend({ action: "proof", scene: onBed.scene }, { palette: onBed.palette + 1 })),
);
form.addEventListener("change", showPrices);
for (const idea of form.querySelectorAll(".ideas button")) {
  idea.addEventListener("click", () => {
    $("scene").value = idea.textContent;
  });
}
for (const button of document.querySelectorAll("[data-level]")) {
  button.addEventListener("click", () => setLevel(button.dataset.level));
}
$("refill").addEventListener("click", () => setLevel("full"));

// ─── the drying rack ─────────────────────────────────────────────────────────────────────────────
const rack = [
  { scene: "Night market, paper moons", seed: 5, inks: "three", by: "Ines" },
  { scene: "Hills after rain", seed: 3, inks: "two", by: "Teo" },
  { scene: "Orange grove in winter", seed: 8, inks: "three", by: "Maren" },
  { scene: "Study in quarter circles", seed: 21, inks: "three", by: "Ines" },
];

function showRack() {
  // The same places with other prints on them: nothing moves.
  const places = rack.slice(0, RACK_PLACES).map((order) => {
    const place = tag("span");
    place.append(pull(order).svg);
    const item = tag("li");
    item.title = order.scene;
    const caption = tag("span", order.by);
    caption.append(tag("span", `: ${order.scene}`));
    item.append(place, caption);
    return item;
  });
  $("rack").replaceChildren(...places);
}

function hang(order) {
  rack.unshift(order);
  rack.length = RACK_PLACES;
  showRack();
}

// ─── what the others do ──────────────────────────────────────────────────────────────────────────
let known = new Set();
let isReading = false;

function sentence({ kind, who, what, sheet, inks }) {
  const name = tag("b", who);
  if (kind !== "BURN") return [name, kind === "GRANT" ? " granted credits" : " expired"];
  if (what === "proof") return [name, " tried other inks"];
  if (what === "print") return [name, ` pulled a ${sheet}, ${inks} inks`];
  return [name, " spent the rest"];
}

function row(entry) {
  const line = tag("span");
  line.append(...sentence(entry));
  const item = tag("li");
  const isIn = !entry.amount.startsWith("-");
  const amount = tag("data", `${isIn ? "+" : "−"}${number.format(entry.amount.replace("-", ""))}`, isIn ? "in" : "");
  amount.value = entry.amount;
  item.append(line, amount);
  return item;
}

async function showActivity() {
  if (isReading || document.hidden) return;
  isReading = true;
  try {
    const { entries } = await ask("activity");
    const isFirst = !known.size;
    const fresh = entries.filter(({ id }) => !known.has(id));
    known = new Set(entries.map(({ id }) => id));
    $("activity").replaceChildren(...entries.slice(0, ACTIVITY_ROWS).map(row));
    if (isFirst) return;
    for (const { id, what, who, isYours, scene, inks } of fresh.reverse()) {
      if (what === "print" && !isYours && scene) hang({ scene, inks, seed: hash(id), by: who });
    }
    if (isCalm.matches) return;
    for (const item of [...$("activity").children].slice(0, fresh.length)) item.animate([{ opacity: 0.2 }, {}], 700);
  } catch {
    // The next change asks again.
  } finally {
    isReading = false;
  }
}

$("balance").addEventListener("scrip-balance-change", ({ detail }) => {
  $("refill").hidden = Number(detail.available) >= LOW;
  showActivity();
});
$("balance").addEventListener("scrip-balance-low", () => {
  $("refill").hidden = false;
});
document.addEventListener("visibilitychange", showActivity);

lay(pull(onBed));
showRack();
showActivity();
ask("prices").then((answer) => {
  prices = answer.prices;
  showPrices();
}, showPrices);
