/**
 * The backend of a host product: it knows who is logged in, holds the secret key, and is the only one that burns.
 * Here everybody is logged in as the same customer. Prints where it answers.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const {
  SCRIP_URL = "http://127.0.0.1:8000",
  SCRIP_SECRET_KEY = "",
  CUSTOMER = "acme",
  FEATURE = "images",
  BUILT = here("../../../build/react"),
  PORT = "0",
} = process.env;

const BURN = `mutation Burn($input: BurnInput!) {
  burn(input: $input) { __typename ... on Refusal { code } }
}`;
const POLICY = [
  "default-src 'none'",
  `script-src 'self' ${SCRIP_URL}`,
  `connect-src 'self' ${SCRIP_URL} ${SCRIP_URL.replace("http", "ws")}`,
  "style-src 'self'",
  "img-src data:",
  "require-trusted-types-for 'script'",
].join("; ");

const scrip = (path, body) =>
  fetch(SCRIP_URL + path, {
    method: "POST",
    headers: { authorization: `Bearer ${SCRIP_SECRET_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(`${Buffer.concat(parts)}` || "{}");
}

const ROUTES = {
  "GET /": async () => [
    "text/html",
    (await readFile(here("index.html"), "utf8")).replaceAll("SCRIP_URL", SCRIP_URL).replace("FEATURE", FEATURE),
  ],
  "GET /app.js": async () => ["text/javascript", await readFile(`${BUILT}/app.js`)],
  "GET /app.css": async () => ["text/css", await readFile(`${BUILT}/app.css`)],
  // What `token-url` asks for. In a product of your own: the customer of the session, and of nobody else.
  "POST /billing/credits-token": async ({ headers }) => {
    // Good on this site alone; payments lead back to it.
    const origins = [`http://${headers.host}`];
    const answer = await scrip("/v1/embed-token", { customer: CUSTOMER, ttlSeconds: 600, origins });
    return ["application/json", await answer.text()];
  },
  "POST /postcards": async (request) => {
    const { key } = await bodyOf(request);
    const input = { customer: CUSTOMER, feature: FEATURE, quantity: "1", idempotencyKey: key };
    const { data } = await (await scrip("/graphql", { query: BURN, variables: { input } })).json();
    const { __typename, code } = data.burn;
    return ["application/json", JSON.stringify({ made: __typename === "BurnOk", code })];
  },
};

const server = createServer(async (request, response) => {
  try {
    const answer = await ROUTES[`${request.method} ${request.url}`]?.(request);
    if (!answer) return response.writeHead(404).end();
    const [type, content] = answer;
    response.writeHead(200, { "content-type": `${type}; charset=utf-8`, "content-security-policy": POLICY });
    response.end(content);
  } catch (error) {
    console.error(error);
    response.writeHead(502).end();
  }
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
