"""What a page around the elements, and others who reach it, can do to them: post messages at them (X5), theme them with
whatever a customer of the host wrote (X2), leave things on the prototypes of built-ins (X8); and where a token is after a
purchase (X6). With all elements, in the policy of the documentation.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from e2e.host import MARKUP, SHOWN_MS, Host, buyer, hosting, part
from server.embed import folder
from tests.harness.server import Server

FOREIGN = "http://elsewhere.example"
ALL = "".join(MARKUP[name] for name in MARKUP if name != "dashboard")
# Everything that can be read of the page's elements, through their shadow roots.
TEXTS = """() => {
  const texts = (root) => [...root.childNodes].map((node) =>
    node.nodeType === 3 ? node.data : [...(node.shadowRoot ? texts(node.shadowRoot) : []), ...texts(node)]);
  return [...document.querySelectorAll("scrip-provider > *")].map((each) => [each.localName, texts(each)]);
}"""
# Once before anything of the page runs. A listener of ours for messages would be one of these. (A channel of whose two
# ends nobody else has one, as our turns take, is out of everybody's reach.)
LISTENING = """
window.listened = [];
const add = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function(type, ...given) {
  if (/^(message|messageerror|storage)$/.test(type)) listened.push(`${type} on ${this?.constructor?.name}`);
  return add.call(this, type, ...given);
};
for (const name of ["BroadcastChannel", "SharedWorker", "Worker"])
  window[name] = new Proxy(window[name], { construct(made, given) {
    listened.push(name);
    return new made(...given);
  } });
