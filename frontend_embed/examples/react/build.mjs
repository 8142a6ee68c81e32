/** `node build.mjs [folder]`: the app as one script and one style sheet. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = process.argv[2] ?? here("../../../build/react");

await build({
  entryPoints: { app: here("src/main.tsx") },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
});
await writeFile(
  `${outdir}/app.css`,
  (await readFile(here("../reserve.css"), "utf8")) + (await readFile(here("src/app.css"), "utf8")),
);
console.log(outdir);
