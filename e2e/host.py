"""A product that embeds the elements: a web server on an origin of its own, tokens, customers, and a browser to look."""

import json
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright

from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world, give

ROOT = Path(__file__).parents[1]
AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
SHOWN_MS = 30_000
TRIES = 20  # of a burn, on a busy machine

# Credit type by attribute, as a page has them; the gate goes by feature.
MARKUP = {
    "balance": '<scrip-balance heading-level="2" credit-type="ai" show-held low="5"></scrip-balance>',
    "usage": '<scrip-usage heading-level="2" credit-type="ai" group-by="feature" range="P7D"></scrip-usage>',
    "ledger": '<scrip-ledger heading-level="2" credit-type="ai" live disputable></scrip-ledger>',
    "expirations": '<scrip-expirations heading-level="2" credit-type="ai"></scrip-expirations>',
    "runway": '<scrip-runway heading-level="2" credit-type="ai"></scrip-runway>',
    "gate": '<scrip-gate feature="input-tokens" quantity="1000"><button slot="allowed">Generate</button></scrip-gate>',
    "top-up": '<scrip-top-up heading-level="2" credit-type="ai"></scrip-top-up>',
    "recharge": '<scrip-recharge heading-level="2" credit-type="ai"></scrip-recharge>',
    "dashboard": '<scrip-dashboard heading-level="2" credit-type="ai"></scrip-dashboard>',
}
# The gate shows what is the page's; the dashboard is made of the others.
CARDS = [name for name in MARKUP if name not in ("gate", "dashboard")]
EVERY_SCOPE = [
    "balance:read",
    "usage:read",
    "ledger:read",
    "topup:create",
    "recharge:manage",
    "dispute:create",
]

PAGE = """<!doctype html><html {root}><meta charset="utf-8"><title>Credits</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/page.css"><script type="module" src="{url}/embed/v1.js"></script>
<body><main><h1>Credits</h1><scrip-provider endpoint="{url}" {session}>{elements}</scrip-provider></main></body></html>"""
# The policy of the contract, HOST being where Scrip answers; 'self' for a token-url.
POLICY = (
    "default-src 'none'; script-src {url}; connect-src {url} {socket} 'self'; style-src 'self'; "
    "require-trusted-types-for 'script'; report-uri /report"
)
LOOKS = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; color: #1c1f26; background: #fff }
@media (prefers-color-scheme: dark) { :root { color: #e9ebf0; background: #14161b } }
body { margin: 0 } main { display: grid; gap: 1rem; padding: .5rem }
"""
# Before anything of the page runs: what the browser thinks of it.
WATCH = """
window.watched = { violations: [], shifts: [], closed: [], events: [] };
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  watched.violations.push(`${violatedDirective} ${blockedURI}`));
new PerformanceObserver((list) => watched.shifts.push(...list.getEntries().flatMap(({sources}) =>
  sources.map(({node, previousRect: {top, height}, currentRect}) =>
    `${node?.localName ?? "an element"} ${top}+${height} → ${currentRect.top}+${currentRect.height}`))))
  .observe({type: "layout-shift", buffered: true});
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("close", ({code}) => watched.closed.push(code));
  }
};
for (const type of ["load", "error", "balance-change", "top-up-start", "top-up-done", "top-up-failed", "recharge-change",
  "gate-change", "entry-select"])
  addEventListener(`scrip-${type}`, ({detail, target}) => watched.events.push({type, detail, tag: target.localName}));
