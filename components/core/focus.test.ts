import { afterEach, expect, it } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { type Mounted, mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { withEntries } from "../../frontend_embed/testing/ledger_page.ts";
import { defineLedger } from "../ledger/ledger.ts";
import { defineProvider } from "../provider/provider.ts";
import { defineUsage } from "../usage/usage.ts";

defineProvider();
defineLedger();
defineUsage();
afterEach(async () => {
  await unmountAll();
  document.body.replaceChildren();
});

const CHOICES: [tag: string, part: string, fake: () => FakeScrip][] = [
  ["scrip-usage", "range", () => new FakeScrip()],
  ["scrip-ledger", "filter", () => withEntries(3)],
];

/** By keyboard: another one is chosen, and data that nobody has yet are on their way. */
async function choose({ shown }: Mounted, part: string): Promise<HTMLSelectElement> {
  const select = shown.part(part) as HTMLSelectElement;
  select.focus();
  select.selectedIndex = select.selectedIndex ? 0 : 1;
  select.dispatchEvent(new Event("change"));
  await Promise.resolve();
  await Promise.resolve();
  return select;
}

it.each(CHOICES)("%s: whoever chooses a %s can choose another one", async (tag, part, fake) => {
  const mounted = await mount({ tag, fake: fake() });
  const before = await choose(mounted, part);
  await settle();
  expect(before.isConnected).toBe(false);
  expect(mounted.shown.element.shadowRoot?.activeElement).toBe(mounted.shown.part(part));
});

it.each(CHOICES)("%s: or has gone elsewhere meanwhile, and stays there", async (tag, part, fake) => {
  const mounted = await mount({ tag, fake: fake() });
  const field = document.createElement("input");
  document.body.append(field);
  await choose(mounted, part);
  field.focus();
  await settle();
  expect(document.activeElement).toBe(field);
});