"""


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "around") as host:
        yield host


async def until(page: Page, so: str) -> None:
    """Asked by the browser's debugger: what waits within the page would need its policy's leave."""
    async with asyncio.timeout(SHOWN_MS / 1000):
        while not await page.evaluate(so):
            await asyncio.sleep(0.05)


async def settled(page: Page) -> None:
    """Every element has what it shows."""
    for shown in ("balance [part=value]", "usage [part=bar]", "ledger [part=row]", "top-up [part=bundle]"):
        await expect(page.locator(f"scrip-{shown}").first).to_be_visible(timeout=SHOWN_MS)
    await expect(page.locator("scrip-recharge [part=form]")).to_be_visible(timeout=SHOWN_MS)
    await expect(page.get_by_text("Generate")).to_be_visible(timeout=SHOWN_MS)
    loaded = "watched.events.filter(({type}) => type === 'load').length"
    await until(page, f"{loaded} >= document.querySelectorAll('scrip-provider > *').length")
    await page.wait_for_timeout(300)  # for what follows upon that


# ─── X5: messages ──────────────────────────────────────────────────────────────────────────────────
# What a page might be made to listen for, by anybody who opens it, and what no page expects.
POST = """([token, told]) => {
  const changes = { previous: "1", available: "999999", version: 9 };
  const shapes = [
    null, undefined, 0, -1, NaN, 10n ** 30n, true, "", token, "scrip", "*".repeat(1e6), Symbol.iterator.toString(),
    [], [[]], {}, new Date(0), /x/, new Map([["token", token]]), new Set([token]), new Error("scrip-error"),
    new ArrayBuffer(8), new Blob([token]), new DOMException("x", "AbortError"), JSON.parse('{"__proto__": {"token": 1}}'),
    ...["scrip", "scrip-token", "scrip:token", "token", "scrip-session", "init", "hello", "ready", "auth"]
      .flatMap((type) => [{ type, token }, { type, detail: { token } }, { event: type, data: { token } }, { [type]: token }]),
    ...["load", "error", "balance-change", "balance-low", "top-up-start", "top-up-done", "top-up-failed",
        "recharge-change", "gate-change", "entry-select", "export", "expiring", "range-change"]
      .flatMap((name) => [{ type: `scrip-${name}`, detail: changes }, { source: "scrip", event: name, ...changes }]),
    ...["next", "error", "complete", "connection_ack", "ping"].map((type) =>
      ({ type, id: "1", payload: { data: { balanceChanged: told }, errors: null } })),
    { data: { r0: told } }, { jsonrpc: "2.0", method: "setToken", params: [token], id: 1 },
    { endpoint: "http://elsewhere.example" }, { topUp: { id: "top_1_1", status: "SUCCEEDED" } },
    { type: "stripe-checkout", status: "complete" }, { type: "resize", height: 1e9 }, { type: "navigate", url: "javascript:1" },
  ];
  const { port1 } = new MessageChannel();
  let posted = 0;
  for (const target of [window, ...(window.opened ? [window.opened] : [])])
    for (const shape of shapes)
      for (const given of typeof shape === "object" ? [shape, JSON.stringify(shape)] : [shape]) {
        target.postMessage(given, "*");
        posted++;
      }
  window.postMessage({ token, port: port1 }, "*", [port1]);
  return posted;
}"""


async def test_posted_messages_of_any_shape_change_nothing_and_nobody_listens(host: Host):
    key, other = await buyer(host, "posted"), await buyer(host, "other")
    await host.write(key, ALL)
    foreign = await host.visit()
    await foreign.route(f"{FOREIGN}/", lambda route: route.fulfill(content_type="text/html", body="<p>Elsewhere</p>"))
    await foreign.context.add_init_script(LISTENING)
    await foreign.goto(f"{FOREIGN}/")
    async with foreign.expect_popup() as opening:  # whoever opens a page may post to it
        await foreign.evaluate("(url) => { window.opened = open(url) }", f"{host.pages.url}/")
    page = await opening.value
    await settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    before = (
        await page.evaluate(TEXTS),
        await page.evaluate("[watched, {...localStorage}, {...sessionStorage}, location.href]"),
    )
    arrived = "addEventListener.call(window, 'message', () => { window.arrived = (window.arrived ?? 0) + 1 })"
    await page.evaluate(f"window.listening = listened.slice(); {arrived}")
    token = (await host.token(other))["token"]
    told = {"creditType": {"key": "ai"}, "available": "999999", "version": 10**9, "asOf": "2099-01-01T00:00:00Z"}
    posted = await page.evaluate(POST, [token, told])
    assert posted > 100
    await foreign.evaluate(POST, [token, told])
    await until(page, f"window.arrived >= {2 * posted}")
    await page.wait_for_timeout(500)
    assert await page.evaluate(TEXTS) == before[0]
    assert await page.evaluate("[watched, {...localStorage}, {...sessionStorage}, location.href]") == before[1]
    assert asked == [], "a message made them ask"
    assert await page.evaluate("listening") == []
    assert (
        await page.evaluate("[window.onmessage, window.onmessageerror, window.onstorage, document.body.onmessage]")
        == [None] * 4
    )


# ─── X6: tokens ────────────────────────────────────────────────────────────────────────────────────
KEPT = """async () => {
  const databases = await Promise.all((await indexedDB.databases()).map(({ name }) => new Promise((resolve) => {
    const opening = indexedDB.open(name);
    opening.onsuccess = () => resolve([name, ...opening.result.objectStoreNames]);
    opening.onerror = () => resolve([name]);
  })));
  const deep = (root) => [root.innerHTML ?? "", ...[...root.querySelectorAll("*")].flatMap((each) =>
    [...(each.shadowRoot ? deep(each.shadowRoot) : []), each.value ?? ""])];
  const own = Object.getOwnPropertyNames(window).filter((name) => typeof window[name] === "string");
  const provider = document.querySelector("scrip-provider");
  const reached = [];
  const walk = (value, seen = new Set()) => {
    if (typeof value === "string") reached.push(value);
    if (typeof value !== "object" || !value || seen.has(value) || value instanceof Node || value === window) return;
    seen.add(value);
    for (const name of Reflect.ownKeys(value)) walk(value[name], seen);
  };
  if (provider) for (const name of Object.getOwnPropertyNames(provider)) walk(provider[name]);
  return {
    localStorage: {...localStorage}, sessionStorage: {...sessionStorage}, cookie: document.cookie, databases,
    caches: await (globalThis.caches?.keys() ?? []), workers: (await navigator.serviceWorker?.getRegistrations() ?? []).length,
    name: window.name, history: history.state, address: location.href, referrer: document.referrer,
    entries: performance.getEntries().map(({ name }) => name), document: deep(document), globals: own.map((name) => window[name]),
    provider: reached,
  };
}"""


async def test_after_a_purchase_a_token_is_nowhere_but_in_the_authorization_of_our_requests(host: Host):
    """Bought in a tab beside, and again by a page that goes to pay and comes back. Beside the authorization of a request,
    a token is in the greeting of a socket, and in the answer of the host's own token-url."""
    key = await buyer(host, "kept")
    tokens = [await host.token(key, origins=[host.pages.url]) for _ in range(4)]
    handed: list[str] = []

    def hand_out(_: str) -> dict[str, Any]:
        handed.append(tokens[len(handed)]["token"])
        return tokens[len(handed) - 1]

    host.pages.hand_out = hand_out
    await host.write(key, MARKUP["balance"] + MARKUP["top-up"], session='token-url="/token"')
    page = await host.visit()
    context, leaks, authorized, greeted = page.context, [], [], []

    def traces(text: str) -> bool:
        """Whether it has a token, or the part of one that is the customer's or the signature."""
        return any(piece in text for token in handed for piece in token.split(".")[1:])

    async def look(request: Any) -> None:
        headers = await request.all_headers()
        if traces(headers.pop("authorization", "")):
            authorized.append(request.url)
        said = [request.url, json.dumps(headers), request.post_data or ""]
        leaks.extend(text for text in said if traces(text))

    def greet(sent: Any) -> None:
        text = sent if isinstance(sent, str) else sent.decode()
        (greeted if json.loads(text)["type"] == "connection_init" else leaks).append(text) if traces(text) else None

    def follow(tab: Page) -> None:
        tab.on(
            "websocket",
            lambda socket: (leaks.append(socket.url) if traces(socket.url) else None, socket.on("framesent", greet)),
        )
        tab.on("console", lambda line: leaks.append(line.text) if traces(line.text) else None)

    looks: list[Any] = []
    context.on("request", lambda request: looks.append(look(request)))
    context.on("page", follow)
    follow(page)
    await page.goto(f"{host.pages.url}/")
    async with page.expect_popup() as opened:
        await page.locator("scrip-top-up [part=action]").first.click()
    tab = await opened.value
    await tab.get_by_role("button", name="Pay", exact=True).click()
    await expect(part(page, "status")).to_contain_text("500 credits added", timeout=SHOWN_MS)
    seen = [await each.evaluate(KEPT) for each in (page, tab)]
    await page.evaluate("window.open = () => null")
    await page.locator("scrip-top-up [part=action]").first.click()
    await page.wait_for_url("**/sandbox/checkout/**")
    seen.append(await page.evaluate(KEPT))
    await page.get_by_role("button", name="Pay", exact=True).click()
    await page.wait_for_url(f"{host.pages.url}/**")
    await expect(part(page, "status")).to_contain_text("500 credits added", timeout=SHOWN_MS)
    seen.append(await page.evaluate(KEPT))
    cookies, state = await context.cookies(), await context.storage_state()
    for each in looks:
        await each
    assert len(handed) == 2, "of each visit one"
    assert traces(handed[0])
    assert greeted
    assert set(authorized) == {f"{host.server.url}/graphql"}
    assert leaks == []
    assert [place for place in (*seen, state) if traces(json.dumps(place))] == []
    assert cookies == [], "no cookie was set"
    assert state["origins"] == [], "nothing outlives the tab"


