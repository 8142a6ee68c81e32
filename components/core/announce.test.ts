import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { mount, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineProvider } from "../provider/provider.ts";

// Before anything is said: the pause between two announcements outlives a test.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  defineProvider();
  defineBalance();
});
afterEach(unmountAll);

describe("a screen reader", () => {
  it("hears what changed in one polite region in the light DOM, at most every ten seconds", async () => {
    const { fake } = await mount({ attributes: 'id="one"' });
    await mount({ attributes: "compact" });
    const regions = document.querySelectorAll('[role="status"]');
    expect(regions.length).toBe(1);
    await vi.advanceTimersByTimeAsync(300_000);
    const said = regions[0]?.textContent ?? "";
    fake.set("ai", { available: "1499.9" });
    await vi.advanceTimersByTimeAsync(10);
    expect(regions[0]?.textContent).toBe("AI credits: 1,499.9 credits available");
    expect(regions[0]?.textContent).not.toBe(said);
    for (let left = 1400; left > 1000; left -= 100) {
      fake.set("ai", { available: `${left}` });
      await vi.advanceTimersByTimeAsync(2_000);
    }
    expect(regions[0]?.textContent).toBe("AI credits: 1,499.9 credits available");
    await vi.advanceTimersByTimeAsync(2_100);
    expect(regions[0]?.textContent).toBe("AI credits: 1,100 credits available");
  });

  it("hears nothing of a change that cannot be seen", async () => {
    const { fake, events } = await mount();
    await vi.advanceTimersByTimeAsync(300_000);
    const region = document.querySelector('[role="status"]');
    const said = region?.textContent;
    fake.set("ai", { available: "1500.0004" });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(events.at(-1)).toMatchObject({ type: "scrip-balance-change" });
    expect(region?.textContent).toBe(said);
  });
});
