import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type Mounted, type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import {
  browser,
  buttons,
  buy,
  kept,
  named,
  press,
  reload,
  starts,
  status,
  tag,
  withTabs,
} from "../../frontend_embed/testing/top_up_page.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineTopUp, ScripTopUp } from "./top-up.ts";

defineProvider();
defineTopUp();

withTabs();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const letsNoTabOpen = (): void => {
  browser.letsTabsOpen = false;
};
const waiting = (): FakeScrip => {
  const fake = new FakeScrip();
  const { topUp } = fake.payments.start({ bundle: "large", idempotencyKey: "large:1" }) as { topUp: { id: string } };
  remembered = { key: "large:1", id: topUp.id };
  return fake;
};
/** What the tab still has of before the page was loaded. */
let remembered: object | undefined;

describe("what is on sale", () => {
  it("each bundle with its credits, its bonus, what a credit costs, how long it lasts, and its price", async () => {
    const { shown } = await mount({ tag });
    expect(shown.text("heading")).toBe("AI credits · Buy credits");
    expect(shown.parts("bundle").map((row) => row.innerText.replace(/\s+/g, " "))).toEqual([
      "Small pack 500 credits $0.02 each · valid for 1 year $10.00",
      "Large pack Suggested 1,500 credits + 100 bonus $0.0181 each · valid for 1 year $29.00",
      "Huge pack 10,000 credits + 2,000 bonus $0.0125 each $150.00",
    ]);
    expect(shown.parts("action")[1]?.getAttribute("aria-label")).toBe("Large pack: 1,500 credits for $29.00");
  });

  it("those that the page picks, in its order, as far as they are sold", async () => {
    const fake = new FakeScrip();
    Object.assign(fake.payments.bundles[0] as object, { available: false });
    const { shown } = await mount({ tag, fake, attributes: 'bundles="huge small none large"' });
    expect(shown.parts("bundle").map((row) => row.querySelector("strong")?.textContent)).toEqual([
      "Huge pack",
      "Large pack",
    ]);
  });

  it("three, and the others on request", async () => {
    const fake = new FakeScrip();
    fake.payments.bundles.push(...fake.payments.bundles.map((each) => ({ ...each, key: `${each.key}-2` })));
    const mounted = await mount({ tag, fake });
    expect(mounted.shown.parts("bundle").length).toBe(3);
    mounted.shown.part("more")?.click();
    await settle();
    expect(mounted.shown.parts("bundle").length).toBe(6);
  });

  it("nothing, said in words", async () => {
    const fake = new FakeScrip();
    fake.payments.bundles = [];
    const { shown } = await mount({ tag, fake });
    expect(shown.part("card")?.textContent).toContain("Nothing is on sale right now");
  });

  it("a name that looks like markup is a text", async () => {
    const fake = new FakeScrip();
    Object.assign(fake.payments.bundles[0] as object, { name: "<img src=x onerror=alert(1)>" });
    const { shown } = await mount({ tag, fake });
    expect(shown.part("bundle")?.querySelector("img")).toBeNull();
    expect(shown.part("bundle")?.textContent).toContain("<img src=x");
  });

  it("in the language of the page", async () => {
    const mounted = await mount({ tag, attributes: "locale=de", locales: { de } });
    expect(mounted.shown.parts("bundle")[1]?.innerText.replace(/\s+/g, " ")).toContain(
      "Large pack Empfohlen 1.500 credits + 100 Bonus je 0,0181 $ · gültig 1 Jahr 29,00 $",
    );
  });

  it.each<[string, MountOptions]>([
    ["data", {}],
    ["loading", { session: "" }],
    ["a purchase that waits", { fake: waiting() }],
    ["an error", { fake: unreachable() }],
  ])("in the room that is kept for it: %s", async (_, options) => {
    if (remembered) sessionStorage.setItem("scrip-top-up ai", JSON.stringify(remembered));
    const { shown } = await mount({ tag, ...options });
    expect(shown.element.offsetHeight).toBe(512);
  });
});

