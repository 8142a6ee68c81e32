/** The press: what is chosen, what it costs and leaves, and what comes of pressing. */
import { $, ask, credits, number, once, tag } from "./backend.js";
import { hash, make, pull } from "./print.js";

const RACK_PLACES = 4;
const DOUBLE_CLICK_MS = 500;
const SHEETS = { poster: "posters", postcard: "postcards" };
const PLATES = { two: "2", three: "3" };

const form = $("press");
const receipt = $("receipt");
const gate = $("gate");
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

let prices = {};
let available = "0";
let onBed = { scene: $("scene").value, inks: "three", sheet: "poster", seed: 11, palette: 0 };
let isBusy = false;

const chosen = () => ({ sheet: form.elements.sheet.value, inks: form.elements.inks.value });

// ─── prices, before and after ────────────────────────────────────────────────────────────────────
function showPrices() {
  const { sheet, inks } = chosen();
  const print = prices[`${sheet}-${inks}`];
  const of = { ...prices, print };
  for (const place of document.querySelectorAll("[data-price]")) {
    const price = of[place.dataset.price];
    place.textContent = price ? credits(price.cost) : "";
  }
  if (!print) return;
  const isEnough = !print.after.startsWith("-");
  $("leaves").textContent = isEnough ? `Leaves ${credits(print.after)}` : "\u00a0";
  if (!isEnough) $("short").textContent = `It takes ${number(print.cost)}; ${left(available)} left.`;
}

let isPricing = false;
let isPricedAgain = false;
export async function readPrices() {
  isPricedAgain = isPricing;
  if (isPricing) return;
  isPricing = true;
  try {
    ({ prices, available } = await ask("prices"));
    showPrices();
  } catch {
    // The next change asks again.
  }
  isPricing = false;
  if (isPricedAgain) readPrices();
}

form.addEventListener("change", () => {
  const { sheet, inks } = chosen();
  gate.setAttribute("feature", SHEETS[sheet]);
  gate.setAttribute("quantity", PLATES[inks]);
  showPrices();
});

// ─── pressing ────────────────────────────────────────────────────────────────────────────────────
function lay(print) {
  onBed.palette = print.palette;
  $("sheet").replaceChildren(print.svg);
  $("sheet").classList.toggle("large", Boolean(onBed.isLarge));
  $("sheet").setAttribute("aria-label", `Print: ${onBed.scene}`);
  const circles = print.inks.map(([, fill], index) =>
    make("circle", { class: "plate", cx: 8 + index * 10, cy: 8, r: 7, fill }),
  );
  $("inks").replaceChildren(make("svg", { width: 40, height: 16 }, ...circles));
  $("caption").textContent = onBed.isLarge ? "A2, 420 × 594 mm" : print.inks.map(([name]) => name).join(", ");
}

/** One pass through the press for each ink. */
function roll({ plates }) {
  if (isCalm.matches) return;
  plates.forEach((plate, index) => {
    const timing = { duration: 420, delay: index * 260, easing: "cubic-bezier(.2,.7,.2,1)", fill: "backwards" };
    plate.animate([{ opacity: 0 }, {}], timing);
  });
}

export function say(...content) {
  receipt.className = "receipt";
  receipt.replaceChildren(...content);
}

function sayCost({ cost, after, feature, quantity, unit, perUnit }) {
  const line = `${number(quantity)} ${unit} at ${perUnit}. ${credits(after)} left.`;
  say(tag("strong", `−${credits(cost)}`), ` for ${feature.toLowerCase()}`, tag("br"), line);
}

const isNone = (amount) => amount.startsWith("-") || amount === "0";
const left = (amount) => (isNone(amount) ? "none are" : `${number(amount)} ${amount === "1" ? "is" : "are"}`);

function sayDry({ needed, available }) {
  const words = tag("p");
  words.append(tag("strong", "Not enough credits"), `This takes ${number(needed)}; ${left(available)} left.`);
  const buy = tag("a", "Buy credits", "small");
  buy.href = "/demo/billing#buy";
  buy.dataset.view = "";
  receipt.className = "receipt dry";
  receipt.replaceChildren(words, buy);
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
  await isOver;
  isBusy = false;
  form.removeAttribute("aria-busy");
}

async function spend(body, next) {
  const answer = await once("generate", body);
  if (answer.refused) return sayDry(answer.refused);
  if (answer.ideas) offer(answer.ideas);
  if (next) {
    const before = onBed;
    onBed = { ...onBed, isLarge: false, ...next };
    const print = pull(onBed);
    lay(print);
    roll(print);
    if (body.action === "print") hang({ ...before, by: "You" });
  }
  sayCost(answer);
}

function offer(ideas) {
  const items = ideas.map((idea) => {
    const button = tag("button", idea);
    button.type = "button";
    const item = tag("li");
    item.append(button);
    return item;
  });
  $("scenes").replaceChildren(...items);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const scene = $("scene").value.trim();
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  busy(() => spend({ action: "print", scene, ...chosen() }, { scene, seed, palette: undefined, ...chosen() }));
});
const ACTS = {
  ideas: () => undefined,
  proof: () => ({ palette: onBed.palette + 1 }),
  enlarge: () => ({ isLarge: true }),
};
for (const button of document.querySelectorAll("[data-action]")) {
  const { action } = button.dataset;
  button.addEventListener("click", () => busy(() => spend({ action }, ACTS[action]())));
}
$("scenes").addEventListener("click", ({ target }) => {
  if (target.closest("button")) $("scene").value = target.textContent;
});

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

const DID = {
  proofs: () => "tried other inks",
  ideas: () => "looked for ideas",
  enlargements: () => "enlarged a print",
  posters: (inks) => `pulled a poster, ${inks} inks`,
  postcards: (inks) => `pulled a postcard, ${inks} inks`,
};

function sentence({ kind, who, what, inks }) {
  const name = tag("b", who);
  if (kind === "GRANT") return [tag("b", "Credits"), " added"];
  if (kind === "EXPIRE") return [tag("b", "Credits"), " expired"];
  return [name, ` ${DID[what]?.(inks) ?? "used up credits"}`];
}

function row(entry) {
  const line = tag("span");
  line.append(...sentence(entry));
  const item = tag("li");
  const isIn = !entry.amount.startsWith("-");
  const amount = tag("data", `${isIn ? "+" : ""}${number(entry.amount)}`, isIn ? "in" : "");
  amount.value = entry.amount;
  item.append(line, amount);
  return item;
}

export async function readActivity() {
  if (isReading || document.hidden) return;
  isReading = true;
  try {
    const { entries } = await ask("activity");
    const isFirst = !known.size;
    const fresh = entries.filter(({ id }) => !known.has(id));
    known = new Set(entries.map(({ id }) => id));
    $("activity").replaceChildren(...entries.map(row));
    if (isFirst) return;
    for (const { id, who, isYours, scene, inks } of fresh.reverse()) {
      if (!isYours && scene) hang({ scene, inks, seed: hash(id), by: who });
    }
    if (isCalm.matches) return;
    for (const item of [...$("activity").children].slice(0, fresh.length)) item.animate([{ opacity: 0.2 }, {}], 700);
  } catch {
    // The next change asks again.
  } finally {
    isReading = false;
  }
}

lay(pull(onBed));
showRack();
