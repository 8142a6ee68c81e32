import { afterEach, describe, expect, it, vi } from "vitest";
import { describeAccessible, unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription } from "../../frontend_embed/testing/described.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import {
  ElementHarness,
  type Mounted,
  type MountOptions,
  mount,
  settle,
  unmountAll,
} from "../../frontend_embed/testing/harness.ts";
import { fakeTime, pass } from "../../frontend_embed/testing/ledger_page.ts";
import de from "../locales/de.json" with { type: "json" };
import { defineProvider } from "../provider/provider.ts";
import { defineGate, ScripGate } from "./gate.ts";

defineProvider();
defineGate();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

const tag = "scrip-gate";
const content = '<button slot="allowed">Generate</button>';
const both = `${content}<a slot="blocked" href="/billing">Buy credits</a>`;
const blocked = { allowed: false, wouldBlock: true, mode: "ENFORCE", reason: { code: "INSUFFICIENT_CREDITS" } };
const free = { allowed: true, wouldBlock: false, mode: "ENFORCE", reason: null };
const gate = (decision: object = free, options: MountOptions = {}): Promise<Mounted> =>
  mount({
    tag,
    fake: Object.assign(new FakeScrip(), { decision }),
    attributes: 'feature="images"',
    content,
    ...options,
  });
/** What a person sees: of the page's own, or else of the gate. */
const seen = ({ shown }: Mounted): string => {
  const slotted = [...shown.element.children].filter((child) => child.checkVisibility({ visibilityProperty: true }));
  const own = [...(shown.element.shadowRoot?.querySelectorAll("p") ?? [])].filter(
    ({ offsetHeight }) => offsetHeight > 0,
  );
  return [...slotted, ...own].map(({ textContent }) => textContent).join(" ");
};
const told = ({ events }: Mounted) =>
  events.filter(({ type }) => type === "scrip-gate-change").map(({ detail }) => detail);
const checks = ({ fake }: Mounted) => fake.requests.filter(({ query }) => query.includes("check(")).length;

/** As a page that is routed to and fro does, within the time in which what was read is still kept. */
it("comes back as another element, and follows the balance from then on", async () => {
  fakeTime();
  const mounted = await gate(blocked);
  const { element } = mounted.shown;
  element.remove();
  mounted.fake.decision = free;
  mounted.fake.set("ai", { available: "9" });
  mounted.provider.append(element.cloneNode(true));
  const back = { ...mounted, shown: new ElementHarness(mounted.provider.querySelector(tag)) };
  await pass();
  expect(seen(back)).toBe("Generate");
  mounted.fake.decision = blocked;
  mounted.fake.set("ai", { available: "0" });
  await pass();
  expect(seen(back)).toBe("Not enough credits");
});

describe("what it shows", () => {
  it("what is allowed", async () => {
    const mounted = await gate();
    expect(seen(mounted)).toBe("Generate");
    expect(told(mounted)).toEqual([{ allowed: true, reason: null }]);
  });

  it.each<[string, string]>([
    ["INSUFFICIENT_CREDITS", "Not enough credits"],
    ["LIMIT_REACHED", "Limit reached"],
    ["NOT_ALLOWED", "Not available right now"],
  ])("why not, where it is blocked: %s", async (code, sentence) => {
    const mounted = await gate({ ...blocked, reason: { code } });
    expect(seen(mounted)).toBe(sentence);
    expect(told(mounted)).toEqual([{ allowed: false, reason: code }]);
  });

  it("the page's own words in place of these", async () => {
    expect(seen(await gate(blocked, { content: both }))).toBe("Buy credits");
  });

  it("in the language of the page", async () => {
    const mounted = await gate(blocked, { attributes: 'feature="images" locale="de"', locales: { de } });
    expect(seen(mounted)).toBe("Guthaben reicht nicht");
  });

  it("SOFT lets it through, and warns", async () => {
    const mounted = await gate({ ...blocked, allowed: true, mode: "SOFT" });
    expect(seen(mounted)).toBe("Generate Not enough credits");
  });

  it.each(["SHADOW", "OFF"])("%s shows nothing of what it would have done", async (mode) => {
    const mounted = await gate({ ...blocked, allowed: true, mode });
    expect(seen(mounted)).toBe("Generate");
  });

  it("neither of both before it knows, and nothing that the Tab key reaches; the room of what may be allowed is kept", async () => {
    const mounted = await gate(free, { session: "", content: both });
    expect(seen(mounted)).toBe("");
    expect(told(mounted)).toEqual([]);
    const [allowed, other] = mounted.shown.element.children as unknown as HTMLElement[];
    expect([allowed?.offsetHeight === 0, other?.offsetHeight === 0]).toEqual([false, true]);
    allowed?.focus();
    expect(document.activeElement).not.toBe(allowed);
  });

  it("asks for the quantity of its attribute, as a decimal", async () => {
    const { fake } = await gate(free, { attributes: 'feature="images" quantity="2.5"' });
    expect(Object.values(fake.requests[0]?.variables ?? {})[0]).toEqual({ feature: "images", quantity: "2.5" });
  });
});

