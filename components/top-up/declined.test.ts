import { afterEach, expect, it, vi } from "vitest";
import { type Mounted, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { buy, kept, press, reload, starts, status, tag, withTabs } from "../../frontend_embed/testing/top_up_page.ts";
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

/** A purchase that was declined: it may yet be paid, on the page that has declined it. */
async function declined(): Promise<Mounted> {
  const mounted = await mount({ tag });
  await buy(mounted);
  mounted.fake.payments.decline();
  await settle();
  return mounted;
}
const replaced = (mounted: Mounted): unknown[] => starts(mounted).map(({ variables }) => variables["input"].replaces);

it("what was declined ends also when the next try begins after a reload", async () => {
  const back = await reload(await declined());
  expect(status(back)).toBe("");
  await buy(back, 1);
  expect(back.fake.payments.topUps.map((each) => each.status)).toEqual(["CANCELED", "PENDING"]);
  back.fake.payments.pay();
  await settle();
  expect(kept()).toEqual([]);
});

it("and when the next try was refused, and is made once more", async () => {
  const mounted = await declined();
  mounted.fake.payments.refusal = { code: "CONFLICT", message: "it is being paid" };
  await press(mounted, "Try again");
  await press(mounted, "Try again");
  expect(replaced(mounted)).toEqual([undefined, "top_1", "top_1"]);
  expect(mounted.fake.payments.topUps.map((each) => each.status)).toEqual(["CANCELED", "PENDING"]);
});

it("and when the answer to it was lost, and another bundle is chosen", async () => {
  const mounted = await declined();
  const http = mounted.fake.http.bind(mounted.fake);
  mounted.fake.http = () => {
    throw new TypeError("Failed to fetch");
  };
  await press(mounted, "Try again");
  mounted.fake.http = http;
  await buy(mounted, 1);
  expect(mounted.fake.payments.topUps.map((each) => each.status)).toEqual(["CANCELED", "PENDING"]);
});

it("another customer's is nothing to them", async () => {
  const mounted = await declined();
  mounted.fake.payments.topUps.length = 0;
  const back = await reload(mounted);
  await buy(back);
  expect(status(back)).toMatch(/^Waiting/);
});

it("an element that comes anew, as pages of an application do, has what the one before it has told", async () => {
  const mounted = await mount({ tag });
  await buy(mounted);
  const { element } = mounted.shown;
  element.replaceWith(element.cloneNode());
  await settle();
  const next = document.querySelector(tag) as HTMLElement;
  expect(next).not.toBe(element);
  expect(next.shadowRoot?.querySelector("[part=status]")?.textContent).toMatch(/^Waiting/);
});
