import type { Entry } from "./entries.ts";

/** Where a spreadsheet would begin to calculate, but for numbers; their wide twins too, which some take for the same. */
const FORMULA = /^(?!-\d+(\.\d+)?$)[=+\-@\t\r\n＝＋－＠]/;

/** One cell. A text that looks like a formula gets an apostrophe before it and stays a text; numbers stay numbers. */
export function cell(value: unknown): string {
  const text = `${value ?? ""}`;
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Where each column is found in an entry. */
const COLUMNS =
  "sequence occurredAt recordedAt kind amount balanceAfter feature.name quantity feature.unit member.name explanation id".split(
    " ",
  );

const found = (value: unknown, path: string): unknown =>
  path.split(".").reduce((inner, name) => (inner as Record<string, unknown> | null)?.[name], value);

/** As RFC 4180 has it, with the mark that tells a spreadsheet that it is UTF-8. */
export const csv = (entries: Entry[]): string =>
  `\ufeff${[COLUMNS, ...entries.map((entry) => COLUMNS.map((path) => found(entry, path)))]
    .map((row) => `${row.map(cell)}\r\n`)
    .join("")}`;
