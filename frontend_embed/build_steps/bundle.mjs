/** How the sources become scripts: esbuild joins, terser squeezes what is left. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { OURS } from "./ours.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const { version: VERSION } = JSON.parse(await readFile(`${ROOT}/package.json`, "utf8"));

const EMBED = "frontend_embed/embed.ts";
const BUYING = "frontend_embed/buying.ts";

/** Style sheets are strings to esbuild; it minifies them when told what they are. */
const cssLiterals = {
  name: "css-literals",
  setup({ onLoad }) {
    onLoad({ filter: /\.styles\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const literal = /\/\* css \*\/ `([^`]*)`/.exec(source);
      if (!literal) throw new Error(`${path} has no /* css */ literal`);
      const { code } = await transform(literal[1], { loader: "css", minify: true });
      return { contents: source.replace(literal[0], () => JSON.stringify(code.trim())), loader: "ts" };
    });
  },
};

/** Indentation in templates is for readers, a page would get it as text nodes; so are the names of our own variables, `--_accent`. */
const htmlLiterals = (code) => code.replace(/\n\s+/g, " ").replace(/--_(\w)\w+/g, "--_$1");

/** Where there is no DOM the script can be imported, and does nothing. */
const SERVER_SIDE = "const HTMLElement=globalThis.HTMLElement??class{};";

/** Modules of which the second script takes what the first has: `components/core/first.ts`. */
const FIRST = "components/core/first.ts";
const fromFirst = {
  name: "from-first",
  async setup({ onResolve, onLoad }) {
    const list = await readFile(`${ROOT}/${FIRST}`, "utf8");
    const names = new Map(
      [...list.matchAll(/^export \{ (.*) \} from "\.\/(.*)";$/gm)].map(([, names, file]) => [
        resolve(ROOT, "components/core", file),
        names,
      ]),
    );
    onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      return names.has(file) ? { path: file, namespace: "first" } : undefined;
    });
    onLoad({ filter: /./, namespace: "first" }, ({ path }) => ({
      contents: `export const { ${names.get(path)} } = FIRST;`,
    }));
  },
};

async function join({ entry, format, minified, define = {}, mangleCache = {}, plugins = [] }) {
  return build({
    entryPoints: [`${ROOT}/${entry}`],
    tsconfig: `${ROOT}/tsconfig.json`,
    bundle: true,
    write: false,
    format,
    globalName: format === "iife" && entry === EMBED ? "Scrip" : undefined,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    define: {
      SCRIP_VERSION: JSON.stringify(VERSION),
      SCRIP_LATER_INTEGRITY: JSON.stringify("sha384-"),
      ...define,
    },
    plugins: [...plugins, cssLiterals],
    ...(minified ? { minify: true, mangleProps: new RegExp(`^(${OURS.join("|")})$`), mangleCache } : {}),
  });
}

async function squeeze(code, isModule) {
  const { code: squeezed } = await minify(htmlLiterals(code), {
    module: isModule,
    toplevel: isModule,
    ecma: 2022,
    compress: { passes: 4, unsafe_arrows: true, pure_getters: true, unsafe: true, keep_fargs: false },
    format: { comments: false },
  });
  return squeezed;
}

/**
 * One script of which nothing else is part.
 * @param {{entry: string, minified?: boolean}} options
 * @returns {Promise<string>}
 */
export async function bundle({ entry, minified = true }) {
  const { outputFiles } = await join({ entry, format: "esm", minified });
  return minified ? SERVER_SIDE + (await squeeze(outputFiles[0].text, true)) : outputFiles[0].text;
}

/** The two scripts that are shipped, the first also for pages without modules. It knows the hash of the second. */
export async function scripts() {
  // Names that are shortened are the same in both: the second extends classes of the first.
  const { mangleCache } = await join({ entry: EMBED, format: "esm", minified: true });
  const { outputFiles } = await join({
    entry: BUYING,
    format: "iife",
    minified: true,
    mangleCache,
    plugins: [fromFirst],
  });
  const second = await squeeze(`export default FIRST=>{${outputFiles[0].text}}`, true);
  const integrity = `sha384-${createHash("sha384").update(second).digest("base64")}`;
  const define = { SCRIP_LATER_INTEGRITY: JSON.stringify(integrity) };
  const first = async (format) => {
    const { outputFiles } = await join({ entry: EMBED, format, minified: true, define, mangleCache });
    return squeeze(outputFiles[0].text, format === "esm");
  };
  return {
    "embed.js": SERVER_SIDE + (await first("esm")),
    "embed.iife.js": await first("iife"),
    "buying.js": second,
  };
}
