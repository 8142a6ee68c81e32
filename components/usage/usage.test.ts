import { afterEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { usage } from "../../frontend_embed/testing/fake_data.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type Mounted, type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { bucketsOf } from "./groups.ts";
import { spanOf } from "./span.ts";
import { defineUsage, ScripUsage } from "./usage.ts";

defineProvider();
defineUsage();

afterEach(async () => {
  vi.useRealTimers();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-usage";
const withNothing = (): FakeScrip => {
  const fake = new FakeScrip();
  fake.usage = (...given) => {
    const { points } = usage(...given);
    return { total: "0", points: points.map((point) => ({ ...point, amount: "0" })) };
  };
  return fake;
};
const press = async ({ shown }: Mounted, key: string): Promise<string | null | undefined> => {
  const root = shown.element.shadowRoot;
  root?.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
  await settle();
  return root?.activeElement?.getAttribute("aria-label");
};

describe("what it shows", () => {
  it("a bar for each day, the sum, and what the average day burns", async () => {
    const { shown } = await mount({ tag });
    expect(shown.text("heading")).toBe("AI credits · Usage");
    expect(shown.parts("bar").length).toBe(30);
    expect(shown.text("readout")).toBe("1,475 credits used41.5 credits a day");
    expect(shown.parts("bar").at(-1)?.ariaLabel).toBe("Sun, Jan 10: 55 credits");
    expect(shown.text("axis")).toBe("Sat, Dec 12Sun, Jan 10");
  });

  it.each([
    ["hour", "P1D", 24],
    ["day", "P7D", 7],
    ["day", "P2W", 14],
    ["week", "P13W", 13],
    ["week", "P3M", 13],
  ])("bars by the %s over %s: %i", async (interval, range, bars) => {
    const { fake, shown } = await mount({ tag, attributes: `interval=${interval} range=${range}` });
    expect(shown.parts("bar").length).toBe(bars);
    expect(fake.requests.at(-1)?.variables["interval0"]).toBe(interval.toUpperCase());
  });

  it("features by their names, the largest first, the small ones together", async () => {
    const fake = new FakeScrip();
    fake.features.push({ key: "video", name: "Video" }, { key: "audio", name: "<b>Audio</b>" });
    const { shown } = await mount({ tag, fake, attributes: "group-by=feature range=P7D" });
    const legend = shown.part("legend")?.querySelectorAll("li") ?? [];
    expect([...legend].map((item) => item.textContent)).toEqual([
      "Input tokens 164",
      "Output tokens 80",
      "Images 38",
      "Other 24",
    ]);
    expect(shown.parts("bar").at(-1)?.ariaLabel).toBe(
      "Sun, Jan 10: 44 credits · Input tokens 22, Output tokens 11, Images 5, Other 3",
    );
    expect(shown.element.shadowRoot?.querySelector("b")).toBeNull();
  });

  it("members by their names, and who is none among the others", async () => {
    const { shown } = await mount({ tag, attributes: "group-by=member range=P7D" });
    expect(shown.part("legend")?.textContent).toMatch(/Ada Lovelace \d+Other \d+/);
  });

  it("groups by their keys where names may not be known", async () => {
    const fake = new FakeScrip();
    fake.members = [];
    const { shown } = await mount({ tag, fake, attributes: "group-by=member range=P7D" });
    expect(shown.part("legend")?.textContent).toMatch(/^ada \d+/);
  });

  it("a table of the same, newest first, at the press of a button or from the start", async () => {
    const { shown } = await mount({ tag, attributes: "group-by=feature range=P7D" });
    const bars = shown.parts("bar").length;
    shown.part("toggle")?.click();
    await settle();
    expect(shown.part("chart")).toBeNull();
    expect(shown.part("toggle")?.ariaPressed).toBe("true");
    const rows = [...(shown.part("table")?.querySelectorAll("tr") ?? [])].map((row) =>
      [...row.cells].map((cell) => cell.textContent),
    );
    expect(rows.length).toBe(bars + 1);
    expect(rows[0]).toEqual(["When", "Amount", "Input tokens", "Output tokens", "Images"]);
    expect(rows[1]).toEqual(["Sun, Jan 10", "44", "22", "11", "5"]);
    shown.element.setAttribute("view", "chart");
    await settle();
    expect(shown.part("table")).toBeNull();
    const other = await mount({ tag, attributes: "view=table" });
    expect(other.shown.part("table")).not.toBeNull();
  });

  it("in the page's language", async () => {
    const { shown } = await mount({ tag, attributes: "locale=de", locales: { de } });
    expect(shown.text("readout")).toBe("1.475 credits verbraucht41,5 credits pro Tag");
    expect(shown.part("range")?.textContent).toBe("7 Tage30 Tage90 Tage");
  });

  it.each<[string, MountOptions]>([
    ["data", {}],
    ["groups", { attributes: "group-by=feature" }],
    ["the table", { attributes: "group-by=feature view=table" }],
    ["loading", { session: "" }],
    ["nothing used", { fake: withNothing() }],
    ["an error", { fake: unreachable() }],
  ])("in the room that is kept for it: %s", async (_, options) => {
    const { shown } = await mount({ tag, ...options });
    expect(shown.element.offsetHeight).toBe(368);
  });

  it("nothing beyond its edge at 320 pixels", async () => {
    const { shown } = await mount({ tag, attributes: "group-by=feature" });
    shown.element.style.width = "288px";
    expect(shown.element.offsetHeight).toBe(368);
    const card = shown.part("card") as HTMLElement;
    expect(card.scrollWidth).toBeLessThanOrEqual(card.clientWidth);
  });
});

describe("the keyboard", () => {
  it("has one stop in the chart, from which the arrows read bar after bar", async () => {
    const mounted = await mount({ tag, attributes: "range=P7D" });
    const { shown } = mounted;
    expect(shown.parts("bar").filter((bar) => bar.getAttribute("tabindex") === "0").length).toBe(1);
    shown.parts("bar").at(-1)?.focus();
    await settle();
    expect(shown.text("readout")).toBe("44 creditsSun, Jan 10");
    expect(await press(mounted, "ArrowLeft")).toBe("Sat, Jan 9: 7 credits");
    expect(shown.text("readout")).toBe("7 creditsSat, Jan 9");
    expect(await press(mounted, "Home")).toMatch(/^Mon, Jan 4:/);
    expect(await press(mounted, "ArrowLeft")).toMatch(/^Mon, Jan 4:/);
    expect(await press(mounted, "ArrowRight")).toMatch(/^Tue, Jan 5:/);
    expect(await press(mounted, "End")).toMatch(/^Sun, Jan 10:/);
    expect(shown.parts("bar").at(-1)?.getAttribute("tabindex")).toBe("0");
  });

  it("goes the other way where the chart does", async () => {
    const mounted = await mount({ tag, attributes: "locale=ar range=P7D", locales: { ar } });
    mounted.shown.parts("bar").at(-1)?.focus();
    const last = mounted.shown.parts("bar").at(-1)?.ariaLabel;
    expect(await press(mounted, "ArrowRight")).not.toBe(last);
    expect(await press(mounted, "ArrowLeft")).toBe(last);
  });

  it("leaves the sum to be read when it leaves", async () => {
    const { shown } = await mount({ tag });
    shown.parts("bar")[3]?.focus();
    await settle();
    shown.parts("bar")[3]?.blur();
    await settle();
    expect(shown.text("readout")).toContain("credits used");
  });
});

describe("the period", () => {
  it("can be chosen, and the page is told", async () => {
    const { fake, shown, events } = await mount({ tag });
    const select = shown.part("range") as HTMLSelectElement;
    expect([...select.options].map(({ text }) => text)).toEqual(["7 days", "30 days", "90 days"]);
    expect(select.value).toBe("P30D");
    select.value = "P7D";
    select.dispatchEvent(new Event("change"));
    await settle();
    expect(events.at(-2)).toEqual({ type: "scrip-range-change", detail: { range: "P7D", interval: "day" } });
    expect(shown.parts("bar").length).toBe(7);
    const { from0, to0 } = fake.requests.at(-1)?.variables ?? {};
    expect(Date.parse(to0) - Date.parse(from0)).toBe(7 * 86_400_000);
  });

  it("ends with the present day of the server, whatever the visitor's clock says", async () => {
    const { fake } = await mount({ tag });
    const { to0 } = fake.requests.at(-1)?.variables ?? {};
    expect(to0).toBe(new Date(2027, 0, 11).toISOString());
  });

  it.each(["interval=minute", "range=yesterday", "interval=hour range=P1Y", "range=P0D"])(
    "that makes no sense is a mistake of the page: %s",
    async (attributes) => {
      const { events } = await mount({ tag, attributes });
      expect(events).toMatchObject([{ type: "scrip-error", detail: { code: "CONFIG" } }]);
    },
  );

  it("counts by the calendar: whole days and weeks of the visitor, weeks from Monday", () => {
    const now = new Date(2027, 2, 31, 15, 20).toISOString();
    expect(spanOf("day", "P7D", now)).toEqual({
      interval: "day",
      from: new Date(2027, 2, 25).toISOString(),
      to: new Date(2027, 3, 1).toISOString(),
    });
    expect(spanOf("week", "P2W", now)).toEqual({
      interval: "week",
      from: new Date(2027, 2, 22).toISOString(),
      to: new Date(2027, 3, 5).toISOString(),
    });
    expect(spanOf("hour", "PT3H", now)).toEqual({
      interval: "hour",
      from: new Date(2027, 2, 31, 13).toISOString(),
      to: new Date(2027, 2, 31, 16).toISOString(),
    });
  });
});

describe("what happens", () => {
  it("bars grow with what is used, at most once a second", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const { fake, shown } = await mount({ tag, attributes: "range=P7D" });
    const before = fake.requests.length;
    fake.usage = (...given) => ({ ...usage(...given), total: "9999" });
    for (let left = 1000; left > 900; left--) fake.set("ai", { available: `${left}` });
    await settle();
    await vi.advanceTimersByTimeAsync(1_100);
    await settle();
    expect(shown.text("readout")).toContain("9,999 credits used");
    expect(fake.requests.length).toBe(before + 1);
  });

  it("without a network it keeps its bars, in their place", async () => {
    const { fake, shown } = await mount({ tag });
    fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(shown.text("stale")).toMatch(/^Offline · updated/);
    expect(shown.parts("bar").length).toBe(30);
    expect(shown.element.offsetHeight).toBe(368);
  });
});

it("amounts beyond what Number holds keep their digits", () => {
  const point = { start: "a", end: "b", amount: "9223372036854.775807" };
  const [groups] = bucketsOf([point], [{ start: "a", group: "x", amount: point.amount }], new Map(), "Other");
  expect(groups[0]?.amount).toBe(9_223_372_036_854_775_807_000_000n);
});

describeAccessible({
  full: () => mount({ tag }),
  groups: () => mount({ tag, attributes: "group-by=feature" }),
  table: () => mount({ tag, attributes: "view=table group-by=feature" }),
  empty: () => mount({ tag, fake: withNothing() }),
  ...commonStates({ tag }),
});

describeDescription(tag, ScripUsage, [
  () => ({ tag, session: "" }),
  () => ({ tag, attributes: "group-by=feature" }),
  () => ({ tag, attributes: "view=table" }),
  () => ({ tag, fake: withNothing() }),
  () => ({ tag, fake: unreachable() }),
]);
