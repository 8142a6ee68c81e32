import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Mounted, mount, PATIENCE_MS, settle, turn, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineBalance } from "./balance.ts";

defineProvider();
defineBalance();

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

async function mountAndUnmount({ provider }: Mounted, times: number): Promise<WeakRef<Element>[]> {
  const gone: WeakRef<Element>[] = [];
  for (let n = 0; n < times; n++) {
    const balance = document.createElement("scrip-balance");
    balance.setAttribute("credit-type", "ai");
    provider.append(balance);
    await turn();
    balance.remove();
    gone.push(new WeakRef(balance));
  }
  vi.advanceTimersByTime(6_000);
  await settle();
  return gone;
}

it("elements that left the page are collected", async () => {
  const gone = await mountAndUnmount(await mount(), 100);
  await vi.waitFor(() => {
    collect();
    expect(gone.filter((element) => element.deref()).length).toBeLessThan(3);
  }, PATIENCE_MS);
});

it("a thousand mounts leave less than 256 bytes each", async () => {
  const mounted = await mount();
  await mountAndUnmount(mounted, 300); // whatever is made once
  const before = heap_bytes();
  await mountAndUnmount(mounted, 1_000);
  expect((heap_bytes() - before) / 1_000).toBeLessThan(256);
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
