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
    // The machine may be busy with servers and databases: these tell what hangs, not what is slow.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      {
        extends: true,
        test: {
          // Elements from their sources, in a page, against a fake Scrip.
          name: "elements",
          include: ["components/**/*.test.ts"],
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
        },
      },
    ],
  },
});
