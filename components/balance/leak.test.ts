import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Mounted, mount, PATIENCE_MS, settle, turn, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineDashboard } from "../dashboard/dashboard.ts";
import { defineExpirations } from "../expirations/expirations.ts";
import { defineGate } from "../gate/gate.ts";
import { defineLedger } from "../ledger/ledger.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineRecharge } from "../recharge/recharge.ts";
import { defineRunway } from "../runway/runway.ts";
import { defineTopUp } from "../top-up/top-up.ts";
import { defineUsage } from "../usage/usage.ts";
import { defineBalance } from "./balance.ts";

defineProvider();
defineBalance();
defineExpirations();
defineRunway();
defineUsage();
defineLedger();
defineGate();
defineTopUp();
defineRecharge();
defineDashboard();

// Timers that keep an element for some seconds run out at once.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(async () => {
  await unmountAll();
  vi.useRealTimers();
});

/** Chromium is started with these. */
const collect = (globalThis as unknown as { gc(): void }).gc;
const heap_bytes = (): number => {
  collect();
  return (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize;
};

async function mountAndUnmount(
  { provider }: Mounted,
  times: number,
  tag = "scrip-balance",
): Promise<WeakRef<Element>[]> {
  const gone: WeakRef<Element>[] = [];
  for (let n = 0; n < times; n++) {
    const balance = document.createElement(tag);
    balance.setAttribute("credit-type", "ai");
    balance.setAttribute("feature", "images");
    balance.toggleAttribute("live", true);
    provider.append(balance);
    await turn();
    balance.remove();
    gone.push(new WeakRef(balance));
  }
  vi.advanceTimersByTime(6_000);
  await settle();
  return gone;
}

const TAGS = "balance expirations runway usage ledger gate top-up recharge dashboard"
  .split(" ")
  .map((name) => `scrip-${name}`);

it.each(TAGS)("elements that left the page are collected: %s", async (tag) => {
  const gone = await mountAndUnmount(await mount({ tag }), 100, tag);
  await vi.waitFor(() => {
    collect();
    expect(gone.filter((element) => element.deref()).length).toBeLessThan(3);
  }, PATIENCE_MS);
});

it.each(TAGS)("what is mounted and unmounted leaves less than 256 bytes for an element: %s", async (tag) => {
  const [elements, times] = tag === "scrip-dashboard" ? [8, 150] : [1, 1_000];
  const mounted = await mount({ tag });
  await mountAndUnmount(mounted, times / 3, tag); // whatever is made once
  // What leaks, leaks every time; what the engine compiles or keeps for itself does not.
  let least_bytes = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 && least_bytes >= 256; round++) {
    const before = heap_bytes();
    await mountAndUnmount(mounted, times, tag);
    least_bytes = Math.min(least_bytes, (heap_bytes() - before) / times / elements);
  }
  console.log(`${tag}: ${Math.round(least_bytes)} bytes`);
  expect(least_bytes).toBeLessThan(256);
});

it("a page that changes its provider over and over keeps no session", async () => {
  const { fake, provider } = await mount();
  for (let n = 0; n < 50; n++) {
    provider.setAttribute("token-url", `/token?${n}`);
    await turn();
  }
  vi.advanceTimersByTime(6_000);
  await settle();
  expect(fake.peers.size).toBe(1);
});
