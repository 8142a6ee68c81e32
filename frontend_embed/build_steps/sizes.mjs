/**
 * What a host page has to load, measured against what was promised. `sizes.csv` keeps the figures of every build that
 * was committed, oldest first: the build adds a row for whatever has other bytes than its last row, and removes none.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { bundle, ROOT, VERSION } from "./bundle.mjs";
import { sizesOf } from "./compress.mjs";

const HISTORY = `${ROOT}/frontend_embed/sizes.csv`;
const HEAD = "version,build,what,raw,gzip,brotli";

/** Bytes as they are sent, gzip; 1 KB is 1,000 bytes. */
const BALANCE = 11_000;
const ALL = 20_000;
const LOCALE = 1_500;

/** @returns {Promise<{what: string, build: string, promised: number, raw: number, gzip: number, brotli: number}[]>} */
export async function measure(files) {
  const alone = Buffer.from(await bundle({ entry: "frontend_embed/balance.ts" }));
  const locales = Object.keys(files).filter((name) => name.startsWith("locales/"));
  const rows = [
    ["the balance alone", BALANCE, alone],
    ["embed.js", ALL, files["embed.js"]],
    ...locales.map((name) => [name, LOCALE, files[name]]),
  ];
  return Promise.all(
    rows.map(async ([what, promised, content]) => {
      // Names these very bytes.
      const build = createHash("sha256").update(content).digest("hex").slice(0, 8);
      return { what, promised, build, ...(await sizesOf(content)) };
    }),
  );
}

const read = async () => (await readFile(HISTORY, "utf8").catch(() => `${HEAD}\n`)).trim().split("\n");

/** Compressors differ between versions of Node by some bytes; what they are given does not. */
const isLast = (rows, { build, what }) =>
  rows.findLast((row) => row.startsWith(`${VERSION},`) && row.split(",")[2] === what)?.split(",")[1] === build;

export async function writeHistory(files) {
  const rows = await read();
  for (const row of await measure(files)) {
    const { build, what, raw, gzip, brotli } = row;
    if (!isLast(rows, row)) rows.push([VERSION, build, what, raw, gzip, brotli].join(","));
  }
  await writeFile(HISTORY, `${rows.join("\n")}\n`);
}

export const isRecorded = async (row) => isLast(await read(), row);