# ─── X2: themes ────────────────────────────────────────────────────────────────────────────────────
VERSION = json.loads((folder() / "manifest.json").read_bytes())["version"]
DESCRIBED = json.loads((folder() / VERSION / "custom-elements.json").read_bytes())
PROPERTIES = sorted(
    {
        each["name"]
        for module in DESCRIBED["modules"]
        for element in module["declarations"]
        for each in element["cssProperties"]
    }
)
# As a host's own customer may have written them into a form for colours and the like.
THEMES = [
    f"url({FOREIGN}/a.png)", f'image-set("{FOREIGN}/b.png" 1x)', f"linear-gradient(red, blue), url({FOREIGN}/c.png)",
    f"url({FOREIGN}/d.svg#e) red", f'src("{FOREIGN}/e.png")', f"-webkit-cross-fade(url({FOREIGN}/f.png), url({FOREIGN}/g.png), 50%)",
    "red; } * { display: none } </style><img src=x onerror='window.polluted=1'>", "red !important; position: fixed; inset: 0",
    "0 0 0 100vmax #f00", "0 0 0 100vmax #f00 inset", "200vmax", "-200vmax", "calc(1px * 1e30)", "fixed", "inherit", "var(--scrip-space)",
]  # fmt: skip
THEME = """async ([properties, values]) => {
  const provider = document.querySelector("scrip-provider"), title = document.querySelector("h1");
  const under = (each) => { const { left, top } = each.getBoundingClientRect(); return document.elementFromPoint(left + 2, top + 2) };
  const wrong = [];
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  for (const name of properties) for (const value of values) for (const way of ["property", "sheet"]) {
    if (way === "property") provider.style.setProperty(name, value);
    else sheet.replaceSync(`scrip-provider { ${name}: ${value} }`);
    scrollTo(0, 0);
    const isHidden = /display: none/.test(value) && way === "sheet"; // raw CSS: what a host must not write, and what hides all
    if (!isHidden && under(title) !== title) wrong.push(`${name}: ${value}: covers the page`);
    for (const each of provider.children)
      if (!isHidden && getComputedStyle(each).position !== "static") wrong.push(`${name}: ${value}: moves ${each.localName}`);
    await new Promise(requestAnimationFrame);
    provider.style.removeProperty(name);
    sheet.replaceSync("");
  }
  return wrong;
}"""


