/** How the sources become one script: esbuild joins, terser squeezes what is left. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { OURS } from "./ours.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const { version: VERSION } = JSON.parse(await readFile(`${ROOT}/package.json`, "utf8"));

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

/**
 * @param {{entry: string, format?: "esm" | "iife", minified?: boolean}} options
 * @returns {Promise<string>} the script
 */
export async function bundle({ entry, format = "esm", minified = true }) {
  const { outputFiles } = await build({
    entryPoints: [`${ROOT}/${entry}`],
    tsconfig: `${ROOT}/tsconfig.json`,
    bundle: true,
    write: false,
    format,
    globalName: format === "iife" ? "Scrip" : undefined,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    define: { SCRIP_VERSION: JSON.stringify(VERSION) },
    plugins: [cssLiterals],
    ...(minified ? { minify: true, mangleProps: new RegExp(`^(${OURS.join("|")})$`) } : {}),
  });
  const code = outputFiles[0].text;
  if (!minified) return code;
  const squeezed = await minify(htmlLiterals(code), {
    module: format === "esm",
    toplevel: format === "esm",
    ecma: 2022,
    compress: { passes: 4, unsafe_arrows: true, pure_getters: true, unsafe: true, keep_fargs: false },
    format: { comments: false },
  });
  return format === "esm" ? SERVER_SIDE + squeezed.code : squeezed.code;
}
