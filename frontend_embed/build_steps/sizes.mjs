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

/**
 * Bytes, gzip; 1 KB is 1,000 bytes. `ceiling` holds a promise that is missed where it is, so that it can't get worse:
 * nine elements in one script are 24.0 KB, and as two, of which most pages load the first alone, 25.7.
 */
const BUDGETS = [
  { what: "the balance alone", promised: 11_000 },
  { what: "embed.js", promised: 20_000 },
  { what: "embed.js and buying.js", promised: 20_000, ceiling: 25_900 },
];
const LOCALE = 1_500;

/** @returns {Promise<{what: string, build: string, promised: number, ceiling: number, raw: number, gzip: number, brotli: number}[]>} */
export async function measure(files) {
  const alone = Buffer.from(await bundle({ entry: "frontend_embed/balance.ts" }));
  const parts = [[alone], [files["embed.js"]], [files["embed.js"], files["buying.js"]]];
  const rows = BUDGETS.map((budget, index) => ({ ...budget, parts: parts[index] }));
  for (const what of Object.keys(files).filter((name) => name.startsWith("locales/")))
    rows.push({ what, promised: LOCALE, parts: [files[what]] });
  return Promise.all(
    rows.map(async ({ parts, ...row }) => ({ ceiling: row.promised, ...row, ...(await total(parts)) })),
  );
}

/** Each part is compressed by itself, as it is sent. `build` names these very bytes. */
async function total(parts) {
  const sizes = await Promise.all(parts.map(sizesOf));
  const sum = (unit) => sizes.reduce((all, each) => all + each[unit], 0);
  const build = parts
    .reduce((hash, part) => hash.update(part), createHash("sha256"))
    .digest("hex")
    .slice(0, 8);
  return { build, raw: sum("raw"), gzip: sum("gzip"), brotli: sum("brotli") };
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
