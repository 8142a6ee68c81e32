"""The sandbox's pages in real Chromium: what a person clicks, where the browser ends up, and what of it is paid."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from credits.recharge.provider import Order
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import build_world
from tests.scenarios.test_sandbox_over_http import BUNDLES, Buyer
from tests.scenarios.test_sandbox_over_http import WATCH as WATCH_TOP_UP
from tests.server.sandbox.town import Town, build_town

AXE = Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  window.violations.push(`${violatedDirective} ${blockedURI}`));
"""


class _Shop(BaseHTTPRequestHandler):
    """The host's page, on an origin of its own: where the browser comes from and goes back to."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><html lang=en><title>Shop</title><link rel=icon href='data:,'><h1>Shop</h1>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """Its address."""
    serving = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_address[1]}/credits"
    serving.shutdown()
    serving.server_close()


@pytest.fixture(scope="module")
async def town(server: Server) -> AsyncIterator[Town]:
    built, database = await build_town(server, "sandbox in a browser")
    yield built
    await database.close()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield running
        await running.close()


@dataclass
class Visit:
    """The browser with one tab, and what went wrong in it."""

    page: Page
    town: Town
    shop: str
    problems: list[str] = field(default_factory=list)

    async def open(self, **changes: Any) -> Order:
        """From the shop to the checkout of a new order."""
        order = await self.town.placed(**{"return_url": self.shop, **changes})
        await self.page.goto(self.shop)
        await self.page.goto(f"{self.town.server.url}/sandbox/checkout/{order.id}")
        return order

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def heading(self, text: str) -> None:
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    async def is_back(self, order: Order, result: str) -> None:
        """At the shop, which is told what came of it."""
        await self.page.wait_for_url(f"{self.shop}?**")
        told = parse_qs(urlsplit(self.page.url).query)
        assert told == {"scrip_top_up": [order.id], "scrip_result": [result]}


@pytest.fixture
async def visit(browser: Browser, town: Town, shop: str) -> AsyncIterator[Visit]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(await context.new_page(), town, shop)
    visit.page.on("console", lambda line: visit.problems.append(line.text))
    await visit.page.add_init_script(WATCH)
    yield visit
    await context.close()
    assert visit.problems == []


async def test_pay_pays_and_goes_back(visit: Visit):
    order = await visit.open()
    await visit.heading("Pay 36.00 USD")
    await visit.press("Pay")
    await visit.is_back(order, "paid")
    assert await visit.town.state(order) == "SUCCEEDED"


async def test_a_declined_card_is_said_and_the_next_try_pays(visit: Visit):
    order = await visit.open()
    await visit.press("Decline")
    await visit.heading("Declined")
    await expect(visit.page.get_by_role("link", name="Back to")).to_have_attribute(
        "href", f"{visit.shop}?scrip_top_up={order.id}&scrip_result=failed"
    )
    assert await visit.town.state(order) == "FAILED"
    await visit.press("Pay")
    await visit.is_back(order, "paid")


@pytest.mark.parametrize(("button", "state"), [("Complete", "SUCCEEDED"), ("Fail", "FAILED")])
async def test_authentication_is_a_step_of_its_own(visit: Visit, button: str, state: str):
    order = await visit.open(return_url=None)
    await visit.press("Require authentication")
    await visit.heading("Is it you?")
    assert await visit.town.state(order) == "REQUIRES_ACTION"
    await visit.press(button)
    await visit.heading("Paid" if state == "SUCCEEDED" else "Declined")
    assert await visit.town.state(order) == state


async def test_who_cancels_goes_back_without_having_paid(visit: Visit):
    order = await visit.open()
    await visit.press("Cancel")
    await visit.is_back(order, "canceled")
    assert await visit.town.state(order) == "CANCELED"


@pytest.mark.parametrize(("button", "state"), [("Pay", "SUCCEEDED"), ("Require authentication", "REQUIRES_ACTION")])
async def test_a_double_click_happens_once(visit: Visit, button: str, state: str):
    order = await visit.open(return_url=None)
    await visit.page.get_by_role("button", name=button, exact=True).dblclick(delay=40)
    await visit.heading("Paid" if state == "SUCCEEDED" else "Is it you?")
    assert await visit.town.state(order) == state


async def test_the_way_back_leads_out_of_the_sandbox_and_never_pays_twice(visit: Visit):
    order = await visit.open()
    await visit.press("Pay")
    await visit.is_back(order, "paid")
    await visit.page.go_back()
    await visit.heading("Paid")
    assert await visit.page.get_by_role("button").count() == 0
    await visit.page.go_back()
    assert visit.page.url == visit.shop


async def test_a_page_that_was_left_open_cannot_undo_what_happened_elsewhere(visit: Visit):
    order = await visit.open(return_url=None)
    await visit.town.street.decline(order)
    await visit.town.street.pay(order)
    await visit.press("Cancel")
    await visit.heading("Paid")
    assert await visit.town.state(order) == "SUCCEEDED"


async def test_without_a_return_address_it_ends_on_the_page(browser: Browser, town: Town):
    page = await browser.new_page()
    order = await town.placed(return_url=None)
    await page.goto(f"{town.server.url}/sandbox/checkout/{order.id}")
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Paid")
    await page.wait_for_timeout(1_500)
    assert page.url == f"{town.server.url}/sandbox/checkout/{order.id}?done"
    await page.close()


async def test_all_of_it_is_done_by_keyboard_without_javascript(browser: Browser, town: Town, shop: str):
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    order = await town.placed(return_url=shop)
    await page.goto(f"{town.server.url}/sandbox/checkout/{order.id}")
    for _ in range(3):
        await page.keyboard.press("Tab")  # Pay, Decline, Require authentication
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Is it you?")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.wait_for_url(f"{shop}?**")
    await context.close()
    assert await town.state(order) == "SUCCEEDED"


async def test_a_card_is_saved_on_the_page_that_the_link_leads_to(visit: Visit):
    payer = visit.town.street.payer()
    setup = await visit.town.street.provider.set_up(payer, "HOSTED", visit.shop)
    await visit.page.goto(setup.url or "")
    await visit.press("Save one that declines")
    await visit.page.wait_for_url(f"{visit.shop}?scrip_setup=saved")
    assert [method.label for method in await visit.town.street.provider.methods(payer)] == [
        "Sandbox card •••• 0002 (declines)"
    ]


async def test_it_cannot_be_framed(visit: Visit):
    """X4."""
    order = await visit.town.placed()
    await visit.page.goto(visit.shop)
    await visit.page.evaluate(
        "address => { const frame = document.createElement('iframe'); frame.src = address; document.body.append(frame); }",
        f"{visit.town.server.url}/sandbox/checkout/{order.id}",
    )
    await visit.page.wait_for_timeout(500)
    assert await visit.page.frames[-1].get_by_role("button").count() == 0
    assert any("frame-ancestors" in problem for problem in visit.problems)
    visit.problems.clear()


LONG = {"name": "W" * 120 + " <b>\u202e", "price": 999_999_999_999, "currency": "KWD", "quantity": 10_000}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_each_state_is_accessible_and_fits(browser: Browser, town: Town, shop: str, width: int, scheme: Any):
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    await page.add_init_script(WATCH)
    orders = {act: await town.placed(return_url=shop) for act in ("", "decline", "authenticate", "pay", "cancel")}
    orders["long"] = await town.placed(return_url=shop, **LONG)
    for act, order in orders.items():
        if act not in ("", "long"):
            await town.street.act(order, act)  # type: ignore[arg-type]
    setup = await town.street.provider.set_up(town.street.payer(), "HOSTED", shop)
    pages = [f"{town.server.url}/sandbox/checkout/{order.id}" for order in orders.values()]
    for address in (*pages, setup.url or "", f"{town.server.url}/sandbox/checkout/top_1_1"):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert await page.evaluate("window.violations") == []
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await page.evaluate(
            "axe.run().then(({violations}) => violations.map(({id, nodes}) => id + nodes[0].html))"
        )
        assert found == [], address
    await context.close()


async def test_a_click_on_pay_credits_the_balance_and_is_told_to_who_watches(visit: Visit):
    """The whole way, as a host goes it: started by its backend, paid by a person, seen by the page that waits."""
    async with Client(visit.town.server.url, visit.town.keys["ADMIN"]) as backend:
        await build_world(backend, ["acme"])
        await backend.must("applyCatalog", document={"bundles": BUNDLES})
        buyer = Buyer(backend, "acme")
        top_up = (await buyer.start(returnUrl=visit.shop))["topUp"]
        async with asyncio.timeout(60), backend.subscribe(WATCH_TOP_UP, id=top_up["id"]) as news:
            assert (await anext(news))["topUpUpdated"]["status"] == "PENDING"
            await visit.page.goto(top_up["checkoutUrl"])
            await expect(visit.page.get_by_role("main")).to_contain_text("800 credits")
            await visit.press("Decline")
            assert (await anext(news))["topUpUpdated"]["status"] == "FAILED"
            await visit.press("Pay")
            assert (await anext(news))["topUpUpdated"]["status"] == "SUCCEEDED"
        await visit.page.wait_for_url(f"{visit.shop}?scrip_top_up={top_up['id']}&scrip_result=paid")
        assert await buyer.available() == "800"
