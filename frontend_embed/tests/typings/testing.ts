/** What tests of a host page write with the published fake. Compiled, never run. */
import { BalanceHarness, type FakeEntry, fakeScrip, install, states } from "../../dist/0.1.0/types/testing.js";
import { serveFakeScrip } from "../../dist/0.1.0/types/testing_server.js";

const scrip = fakeScrip({
  customer: "acme",
  balances: { ai: "10", images: { available: "3", creditType: { unitPlural: "images" } } },
  entries: [{ kind: "GRANT", amount: "10" }],
  decision: { allowed: false, reason: { code: "INSUFFICIENT_CREDITS" } },
});
const entry: FakeEntry = scrip.burn("0.5");
entry.amount satisfies string;
const undo: () => void = install(scrip, "https://credits.test");
undo();
states["low"]?.(scrip);
new BalanceHarness(document.querySelector("scrip-balance")).exact satisfies string | null | undefined;
const served = await serveFakeScrip(scrip, { port: 0 });
served.origin satisfies string;
scrip.payments.pay();

// @ts-expect-error Amounts are decimal strings.
scrip.burn(0.5);
// @ts-expect-error A balance is a string or an object of strings.
fakeScrip({ balances: { ai: 10 } });
// @ts-expect-error There is no such option.
fakeScrip({ credits: "10" });