describe("from bundle to credits", () => {
  it("the payment page opens in a tab of its own, and here is told what comes of it", async () => {
    const mounted = await mount({ tag, attributes: 'return-url="/thanks"' });
    const { fake } = mounted;
    await buy(mounted, 1);
    expect(browser.tabs).toEqual([{ went: ["https://pay.test/top_1"], isClosed: false }]);
    expect(starts(mounted)[0]?.variables["input"]).toEqual({
      bundle: "large",
      returnUrl: `${location.origin}/thanks`,
      idempotencyKey: expect.stringMatching(/^large:\d/),
    });
    expect(status(mounted)).toBe("Waiting for your payment Open the payment page Cancel");
    expect(named(mounted, "start")).toEqual([
      { type: "scrip-top-up-start", detail: { bundle: "large", price: { amount: "29.00", currency: "USD" } } },
    ]);
    fake.payments.authenticate();
    await settle();
    expect(status(mounted)).toBe("Your bank wants you to confirm this payment Open the payment page Cancel");
    fake.payments.pay();
    await settle();
    expect(status(mounted)).toBe("1,500 credits added · 3,000 available");
    expect(named(mounted, "done")).toEqual([
      { type: "scrip-top-up-done", detail: { id: "top_1", bundle: "large", credits: "1500" } },
    ]);
    expect(kept()).toEqual([]);
  });

  it("a page that does it its own way prevents all of it", async () => {
    const mounted = await mount({ tag });
    mounted.shown.element.addEventListener("scrip-top-up-start", (event) => event.preventDefault());
    await buy(mounted);
    expect(starts(mounted)).toEqual([]);
    expect(browser.tabs).toEqual([]);
    expect(status(mounted)).toBe("");
  });

  it("where no tab may open, the page itself goes to pay, and knows what it was about when it comes back", async () => {
    letsNoTabOpen();
    const mounted = await mount({ tag });
    // What leads away from here would end the test.
    const start = mounted.fake.payments.start.bind(mounted.fake.payments);
    mounted.fake.payments.start = (input) => {
      const { topUp } = start(input) as { topUp: object };
      return { topUp: { ...topUp, checkoutUrl: `${location.href}#pay` } };
    };
    await buy(mounted);
    expect(location.hash).toBe("#pay");
    history.replaceState(null, "", location.pathname + location.search);
    const back = await reload(mounted);
    expect(status(back)).toMatch(/^Waiting for your payment/);
    back.fake.payments.pay();
    await settle();
    expect(status(back)).toBe("500 credits added · 2,000 available");
    expect(named(back, "done").length).toBe(1);
  });

  it("the payment page leads back to this one then, if the server leads there at all", async () => {
    letsNoTabOpen();
    for (const leadsBack of [true, false]) {
      const mounted = await mount({ tag });
      mounted.fake.payments.leadsBack = leadsBack;
      const start = mounted.fake.payments.start.bind(mounted.fake.payments);
      mounted.fake.payments.start = (input) => {
        const { topUp, ...refusal } = start(input);
        return topUp ? { topUp: Object.assign(topUp, { checkoutUrl: null }) } : refusal;
      };
      await buy(mounted);
      expect(starts(mounted).map(({ variables }) => variables["input"].returnUrl)).toEqual(
        leadsBack ? [location.href] : [location.href, undefined],
      );
      expect(mounted.fake.payments.topUps.length).toBe(1);
      await press(mounted, "Cancel");
    }
  });

  it("a page that the host names and the server refuses is the host's mistake, and told", async () => {
    const mounted = await mount({ tag, attributes: 'return-url="https://elsewhere.test"' });
    mounted.fake.payments.leadsBack = false;
    await buy(mounted);
    expect(starts(mounted).length).toBe(1);
    expect(named(mounted, "failed")).toEqual([{ type: "scrip-top-up-failed", detail: { code: "INVALID_INPUT" } }]);
  });

  it("in the tab to which the payment page leads back, it is told too, and happens in the first alone", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    mounted.fake.payments.pay();
    sessionStorage.removeItem("scrip-top-up ai");
    history.replaceState(null, "", "?scrip_top_up=top_1&scrip_result=success");
    const other = await reload(mounted);
    history.replaceState(null, "", location.pathname);
    expect(status(other)).toBe("500 credits added · 2,000 available");
    expect(named(other, "done")).toEqual([]);
  });

  it("what was paid while the page was away is told when it is back", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    await unmountAll();
    mounted.fake.payments.pay();
    const back = await reload(mounted);
    expect(status(back)).toBe("500 credits added · 2,000 available");
    expect(kept()).toEqual([]);
  });

  it.each<[string, string]>([
    ["a script in place of an address", "javascript:alert(1)"],
    ["no address", ""],
  ])("%s is not gone to", async (_, checkoutUrl) => {
    const mounted = await mount({ tag });
    const { payments } = mounted.fake;
    const start = payments.start.bind(payments);
    payments.start = (input) => {
      start(input);
      return { topUp: Object.assign(payments.topUps[0] as object, { checkoutUrl }) };
    };
    await buy(mounted);
    expect(browser.tabs).toEqual([{ went: [], isClosed: true }]);
    expect(mounted.shown.part("status")?.querySelector("a")).toBeNull();
  });

  it("a payment that comes after all is one, whatever was said late before", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    const late = mounted.fake.payments.topUps[0];
    mounted.fake.payments.pay();
    await settle();
    mounted.fake.payments.topUps[0] = late as never;
    mounted.fake.payments.move("PENDING");
    await settle();
    expect(status(mounted)).toMatch(/^500 credits added/);
    expect(named(mounted, "done").length).toBe(1);
  });

  it("canceled, nothing was charged, and one can choose again", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    await press(mounted, "Cancel");
    expect(status(mounted)).toBe("Canceled, nothing was charged");
    expect(mounted.fake.payments.topUps[0]?.status).toBe("CANCELED");
    await buy(mounted, 1);
    expect(mounted.fake.payments.topUps.map(({ status }) => status)).toEqual(["CANCELED", "PENDING"]);
  });

  it("what was given back meanwhile is told as that", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    mounted.fake.payments.move("REFUNDED");
    await settle();
    expect(status(mounted)).toBe("Refunded");
    expect(named(mounted, "done")).toEqual([]);
  });

  it("canceled too late, it tells what is so", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    const [topUp] = mounted.fake.payments.topUps;
    Object.assign(topUp as object, { status: "SUCCEEDED" }); // and nobody has been told yet
    await press(mounted, "Cancel");
    expect(status(mounted)).toMatch(/^500 credits added/);
  });

  it("declined, it says why as an alert, and tries again as a purchase of its own", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    mounted.fake.payments.decline();
    await settle();
    expect(status(mounted)).toBe("The payment failed: card declined Try again");
    expect(mounted.shown.part("status")?.querySelector("[role=alert]")).not.toBeNull();
    expect(named(mounted, "failed")).toEqual([{ type: "scrip-top-up-failed", detail: { code: "PAYMENT_FAILED" } }]);
    await press(mounted, "Try again");
    expect(mounted.fake.payments.topUps.length).toBe(2);
    const keys = starts(mounted).map(({ variables }) => variables["input"].idempotencyKey);
    expect(keys[0]).not.toBe(keys[1]);
  });

  it("declined, a second try ends the first, so that nobody pays both", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    mounted.fake.payments.decline();
    await settle();
    await press(mounted, "Try again");
    expect(mounted.fake.payments.topUps.map((each) => each.status)).toEqual(["CANCELED", "PENDING"]);
    expect(status(mounted)).toMatch(/^Waiting/);
    mounted.fake.payments.decline();
    await settle();
    // Paid on the page that had declined it, and nobody has been told yet.
    Object.assign(mounted.fake.payments.topUps[1] as object, { status: "SUCCEEDED" });
    await buy(mounted, 1);
    expect(mounted.fake.payments.topUps.length).toBe(2);
    expect(status(mounted)).toMatch(/^500 credits added/);
    expect(named(mounted, "done").length).toBe(1);
  });

  it("declined, it may yet be paid on the page that has declined it", async () => {
    const mounted = await mount({ tag });
    await buy(mounted);
    mounted.fake.payments.decline();
    await settle();
    expect(buttons(mounted)[0]?.getAttribute("aria-disabled")).toBe("false");
    mounted.fake.payments.pay();
    await settle();
    expect(status(mounted)).toMatch(/^500 credits added/);
    expect(named(mounted, "failed").length).toBe(1);
    expect(named(mounted, "done").length).toBe(1);
  });

  it("refused, it closes the tab again and tells the code", async () => {
    const mounted = await mount({ tag });
    mounted.fake.payments.refusal = { code: "NOT_ALLOWED", message: "no" };
    await buy(mounted);
    expect(browser.tabs).toEqual([{ went: [], isClosed: true }]);
    expect(status(mounted)).toBe("The payment could not be started Try again");
    expect(named(mounted, "failed")).toEqual([{ type: "scrip-top-up-failed", detail: { code: "NOT_ALLOWED" } }]);
    expect(kept()).toEqual([]);
    await press(mounted, "Try again");
    expect(status(mounted)).toMatch(/^Waiting/);
  });
});

