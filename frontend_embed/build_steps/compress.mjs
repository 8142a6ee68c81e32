/** What is sent to browsers, made once and as small as it gets. */
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

export const gzipped = (content) => promisify(gzip)(content, { level: 9 });
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
