"""What goes wrong around a page: the server is killed and started again, the network is slow, there are two tabs, the
book is long. The last good data stays, and every page finds its way back by itself.
"""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from e2e.host import MARKUP, SHOWN_MS, Host, buyer, customer, hosting, part
from tests.harness.server import Server

BACK_MS = 60_000
EACH = "".join(f"<section>{MARKUP[name]}</section>" for name in MARKUP if name != "dashboard")
BALANCE_AND_BOOK = MARKUP["balance"] + MARKUP["ledger"]
MANY = 10_000
PER_PAGE = 100


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "outages") as host:
        yield host


async def shows(page: Page, available: str) -> None:
    await expect(part(page, "value").first).to_have_text(available, timeout=BACK_MS)


async def test_a_server_that_is_killed_and_started_again_is_found_again(chromium: Browser, own_server: Server):
    async with hosting(chromium, own_server, "killed") as host:
        host.fails = True
        key = await buyer(host, "killed")
        page = await host.open(key, EACH)
        await shows(page, "1,470")
        await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=SHOWN_MS)
        rows = await part(page, "row").count()
        await own_server.kill()
        stale = part(page, "stale")
        await expect(stale).to_have_count(7, timeout=BACK_MS)  # every card
        await expect(stale.first).to_have_text(re.compile(r"(Offline|Not up to date) · updated \d+ (sec|min)\. ago"))
        await shows(page, "1,470")
        assert await part(page, "row").count() == rows
        await own_server.start()
        host.client.wire.drop()
        await host.burn(key, "70000", f"{key}-after")
        await shows(page, "1,400")
        await expect(stale).to_have_count(0, timeout=BACK_MS)
        await expect(part(page, "row")).to_have_count(rows + 1, timeout=BACK_MS)
        await host.burn(key, "100000", f"{key}-live")
        await shows(page, "1,300")


async def test_two_tabs_show_the_same_and_one_may_close(host: Host):
    key = await customer(host, "tabs")
    first = await host.open(key, BALANCE_AND_BOOK)
    second = await first.context.new_page()
    await second.goto(first.url)
    for number, available in enumerate(("1,469", "1,468")):
        await host.burn(key, "1000", f"{key}-{number}")
        for page in (first, second):
            await shows(page, available)
            await expect(part(page, "row")).to_have_count(4 + number, timeout=SHOWN_MS)
    await first.close()
    await host.burn(key, "1000", f"{key}-alone")
    await shows(second, "1,467")


async def throttled(page: Page, kbit_s: int, latency_ms: int) -> CDPSession:
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    speed = {"downloadThroughput": kbit_s * 125, "uploadThroughput": kbit_s * 125}
    await session.send("Network.emulateNetworkConditions", {"offline": False, "latency": latency_ms, **speed})
    return session


async def test_on_a_slow_network_it_comes_late_and_nothing_moves(host: Host):
    key = await customer(host, "slow")
    await host.write(key, EACH)
    page = await host.visit(viewport={"width": 1280, "height": 900})
    await throttled(page, kbit_s=400, latency_ms=400)
    await page.goto(f"{host.pages.url}/")
    await shows(page, "1,470")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=BACK_MS)
    watched = await page.evaluate("watched")
    assert watched["shifts"] == []  # what comes live later moves the book down, by a row
    await host.burn(key, "70000", f"{key}-live")
    await shows(page, "1,400")
    assert [event for event in watched["events"] if event["type"] == "error"] == []


async def test_ten_thousand_entries_are_loaded_page_by_page(host: Host):
    key = await customer(host, "long")
    burns = [
        {"customer": key, "creditType": "ai", "amount": "0.001", "idempotencyKey": f"{key}-{number}"}
        for number in range(MANY - 3)
    ]
    for begin in range(0, len(burns), 1_000):
        await host.client.must("burnMany", inputs=burns[begin : begin + 1_000])
    page = await host.open(key, f'<scrip-ledger credit-type="ai" live page-size="{PER_PAGE}"></scrip-ledger>')
    rows, more = part(page, "row"), part(page, "more")
    await expect(rows).to_have_count(PER_PAGE, timeout=SHOWN_MS)
    # Pressed as fast as a page comes, in the page itself: a hundred presses through the driver would be its time, not ours.
    await page.evaluate(
        """async () => {
          const root = document.querySelector("scrip-ledger").shadowRoot;
          for (let more; (more = root.querySelector("[part=more]")); await new Promise(requestAnimationFrame))
            if (!more.disabled) more.click();
        }"""
    )
    await expect(rows).to_have_count(MANY, timeout=BACK_MS)
    await expect(more).to_have_count(0)
    await expect(part(page, "amount").last).to_have_attribute("value", "1000")
    # And it goes on: what comes now is drawn on top, without drawing all the others again.
    drawn = """() => {
      const table = document.querySelector("scrip-ledger").shadowRoot.querySelector("table");
      window.drawn = 0;
      new MutationObserver((changes) => (window.drawn += changes.length)).observe(table, {subtree: true, childList: true, characterData: true});
    }"""
    await page.evaluate(drawn)
    await host.burn(key, "1000", f"{key}-newest")
    await expect(rows).to_have_count(MANY + 1, timeout=SHOWN_MS)
    await expect(part(page, "amount").first).to_have_attribute("value", "-1")
    assert await page.evaluate("drawn") < 50


async def test_a_page_of_everything_asks_twice_and_opens_one_socket(host: Host):
    """The balance, which is drawn before the others, waits for none of them: it asks by itself."""
    key = await buyer(host, "whole")
    await host.write(key, EACH)
    page = await host.visit()
    asked: list[str] = []
    sockets: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/graphql" in request.url else None)
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto(f"{host.pages.url}/")
    await shows(page, "1,470")
    await expect(part(page, "bundle")).to_have_count(3, timeout=SHOWN_MS)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await asyncio.sleep(4)
    assert (len(asked), len(sockets)) == (2, 1)
