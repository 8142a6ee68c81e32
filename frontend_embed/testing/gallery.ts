/** Every state of every element on one page, each against a fake of its own. */
import ar from "../../components/locales/ar.json" with { type: "json" };
import de from "../../components/locales/de.json" with { type: "json" };
import es from "../../components/locales/es.json" with { type: "json" };
import fr from "../../components/locales/fr.json" with { type: "json" };
import ja from "../../components/locales/ja.json" with { type: "json" };
import { FakeScrip } from "./fake_scrip.ts";
import { install } from "./install.ts";
import { states } from "./states.ts";

const locales = { ar, de, es, fr, ja };
for (const provider of document.querySelectorAll("scrip-provider")) {
  const fake = new FakeScrip();
  const world = provider.dataset["fake"] ?? "plain";
  const endpoint = `https://${world}-${Math.random().toString(36).slice(2)}.test`;
  provider.setAttribute("endpoint", endpoint);
  install(fake, endpoint, locales);
  states[world]?.(fake);
  provider.setAttribute("token", fake.mint());
  Object.assign(provider, { fake });
}

await import("../embed.ts");

for (const ledger of document.querySelectorAll(".opened"))
  setTimeout(() => {
    ledger.shadowRoot?.querySelectorAll<HTMLElement>(".title")[2]?.click();
    setTimeout(() => ledger.shadowRoot?.querySelector<HTMLElement>("[part=details] button")?.click(), 100);
  }, 500);
