import { afterEach, expect, it, vi } from "vitest";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineRunway } from "../runway/runway.ts";

defineProvider();
defineBalance();
defineRunway();
afterEach(unmountAll);

const locales = { en: "" as unknown };

it("a balance needs no more than the script; what says more waits for its texts, and says when they can't be had", async () => {
  const { balance } = await mount({ locales });
  expect(balance.part("value")).not.toBeNull();
  const { shown, events } = await mount({ tag: "scrip-runway", locales });
  expect(shown.part("error")?.textContent).toContain("can’t be shown");
  expect(shown.part("retry")).not.toBeNull();
  expect(events).toMatchObject([{ type: "scrip-error", detail: { code: "SERVER", retryable: true } }]);

  // Nobody has to press anything: it looks again, as it does for the age of old data.
  delete locales.en;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
  shown.element.setAttribute("heading-level", "4");
  await settle();
  vi.useRealTimers();
  expect(shown.part("heading")?.textContent).toBe("AI credits · How long it lasts");
  expect(events.map(({ type }) => type)).toEqual(["scrip-error", "scrip-load"]);
});
