/** `npm run build`: writes dist/ from the sources. */
import { writeDist } from "./dist.mjs";

const { version, files } = await writeDist();
console.log(`embed ${version}`);
for (const [name, { raw, gzip, brotli }] of Object.entries(files)) {
  if (gzip) console.log(`${name.padEnd(22)} ${raw} bytes, gzip ${gzip}, brotli ${brotli}`);
}
