/**
 * What a host page has to load, measured against what was promised. `sizes.csv` keeps the figures of every version:
 * the rows of the present one are written by the build, those of earlier ones stay.
 */
import { readFile, writeFile } from "node:fs/promises";
import { bundle, ROOT, VERSION } from "./bundle.mjs";
import { sizesOf } from "./compress.mjs";

const HISTORY = `${ROOT}/frontend_embed/sizes.csv`;
const HEAD = "version,what,raw,gzip,brotli";

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

/** @returns {Promise<{what: string, promised: number, ceiling: number, raw: number, gzip: number, brotli: number}[]>} */
export async function measure(files) {
  const alone = await sizesOf(Buffer.from(await bundle({ entry: "frontend_embed/balance.ts" })));
  const first = await sizesOf(files["embed.js"]);
  const second = await sizesOf(files["buying.js"]);
  const both = Object.fromEntries(Object.keys(first).map((unit) => [unit, first[unit] + second[unit]]));
  const measured = [alone, first, both].map((sizes, index) => ({ ...BUDGETS[index], ...sizes }));
  for (const name of Object.keys(files).filter((name) => name.startsWith("locales/"))) {
    measured.push({ what: name, promised: LOCALE, ...(await sizesOf(files[name])) });
  }
  return measured.map((row) => ({ ceiling: row.promised, ...row }));
}

const rowOf = ({ what, raw, gzip, brotli }) => [VERSION, what, raw, gzip, brotli].join(",");
const read = async () => (await readFile(HISTORY, "utf8").catch(() => `${HEAD}\n`)).trim().split("\n");

export async function writeHistory(files) {
  const earlier = (await read()).filter((row) => !row.startsWith(`${VERSION},`));
  await writeFile(HISTORY, `${[...earlier, ...(await measure(files)).map(rowOf)].join("\n")}\n`);
}

/** Compressors differ between versions of Node by some bytes; what they are given does not. */
export async function isRecorded({ what, raw }) {
  return (await read()).some((row) => row.startsWith(`${VERSION},${what},${raw},`));
}