async def test_a_theme_is_values_none_of_which_loads_or_covers_anything(host: Host):
    page = await host.open(await buyer(host, "themed"), ALL)
    await settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert len(PROPERTIES) > 10
    assert await page.evaluate(THEME, [PROPERTIES, THEMES]) == []
    await page.wait_for_timeout(300)
    assert [url for url in asked if not url.startswith(host.server.url)] == []
    assert (await page.evaluate("watched"))["violations"] == [], "it tried to load something"
    assert await page.evaluate("window.polluted") is None


# ─── X8: prototypes ────────────────────────────────────────────────────────────────────────────────
OF_OBJECTS = {
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
}
# What careless libraries do: additions that every `for … in` and every object has, under names of their own.
CARELESS = """
for (const made of [Object, Array, Function, String, Number, Promise, Map, Element, Event, Node, URL, Date, BigInt])
  for (const name of ["extend", "clone", "tap", "isBlank", "$$cache", "_super", "toQuery", "unless"])
    made.prototype[name] ??= function () { return this };
"""
# What a hole in some script of the page lets an address or JSON put there: under each name that anything of ours looks up
# and no object of ours has, one after the other. Meanwhile everything is read, drawn and made anew, then something is bought.
HOSTILE = """async (names) => {
  const far = "http://elsewhere.example/", mark = "<img src=x onerror='window.polluted=1'>";
  const provider = document.querySelector("scrip-provider"), elements = [...provider.children];
  const put = (name, property) =>
    Object.defineProperty(Object.prototype, name, Object.assign(Object.create(null), property, { configurable: true }));
  const all_anew = async () => {
    dispatchEvent(new Event("online"));
    const copies = elements.map((each) => each.cloneNode(true));
    provider.append(...copies);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return copies;
  };
  const looked_up = new Set();
  for (const name of names)
    put(name, {
      get: () => void looked_up.add(name),
      set(value) { Object.defineProperty(this, name, Object.assign(Object.create(null), { value, configurable: true, enumerable: true, writable: true })); },
    });
  for (const each of await all_anew()) each.remove();
  for (const name of names) delete Object.prototype[name];
  put(far, { value: mark }); // where one thing that was put there leads to another
  for (const name of [...looked_up, "href", "src", "innerHTML", "onerror", "endpoint"])
    for (const value of [[mark], mark, far]) {
      put(name, { value, writable: true, enumerable: true });
      for (const each of await all_anew()) each.remove();
      delete Object.prototype[name];
    }
  for (const name of ["checkoutUrl", "href", "url", "opener", "endpoint", "baseUrl"]) put(name, { value: far, writable: true });
  elements.find((each) => each.localName === "scrip-top-up").shadowRoot.querySelector("[part=action]").click();
  return [...looked_up];
}"""


async def test_additions_to_prototypes_under_names_of_their_own_change_nothing(host: Host):
    """The same page twice, as it is and with them; what it shows, asks and keeps is the same."""
    key = await buyer(host, "careless")
    seen = []
    for before in ("", CARELESS):
        await host.write(key, ALL)
        page = await host.visit()
        await page.add_init_script(before or "0")
        await page.goto(f"{host.pages.url}/")
        await settled(page)
        seen.append(re.sub(r"[a-z]+-\d+-heading", "", json.dumps(await page.evaluate(TEXTS))))
        seen.append((await page.evaluate("watched"))["violations"])
    assert seen[:2] == seen[2:]


async def test_what_somebody_puts_on_object_prototype_runs_nothing_and_sends_a_token_nowhere(host: Host):
    """Elements may fail then, and they do so by themselves."""
    key = await buyer(host, "hostile")
    handed = await host.token(key)
    host.pages.hand_out = lambda _: handed
    await host.write(key, ALL, session='token-url="/token"')
    host.pages.policy = ""  # nothing but the elements themselves stands in the way
    page = await host.visit()
    asked: list[tuple[str, str]] = []
    page.context.on("request", lambda sent: asked.append((sent.url, json.dumps(sent.headers) + (sent.post_data or ""))))
    page.on("websocket", lambda socket: asked.append((socket.url, "")))
    await page.goto(f"{host.pages.url}/")
    await settled(page)
    script = (folder() / VERSION / "embed.js").read_text(encoding="utf-8")
    names = set(re.findall(r"[A-Za-z_$][\w$]*", script)) - OF_OBJECTS
    looked_up = await page.evaluate(HOSTILE, sorted(names))
    assert len(looked_up) > 5, looked_up
    await page.wait_for_timeout(1_000)
    assert await page.evaluate("Object.hasOwn(window, 'polluted')") is False
    assert {re.match(r"\w+://[^/]+", url)[0].replace("ws:", "http:") for url, _ in asked} == {
        host.pages.url,
        host.server.url,
    }
    assert {url for url, said in asked if handed["token"] in said} <= {f"{host.server.url}/graphql"}
    host.problems.clear()  # what broke is the page's own doing
