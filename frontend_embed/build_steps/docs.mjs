/** The page at /embed/docs, and what it loads. It is of the current version, and comes anew with each. */
import { readFile } from "node:fs/promises";
import { build, transform } from "esbuild";
import { page } from "../docs/page.mjs";
import { ROOT, VERSION } from "./bundle.mjs";

async function script(name) {
  const { outputFiles } = await build({
    entryPoints: [`${ROOT}/frontend_embed/docs/${name}.ts`],
    tsconfig: `${ROOT}/tsconfig.json`,
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    define: { SCRIP_VERSION: JSON.stringify(VERSION) },
    plugins: [
      {
        // The page runs on what is published, as everybody's tests do.
        name: "published",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/testing\.ts$/ }, () => ({ path: `/embed/${VERSION}/testing.js`, external: true })),
      },
    ],
  });
  return outputFiles[0].text;
}

/** @returns {Promise<Record<string, string>>} */
export async function docs({ description, manifest, reserve, size }) {
  const read = (name) => readFile(`${ROOT}/frontend_embed/docs/${name}`, "utf8");
  const { code } = await transform(await read("docs.css"), { loader: "css", minify: true });
  return {
    "index.html": await page({ description, manifest, reserve, size }),
    "pay.html": await read("pay.html"),
    "docs.css": code,
    "docs.js": await script("docs"),
    "pay.js": await script("pay"),
    "icon.svg": await read("icon.svg"),
  };
}
