// Playwright, Cypress, or a backend under test: SCRIP_URL is the fake's origin.
import { fakeScrip } from "./scrip/testing.js";
import { serveFakeScrip } from "./scrip/testing_server.js";

const scrip = fakeScrip({ balances: { ai: "10" } });
const { origin, close } = await serveFakeScrip(scrip);
process.env.SCRIP_URL = origin; // your backend gets its tokens there: POST /v1/embed-token

await page.goto("/billing");
await page.locator("scrip-top-up [part=action]").first().click();
await page.locator("scrip-top-up [part=status] a").waitFor(); // the payment page, which opened beside yours
scrip.payments.pay(); // what somebody does on the payment page
await page.locator("scrip-top-up [part=status]").getByText("added").waitFor();
await close();