"""
# What a page that is made to fail has in its console, and rightly.
EXPECTED = ("Failed to load resource", "WebSocket connection to")


class Pages(ThreadingHTTPServer):
    """The host's own web server. It has one page, the last that was set, and hands out tokens."""

    daemon_threads = True
    policy = ""
    body = ""
    hand_out: Callable[[str], dict[str, Any]]
    """The answer of a token-url, by its path."""
    reports: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        if self.path == "/page.css":
            reserve = (ROOT / "frontend_embed/examples/reserve.css").read_text(encoding="utf-8")
            self._send("text/css", reserve + LOOKS)
        else:
            self._send("text/html; charset=utf-8", self.server.body)

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/report":
            self.server.reports.append(said.decode())
            self._send("text/plain", "")
        else:
            self._send("application/json", json.dumps(self.server.hand_out(self.path)))

    def _send(self, content_type: str, body: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("cache-control", "no-store")
        if content_type.startswith("text/html"):
            self.send_header("content-security-policy", self.server.policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Pages]:
    pages = Pages(("127.0.0.1", 0), _Answer)
    pages.reports = []
    thread = threading.Thread(target=pages.serve_forever, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        pages.shutdown()
        thread.join()
        pages.server_close()


@dataclass
class Host:
    """A product that embeds the elements for customers of its own."""

    server: Server
    client: Client
    browser: Browser
    pages: Pages
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    fails: bool = False
    """Whether requests of this test are meant to fail."""

    async def token(self, customer: str, **fields: Any) -> dict[str, Any]:
        fields = {"scopes": EVERY_SCOPE, **fields}
        reply = await self.client.must("createEmbedToken", customer=customer, **fields)
        return {"token": reply["token"], "expiresAt": reply["expiresAt"]}

    async def visit(self, **options: Any) -> Page:
        """A tab of a browser of its own, still empty."""
        context = await self.browser.new_context(**{"timezone_id": "UTC", "locale": "en-US", **options})
        self.contexts.append(context)
        await context.add_init_script(WATCH)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self._heard(line.type, line.text))
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not (self.fails and text.startswith(EXPECTED)):
            self.problems.append(text)

    async def write(self, customer: str, elements: str, *, root: str = 'lang="en"', session: str = "") -> None:
        """The page as it is from now on."""
        url = self.server.url
        session = session or f'token="{(await self.token(customer))["token"]}"'
        self.pages.policy = POLICY.format(url=url, socket=url.replace("http", "ws"))
        self.pages.body = PAGE.format(url=url, root=root, session=session, elements=elements)

    async def open(
        self, customer: str, elements: str, *, root: str = 'lang="en"', session: str = "", **options: Any
    ) -> Page:
        await self.write(customer, elements, root=root, session=session)
        page = await self.visit(**options)
        await page.goto(f"{self.pages.url}/")
        return page

    async def burn(self, customer: str, quantity: str, key: str, **fields: Any) -> dict[str, Any]:
        """As a backend does it: asked again with its key where no answer came."""
        fields = {
            "customer": customer,
            "feature": "input-tokens",
            "quantity": quantity,
            "idempotencyKey": key,
            **fields,
        }
        for _ in range(TRIES):
            reply = await self.client.put("burn", **fields)
            if reply.outcome != "unknown":
                break
        return dict(reply["entry"])


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium, else the one that Playwright has downloaded."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        await browser.close()


_keys: dict[tuple[str, str], str] = {}  # a command each, which takes seconds


async def _key(server: Server, workspace: str) -> str:
    place = (server.url, workspace)
    if place not in _keys:
        _keys[place] = await server.create_key(workspace, "ADMIN")
    return _keys[place]


@asynccontextmanager
async def hosting(browser: Browser, server: Server, workspace: str) -> AsyncIterator[Host]:
    """A host of that workspace. What its pages complained of is a failure in the end."""
    async with Client(server.url, await _key(server, workspace)) as client:
        with serving() as pages:
            host = Host(server, client, browser, pages)
            yield host
            for context in host.contexts:
                await context.close()
            assert pages.reports == [], pages.reports
        assert host.problems == [], host.problems


BUNDLES = [
    {
        "key": f"pack-{amount}",
        "name": f"{amount} credits",
        "creditType": "ai",
        "credits": amount,
        "bonus": bonus,
        "price": {"amount": price, "currency": "USD"},
        "expiresAfter": "P1Y",
    }
    for amount, bonus, price in (("500", "0", "10.00"), ("1500", "100", "29.00"), ("10000", "2000", "150.00"))
]


async def customer(host: Host, name: str) -> str:
    """The key of a new one with 1,000 credits for ever and 500 for ten days, of which 30 are used."""
    key = f"{name}-{secrets.token_hex(3)}"
    await build_world(host.client, [key])
    await give(host.client, key, "1000", f"{key}-lasting", source="PURCHASE")
    ends = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    await give(host.client, key, "500", f"{key}-ending", source="PLAN", expiresAt=ends)
    await host.burn(key, "30000", f"{key}-first")
    return key


async def buyer(host: Host, name: str) -> str:
    """The same, where bundles are on sale."""
    key = await customer(host, name)
    await host.client.must("applyCatalog", document={"bundles": BUNDLES})
    return key


def part(page: Page | Locator, name: str) -> Locator:
    return page.locator(f"[part~={name}]")
