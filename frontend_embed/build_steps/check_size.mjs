/** `npm run check:size`: fails when a host page would have to load more than was promised. */
import { bundle } from "./bundle.mjs";
import { contents, sizesOf } from "./dist.mjs";

/** Bytes, gzip. 1 KB is 1,000 bytes. */
const BUDGETS = [
  ["the balance alone", 11_000, () => bundle({ entry: "frontend_embed/balance.ts" })],
  ["all elements", 20_000, () => bundle({ entry: "frontend_embed/embed.ts" })],
];

const files = await contents();
for (const name of Object.keys(files).filter((name) => name.startsWith("locales/"))) {
  BUDGETS.push([name, 1_500, () => files[name]]);
}

for (const [name, limit, make] of BUDGETS) {
  const { raw, gzip, brotli } = await sizesOf(Buffer.from(await make()));
  const isOver = gzip > limit;
  console.log(`${isOver ? "OVER" : "ok  "} ${name.padEnd(18)} gzip ${gzip} of ${limit}, brotli ${brotli}, raw ${raw}`);
  if (isOver) process.exitCode = 1;
}
