/** `npm run check:size`: fails when a host page would have to load more than was promised, or than a missed promise is held at. */
import { contents } from "./dist.mjs";
import { isRecorded, measure } from "./sizes.mjs";

for (const row of await measure(await contents())) {
  const { what, promised, ceiling, raw, gzip, brotli } = row;
  const isRight = gzip <= ceiling && (await isRecorded(row));
  const state = gzip > ceiling ? "OVER" : gzip > promised ? "miss" : "ok  ";
  const missed = gzip > promised ? `, ${gzip - promised} more than promised, held at ${ceiling}` : "";
  console.log(`${state} ${what.padEnd(22)} gzip ${gzip} of ${promised}${missed}; brotli ${brotli}, raw ${raw}`);
  if (isRight) continue;
  process.exitCode = 1;
  if (gzip <= ceiling) console.log(`     sizes.csv does not have it: run \`npm run build\` and commit it`);
}
