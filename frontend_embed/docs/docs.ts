/** What makes the page live: the gallery, the playground, tabs and copying. All data is of the fake that is published. */
import { type FakeBucket, type FakeScrip, fakeScrip, install } from "../testing.ts";
import { liven as livenCode } from "./code.ts";
import { Gallery } from "./gallery.ts";
import { locales, payments, radios } from "./page.ts";
import { liven as livenPlayground } from "./playground.ts";

const DAY_MS = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();
const buckets = (): FakeBucket[] => [
  { amount: "240", expiresAt: inDays(5), source: "PROMOTION" },
  { amount: "400", expiresAt: inDays(26), source: "PLAN" },
  { amount: "600", expiresAt: null, source: "PURCHASE" },
];

/** The first one in the page stands where Scrip does: from there the elements bring what they need. */
function livenHero(): void {
  const stage = document.querySelector("#hero") as HTMLElement;
  const provider = stage.querySelector("scrip-provider") as HTMLElement & { fetchToken?: unknown };
  const scrip: FakeScrip = fakeScrip({ balances: { ai: { available: "1240", buckets: buckets() } } });
  install(scrip, location.origin, locales);
  provider.fetchToken = () => scrip.mint();
  const told = stage.querySelector("#hero-event") as HTMLElement;
  for (const type of ["scrip-balance-change", "scrip-balance-low", "scrip-error"] as const)
    provider.addEventListener(type, ({ detail }) => {
      const [first] = Object.entries(detail as object).filter(([name]) => name === "available" || name === "code");
      told.textContent = `${type} ${first?.[1] ?? ""}`;
    });
  const acts: Record<string, (button: HTMLElement) => void> = {
    burn: () => scrip.burn("48.5"),
    grant: () => scrip.grant("250"),
    network: (button) => {
      button.setAttribute("aria-pressed", `${scrip.isUp}`);
      if (scrip.isUp) scrip.goOffline();
      else scrip.goOnline();
    },
  };
  for (const button of stage.querySelectorAll<HTMLElement>("[data-act]"))
    button.addEventListener("click", () => acts[`${button.dataset["act"]}`]?.(button));
}

function livenPage(): void {
  for (const hidden of document.querySelectorAll<HTMLElement>("[hidden].scheme, [hidden].acts, [hidden].looks, .copy"))
    hidden.hidden = false;
  radios("page-scheme", (scheme) => {
    document.documentElement.dataset["scheme"] = scheme;
  });
  // Beside the page there is room for the contents; above it there is little.
  const contents = document.querySelector("nav details") as HTMLDetailsElement;
  const isWide = matchMedia("(min-width: 64em)");
  const follow = (): void => {
    contents.open = isWide.matches;
  };
  isWide.addEventListener("change", follow);
  follow();
  contents.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLAnchorElement && !isWide.matches) contents.open = false;
  });
}

/** Says in the contents where somebody reads. */
function followReader(): void {
  const links = new Map<Element, Element>();
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    const target = document.querySelector(link.hash);
    if (target) links.set(target, link);
  }
  const seen = new Set<Element>();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target) : seen.delete(target);
      // The last one that has begun, so an element and not the section around it.
      const current = [...links.keys()].filter((target) => seen.has(target)).at(-1);
      for (const [target, link] of links) {
        if (target === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    },
    { rootMargin: "-15% 0px -80% 0px" },
  );
  for (const target of links.keys()) observer.observe(target);
}

livenPage();
followReader();
livenCode();
livenHero();
payments();
const gallery = new Gallery();
gallery.liven();
livenPlayground();
