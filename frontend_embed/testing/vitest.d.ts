/// <reference types="vite/client" />
import type { Page } from "playwright";

declare module "vitest/browser" {
  interface BrowserCommands {
    emulateMedia(media: Parameters<Page["emulateMedia"]>[0]): Promise<void>;
  }
}
