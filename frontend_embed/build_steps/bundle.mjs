/** How the sources become one script: esbuild joins them, `apart` sorts what they say, terser squeezes what is left. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { ALL, apart } from "./apart.mjs";
import { fitting, piecesOf, TEXTS_FROM, withOwners, written } from "./arrange.mjs";
import { OURS } from "./ours.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const { version: VERSION } = JSON.parse(await readFile(`${ROOT}/package.json`, "utf8"));

export const EMBED = "frontend_embed/embed.ts";

/** Style sheets are strings to esbuild; it minifies them when told what they are. */
const cssLiterals = (sheets) => ({
  name: "css-literals",
  setup({ onLoad }) {
    onLoad({ filter: /\.styles\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const literal = /\/\* css \*\/ `([^`]*)`/.exec(source);
      if (!literal) throw new Error(`${path} has no /* css */ literal`);
      const { code } = await transform(literal[1], { loader: "css", minify: true, charset: "utf8" });
      const sheet = code.trim().replace(/(--_\w+): /g, "$1:");
      sheets.push(sheet);
      return { contents: source.replace(literal[0], () => JSON.stringify(sheet)), loader: "ts" };
    });
  },
});

const english = JSON.parse(await readFile(`${ROOT}/components/locales/en.json`, "utf8"));
/** What texts are called that are found by their places, in the order in which all files have them: names of the wire come behind. */
const NAMES = Object.keys(english).filter((name) => !/^[A-Z]/.test(name));

/** The few texts of the script as one string: where they stand says which they are. */
const firstTexts = (texts) => ({
  name: "first-texts",
  setup({ onLoad }) {
    onLoad({ filter: /locales\/first\.ts$/ }, async ({ path }) => {
      const names = (await readFile(path, "utf8")).match(/(?<=first = \{)[^}]*/)[0].match(/\w+/g);
      if (`${names}` !== `${NAMES.slice(0, names.length)}`) throw new Error(`${path}: not the first of en.json`);
      const first = names.map((name) => english[name]).join(";");
      texts.push(first);
      return { contents: `export const first = ${JSON.stringify(first)}.split(";");` };
    });
  },
});

/** Elements that read alike stand beside each other: this order, which was found by trying, is 0.1 KB smaller. */
const ORDER = "dashboard ledger gate expirations top-up provider usage balance runway recharge"
  .split(" ")
  .map((name) => `import "./components/${name}/${name}.ts"`);

/** The sources as one module that is still to be read, and the texts that are in it. */
async function join(entry, isFinal) {
  const texts = [];
  const { outputFiles } = await build({
    stdin: { contents: [...(entry === EMBED ? ORDER : []), `export * from "./${entry}"`].join(";"), resolveDir: ROOT },
    tsconfig: `${ROOT}/tsconfig.json`,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    minifySyntax: isFinal,
    define: { SCRIP_VERSION: JSON.stringify(VERSION), SCRIP_TEXTS: isFinal ? ALL : "undefined" },
    plugins: isFinal ? [cssLiterals(texts), firstTexts(texts)] : [cssLiterals(texts)],
  });
  // Names of our own variables, `--_accent`, are for readers.
  const [code, ...shortened] = [outputFiles[0].text, ...texts].map((text) => text.replace(/(?<=--_\w)\w+/g, ""));
  return isFinal ? { code, texts: shortened.sort() } : { code: outputFiles[0].text };
}

const MANGLED = new RegExp(`^(${OURS.join("|")})$`);

async function squeeze(code, texts) {
  const options = { minify: true, format: "esm", target: "es2022", charset: "utf8", mangleProps: MANGLED };
  const { code: shortened, mangleCache: ours } = await transform(withOwners(code), { ...options, mangleCache: {} });
  const { code: squeezed } = await minify(shortened, {
    module: true,
    toplevel: true,
    ecma: 2022,
    compress: {
      passes: 4,
      hoist_funs: true,
      unsafe_arrows: true,
      unsafe_comps: true,
      pure_getters: true,
      unsafe: true,
      keep_fargs: false,
    },
    format: { comments: false },
  });
  return { ...piecesOf(squeezed, ours, texts), texts, ours };
}

/** Where there is no DOM the script can be imported, and does nothing. */
const SERVER_SIDE = "const HTMLElement=globalThis.HTMLElement??class{};";

/**
 * One script of which nothing else is part.
 * @param {{entry: string, minified?: boolean}} options
 * @returns {Promise<string>}
 */
export async function bundle({ entry, minified = true }) {
  if (!minified) return (await join(entry, false)).code;
  const found = await inPieces({ entry });
  return written(found, fitting(found));
}

/** What can be arranged. */
export async function inPieces({ entry }) {
  const { code, texts: wanted } = await join(entry, true);
  const { code: rest, texts } = apart(code, wanted, NAMES, TEXTS_FROM);
  return squeeze(SERVER_SIDE + rest, texts);
}

/** The script that is shipped, and the same for pages without modules. */
export async function scripts() {
  const module = await bundle({ entry: EMBED });
  const [, code, exported] = /^(.*)export\{([^}]*)\};$/s.exec(module);
  const members = exported.replace(/([\w$]+) as (\w+)/g, "$2:$1");
  return { "embed.js": module, "embed.iife.js": `var Scrip=(()=>{${code}return{${members}}})();` };
}
