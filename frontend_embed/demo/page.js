/** The page of a made-up product. It speaks with its own backend; what it shows of credits is the embed's own affair. */
import { $, credits, tag } from "./backend.js";
import "./panel.js";
import { readActivity, readPrices, say } from "./press.js";
import "./views.js";

function readAll() {
  readActivity();
  readPrices();
}

$("header-balance").addEventListener("scrip-balance-change", readAll);
document.addEventListener("visibilitychange", readAll);

/** Where the press stands still for want of credits, its own words say that it goes on. */
$("gate-top-up").addEventListener("scrip-top-up-done", ({ detail }) => {
  say(tag("strong", `+${credits(detail.credits)}`), tag("br"), "Thank you. The press is ready.");
});

for (const button of document.querySelectorAll("[data-by]")) {
  button.addEventListener("click", () => {
    $("usage-chart").setAttribute("group-by", button.dataset.by);
    for (const each of document.querySelectorAll("[data-by]")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
  });
}

readAll();
