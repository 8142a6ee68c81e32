/** What the snippets of the documentation find around them. */
declare const expect: typeof import("vitest").expect;
declare const page: import("playwright").Page;
