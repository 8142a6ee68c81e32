import { readFileSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { launchOptions } from "./testing/chromium.mjs";

const root = new URL("..", import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));

export default defineConfig({
  root,
  define: { SCRIP_VERSION: JSON.stringify(version), SCRIP_TEXTS: "undefined" },
  server: { host: "127.0.0.1" },
  optimizeDeps: { include: ["axe-core"] },
  test: {
    projects: [
      {
        extends: true,
        test: {
          // Elements from their sources, in a page, against a fake Scrip.
          name: "elements",
          include: ["components/**/*.test.ts"],
          testTimeout: 60_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions() }),
            instances: [{ browser: "chromium" }],
            commands: {
              /** Schemes are the browser's, not the page's. */
              emulateMedia: async ({ page }, media) => page.emulateMedia(media),
            },
          },
        },
      },
      {
        extends: true,
        test: {
          // The built bundle in pages of its own: policy, layout, sizes.
          name: "pages",
          include: ["frontend_embed/tests/**/*.test.ts"],
          environment: "node",
          testTimeout: 60_000,
        },
      },
    ],
  },
});
