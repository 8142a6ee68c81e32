/** Books of a fake, and what a person does with a ledger. */
import { vi } from "vitest";
import { entry, granted } from "./fake_data.ts";
import { type FakeEntry, FakeScrip } from "./fake_scrip.ts";
import { type Mounted, settle } from "./harness.ts";

export const tag = "scrip-ledger";
/** A customer with so many entries, the first a grant, and a balance that is as new as the last. */
export function withEntries(count: number, change: (sequence: number) => Partial<FakeEntry> = () => ({})): FakeScrip {
  const fake = new FakeScrip();
  fake.entries = Array.from({ length: count }, (_, n) =>
    n === count - 1 ? granted(1) : entry(count - n, change(count - n)),
  );
  fake.set("ai", { version: count });
  return fake;
}
/** With `unlike`, amounts are the sequences; the grant at the beginning counts as 0. */
export const sequences = ({ shown }: Mounted): number[] =>
  shown.parts("row").map((row) => Number(row.querySelector("[part=amount]")?.getAttribute("value")?.slice(1)));
export const unlike = (sequence: number): Partial<FakeEntry> => ({ amount: `-${sequence}` });
export const open = async ({ shown }: Mounted, nth = 0): Promise<void> => {
  shown.element.shadowRoot?.querySelectorAll<HTMLElement>(".title")[nth]?.click();
  await settle();
};
export const details = ({ shown }: Mounted): string[] =>
  [...(shown.part("details")?.querySelectorAll("dt") ?? [])].map(
    (name) => `${name.textContent}: ${name.nextElementSibling?.textContent}`,
  );
export const press = async ({ shown }: Mounted, text: string): Promise<void> => {
  const buttons = shown.element.shadowRoot?.querySelectorAll<HTMLElement>("button") ?? [];
  [...buttons].find((button) => button.textContent?.trim() === text)?.click();
  await settle();
};
/** The whole second in which reads are gathered. */
export const pass = async (time_ms = 1_100): Promise<void> => {
  await settle();
  await vi.advanceTimersByTimeAsync(time_ms);
  await settle();
};
export const fakeTime = (): unknown => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
