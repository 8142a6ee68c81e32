/** What is sent to browsers, made once and as small as it gets. */
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

/** Zopfli tries what a gzip has no time for, and is read like any other. It listens for all errors of a process, to print itself. */
const before = ["uncaughtException", "unhandledRejection"].map((event) => [event, process.listeners(event)]);
const { default: zopfli } = await import("@gfx/zopfli");
for (const [event, known] of before)
  for (const listener of process.listeners(event)) if (!known.includes(listener)) process.off(event, listener);

/** As often as it tries; more than that finds nothing. */
const TRIES = 50;

export const gzipped = async (content) => Buffer.from(await zopfli.gzipAsync(content, { numiterations: TRIES }));
export const brotlied = (content) =>
  promisify(brotliCompress)(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    },
  });

export const sizesOf = async (content) => ({
  raw: content.length,
  gzip: (await gzipped(content)).length,
  brotli: (await brotlied(content)).length,
});
