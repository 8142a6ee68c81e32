import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type BalanceHarness, mount, PATIENCE_MS, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import es from "../locales/es.json" with { type: "json" };
import fr from "../locales/fr.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineBalance } from "./balance.ts";

defineProvider();
defineBalance();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const expiring = (amount: string, day: string) => ({ amount, expiresAt: `${day}T12:00:00.000000Z` });
const lasting = (amount: string) => ({ amount, expiresAt: null });
const withBalance = (change: Parameters<FakeScrip["set"]>[1]): FakeScrip => {
  const fake = new FakeScrip();
  fake.set("ai", change);
  return fake;
};
const broken = (code?: string): FakeScrip => {
  const fake = new FakeScrip();
  fake.httpAnswer = code
    ? { status: 200, body: { data: null, errors: [{ message: "no", extensions: { code } }] } }
    : { status: 503, body: {} };
  fake.letsSocketsThrough = false;
  return fake;
};

describe("what it shows", () => {
  it("the available credits, and which expire when", async () => {
    const { balance } = await mount();
    expect(balance.value).toBe("1,500");
    expect(balance.exact).toBe("1500");
    expect(balance.text("unit")).toBe("credits");
    expect(balance.buckets).toEqual(["500 credits expiring Jan 31", "1,000 without expiry"]);
    expect(balance.part("expiry")?.getAttribute("datetime")).toBe("2027-01-31T12:00:00.000000Z");
  });

  it.each([
    ["1499.9999", 3, "1,499.999"],
    ["0.0009", 3, "0"],
    ["1", 3, "1"],
    ["9223372036854.775807", 6, "9,223,372,036,854.775807"],
    ["-0.0001", 3, "-0.001"],
  ])("%s at scale %i is written %s: never rounded up", async (available, scale, written) => {
    const creditType = { key: "ai", name: "AI", unitSingular: "credit", unitPlural: "credits", scale };
    const { balance } = await mount({ fake: withBalance({ available, creditType }) });
    expect(balance.value).toBe(written);
    expect(balance.exact).toBe(available);
    expect(balance.text("unit")).toBe(available === "1" ? "credit" : "credits");
  });

  it("credits that expire on one day in one line, soonest first, the others one press away", async () => {
    const fake = withBalance({
      buckets: [
        lasting("1000"),
        expiring("0.1", "2027-03-01"),
        expiring("200", "2027-01-31"),
        expiring("300", "2027-01-31"),
        expiring("0.2", "2027-03-01"),
      ],
    });
    const { balance } = await mount({ fake });
    expect(balance.buckets).toEqual(["500 credits expiring Jan 31", "0.3 credits expiring Mar 1"]);
    const toggle = balance.part("buckets")?.querySelector("button");
    expect(toggle?.ariaLabel).toBe("1 more");
    toggle?.click();
    await settle();
    expect(balance.buckets).toEqual([
      "500 credits expiring Jan 31",
      "0.3 credits expiring Mar 1",
      "1,000 without expiry",
    ]);
    expect(balance.part("buckets")?.querySelector("button")?.ariaExpanded).toBe("true");
  });

  it("what is held, when asked", async () => {
    const { balance } = await mount({ fake: withBalance({ held: "120.5" }) });
    expect(balance.part("held")).toBeNull();
    balance.element.toggleAttribute("show-held");
    await settle();
    expect(balance.text("held")).toBe("120.5 held");
  });

  it("in one line without a card, when compact", async () => {
    const { balance } = await mount({ attributes: "compact" });
    expect(balance.value).toBe("1,500");
    expect(balance.part("buckets")).toBeNull();
    expect(balance.element.getBoundingClientRect().height).toBe(24);
  });

  it("markup in names as text (X1)", async () => {
    const evil = `<img src=x onerror="document.body.dataset.pwned='yes'"></script><a href="javascript:alert(1)">{d}</a>`;
    const { balance } = await mount({
      fake: withBalance({ creditType: { key: "ai", name: evil, unitSingular: evil, unitPlural: evil, scale: 3 } }),
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(balance.element.shadowRoot?.querySelector("img, script, a")).toBeNull();
    expect(document.body.dataset["pwned"]).toBeUndefined();
    expect(balance.text("unit")).toBe(evil);
    expect(balance.buckets[0]).toBe(`500 ${evil} expiring Jan 31`);
  });

  it("what the page puts into its slots", async () => {
    const { balance } = await mount({
      content: '<b slot="heading">Mine</b><a slot="action" href="/buy">Buy</a><i>fallback</i>',
    });
    const slotted = (name: string) =>
      balance.element.shadowRoot?.querySelector<HTMLSlotElement>(`slot[name=${name}]`)?.assignedElements()[0]
        ?.textContent;
    expect(slotted("heading")).toBe("Mine");
    expect(slotted("action")).toBe("Buy");
    expect((balance.element.querySelector("i") as HTMLElement).getBoundingClientRect().height).toBe(0);
  });
});

describe("events", () => {
  it("tell of the first data, then of changes with exact numbers", async () => {
    const { fake, events } = await mount();
    fake.set("ai", { available: "1499.1234" });
    await settle();
    expect(events).toEqual([
      { type: "scrip-load", detail: null },
      { type: "scrip-balance-change", detail: { previous: "1500", available: "1499.1234", version: 8 } },
    ]);
  });

  it("leave shadow roots, and what they tell of is on the screen", async () => {
    const { fake, balance } = await mount();
    let written: string | undefined;
    document.addEventListener("scrip-balance-change", () => (written = balance.value), { once: true });
    fake.set("ai", { available: "3" });
    await settle();
    expect(written).toBe("3");
  });

  it.each([
    ["100", "100", 0],
    ["100.000001", "100", 1],
    ["1500.5", "1500", 1],
    ["nonsense", "0", 0],
    ["", "0", 0],
  ])("below %s is low: %s", async (low, available, times) => {
    const { events, balance } = await mount({ fake: withBalance({ available }), attributes: `low="${low}"` });
    expect(events.filter(({ type }) => type === "scrip-balance-low").length).toBe(times);
    expect(!!balance.part("low")).toBe(times > 0);
  });

  it("tell of low once, and again only after it was better", async () => {
    const { fake, events } = await mount({ attributes: "low=100" });
    for (const available of ["99", "98", "200", "97"]) {
      fake.set("ai", { available });
      await settle();
    }
    const low = events.filter(({ type }) => type === "scrip-balance-low");
    expect(low.map(({ detail }) => detail["available"])).toEqual(["99", "97"]);
    expect(low[0]?.detail).toMatchObject({ low: "100" });
  });
});

describe("states", () => {
  const height = (balance: BalanceHarness): number => balance.element.getBoundingClientRect().height;

  it.each(["", "show-held", "compact"])("the skeleton has the final size (%s)", async (attributes) => {
    const { balance, provider, fake } = await mount({ session: "", attributes });
    expect(balance.isLoading).toBe(true);
    expect(balance.part("skeleton")).not.toBeNull();
    const before = height(balance);
    provider.fetchToken = () => fake.mint();
    await vi.waitFor(() => expect(balance.value).toBe("1,500"), PATIENCE_MS);
    await settle(); // of the answer and the socket the second one comes, too, while there is a network
    expect(height(balance)).toBe(before);
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(balance.part("stale")).not.toBeNull();
    expect(height(balance)).toBe(before);
  });

  it("empty says so, in the words of the page if it has any", async () => {
    const { balance } = await mount({
      fake: withBalance({ version: 0, available: "0", buckets: [] }),
      content: '<p slot="empty">Buy your first</p>',
    });
    const slot = balance.element.shadowRoot?.querySelector("slot[name=empty]") as HTMLSlotElement;
    expect(slot.textContent).toBe("No credits yet");
    expect(slot.assignedElements()[0]?.textContent).toBe("Buy your first");
    expect(balance.value).toBe("0");
  });

  it("an error without data offers to try again", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const fake = broken();
    const { balance, events } = await mount({ fake });
    expect(events).toEqual([
      { type: "scrip-error", detail: { code: "SERVER", message: expect.stringContaining("503"), retryable: true } },
    ]);
    expect(balance.text("error")).toContain("can’t be shown");
    fake.httpAnswer = undefined;
    balance.part("retry")?.click();
    await settle();
    expect(balance.value).toBe("1,500");
    expect(balance.part("error")).toBeNull();
  });

  it.each(["FORBIDDEN", "NOT_FOUND"])("%s is final: there is nothing to try again", async (code) => {
    const { balance, events } = await mount({ fake: broken(code) });
    expect(events[0]?.detail).toMatchObject({ code, retryable: false });
    expect(balance.part("error")).not.toBeNull();
    expect(balance.part("retry")).toBeNull();
  });

  it("a credit type that does not exist is NOT_FOUND; none at all is CONFIG", async () => {
    const { balance, events } = await mount();
    balance.element.setAttribute("credit-type", "gone");
    await settle();
    expect(events.at(-1)?.detail).toMatchObject({ code: "NOT_FOUND" });
    balance.element.removeAttribute("credit-type");
    await settle();
    expect(events.at(-1)?.detail).toMatchObject({ code: "CONFIG" });
    balance.element.setAttribute("credit-type", "ai");
    await settle();
    expect(balance.value).toBe("1,500");
  });

  it("tells of one trouble once, however often it is retried", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, events } = await mount();
    fake.isUp = false;
    fake.closeAll(1006);
    await vi.advanceTimersByTimeAsync(300_000);
    await settle();
    expect(events.filter(({ type }) => type === "scrip-error").map(({ detail }) => detail["code"])).toEqual([
      "NETWORK",
    ]);
  });

  it("offline keeps the last good number and says how old it is", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, balance } = await mount();
    fake.isUp = false;
    fake.closeAll(1006);
    dispatchEvent(new Event("offline"));
    await vi.advanceTimersByTimeAsync(131_000); // the age is renewed every ten seconds
    await settle();
    expect(balance.value).toBe("1,500");
    expect(balance.text("stale")).toMatch(/^Offline · updated 2 min\. ago/);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(balance.text("stale")).toMatch(/^Offline · updated 3 min\. ago/);
  });
});

