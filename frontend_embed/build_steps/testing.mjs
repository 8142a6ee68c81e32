/** The fake Scrip that host products test with: two modules to be read, not squeezed, and their types as the compiler sees them. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { ROOT, VERSION } from "./bundle.mjs";

/** Entry → the modules whose types it hands out, those that need none of the others first. */
const ENTRIES = {
  testing: [
    "frontend_embed/testing/element_harness",
    "frontend_embed/testing/fake_data",
    "frontend_embed/testing/fake_graphql",
    "frontend_embed/testing/fake_payments",
    "frontend_embed/testing/fake_scrip",
    "frontend_embed/testing/fake_options",
    "frontend_embed/testing/install",
    "frontend_embed/testing/states",
    "frontend_embed/testing",
  ],
  testing_server: ["frontend_embed/testing_server"],
};

async function module(entry) {
  const { outputFiles } = await build({
    entryPoints: [`${ROOT}/frontend_embed/${entry}.ts`],
    tsconfig: `${ROOT}/tsconfig.json`,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: entry === "testing" ? "browser" : "node",
    charset: "utf8",
    define: { SCRIP_VERSION: JSON.stringify(VERSION) },
    plugins: [
      {
        // The server brings no fake of its own: there is one, and tests share it.
        name: "beside",
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\.\/testing\.ts$/ }, () => ({ path: "./testing.js", external: true })),
      },
    ],
  });
  return outputFiles[0].text;
}

/** Files of declarations as one: what they say to each other goes, what the entry hands out stays. */
function joined(texts, entry) {
  const handedOut = [...entry.matchAll(/^export (?:type )?\{([^}]*)\} from/gm)]
    .flatMap(([, names]) => names.split(","))
    .map((name) => name.replace(/\btype\b/, "").trim())
    .filter(Boolean);
  const declared = texts
    .join("\n")
    .replace(/^(import|export) [^;]*? from "[^"]*";\n/gms, "")
    .replace(/^export \{\};\n/gm, "")
    .replace(/^export (?=declare|interface|type|const|function|class)/gm, "")
    .replace(/^(?=(function|class|const|let) )/gm, "declare ");
  return `${declared}\nexport { ${handedOut.sort().join(", ")} };\n`;
}

async function types(folder, entry, modules) {
  const read = async (name) => readFile(join(folder, `${name}.d.ts`), "utf8");
  const texts = await Promise.all(modules.map(read));
  const head = "Written by the build: don't edit.";
  const text =
    entry === "testing"
      ? joined(texts.slice(0, -1), texts.at(-1))
      : texts[0].replace("./testing.ts", "./testing.js").replace(/^\/\*\*[\s\S]*?\*\/\n/, "");
  return `/** Types of the Scrip embed's ${entry}.js. ${head} */\n${text}`;
}

/** @returns {Promise<Record<string, string>>} */
export async function testing() {
  const folder = await mkdtemp(join(tmpdir(), "scrip-types-"));
  const entries = Object.entries(ENTRIES);
  const options =
    "--ignoreConfig --declaration --emitDeclarationOnly --target es2022 --module esnext --moduleResolution bundler --allowImportingTsExtensions --strict --skipLibCheck --lib ES2023,DOM,DOM.Iterable --types node";
  await promisify(execFile)(
    process.execPath,
    [
      `${ROOT}/node_modules/typescript/bin/tsc`,
      ...options.split(" "),
      "--rootDir",
      ROOT,
      "--outDir",
      folder,
      ...entries.map(([entry]) => `${ROOT}/frontend_embed/${entry}.ts`),
    ],
    { cwd: ROOT },
  );
  const files = {};
  for (const [entry, modules] of entries) {
    files[`${entry}.js`] = await module(entry);
    files[`types/${entry}.d.ts`] = await types(folder, entry, modules);
  }
  await rm(folder, { recursive: true });
  return files;
}
