"""Everything by keyboard, under the policy of the contract, to the letter: buy, switch the recharge on, filter the book,
dispute an entry, read the chart bar by bar and as a table. The policy is violated by nothing of it, and nobody who
listens hears two regions.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from e2e.host import MARKUP, SHOWN_MS, Host, buyer, hosting, part
from e2e.looking import regions
from tests.harness.server import Server

TABS_MAX = 60
HAS_FOCUS = """(element) => {
  let deep = document.activeElement;
  while (deep?.shadowRoot?.activeElement) deep = deep.shadowRoot.activeElement;
  return deep === element;
}"""
RING = "(element) => getComputedStyle(element).outlineStyle !== 'none' || element.matches('[part=bar]')"


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    """Whose pages are held to the policy: `hosting` fails on any report of the browser."""
    async with hosting(chromium, server, "keyboard") as host:
        yield host


@pytest.fixture
async def key(host: Host) -> str:
    return await buyer(host, "keys")


async def to(page: Page, target: Locator) -> None:
    """Tab by tab to there, where a ring shows that one is."""
    await expect(target).to_be_visible(timeout=SHOWN_MS)
    for _ in range(TABS_MAX):
        if await target.evaluate(HAS_FOCUS):
            assert await target.evaluate(RING), "nobody sees where the focus is"
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached with {TABS_MAX} tabs")


async def is_clean(page: Page) -> None:
    assert (await page.evaluate("watched"))["violations"] == []
    assert await regions(page) == ["scrip-status"]


async def test_credits_are_bought(host: Host, key: str):
    page = await host.open(key, MARKUP["balance"] + MARKUP["top-up"])
    await to(page, page.get_by_role("button", name="500 credits: 500 credits for $10.00"))
    async with page.context.expect_page() as opened:
        await page.keyboard.press("Enter")
    paying = await opened.value
    await to(paying, paying.get_by_role("button", name="Pay", exact=True))
    await paying.keyboard.press("Enter")
    await expect(part(page, "status")).to_contain_text("500 credits added · 1,970 available", timeout=SHOWN_MS)
    await expect(part(page, "value")).to_have_text("1,970", timeout=SHOWN_MS)
    told = [event["type"] for event in (await page.evaluate("watched"))["events"] if event["tag"] == "scrip-top-up"]
    assert told == ["load", "top-up-start", "top-up-done"]
    await is_clean(page)


async def test_a_recharge_is_switched_on(host: Host, key: str):
    page = await host.open(key, MARKUP["recharge"])
    await to(page, page.get_by_role("checkbox", name="Recharge automatically"))
    await page.keyboard.press("Space")
    await to(page, page.get_by_label("When below"))
    await page.keyboard.type("200")
    await to(page, page.get_by_label("At most per month (USD)"))
    await page.keyboard.type("90")
    await to(page, page.get_by_role("button", name="Save"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Saved", exact=True).first).to_be_visible(timeout=SHOWN_MS)
    ask = 'query($key: String!) { customer(key: $key) { recharge(creditType: "ai") { enabled threshold monthlyCap { amount } } } }'
    rule = (await host.client.ask(ask, key=key))["customer"]["recharge"]
    assert (rule["enabled"], float(rule["threshold"]), float(rule["monthlyCap"]["amount"])) == (True, 200, 90)
    await is_clean(page)


async def test_the_book_is_filtered_and_an_entry_disputed(host: Host, key: str):
    page = await host.open(key, MARKUP["ledger"])
    await expect(part(page, "row")).to_have_count(3, timeout=SHOWN_MS)
    await to(page, part(page, "filter"))
    await page.keyboard.press("ArrowDown")
    await expect(part(page, "row")).to_have_count(1, timeout=SHOWN_MS)
    await to(page, part(page, "row").get_by_role("button"))
    await page.keyboard.press("Enter")
    await to(page, page.get_by_role("button", name="This is not mine"))
    await page.keyboard.press("Enter")
    await to(page, page.get_by_role("textbox"))
    await page.keyboard.type("Nobody here did that")
    await to(page, page.get_by_role("button", name="Send"))
    await page.keyboard.press("Enter")
    await expect(part(page, "dispute")).to_have_text("Disputed", timeout=SHOWN_MS)
    await is_clean(page)


async def test_the_chart_is_read_bar_by_bar_and_as_a_table(host: Host, key: str):
    page = await host.open(key, MARKUP["usage"])
    readout = part(page, "readout")
    await expect(readout).to_contain_text("30 credits used", timeout=SHOWN_MS)
    await to(page, part(page, "bar").last)
    await expect(readout).to_contain_text("30 credits")
    for press, reads in (("ArrowLeft", "0 credits"), ("End", "30 credits"), ("Home", "0 credits")):
        await page.keyboard.press(press)
        await expect(readout).to_contain_text(reads)
    await to(page, part(page, "toggle"))  # round the page, and from its top
    await page.keyboard.press("Enter")
    table = page.get_by_role("table")
    await expect(table.locator("tbody tr")).to_have_count(7)
    await expect(table.locator("tbody tr").first).to_contain_text("30")
    await is_clean(page)


async def test_a_page_whose_network_goes_is_tried_again(host: Host, key: str):
    host.fails = True
    page = await host.open(key, MARKUP["balance"])
    await expect(part(page, "value")).to_have_text("1,470", timeout=SHOWN_MS)
    await page.context.set_offline(True)
    await to(page, part(page, "retry"))
    await page.context.set_offline(False)
    await page.keyboard.press("Enter")
    await expect(part(page, "stale")).to_have_count(0, timeout=SHOWN_MS)


async def test_the_policy_is_in_force(host: Host, key: str):
    """Else all of the above would say nothing."""
    page = await host.open(key, MARKUP["balance"])
    await expect(part(page, "value")).to_have_text("1,470", timeout=SHOWN_MS)
    spoil = "try { document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">') } catch {}"
    await page.evaluate(spoil)
    async with asyncio.timeout(SHOWN_MS / 1e3):
        while not host.pages.reports:
            await asyncio.sleep(0.05)
    assert "require-trusted-types-for" in host.pages.reports[0]
    assert len((await page.evaluate("watched"))["violations"]) == 1
    host.pages.reports.clear()
    host.problems.clear()