describe("languages", () => {
  it("come from the nearest lang; a locale of its own comes first", async () => {
    const { balance } = await mount({ around: '<section lang="de">', locales: { de, fr } });
    await settle();
    expect(balance.value).toBe("1.500");
    expect(balance.buckets).toEqual(["500 credits bis 31. Jan.", "1.000 unbefristet"]);
    balance.element.setAttribute("locale", "fr");
    await settle();
    expect(balance.buckets[1]).toBe("1\u202f000 sans expiration");
    expect(balance.part("card")?.lang).toBe("fr");
  });

  it("are fetched while the number is: nobody sees two languages", async () => {
    const written: (string | undefined)[] = [];
    const { balance, provider, fake } = await mount({
      session: "",
      attributes: "locale=es",
      locales: { es },
    });
    new MutationObserver(() => written.push(balance.buckets[1])).observe(balance.element.shadowRoot as ShadowRoot, {
      subtree: true,
      childList: true,
      characterData: true,
    });
    provider.fetchToken = () => fake.mint();
    await vi.waitFor(() => expect(balance.buckets[1]).toBe("1,000 sin caducidad".replace(",", "")), PATIENCE_MS);
    expect(new Set(written)).toEqual(new Set(["1000 sin caducidad"]));
  });

  it("that can't be had are made up for by English", async () => {
    const { balance } = await mount({ attributes: "locale=ja" });
    await settle();
    expect(balance.buckets[1]).toBe("1,000 without expiry");
    expect(balance.part("card")?.lang).toBe("en");
  });

  it("follow a page that changes its mind", async () => {
    const { balance } = await mount({ around: '<section lang="en">', locales: { de } });
    balance.element.closest("section")?.setAttribute("lang", "de");
    await settle();
    await vi.waitFor(() => expect(balance.value).toBe("1.500"), PATIENCE_MS);
  });

  it("that are written from right to left turn the card around", async () => {
    const { balance } = await mount({ around: '<section lang="ar">', locales: { ar } });
    await vi.waitFor(() => expect(balance.value).toBe("1,500"), PATIENCE_MS);
    const card = balance.part("card") as HTMLElement;
    expect(card.dir).toBe("rtl");
    const right = (name: string): number =>
      card.getBoundingClientRect().right - (balance.part(name)?.getBoundingClientRect().right ?? 0);
    expect(right("value")).toBe(17); // border and padding
    expect(balance.buckets[1]).toBe("1,000 دون انتهاء صلاحية");
  });

  it("leave the direction to the page where it states one", async () => {
    const { balance } = await mount({ around: '<section lang="en" dir="rtl">' });
    expect(balance.part("card")?.dir).toBe("rtl");
  });
});

