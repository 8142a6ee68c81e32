/** For developers: which elements are on the page, what they say, and buttons that no product would have. */
import { $, ask, credits, once, tag } from "./backend.js";
import { viewShown, whenShown } from "./views.js";

const EVENTS_KEPT = 20;
const SAYS = {
  "scrip-balance": "What can be spent, live, and what of it expires next.",
  "scrip-gate": "Shows the button while its print may be made, and a way to buy while not. Opens by itself.",
  "scrip-top-up": "Sells bundles. The payment page opens beside; the credits arrive without a reload.",
  "scrip-recharge": "The rule that buys by itself, and the card it charges.",
  "scrip-runway": "How long the credits last at this pace.",
  "scrip-usage": "Thirty days by feature or member, as a chart and as a table.",
  "scrip-expirations": "What ends when, and how much of it will probably be lost.",
  "scrip-ledger": "Each entry with its price, what it was drawn from, and “This is not mine”.",
};
const EVENTS = [
  "scrip-balance-change",
  "scrip-balance-low",
  "scrip-gate-change",
  "scrip-top-up-start",
  "scrip-top-up-done",
  "scrip-top-up-failed",
  "scrip-recharge-change",
  "scrip-range-change",
  "scrip-entry-select",
  "scrip-error",
];
const panel = $("panel");
const tab = $("panel-tab");

// ─── open and closed ─────────────────────────────────────────────────────────────────────────────
function open(isOpen) {
  panel.hidden = !isOpen;
  tab.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) {
    listElements();
    showStage();
    $("panel-heading").focus();
  } else tab.focus();
}
tab.addEventListener("click", () => open(panel.hidden));
$("panel-close").addEventListener("click", () => open(false));
panel.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") open(false);
});

// ─── elements and events ─────────────────────────────────────────────────────────────────────────
function listElements() {
  const here = [...document.querySelectorAll(`.top scrip-balance, #${viewShown()}-view [credit-type], scrip-gate`)];
  const items = here.filter((element) => element.closest(`.top, #${viewShown()}-view`)).map((element) => {
    const name = element.localName;
    const attributes = [...element.attributes].filter((each) => !/^(id|class|slot|locale)$/.test(each.name));
    const written = attributes.map((each) => (each.value ? ` ${each.name}="${each.value}"` : ` ${each.name}`)).join("");
    const item = tag("li");
    const link = tag("a");
    link.href = `/embed/docs#${name}`;
    link.append(tag("code", `<${name}${written}>`));
    item.append(link, tag("p", SAYS[name]));
    return item;
  });
  $("elements").replaceChildren(...items);
}
whenShown(() => panel.hidden || listElements());
$("outlines").addEventListener("change", ({ target }) => document.body.classList.toggle("outlined", target.checked));

let told = [];
for (const name of EVENTS) {
  document.addEventListener(name, (event) => {
    const line = tag("li");
    const from = event.target.localName;
    line.append(tag("code", event.type), ` ${from === event.type ? "" : from} `, tag("small", JSON.stringify(event.detail)));
    told = [line, ...told].slice(0, EVENTS_KEPT);
    $("events").replaceChildren(...told);
  });
}

// ─── the edges ───────────────────────────────────────────────────────────────────────────────────
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
let stage = {};
const say = (text) => {
  $("panel-told").textContent = text;
};

function keep(found) {
  stage = found;
  $("workspace").textContent = stage.workspace;
  $("team").setAttribute("aria-pressed", String(stage.teamRests));
}
const showStage = () => ask("stage").then(keep, () => {});

/** A press while another is under way does nothing. */
let isBusy = false;
async function press(text, work) {
  if (isBusy) return;
  isBusy = true;
  say(text);
  try {
    say(await work());
  } catch {
    say("That did not work; try again.");
  }
  isBusy = false;
}

for (const button of panel.querySelectorAll("[data-level]")) {
  button.addEventListener("click", () =>
    press("A moment…", async () => {
      const { left } = await once("level", { level: button.dataset.level });
      return left === "0" ? "Every grant has ended." : `${credits(left ?? "20")} left: the other grants have ended.`;
    }),
  );
}
$("clock").addEventListener("click", () =>
  press("The month passes…", async () => {
    keep(await ask("clock", {}));
    return `It is ${day.format(new Date(stage.now))}: what was due has expired, the plan’s credits are there.`;
  }),
);
$("team").addEventListener("click", () =>
  press("A moment…", async () => {
    keep(await ask("team", { rests: !stage.teamRests }));
    return stage.teamRests ? "Only you use credits now." : "Ines, Teo and Maren work again.";
  }),
);
$("reset").addEventListener("click", () =>
  press("A new world is made…", async () => {
    if (!stage.workspace) keep(await ask("stage")); // pressed before the page was told which world it shows
    await ask("reset", { workspace: stage.workspace });
    sessionStorage.clear();
    location.assign("/demo");
    return "A moment…";
  }),
);

// ─── languages ───────────────────────────────────────────────────────────────────────────────────
function speak(language) {
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
  for (const element of document.querySelectorAll("[credit-type], scrip-gate")) {
    if (language) element.setAttribute("locale", language);
    else element.removeAttribute("locale");
  }
}
$("language").addEventListener("change", ({ target }) => speak(target.value));
const asked = new URL(location.href).searchParams.get("lang");
if (asked && [...$("language").options].some(({ value }) => value === asked)) {
  $("language").value = asked;
  speak(asked);
}
