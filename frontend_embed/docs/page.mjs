/** The page at /embed/docs: what a developer of a host page reads, with everything in it that can be generated. */
import { readFile } from "node:fs/promises";
import { codeBox, escaped, tabs } from "./markup.mjs";
import { element } from "./reference.mjs";
import { theme } from "./theming.mjs";

/** In the order in which somebody meets them. */
const ORDER = "provider balance usage runway expirations ledger top-up recharge gate dashboard".split(" ");

/** The files of `snippets/`, with this version and its hashes in them. */
function snippets({ version, files }) {
  return async (name, label) => {
    const text = await readFile(new URL(`snippets/${name}`, import.meta.url), "utf8");
    const filled = text
      .replaceAll("{{version}}", version)
      .replace(/\{\{integrity ([\w./]+)\}\}/g, (_, file) => files[file].integrity);
    return codeBox(label, filled, `snippet-${name.replaceAll(".", "-")}`);
  };
}

const start = async (code) =>
  tabs("start", "Framework", [
    ["HTML", `${await code("plain.html", "Your page")}`],
    ["React 19", await code("react.tsx", "Billing.tsx")],
    ["Vue 3", await code("vue.vue", "Billing.vue")],
    ["Svelte 5", await code("svelte.svelte", "Billing.svelte")],
    ["Django", `${await code("django.html", "Template")}${await code("django_views.py", "View: the token")}`],
    ["Rails", `${await code("rails.html.erb", "View")}${await code("rails_controller.rb", "Controller: the token")}`],
  ]);

/** Up to the next whole one: compressors differ by some bytes. */
const kilobytes = (bytes) => `${Math.ceil(bytes / 1000)}\u00a0KB`;

function hosting({ version, files }) {
  const rows = [
    ["/embed/v1.js", "Floats with the releases; kept for 5 minutes", ""],
    ...["embed.js", "embed.iife.js", "reserve.css", "custom-elements.json", "testing.js"].map((name) => [
      `/embed/${version}/${name}`,
      {
        "embed.js": "The elements; never changes",
        "embed.iife.js": "The same for pages without modules: <code>window.Scrip</code>",
        "reserve.css": "Room for elements on their way",
        "custom-elements.json": "What this page is made from, for editors",
        "testing.js": "The fake Scrip of this page, for your tests",
      }[name],
      files[name].integrity,
    ]),
    [`/embed/${version}/locales/{ar,de,en,es,fr,ja}.json`, "Texts; data, no code", ""],
    [`/embed/${version}/types/{embed,react,vue,testing,testing_server}.d.ts`, "Typings", ""],
    ["/embed/manifest.json", "The current version, sizes and hashes of all of these", ""],
  ];
  return `<dl class="files">${rows
    .map(
      ([path, meaning, integrity]) =>
        `<div><dt><code>${escaped(path)}</code></dt><dd>${meaning}.${integrity && `<code class="hash">${integrity}</code>`}</dd></div>`,
    )
    .join("")}</dl>`;
}

export async function page({ description, manifest, reserve, size }) {
  const code = snippets(manifest);
  const all = description.modules.flatMap(({ declarations }) => declarations);
  const elements = ORDER.map((name) => all.find(({ tagName }) => tagName === `scrip-${name}`));
  const text = await readFile(new URL("page.html", import.meta.url), "utf8");
  const parts = {
    version: manifest.version,
    integrity: manifest.files["embed.js"].integrity,
    size: kilobytes(size),
    start: await start(code),
    floating: await code("floating.html", "Or the floating script"),
    contents: elements.map(({ tagName }) => `<li><a href="#${tagName}">${tagName.slice(6)}</a></li>`).join(""),
    theme: theme(elements),
    "theme-css": await code("theme.css", "Parts and custom properties"),
    elements: elements.map(element).join("\n"),
    "fetch-token": await code("fetch_token.js", "A token your way"),
    policy: await code("policy.txt", "Header of your page"),
    reserve: codeBox("In your stylesheet", reserve, "snippet-reserve-css"),
    locale: await code("locale.js", "Another language, or other words"),
    curl: await code("curl.sh", "Once, into your tests"),
    "test-page": await code("in_page.test.ts", "In a page"),
    "test-server": await code("server.test.ts", "Behind a port"),
    hosting: hosting(manifest),
  };
  const filled = text.replace(/\{\{([\w-]+)\}\}/g, (_, name) => {
    if (parts[name] === undefined) throw new Error(`page.html wants ${name}`);
    return parts[name];
  });
  return filled;
}
