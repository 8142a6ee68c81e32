import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { commonStates, describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import type { FakeRule } from "../../frontend_embed/testing/fake_payments.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type Mounted, type MountOptions, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { fakeTime, pass } from "../../frontend_embed/testing/ledger_page.ts";
import ar from "../locales/ar.json" with { type: "json" };
import fr from "../locales/fr.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineRecharge, ScripRecharge } from "./recharge.ts";

defineProvider();
defineRecharge();

const tag = "scrip-recharge";
let went: string[] = [];

beforeEach(() => {
  went = [];
  vi.spyOn(globalThis, "open").mockImplementation(
    () =>
      ({
        document: document.implementation.createHTMLDocument(),
        location: { assign: (url: string) => went.push(url) },
        close: () => went.push("closed"),
      }) as unknown as Window,
  );
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const withRule = (change: Partial<FakeRule> | null): FakeScrip => {
  const fake = new FakeScrip();
  fake.payments.recharge = change && { ...(fake.payments.recharge as FakeRule), ...change };
  return fake;
};
const withScopes = (...scopes: string[]): FakeScrip => {
  const fake = new FakeScrip();
  fake.payments.scopes = scopes;
  return fake;
};
const field = ({ shown }: Mounted, name: string): HTMLInputElement =>
  shown.element.shadowRoot?.querySelector(`[name=${name}]`) as HTMLInputElement;
const write = (mounted: Mounted, name: string, value: string): void => {
  field(mounted, name).value = value;
};
const press = async ({ shown }: Mounted, text: string): Promise<void> => {
  const all = [...(shown.element.shadowRoot?.querySelectorAll<HTMLElement>("button") ?? [])];
  all.find((button) => button.textContent?.trim() === text)?.click();
  await settle();
};
const saved = ({ fake }: Mounted) =>
  fake.requests.filter(({ query }) => query.includes("setRecharge")).map(({ variables }) => variables["input"]);
const words = ({ shown }: Mounted, name: string): string | undefined =>
  shown.part(name)?.innerText.replace(/\s+/g, " ").trim();

describe("what it shows", () => {
  it("the rule, what it has spent this month, with what it pays, and what it did last", async () => {
    const mounted = await mount({ tag, fake: withRule({ threshold: "200.000000" }) });
    expect(mounted.shown.text("heading")).toBe("AI credits · Auto-recharge");
    expect(field(mounted, "enabled").checked).toBe(true);
    expect(field(mounted, "threshold").value).toBe("200");
    expect(field(mounted, "bundle").value).toBe("large");
    expect(field(mounted, "target").value).toBe("");
    expect(field(mounted, "cap").value).toBe("100.00");
    expect(words(mounted, "status")).toBe("$58.00 of $100.00 spent this month");
    expect(words(mounted, "method")).toBe("Payment method Visa •••• 4242 · 12/29 Add");
    expect(words(mounted, "attempts")).toBe(
      "Jan 10, 2027 $29.00 · Pending Jan 10, 2027 $29.00 · Paid Jan 10, 2027 $29.00 · Failed · card declined",
    );
  });

  it("why it stopped, where it did", async () => {
    const mounted = await mount({ tag, fake: withRule({ suspendedReason: "3 payments in a row were declined" }) });
    expect(words(mounted, "status")).toBe("Stopped: 3 payments in a row were declined");
    expect(mounted.shown.part("status")?.querySelector("[lang=en]")).not.toBeNull();
  });

  it("an empty rule where none was ever set", async () => {
    const mounted = await mount({ tag, fake: withRule(null) });
    expect(field(mounted, "enabled").checked).toBe(false);
    expect(field(mounted, "threshold").value).toBe("");
    expect(field(mounted, "bundle").value).toBe("small");
    expect(mounted.shown.part("attempts")).toBeNull();
  });

  it("that there is nothing to buy, where there is no rule and no bundle", async () => {
    const fake = withRule(null);
    fake.payments.bundles = [];
    const { shown } = await mount({ tag, fake });
    expect(shown.part("form")).toBeNull();
    expect(shown.part("card")?.textContent).toContain("Nothing is on sale right now");
  });

  it("only shows, without the scope to change it", async () => {
    const mounted = await mount({ tag, fake: withScopes("balance:read") });
    expect(field(mounted, "threshold").matches(":disabled")).toBe(true);
    expect(mounted.shown.part("action")).toBeNull();
    expect(words(mounted, "method")).toBe("Payment method Visa •••• 4242 · 12/29");
  });

  it("in the language of the page", async () => {
    const mounted = await mount({ tag, attributes: "locale=fr", locales: { fr } });
    expect(mounted.shown.part("form")?.textContent).toContain("En dessous de");
    expect(words(mounted, "status")?.replace(/\s/g, " ")).toBe("58,00 $US sur 100,00 $US dépensés ce mois-ci");
  });

  it.each<[string, MountOptions]>([
    ["data", {}],
    ["loading", { session: "" }],
    ["no rule", { fake: withRule(null) }],
    ["read only", { fake: withScopes() }],
    ["an error", { fake: unreachable() }],
  ])("in the room that is kept for it: %s", async (_, options) => {
    const { shown } = await mount({ tag, ...options });
    expect(shown.element.offsetHeight).toBe(528);
  });

  it("what could not be had of the payment methods leaves the rule alone", async () => {
    const fake = new FakeScrip();
    fake.payments.methods = null as never;
    const mounted = await mount({ tag, fake });
    expect(field(mounted, "threshold").value).toBe("200");
    expect(words(mounted, "method")).toBe("Payment method pm_1 Add");
  });
});

describe("changing it", () => {
  it("tells the page, then saves exactly what was written", async () => {
    const mounted = await mount({ tag });
    write(mounted, "threshold", "350.125");
    write(mounted, "bundle", "small");
    write(mounted, "target", "2000");
    write(mounted, "cap", "120.50");
    field(mounted, "enabled").click();
    await press(mounted, "Save");
    const rule = {
      enabled: false,
      threshold: "350.125",
      bundle: "small",
      target: "2000",
      monthlyCap: { amount: "120.50", currency: "USD" },
    };
    expect(saved(mounted)).toEqual([{ creditType: "ai", ...rule }]);
    expect(mounted.events.at(-1)).toEqual({ type: "scrip-recharge-change", detail: rule });
    expect(mounted.shown.part("form")?.textContent).toContain("Saved");
    expect(field(mounted, "threshold").value).toBe("350.125");
    expect(field(mounted, "bundle").value).toBe("small");
    expect(field(mounted, "enabled").checked).toBe(false);
  });

  it("a page that does it its own way prevents it", async () => {
    const mounted = await mount({ tag });
    mounted.shown.element.addEventListener("scrip-recharge-change", (event) => event.preventDefault());
    await press(mounted, "Save");
    expect(saved(mounted)).toEqual([]);
  });

  it("a double click saves once", async () => {
    const mounted = await mount({ tag });
    const save = mounted.shown.part("action");
    save?.click();
    save?.click();
    await settle();
    expect(saved(mounted).length).toBe(1);
  });

  it.each([
    ["threshold", ""],
    ["threshold", "-1"],
    ["threshold", "0.0001"],
    ["cap", ""],
    ["cap", "1.005"],
  ])("does not even ask with a wrong number: %s %s", async (name, value) => {
    const mounted = await mount({ tag });
    write(mounted, name, value);
    await press(mounted, "Save");
    expect(saved(mounted)).toEqual([]);
    expect(field(mounted, name).validity.valid).toBe(false);
  });

  it("what the server says against it is said as an alert, and what was written stays", async () => {
    const mounted = await mount({ tag });
    mounted.fake.payments.refusal = {
      code: "INVALID_INPUT",
      message: "monthlyCap is below the price",
      field: "monthlyCap",
    };
    write(mounted, "cap", "1");
    await press(mounted, "Save");
    const alert = mounted.shown.element.shadowRoot?.querySelector("[role=alert]");
    expect(alert?.textContent).toContain("monthlyCap is below the price");
    expect(field(mounted, "cap").value).toBe("1");
    await press(mounted, "Save");
    expect(mounted.shown.part("form")?.textContent).toContain("Saved");
  });

  it("what somebody is writing is left alone when the balance moves", async () => {
    fakeTime();
    const mounted = await mount({ tag });
    write(mounted, "threshold", "77");
    mounted.fake.payments.recharge = { ...(mounted.fake.payments.recharge as FakeRule), threshold: "300" };
    mounted.fake.set("ai", { available: "3" });
    await pass();
    expect(field(mounted, "threshold").getAttribute("value")).toBe("300");
    expect(field(mounted, "threshold").value).toBe("77");
  });
});

describe("the payment method", () => {
  it("is added on the provider's page, and shown when somebody comes back", async () => {
    const mounted = await mount({ tag });
    await press(mounted, "Add");
    expect(went).toEqual(["https://pay.test/setup"]);
    mounted.fake.payments.methods = [{ id: "pm_2", label: "SEPA •••• 3000", expires: null as never, isDefault: true }];
    mounted.fake.payments.recharge = { ...(mounted.fake.payments.recharge as FakeRule), paymentMethod: "pm_2" };
    dispatchEvent(new Event("focus"));
    await settle();
    expect(words(mounted, "method")).toBe("Payment method SEPA •••• 3000 Add");
  });

  it("where it may not be added, the tab closes and it says so", async () => {
    const mounted = await mount({ tag });
    mounted.fake.payments.refusal = { code: "NOT_ALLOWED", message: "no payments here" };
    await press(mounted, "Add");
    expect(went).toEqual(["closed"]);
    expect(mounted.shown.element.shadowRoot?.querySelector("[role=alert]")?.textContent).toContain("no payments here");
  });
});

it("one request for all of it, and the socket of the page", async () => {
  const { fake } = await mount({ tag });
  expect(fake.requests.length).toBe(1);
  expect(fake.frames.filter(({ type }) => type === "subscribe").length).toBe(1);
});

describeAccessible({
  full: () => mount({ tag }),
  "in Arabic": () => mount({ tag, attributes: "locale=ar", locales: { ar } }),
  suspended: () => mount({ tag, fake: withRule({ suspendedReason: "declined" }) }),
  "read only": () => mount({ tag, fake: withScopes() }),
  ...commonStates({ tag }),
});

describeDescription(tag, ScripRecharge, [
  () => ({ tag, session: "" }),
  () => ({ tag }),
  () => {
    const fake = withRule(null);
    fake.payments.bundles = [];
    return { tag, fake };
  },
  () => ({ tag, fake: unreachable() }),
]);
