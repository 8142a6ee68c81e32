/** `npm run check:size`: fails when a host page would have to load more than was promised. */
import { contents } from "./dist.mjs";
import { isRecorded, measure } from "./sizes.mjs";

for (const row of await measure(await contents())) {
  const { what, promised, raw, gzip, brotli } = row;
  const fits = gzip <= promised;
  console.log(`${fits ? "ok  " : "OVER"} ${what.padEnd(22)} gzip ${gzip} of ${promised}; brotli ${brotli}, raw ${raw}`);
  if (fits && (await isRecorded(row))) continue;
  process.exitCode = 1;
  if (fits) console.log(`     sizes.csv does not have it: run \`npm run build\` and commit it`);
}
