/** What the page asks of its own backend. */
export async function ask(path, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`/demo/${path}`, { ...(body && post), signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`/demo/${path} answered ${response.status}`);
  return response.json();
}

/** A key is kept until its request is answered: who presses again after a lost answer is not charged twice. */
const keys = new Map();
export async function once(path, body) {
  const wish = JSON.stringify([path, body]);
  const key = keys.get(wish) ?? `page-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  keys.set(wish, key);
  const answer = await ask(path, { ...body, key });
  keys.delete(wish);
  return answer;
}

export const $ = (id) => document.getElementById(id);

export function tag(name, text = "", className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Amounts stay decimal text, which Intl groups without rounding it through a float. */
const format = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
export const number = (amount) => format.format(amount).replace("-", "−");
export const credits = (amount) => `${number(amount)} ${amount === "1" ? "credit" : "credits"}`;
