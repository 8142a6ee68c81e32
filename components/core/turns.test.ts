/** What may happen to an element between two tasks: something else that waits is at work, and it is not drawn yet. */
import { afterEach, expect, it } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineBalance } from "../balance/balance.ts";
import { defineProvider } from "../provider/provider.ts";
import { inTurn } from "./turns.ts";

defineProvider();
defineBalance();
afterEach(async () => {
  await unmountAll();
  document.body.replaceChildren();
});

/** Everything after this waits for a task of its own. */
const atWork = (): void => inTurn(() => true);

it("in the order in which it came, each once, and nothing is held up by what fails", async () => {
  const done: number[] = [];
  const failing = (): never => {
    throw new Error("as it is meant");
  };
  const caught = new Promise((resolve) => {
    addEventListener("error", (event) => resolve(event.preventDefault()), { once: true });
  });
  const second = (): unknown => done.push(2);
  atWork();
  for (const work of [() => done.push(1), failing, second, second, () => done.push(3)]) inTurn(work);
  expect(done).toEqual([]);
  await caught;
  await settle();
  expect(done).toEqual([1, 2, 3]);
});

it("taken out and put back, it shows what came in between", async () => {
  const { fake, balance, provider } = await mount();
  const { element } = balance;
  atWork();
  fake.set("ai", { available: "7" });
  await Promise.resolve();
  element.remove();
  await Promise.resolve();
  provider.append(element);
  await settle();
  expect(balance.value).toBe("7");
});

it("with another credit type, and that again, it shows the last one", async () => {
  const fake = new FakeScrip();
  fake.set("gpu", { available: "3" });
  const { balance } = await mount({ fake });
  for (const [first, last, shown] of [
    ["gpu", "ai", "1,500"],
    ["ai", "gpu", "3"],
  ]) {
    atWork();
    balance.element.setAttribute("credit-type", `${first}`);
    await Promise.resolve();
    balance.element.setAttribute("credit-type", `${last}`);
    await settle();
    expect(balance.value).toBe(shown);
  }
});
