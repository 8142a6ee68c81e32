"""All nine elements in real Chromium against a real server, in every state that a page can meet: loading, empty, failed,
old, offline. In each of them axe finds nothing in light, dark, forced colours and right to left, nothing lies beyond the
edge at 320 pixels, and the page has one live region.
"""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from e2e.host import CARDS, MARKUP, SHOWN_MS, Host, buyer, hosting, part
from e2e.looking import look_over
from tests.harness.server import Server
from tests.harness.world import build_world

# A dashboard has all cards once more, and two ledgers of one name are one too many for a page: it gets its own.
PAGES = {"each": [name for name in MARKUP if name != "dashboard"], "dashboard": ["dashboard"]}

# What of a customer with credits is on the screen.
FULL = {
    "balance": ("value", re.compile(r"^1,470$")),
    "usage": ("readout", re.compile("30 credits used")),
    "ledger": ("explanation", re.compile("30,000 tokens of Input tokens")),
    "expirations": ("amount", re.compile("470 credits")),
    "runway": ("basis", re.compile("credits a day")),
    "top-up": ("price", re.compile(r"\$10\.00")),
    "recharge": ("field", re.compile("Recharge automatically")),
}
# And of one that has nothing, where nothing is on sale.
EMPTY = {
    "balance": "No credits yet",
    "usage": "Nothing used in this period",
    "ledger": "Nothing to show yet",
    "expirations": "Nothing expires soon",
    "runway": "No end in sight",
    "top-up": "Nothing is on sale right now",
    "recharge": "Nothing is on sale right now",
}


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "states") as host:
        yield host


@pytest.fixture(params=PAGES)
def elements(request: pytest.FixtureRequest) -> str:
    """The markup of one of the pages."""
    return "".join(f"<section>{MARKUP[name]}</section>" for name in PAGES[request.param])


def card(page: Page, name: str) -> Locator:
    """The element, in the page or in the dashboard."""
    return page.locator(f"scrip-{name}")


async def is_full(page: Page) -> None:
    for name, (shown, text) in FULL.items():
        await expect(part(card(page, name), shown).first).to_have_text(text, timeout=SHOWN_MS)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await expect(page.locator("[part=stale], [part=error]")).to_have_count(0, timeout=SHOWN_MS)


async def heights(page: Page) -> dict[str, float]:
    """Of every card, in pixels."""
    return {name: (await card(page, name).bounding_box() or {})["height"] for name in CARDS}


async def test_while_it_loads_a_card_has_its_final_size(host: Host, elements: str):
    key = await buyer(host, "loads")
    released, token = threading.Event(), await host.token(key)

    def hand_out(_: str) -> dict[str, Any]:
        released.wait(120)
        return token

    host.pages.hand_out = hand_out
    page = await host.open(key, elements, session='token-url="/token"', viewport={"width": 1280, "height": 900})
    for name in CARDS:
        await expect(part(card(page, name), "card")).to_have_attribute("aria-busy", "true", timeout=SHOWN_MS)
        await expect(part(card(page, name), "skeleton").first).to_be_visible()
    await expect(page.get_by_role("button", name="Generate")).to_be_hidden()
    await look_over(page)
    before = await heights(page)
    released.set()
    await is_full(page)
    assert await heights(page) == before


async def test_where_there_is_nothing_it_says_so(host: Host, elements: str):
    async with hosting(host.browser, host.server, "states of nothing") as poor:
        await build_world(poor.client, ["empty"])
        page = await poor.open("empty", elements)
        for name, text in EMPTY.items():
            await expect(card(page, name)).to_contain_text(text, timeout=SHOWN_MS)
        if "scrip-gate" in elements:
            await expect(part(card(page, "gate"), "reason")).to_have_text("Not enough credits")
        await look_over(page)


async def no_socket(socket: WebSocketRoute) -> None:
    await socket.close(code=1011)


async def out_of_order(route: Route) -> None:
    await route.fulfill(status=503, body="{}", headers={"access-control-allow-origin": "*"})


async def fail(page: Page) -> None:
    """From now on the server answers with failures, and takes no socket."""
    await page.route("**/graphql", out_of_order)
    await page.route_web_socket("**/graphql", no_socket)