describe("live", () => {
  it("one request and one socket, with the purchase as one more subscription", async () => {
    const mounted = await mount({ tag });
    expect(mounted.fake.requests.length).toBe(1);
    await buy(mounted);
    expect(mounted.fake.peers.size).toBe(1);
    expect(mounted.fake.frames.filter(({ type }) => type === "subscribe").length).toBe(2);
    mounted.fake.payments.pay();
    await settle();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(mounted.fake.requests.filter(({ query }) => query.includes("topUp(")).length).toBe(1);
  });

  it("keeps the focus where it was, through all of it", async () => {
    const mounted = await mount({ tag });
    const [button] = buttons(mounted);
    button?.focus();
    await buy(mounted);
    mounted.fake.payments.pay();
    await settle();
    expect(mounted.shown.element.shadowRoot?.activeElement).toBe(button);
  });

  it("without a network it keeps what it has", async () => {
    const { fake, shown } = await mount({ tag });
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(shown.text("stale")).toMatch(/^Offline · updated/);
    expect(shown.parts("bundle").length).toBe(3);
  });
});

const through = async (act: (mounted: Mounted) => void): Promise<void> => {
  const mounted = await mount({ tag });
  await buy(mounted);
  act(mounted);
  await settle();
};
describeAccessible({
  full: () => mount({ tag }),
  "in Arabic": () => mount({ tag, attributes: "locale=ar", locales: { ar } }),
  waiting: () => through(() => {}),
  paid: () => through(({ fake }) => fake.payments.pay()),
  declined: () => through(({ fake }) => fake.payments.decline()),
  ...commonStates({ tag }),
});

describeDescription(tag, ScripTopUp, [
  () => ({ tag, session: "" }),
  () => ({ tag }),
  () => {
    const fake = new FakeScrip();
    fake.payments.bundles.push({ ...(fake.payments.bundles[0] as never as object), key: "fourth" } as never);
    return { tag, fake };
  },
  () => {
    const fake = new FakeScrip();
    fake.payments.bundles = [];
    return { tag, fake };
  },
  () => ({ tag, fake: unreachable() }),
]);
