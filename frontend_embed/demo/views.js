/** The product's two pages, and what comes back from a payment page. */
import { $ } from "./backend.js";

const NOTICE_MS = 8_000;
const HEARD_MS = 250;
const TITLES = { "/demo": "Overprint: prints from a sentence", "/demo/billing": "Billing & credits: Overprint" };
const shown = new EventTarget();

export const whenShown = (listener) => shown.addEventListener("shown", listener);
export const viewShown = () => (location.pathname.startsWith("/demo/billing") ? "billing" : "press");

/** A short line at the edge of the page. */
let hiding = 0;
export function notify(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    $("notice").hidden = true;
  }, NOTICE_MS);
}

function show() {
  const view = viewShown();
  for (const each of ["press", "billing"]) $(`${each}-view`).hidden = each !== view;
  document.title = TITLES[view === "press" ? "/demo" : "/demo/billing"];
  for (const link of document.querySelectorAll("nav [data-view]")) {
    const isHere = new URL(link.href).pathname === location.pathname;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  shown.dispatchEvent(new Event("shown"));
}

function scroll() {
  const target = location.hash && $(location.hash.slice(1));
  if (target) target.scrollIntoView();
  else scrollTo(0, 0);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-view]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.href !== location.href) history.pushState(null, "", link.href);
  show();
  scroll();
  $("content").focus({ preventScroll: true });
});
addEventListener("popstate", show);

// ─── back from a payment page ────────────────────────────────────────────────────────────────────
/** The payment page opens in a tab of its own and leads back to us there: the tab that waits knows better, so this one goes. */
const RETURNED = {
  paid: "Paid. Your credits are there in a moment.",
  failed: "The payment was declined. You can try again.",
  canceled: "Canceled, nothing was charged.",
  saved: "Your card is saved.",
};
const tabs = new BroadcastChannel("overprint");
tabs.addEventListener("message", ({ data }) => {
  if (data === "anybody") tabs.postMessage("here");
});

function comeBack() {
  const { searchParams, pathname, hash } = new URL(location.href);
  const result = searchParams.get("scrip_result") ?? searchParams.get("scrip_setup");
  if (!result && !searchParams.has("scrip_top_up")) return;
  history.replaceState(null, "", `${pathname}${hash}`);
  const text = RETURNED[result];
  if (!text) return;
  const alone = setTimeout(() => notify(text), HEARD_MS);
  const heard = ({ data }) => {
    if (data !== "here") return;
    clearTimeout(alone);
    tabs.removeEventListener("message", heard);
    notify(`${text} You can close this tab.`);
    close();
  };
  tabs.addEventListener("message", heard);
  tabs.postMessage("anybody");
}

comeBack();
show();
if (location.hash) scroll();