async def test_what_could_not_be_had_is_an_error_and_one_retry_brings_it_all(host: Host, elements: str):
    host.fails = True
    key = await buyer(host, "fails")
    await host.write(key, elements)
    page = await host.visit()
    await fail(page)
    await page.goto(f"{host.pages.url}/")
    for name in CARDS:
        await expect(part(card(page, name), "error")).to_contain_text("This can’t be shown right now", timeout=SHOWN_MS)
        await expect(part(card(page, name), "retry")).to_be_visible()
    if "scrip-gate" in elements:
        await expect(page.get_by_role("button", name="Generate")).to_be_hidden()  # closed, where nobody can be asked
    await look_over(page)
    await page.unroute("**/graphql", out_of_order)
    await part(card(page, "balance"), "retry").click()
    await is_full(page)
    if "scrip-gate" in elements:
        await expect(page.get_by_role("button", name="Generate")).to_be_visible()


async def is_old(page: Page, why: str) -> None:
    """The last good data, with why and how old it is, and a way to try again."""
    for name, (shown, text) in FULL.items():
        await expect(part(card(page, name), "stale")).to_have_text(
            re.compile(rf"^{why} · updated (\d+ sec\.|\d+ min\.) ago"), timeout=60_000
        )
        await expect(part(card(page, name), shown).first).to_have_text(text)
        await expect(part(card(page, name), "retry")).to_be_visible()
    if await page.locator("scrip-gate").count():
        await expect(page.get_by_role("button", name="Generate")).to_be_visible()


async def age_s(page: Page) -> int:
    """How old the balance says it is."""
    told = await part(card(page, "balance"), "stale").inner_text()
    return int(re.search(r"updated (\d+) sec", told)[1])  # type: ignore[index]


async def test_offline_everything_stays_and_ages_and_comes_back_by_itself(host: Host, elements: str):
    host.fails = True
    key = await buyer(host, "offline")
    page = await host.open(key, elements)
    await is_full(page)
    before = await heights(page)
    await page.context.set_offline(True)
    await is_old(page, "Offline")
    assert await heights(page) == before
    young_s = await age_s(page)
    await look_over(page)
    until_s = time.monotonic() + 30
    while await age_s(page) == young_s:
        assert time.monotonic() < until_s, "it does not age"
        await asyncio.sleep(0.2)
    await page.context.set_offline(False)
    await is_full(page)


async def test_a_server_that_fails_leaves_the_last_good_data_and_is_found_again(host: Host, elements: str):
    host.fails = True
    key = await buyer(host, "stale")
    await host.write(key, elements)
    page = await host.visit()
    sockets: list[WebSocketRoute] = []
    is_up = True

    async def between(socket: WebSocketRoute) -> None:
        if not is_up:
            await socket.close(code=1011)
            return
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**/graphql", between)
    await page.goto(f"{host.pages.url}/")
    await is_full(page)
    is_up = False
    await page.route("**/graphql", out_of_order)
    for socket in sockets:
        await socket.close(code=1011)
    await is_old(page, "Not up to date")
    await look_over(page)
    await page.unroute("**/graphql", out_of_order)
    is_up = True
    await part(card(page, "usage"), "retry").click()
    await is_full(page)
    await host.burn(key, "70000", f"{key}-live")
    await expect(part(card(page, "balance"), "value")).to_have_text("1,400", timeout=SHOWN_MS)


async def test_with_everything_there_each_fits_and_follows_the_language_of_the_page(host: Host, elements: str):
    key = await buyer(host, "whole")
    page = await host.open(key, elements)
    await is_full(page)
    await look_over(page)
    await page.evaluate("document.documentElement.lang = 'ar'")
    for name in CARDS:
        await expect(part(card(page, name), "card")).to_have_attribute("dir", "rtl", timeout=SHOWN_MS)
        await expect(part(card(page, name), "card")).to_have_attribute("lang", "ar")
    await expect(part(card(page, "usage"), "toggle")).to_have_text("جدول")
    await look_over(page)


async def test_the_look_sees_what_is_wrong(host: Host):
    """Of a page with faults of each kind, so that silence means something."""
    key = await buyer(host, "faulty")
    page = await host.open(key, MARKUP["balance"])
    await expect(part(page, "value")).to_have_text("1,470", timeout=SHOWN_MS)
    for spoil, complaint in {
        "card.append(Object.assign(document.createElement('button'), {className: 'x'}))": "button-name",
        "document.body.append(Object.assign(document.createElement('p'), {role: 'alert'}))": "scrip-status",
        "Object.assign(card.style, {minWidth: '400px'})": "320 px",
    }.items():
        await page.evaluate(
            f"const card = document.querySelector('scrip-balance').shadowRoot.firstElementChild; {spoil}"
        )
        with pytest.raises(AssertionError, match=complaint):
            await look_over(page)
        await page.reload()
        await expect(part(page, "value")).to_have_text("1,470", timeout=SHOWN_MS)
