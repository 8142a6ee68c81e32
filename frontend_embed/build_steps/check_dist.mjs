/** `npm run check:dist`: is the committed dist/ what the sources build, and are older versions untouched? */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { VERSION } from "./bundle.mjs";
import { contents, DIST, docsOf, manifestOf } from "./dist.mjs";

const faults = [];
const OPENED = [
  ["gz", gunzipSync],
  ["br", brotliDecompressSync],
];
const read = (path) => readFile(`${DIST}/${path}`).catch(() => undefined);

/** Compressors differ between versions of Node by some bytes: what counts is what comes out of them. */
async function checkTwins(folder, name, content, entry) {
  for (const [ending, open] of OPENED) {
    const size = { gz: entry.gzip, br: entry.brotli }[ending];
    if (size === undefined) continue;
    const twin = await read(`${folder}/${name}.${ending}`);
    if (twin?.length !== size || !open(twin).equals(content))
      faults.push(`${folder}/${name}.${ending} is not its file compressed`);
  }
}

const files = await contents();
const expected = manifestOf(files);
const current = JSON.parse(`${(await read("manifest.json")) ?? "{}"}`);
if (current.version !== VERSION) faults.push(`manifest.json is of ${current.version}, the sources are ${VERSION}`);
for (const [name, content] of Object.entries(files)) {
  if (!(await read(`${VERSION}/${name}`))?.equals(content))
    faults.push(`${VERSION}/${name} is not what the sources build`);
  const { raw, integrity } = current.files?.[name] ?? {};
  if (raw !== expected.files[name].raw || integrity !== expected.files[name].integrity)
    faults.push(`manifest.json is wrong about ${name}`);
}

for (const [name, content] of Object.entries(await docsOf(files))) {
  if (!(await read(`docs/${name}`))?.equals(content)) faults.push(`docs/${name} is not what the sources build`);
  for (const [ending, open] of OPENED) {
    const twin = await read(`docs/${name}.${ending}`);
    if (!twin || !open(twin).equals(content)) faults.push(`docs/${name}.${ending} is not its file compressed`);
  }
}

for (const folder of (await readdir(DIST)).filter((name) => /^\d/.test(name))) {
  const manifest = JSON.parse(`${await read(`${folder}/manifest.json`)}`);
  const known = Object.entries(manifest.files);
  for (const [name, entry] of known) {
    const content = await read(`${folder}/${name}`);
    const integrity = content && `sha384-${createHash("sha384").update(content).digest("base64")}`;
    if (integrity !== entry.integrity) faults.push(`${folder}/${name} has changed`);
    else await checkTwins(folder, name, content, entry);
  }
  const present = (await readdir(`${DIST}/${folder}`, { recursive: true, withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  const due = known.length + known.filter(([, { gzip }]) => gzip).length * 2 + 1;
  if (present.length !== due) faults.push(`${folder} has ${present.length} files, its manifest says ${due}`);
}

for (const fault of faults) console.error(fault);
console.log(faults.length ? "Run `npm run build` and commit dist/." : `dist/ is what the sources of ${VERSION} build`);
process.exitCode = faults.length ? 1 : 0;
