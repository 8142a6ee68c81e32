/** What the parts of the page share. */
import { type FakeScrip, fakeScrip, install, type Locales, states } from "../testing.ts";

declare const SCRIP_VERSION: string;

/** As the server has them; each is fetched when it is first wanted. */
const language = (name: string): Promise<unknown> =>
  fetch(`/embed/${SCRIP_VERSION}/locales/${name}.json`).then((answer) => answer.json());
export const locales: Locales = Object.defineProperties(
  {},
  Object.fromEntries(["ar", "de", "es", "fr", "ja"].map((name) => [name, { get: () => language(name) }])),
);

export const radios = (name: string, chosen: (value: string) => void): void => {
  for (const radio of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`))
    radio.addEventListener("change", () => radio.checked && chosen(radio.value));
};

const told = new Map<string, FakeScrip>();
let worlds = 0;

export interface World {
  provider: HTMLElement;
  end(): void;
}

/** A provider with a fake of its own in one state. Put elements into it before it goes into the page. */
export function world(state: string): World {
  const name = `world-${++worlds}`;
  const endpoint = `${location.origin}/embed/docs/${name}`;
  const scrip = fakeScrip({ checkoutUrl: (id) => `${location.origin}/embed/docs/pay.html#${name}/${id}` });
  told.set(name, scrip);
  const uninstall = install(scrip, endpoint, locales);
  // What a purchase leaves behind in the tab is of another world.
  sessionStorage.removeItem("scrip-top-up ai");
  states[state]?.(scrip);
  const provider = document.createElement("scrip-provider");
  provider.setAttribute("endpoint", endpoint);
  Object.assign(provider, { fetchToken: () => scrip.mint() });
  return {
    provider,
    end: () => {
      provider.remove();
      told.delete(name);
      // Elements that have left may still ask once.
      setTimeout(uninstall, 10_000);
    },
  };
}

/** What the pretended payment page says. */
export function payments(): void {
  new BroadcastChannel("scrip-docs").addEventListener("message", ({ data }) => {
    const [name, id] = `${data.at}`.split("/");
    const pays = told.get(`${name}`)?.payments;
    if (!pays?.find(id)) return;
    if (data.outcome === "pay") pays.pay(id);
    else if (data.outcome === "decline") pays.decline(id);
    else if (data.outcome === "authenticate") pays.authenticate(id);
  });
}