describe("when it changes", () => {
  it("it asks again when the balance has, and tells when the answer is another", async () => {
    fakeTime();
    const mounted = await gate();
    mounted.fake.decision = blocked;
    mounted.fake.set("ai", { available: "0" });
    await pass();
    expect(seen(mounted)).toBe("Not enough credits");
    mounted.fake.set("ai", { available: "0", held: "1" });
    await pass();
    mounted.fake.decision = free;
    mounted.fake.set("ai", { available: "10" });
    await pass();
    expect(told(mounted)).toEqual([
      { allowed: true, reason: null },
      { allowed: false, reason: "INSUFFICIENT_CREDITS" },
      { allowed: true, reason: null },
    ]);
  });

  it("at most once a second, however fast credits burn", async () => {
    fakeTime();
    const mounted = await gate();
    for (let left = 100; left > 0; left--) mounted.fake.set("ai", { available: `${left}` });
    await pass();
    expect(checks(mounted)).toBe(2);
  });

  it("it asks again when another policy is in force, such as the kill switch, and not before", async () => {
    const mounted = await gate(blocked);
    expect(checks(mounted)).toBe(1);
    mounted.fake.enforce({ mode: "OFF" }, { ...free, mode: "OFF" });
    await settle();
    expect(seen(mounted)).toBe("Generate");
  });

  it("another quantity is another question", async () => {
    const mounted = await gate();
    mounted.fake.decision = blocked;
    mounted.shown.element.setAttribute("quantity", "1000");
    await settle();
    expect(seen(mounted)).toBe("Not enough credits");
  });

  it("until another question is answered, what was shown stays", async () => {
    const mounted = await gate();
    const http = mounted.fake.http.bind(mounted.fake);
    let seenMeanwhile = "";
    mounted.fake.http = (...given) => {
      seenMeanwhile = seen(mounted);
      return http(...given);
    };
    mounted.fake.decision = blocked;
    mounted.shown.element.setAttribute("quantity", "1000");
    await settle();
    expect(seenMeanwhile).toBe("Generate");
    expect(told(mounted)).toEqual([
      { allowed: true, reason: null },
      { allowed: false, reason: "INSUFFICIENT_CREDITS" },
    ]);
  });

  it("many gates of a page are one request and one socket", async () => {
    const page = await gate(free, { content: "" });
    const before = page.fake.requests.length;
    for (const quantity of ["2", "3", "4"]) {
      const another = document.createElement(tag);
      another.setAttribute("feature", "images");
      another.setAttribute("quantity", quantity);
      page.provider.append(another);
    }
    await settle();
    expect(page.fake.requests.length).toBe(before + 1);
    expect(page.fake.peers.size).toBe(1);
  });
});

describe("when nobody can be asked", () => {
  it.each<[string, string, string, string]>([
    ["closed, as nothing else is known", "", "", "Not available right now"],
    ["what the page wants: open", 'on-error="open"', "", "Generate"],
    ["what the policy says: open", "", "FAIL_OPEN", "Generate"],
    ["what the policy says: closed", "", "FAIL_CLOSED", "Not available right now"],
    ["what the page wants, before what the policy says", 'on-error="closed"', "FAIL_OPEN", "Not available right now"],
  ])("%s", async (_, attribute, failurePolicy, shown) => {
    const fake = failurePolicy ? new FakeScrip() : unreachable();
    if (failurePolicy)
      Object.assign(fake, { decision: { code: "NO_RATE" }, policy: { ...fake.policy, failurePolicy } });
    const mounted = await mount({ tag, fake, attributes: `feature="images" ${attribute}`, content });
    expect(seen(mounted)).toBe(shown);
    expect(told(mounted).at(-1)).toEqual({ allowed: shown === "Generate", reason: "ERROR" });
    expect(mounted.events.some(({ type }) => type === "scrip-error")).toBe(true);
  });

  it("what it knew stays", async () => {
    const mounted = await gate();
    mounted.fake.isUp = false;
    dispatchEvent(new Event("offline"));
    await settle();
    expect(seen(mounted)).toBe("Generate");
    expect(told(mounted).length).toBe(1);
  });

  it("a gate without a feature is a mistake of the page", async () => {
    const mounted = await mount({ tag, content });
    expect(seen(mounted)).toBe("Not available right now");
    expect(mounted.events[0]?.detail["code"]).toBe("CONFIG");
  });
});

describeAccessible({
  allowed: () => gate(),
  blocked: () => gate(blocked),
  warned: () => gate({ ...blocked, allowed: true, mode: "SOFT" }),
});

describeDescription(tag, ScripGate, [
  () => ({ tag, session: "", attributes: "feature=images" }),
  () => ({ tag, attributes: "feature=images" }),
  () => ({ tag, attributes: "feature=images", fake: Object.assign(new FakeScrip(), { decision: blocked }) }),
  () => ({
    tag,
    attributes: "feature=images",
    fake: Object.assign(new FakeScrip(), { decision: { ...blocked, allowed: true, mode: "SOFT" } }),
  }),
]);
