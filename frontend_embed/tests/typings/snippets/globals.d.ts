/** What the snippets of the documentation find around them. */
declare function expect(value: unknown): { toBe(other: unknown): void };
declare const page: import("playwright").Page;
