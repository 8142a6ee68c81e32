/** `npm run check:size`: fails when a host page would have to load more than was promised, or than a missed promise is held at. */
import { contents } from "./dist.mjs";
import { isRecorded, measure } from "./sizes.mjs";

for (const row of await measure(await contents())) {
  const { what, promised, held, raw, gzip, brotli } = row;
  const fits = gzip <= held;
  const state = !fits ? "OVER" : gzip > promised ? "miss" : "ok  ";
  const missed = gzip > promised ? `, ${gzip - promised} more than promised, held at ${held}` : "";
  console.log(`${state} ${what.padEnd(22)} gzip ${gzip} of ${promised}${missed}; brotli ${brotli}, raw ${raw}`);
  if (fits && (await isRecorded(row))) continue;
  process.exitCode = 1;
  if (fits) console.log(`     sizes.csv does not have it: run \`npm run build\` and commit it`);
}
