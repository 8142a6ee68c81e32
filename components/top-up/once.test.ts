import { afterEach, describe, expect, it, vi } from "vitest";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import {
  browser,
  buttons,
  buy,
  kept,
  named,
  press,
  reload,
  status,
  tag,
  withTabs,
} from "../../frontend_embed/testing/top_up_page.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineTopUp } from "./top-up.ts";

defineProvider();
defineTopUp();
withTabs();

afterEach(async () => {
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

describe("a purchase is never started twice", () => {
  it("not by a double click, here or on another bundle", async () => {
    const mounted = await mount({ tag });
    for (const nth of [0, 0, 1]) buttons(mounted)[nth]?.click();
    await settle();
    await buy(mounted, 0);
    expect(browser.tabs.length).toBe(1);
    expect(mounted.fake.payments.topUps.length).toBe(1);
    expect(buttons(mounted).every((button) => button.getAttribute("aria-disabled") === "true")).toBe(true);
  });

  it("not by a reload while it waits", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    const back = await reload(mounted);
    await buy(back);
    expect(back.fake.payments.topUps.length).toBe(1);
    expect(status(back)).toMatch(/^Waiting/);
  });

  it("not by a retry after the answer was lost on its way", async () => {
    const mounted = await mount({ tag });
    const http = mounted.fake.http.bind(mounted.fake);
    mounted.fake.http = (...given) => {
      http(...given);
      throw new TypeError("Failed to fetch");
    };
    await buy(mounted);
    expect(named(mounted, "failed")).toEqual([{ type: "scrip-top-up-failed", detail: { code: "NETWORK" } }]);
    mounted.fake.http = http;
    await press(mounted, "Try again");
    expect(mounted.fake.payments.topUps.length).toBe(1);
    expect(status(mounted)).toMatch(/^Waiting/);
  });

  it("not by a retry when the payment provider could not answer, from another page of the host", async () => {
    const mounted = await mount({ tag, attributes: 'return-url="/here"' });
    const start = mounted.fake.payments.start.bind(mounted.fake.payments);
    mounted.fake.payments.start = (input) => {
      start(input);
      return { code: "UNAVAILABLE", message: "later" };
    };
    await buy(mounted);
    expect(status(mounted)).toBe("The payment could not be started Try again");
    mounted.fake.payments.start = start;
    const back = await reload(mounted, { attributes: 'return-url="/there"' });
    await buy(back);
    expect(back.fake.payments.topUps.length).toBe(1);
    expect(status(back)).toMatch(/^Waiting/);
  });

  it("nor by a reload and a click after that; another bundle is another purchase", async () => {
    const mounted = await mount({ tag });
    const http = mounted.fake.http.bind(mounted.fake);
    mounted.fake.http = (...given) => {
      http(...given);
      throw new TypeError("Failed to fetch");
    };
    await buy(mounted);
    mounted.fake.http = http;
    const back = await reload(mounted);
    await buy(back, 0);
    expect(back.fake.payments.topUps.length).toBe(1);
    await press(back, "Cancel");
    await buy(back, 1);
    expect(back.fake.payments.topUps.length).toBe(2);
  });

  it("what the tab keeps is the key, the id and where it leads back to, and no token", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    expect(kept()).toEqual([{ key: expect.stringMatching(/^small:/), id: "top_1" }]);
    expect(JSON.stringify({ ...sessionStorage, ...localStorage })).not.toContain(mounted.fake.requests[0]?.token);
  });

  it("what another customer left behind is forgotten", async () => {
    sessionStorage.setItem("scrip-top-up ai", JSON.stringify({ key: "small:1", id: "top_of_another" }));
    const mounted = await mount({ tag });
    expect(kept()).toEqual([]);
    await buy(mounted);
    expect(status(mounted)).toMatch(/^Waiting/);
  });
});
