import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium } from "playwright";

/** Browsers that a playwright of any language has put there, newest last. */
function downloaded() {
  const folder = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^chromium(_headless_shell)?-\d+$/.test(name))
    .sort((a, b) => Number(a.split("-")[1]) - Number(b.split("-")[1]))
    .flatMap((name) => readdirSync(join(folder, name)).map((platform) => join(folder, name, platform)))
    .flatMap((place) => ["chrome", "headless_shell", "chrome-headless-shell"].map((file) => join(place, file)));
}

/** The Chromium of this machine: SCRIP_CHROMIUM, the system's, or one that playwright has fetched. */
export function findChromium() {
  const onPath = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].flatMap((name) =>
    (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)),
  );
  const places = [process.env.SCRIP_CHROMIUM, ...onPath, chromium.executablePath(), ...downloaded().reverse()];
  const found = places.find((place) => place && existsSync(place));
  if (!found) throw new Error("No Chromium: install one, or say where it is with SCRIP_CHROMIUM");
  return found;
}

export const launchOptions = () => ({
  executablePath: findChromium(),
  // Containers run as root, where Chromium's sandbox can't.
  args: ["--no-sandbox", "--js-flags=--expose-gc", "--enable-precise-memory-info"],
});
