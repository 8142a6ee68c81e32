// Vitest in a browser, Storybook, or any page that you write for a test.
import { BalanceHarness, fakeScrip, install } from "./scrip/testing.js";
import "./scrip/embed.js";

const scrip = fakeScrip({ customer: "acme", balances: { ai: "1500" } });
install(scrip, "https://credits.test");
document.body.innerHTML = `
  <scrip-provider endpoint="https://credits.test" token="${scrip.mint()}">
    <scrip-balance credit-type="ai"></scrip-balance>
  </scrip-provider>`;

const balance = new BalanceHarness(document.querySelector("scrip-balance"));
await expect.poll(() => balance.exact).toBe("1500");
scrip.burn("0.5"); // pushed over the socket, as the real one does
await expect.poll(() => balance.exact).toBe("1499.5");
