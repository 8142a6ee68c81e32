/**
 * What is shipped: dist/{version}/ with everything of one version, never changed once released, and
 * dist/manifest.json, which says what is current. Older versions stay beside it, because pages pin them.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ROOT, scripts, VERSION } from "./bundle.mjs";
import { brotlied, gzipped } from "./compress.mjs";
import { describe } from "./describe.mjs";
import { docs } from "./docs.mjs";
import { writeHistory } from "./sizes.mjs";
import { testing } from "./testing.mjs";
import { typings } from "./typings.mjs";

export const DIST = `${ROOT}/frontend_embed/dist`;
const COMPRESSED = /\.(js|json|css|html|svg)$/;

/**
 * The texts of a language as they are sent. All have the order of the English ones, which a test sees to, so only these
 * have names, for `registerLocale`; of the others those that names of the wire are looked up in.
 */
function sent(name, texts) {
  const isOfTheWire = ([key]) => /^[A-Z]/.test(key);
  const all = Object.entries(texts);
  const first = all.filter((each) => !isOfTheWire(each)).map(([, text]) => text);
  return JSON.stringify(name === "en.json" ? [texts] : [first, Object.fromEntries(all.filter(isOfTheWire))]);
}

/** The files of this version, by name; the same sources give the same bytes everywhere. */
export async function contents() {
  const description = await describe();
  const files = {
    ...(await scripts()),
    "reserve.css": await readFile(`${ROOT}/frontend_embed/examples/reserve.css`, "utf8"),
    "custom-elements.json": `${JSON.stringify(description, null, 2)}\n`,
    ...(await typings(description)),
    ...(await testing()),
  };
  for (const name of (await readdir(`${ROOT}/components/locales`)).sort()) {
    if (name.endsWith(".json"))
      files[`locales/${name}`] = sent(name, JSON.parse(await readFile(`${ROOT}/components/locales/${name}`, "utf8")));
  }
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
}

/** What can be known without compressing, which is not the same in every version of Node. */
export function manifestOf(files) {
  const entries = Object.entries(files).map(([name, content]) => [
    name,
    { raw: content.length, integrity: `sha384-${createHash("sha384").update(content).digest("base64")}` },
  ]);
  return { version: VERSION, floating: "v1.js", files: Object.fromEntries(entries) };
}

/** The files of dist/docs, by name. */
export async function docsOf(files) {
  const texts = await docs({
    description: JSON.parse(files["custom-elements.json"]),
    manifest: manifestOf(files),
    reserve: `${files["reserve.css"]}`,
    size: (await gzipped(files["embed.js"])).length,
  });
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
}

async function write(path, content) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** One file and its compressed twins; the sizes of these. */
async function writeTwins(path, content) {
  await write(path, content);
  if (!COMPRESSED.test(path)) return {};
  const twins = { gz: await gzipped(content), br: await brotlied(content) };
  for (const [ending, twin] of Object.entries(twins)) await write(`${path}.${ending}`, twin);
  return { gzip: twins.gz.length, brotli: twins.br.length };
}

export async function writeDist() {
  const files = await contents();
  const manifest = manifestOf(files);
  const folder = `${DIST}/${VERSION}`;
  for (const old of [folder, `${DIST}/docs`]) await rm(old, { recursive: true, force: true });
  for (const [name, content] of Object.entries(files))
    Object.assign(manifest.files[name], await writeTwins(`${folder}/${name}`, content));
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await write(`${folder}/manifest.json`, text);
  await write(`${DIST}/manifest.json`, text);
  for (const [name, content] of Object.entries(await docsOf(files))) await writeTwins(`${DIST}/docs/${name}`, content);
  await writeHistory(files);
  return manifest;
}
