import { expect, it, vi } from "vitest";
import { mount, settle } from "../../frontend_embed/testing/harness.ts";
import { withTabs } from "../../frontend_embed/testing/top_up_page.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineTopUp } from "./top-up.ts";

defineProvider();
defineTopUp();
withTabs();

it("what becomes of a payment is said in the page's one region", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const { fake, shown } = await mount({ tag: "scrip-top-up" });
  const said = async (): Promise<string | null | undefined> => {
    await settle();
    await vi.advanceTimersByTimeAsync(10_000);
    return document.getElementById("scrip-status")?.textContent;
  };
  shown.part("action")?.click();
  expect(await said()).toBe("Waiting for your payment");
  fake.payments.authenticate();
  expect(await said()).toBe("Your bank wants you to confirm this payment");
  fake.payments.pay();
  expect(await said()).toBe("500 credits added · 2,000 available");
});