describe("themes", () => {
  it("without any, font and colour are the page's, on its own background", async () => {
    const { balance } = await mount({ around: '<section class="host">' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(".host{font-family:monospace;color:rgb(10, 20, 30)}");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const style = getComputedStyle(balance.part("value") as HTMLElement);
    expect([style.fontFamily, style.color]).toEqual(["monospace", "rgb(10, 20, 30)"]);
    expect(getComputedStyle(balance.part("card") as HTMLElement).backgroundColor).toBe("rgba(0, 0, 0, 0)");
  });

  it.each([
    ["--scrip-color-text", "value", "color"],
    ["--scrip-color-muted", "unit", "color"],
    ["--scrip-color-warning", "low", "color"],
    ["--scrip-color-surface", "card", "backgroundColor"],
    ["--scrip-color-border", "card", "borderTopColor"],
  ] as const)("%s colours the %s", async (variable, part, property) => {
    const { balance } = await mount({ attributes: "low=9999" });
    (balance.element as HTMLElement).style.setProperty(variable, "rgb(1, 2, 3)");
    expect(getComputedStyle(balance.part(part) as HTMLElement)[property]).toBe("rgb(1, 2, 3)");
  });

  it("reach the parts that are named", async () => {
    const { balance } = await mount({ attributes: "show-held low=9999", content: '<a slot="action">Buy</a>' });
    const parts = new Set(
      [...(balance.element.shadowRoot?.querySelectorAll("[part]") ?? [])].map((node) => node.getAttribute("part")),
    );
    expect([...parts].sort()).toEqual([
      "action",
      "bucket",
      "buckets",
      "card",
      "expiry",
      "heading",
      "held",
      "low",
      "unit",
      "value",
    ]);
  });

  it("need no inline style anywhere", async () => {
    const { balance } = await mount({ attributes: "show-held low=9999" });
    expect(balance.element.shadowRoot?.querySelector("[style], style")).toBeNull();
    expect(document.querySelector("#scrip-status")?.hasAttribute("style")).toBe(false);
  });
});
