/** What a page in TypeScript writes. Compiled, never run. */
import { type FetchToken, type Messages, registerLocale } from "../../dist/0.1.0/types/embed.js";

const fetchToken: FetchToken = async ({ reason, signal }) => {
  const response = await fetch(`/token?because=${reason}`, { signal });
  return response.json() as Promise<{ token: string; expiresAt: string }>;
};

const provider = document.createElement("scrip-provider");
provider.fetchToken = fetchToken;
provider.addEventListener("scrip-balance-change", ({ detail }) => {
  const exact: string = detail.available;
  const version: number = detail.version;
  console.log(exact, version);
});
document
  .querySelector("scrip-balance")
  ?.addEventListener("scrip-error", ({ detail }) => detail.retryable satisfies boolean);

document.querySelector("scrip-ledger")?.addEventListener("scrip-export", (event) => {
  const kinds: string[] | null = event.detail.kinds;
  if (kinds) event.preventDefault();
});
document
  .querySelector("scrip-usage")
  ?.addEventListener("scrip-range-change", ({ detail }) => detail.range satisfies string);

document.querySelector("scrip-top-up")?.addEventListener("scrip-top-up-start", (event) => {
  const { bundle, price }: { bundle: string; price: { amount: string; currency: string } } = event.detail;
  if (bundle && price.currency !== "EUR") event.preventDefault();
});
document
  .querySelector("scrip-gate")
  ?.addEventListener("scrip-gate-change", ({ detail }) => [detail.allowed satisfies boolean, detail.reason]);
document
  .querySelector("scrip-recharge")
  ?.addEventListener("scrip-recharge-change", ({ detail }) => detail.target satisfies string | null);

const portuguese: Partial<Messages> = { retry: "Tentar de novo" };
registerLocale("pt", portuguese);

// @ts-expect-error A token source that returns a number is none.
provider.fetchToken = () => 1;
// @ts-expect-error There is no such text.
registerLocale("pt", { again: "outra vez" });

const tags = [
  "balance",
  "usage",
  "runway",
  "expirations",
  "ledger",
  "gate",
  "top-up",
  "recharge",
  "dashboard",
] as const;
for (const tag of tags) document.createElement(`scrip-${tag}`) satisfies HTMLElement;
document.addEventListener("scrip-top-up-done", ({ detail }) => detail.credits satisfies string);
document.addEventListener("scrip-gate-change", ({ detail }) => detail.reason satisfies string | null);

// @ts-expect-error An element tells what happened, not how much as a number.
document.addEventListener("scrip-top-up-done", ({ detail }) => detail.credits satisfies number);
// @ts-expect-error It is asked why, and for how long; there is no retry.
provider.fetchToken = ({ retry }) => `${retry}`;
