import { afterEach, describe, expect, it } from "vitest";
import { commonStates, describeAccessible } from "../../frontend_embed/testing/accessible.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineBalance } from "./balance.ts";

defineProvider();
defineBalance();

afterEach(async () => {
  await unmountAll();
  document.body.replaceChildren();
});

const withBalance = (change: Parameters<FakeScrip["set"]>[1]): FakeScrip => {
  const fake = new FakeScrip();
  fake.set("ai", change);
  return fake;
};

describeAccessible({
  full: () =>
    mount({
      fake: withBalance({
        held: "120",
        buckets: [1, 2, 3, 4].map((n) => ({ amount: "100", expiresAt: `2027-02-0${n}T12:00:00.000000Z` })),
      }),
      attributes: "show-held low=9999",
    }),
  compact: () => mount({ attributes: "compact low=9999" }),
  empty: () => mount({ fake: withBalance({ version: 0, available: "0", buckets: [] }) }),
  ...commonStates({}),
});

describe("the card", () => {
  it("is a group with the name of the credit type, and a heading of the level that the page says", async () => {
    const { balance } = await mount({ attributes: "heading-level=2" });
    expect(balance.part("heading")?.ariaLevel).toBe("2");
    expect(balance.part("card")?.role).toBe("group");
    const heading = balance.part("heading")?.firstElementChild?.textContent;
    expect(heading).toBe("AI credits");
    balance.element.removeAttribute("heading-level");
    await settle();
    expect(balance.part("heading")?.ariaLevel).toBe("3");
  });
});
