"""Buying in the demo's product, as a person does it: real Chromium, the real server, its sandbox as the payment provider.

What was bought is counted in the database: top-ups, and grants that came of them.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from credits.db import Database
from credits.workspaces import list_workspaces
from e2e.overprint import STUDIO, Demo, Visit, chromium, credits_are, until
from e2e.shop import SKETCHBOOK, SOON_MS, Books, Shop
from server.demo_world import CATALOG
from tests.harness.client import Client
from tests.harness.databases import fresh_database


@pytest.fixture(scope="module")
async def demo(template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with fresh_database(template) as url:
        process = Demo(tmp_path_factory.mktemp("demo") / "data", database_url=url, broadcast_url=url)
        await process.start()
        yield process
        await process.close()


@pytest.fixture(scope="module")
async def books(demo: Demo) -> AsyncIterator[Books]:
    database = await Database.connect(demo.settings["DATABASE_URL"], size=2)
    workspace_id = next(each.id for each in await list_workspaces(database) if each.name == "demo")
    yield Books(database, workspace_id)
    await database.close()


@pytest.fixture(scope="module")
async def ledger(demo: Demo) -> AsyncIterator[Client]:
    async with Client(demo.url, await demo.create_key("demo", "ADMIN", test=True)) as client:
        yield client


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture
async def shop(demo: Demo, browser: Browser, ledger: Client, books: Books) -> AsyncIterator[Shop]:
    """The studio with 20 credits, a team that rests, and nothing under way."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(await context.new_page())
    await visit.open(demo.url, "/demo/billing")
    await visit.post("team", rests=True)
    shop = Shop(demo, context, visit, ledger, books)
    await shop.leave("low")
    books.before = await books.count()
    yield shop
    await context.close()


async def test_credits_run_out_and_are_bought_where_they_are_missing(shop: Shop):
    """From the first refusal to the next print, without a reload."""
    page = shop.page
    await page.get_by_role("link", name="Press").click()
    await page.locator("#pull").click()
    await expect(page.locator("#out")).to_be_visible(timeout=SOON_MS)
    await expect(page.locator("#short")).to_have_text("It takes 14.4; 5.6 are left.", timeout=SOON_MS)
    born = await page.evaluate("performance.timeOrigin")

    paying = await shop.start(page.locator("#gate-top-up"))
    await expect(page.locator("#gate-top-up [part=status]")).to_contain_text("Waiting for your payment")
    await paying.get_by_role("button", name="Pay", exact=True).click()

    await credits_are(shop.visit, "205.6")
    await expect(page.locator("#pull")).to_be_visible(timeout=SOON_MS)
    await expect(page.locator("#receipt")).to_contain_text("+200 credits")
    await until("the payment page stays open", lambda: _is(not shop.payment_pages))
    await page.locator("#press:not([aria-busy])").wait_for()
    await page.locator("#pull").click()
    await credits_are(shop.visit, "191.2")
    assert await page.evaluate("performance.timeOrigin") == born, "the page was loaded again"
    assert await shop.books.since() == (1, 1)
    assert shop.visit.problems == []


async def test_a_declined_card_is_said_with_its_reason_and_the_next_try_pays(shop: Shop):
    paying = await shop.start()
    await paying.get_by_role("button", name="Decline", exact=True).click()
    await shop.says("The payment failed: The card was declined.")
    async with shop.context.expect_page() as opened:
        await shop.status.get_by_role("button", name="Try again").click()
    again = await opened.value
    await again.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    assert await shop.books.since() == (2, 1)


async def test_who_pays_on_the_page_that_declined_is_told_too(shop: Shop):
    paying = await shop.start()
    await paying.get_by_role("button", name="Decline", exact=True).click()
    await shop.says("The payment failed")
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    assert await shop.books.since() == (1, 1)


async def test_authentication_is_waited_for(shop: Shop):
    paying = await shop.start()
    await paying.get_by_role("button", name="Require authentication").click()
    await shop.says("Your bank wants you to confirm this payment")
    await paying.get_by_role("button", name="Complete").click()
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    assert await shop.books.since() == (1, 1)


async def test_cancel_on_the_payment_page_costs_nothing(shop: Shop):
    paying = await shop.start()
    await paying.get_by_role("button", name="Cancel", exact=True).click()
    await shop.says("Canceled, nothing was charged")
    await credits_are(shop.visit, "20")
    assert await shop.books.since() == (1, 0)


async def test_cancel_on_our_page_ends_the_payment_page_too(shop: Shop):
    paying = await shop.start()
    await shop.says("Waiting for your payment")
    await shop.status.get_by_role("button", name="Cancel").click()
    await shop.says("Canceled, nothing was charged")
    await paying.reload()
    await expect(paying.get_by_role("heading", level=1)).to_have_text("Canceled")
    assert await paying.get_by_role("button", name="Pay", exact=True).count() == 0
    assert await shop.books.since() == (1, 0)


async def test_where_no_tab_is_let_through_the_page_itself_goes_and_comes_back(shop: Shop):
    page = shop.page
    await page.add_init_script("window.open = () => null")
    await shop.billing()
    await shop.top_up.get_by_role("button", name=SKETCHBOOK).click()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await page.wait_for_url("**/demo/billing#buy", timeout=SOON_MS)
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    await expect(page.locator("#notice")).to_contain_text("Paid")
    assert await shop.books.since() == (1, 1)


async def test_a_double_click_buys_once(shop: Shop):
    async with shop.context.expect_page() as opened:
        await shop.top_up.get_by_role("button", name=SKETCHBOOK).dblclick(delay=30)
    paying = await opened.value
    await paying.get_by_role("button", name="Pay", exact=True).dblclick(delay=30)
    await credits_are(shop.visit, "220")
    assert await shop.books.since() == (1, 1)
    assert len(shop.context.pages) <= 2, "a second payment page was opened"


async def test_a_reload_in_the_middle_goes_on_with_the_same_purchase(shop: Shop):
    paying = await shop.start()
    await shop.page.reload()
    await shop.says("Waiting for your payment")
    await expect(shop.top_up.get_by_role("button", name=SKETCHBOOK)).to_have_attribute("aria-disabled", "true")
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    await shop.page.reload()
    await credits_are(shop.visit, "220")
    assert await shop.books.since() == (1, 1)


async def test_an_answer_that_was_lost_and_a_reload_buy_once(shop: Shop):
    """The purchase was started, and the page never heard of it."""

    async def lose(route: Any) -> None:
        if "mutation startTopUp" in (route.request.post_data or ""):
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await shop.page.route("**/graphql", lose)
    await shop.top_up.get_by_role("button", name=SKETCHBOOK).click()
    await shop.says("The payment could not be started")
    await shop.page.unroute("**/graphql")
    await shop.page.reload()
    paying = await shop.start()
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    assert await shop.books.since() == (1, 1)


async def test_back_and_forth_on_the_way_buys_once(shop: Shop):
    """In one tab: to the payment page, back, there again, paid; and back to it once more."""
    page = shop.page
    await page.add_init_script("window.open = () => null")
    await shop.billing()
    await shop.top_up.get_by_role("button", name=SKETCHBOOK).click()
    await page.get_by_role("button", name="Pay", exact=True).wait_for()
    await page.go_back()
    await shop.says("Waiting for your payment")
    await page.go_forward()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await page.wait_for_url("**/demo/billing#buy", timeout=SOON_MS)
    await credits_are(shop.visit, "220")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Paid"))
    assert await page.get_by_role("button", name="Pay", exact=True).count() == 0
    assert await shop.books.since() == (1, 1)


async def test_two_tabs_of_one_customer_see_the_credits_come(shop: Shop):
    other = Visit(await shop.context.new_page())
    await other.open(shop.demo.url)
    await credits_are(other, "20")
    paying = await shop.start()
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    await credits_are(other, "220")
    assert await shop.books.since() == (1, 1)


async def test_a_restart_of_the_server_in_the_middle_loses_nothing(shop: Shop):
    paying = await shop.start()
    await shop.demo.terminate()
    await shop.demo.start()
    await shop.visit.post("team", rests=True)
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    assert await shop.books.since() == (1, 1)


async def test_a_token_that_ends_in_the_middle_is_renewed(shop: Shop):
    """The host's backend is away just when the token ends; what was paid meanwhile shows once it is back."""
    is_away = False

    async def token(route: Any) -> None:
        if is_away:
            await route.fulfill(status=503, body="away")
            return
        minted = await shop.ledger.post("/v1/embed-token", json.dumps({"customer": STUDIO, "ttlSeconds": 30}).encode())
        await route.fulfill(content_type="application/json", body=minted.body)

    await shop.page.route("**/demo/token", token)
    await shop.billing()
    began_s = time.monotonic()
    paying = await shop.start()
    is_away = True
    await asyncio.sleep(max(0.0, 36 - (time.monotonic() - began_s)))
    await paying.get_by_role("button", name="Pay", exact=True).click()
    await until("it is not paid", lambda: _is_equal(shop, "220"))
    assert (await shop.visit.shown())[1] == "20", "it learned of it without a token"
    is_away = False
    await credits_are(shop.visit, "220")
    await shop.says("200 credits added")
    assert await shop.books.since() == (1, 1)


async def test_a_gate_opens_by_itself_when_credits_arrive(shop: Shop):
    await shop.page.goto(f"{shop.demo.url}/demo")
    await shop.leave("out")
    await expect(shop.page.locator("#out")).to_be_visible(timeout=SOON_MS)
    await shop.ledger.must(
        "grantCredits",
        customer=STUDIO,
        creditType="ai",
        amount="50",
        source="PROMOTION",
        idempotencyKey=str(time.time()),
    )
    await expect(shop.page.locator("#pull")).to_be_visible(timeout=SOON_MS)
    await expect(shop.page.locator("#leaves")).to_have_text("Leaves 35.6 credits", timeout=SOON_MS)


async def test_auto_recharge_fires_while_somebody_looks(shop: Shop):
    """A card is saved, the rule is switched on, prints use the credits up, and the attempt appears."""
    recharge = shop.page.locator("#auto")
    async with shop.context.expect_page() as opened:
        await recharge.get_by_role("button", name="Add: Payment method").click()
    card = await opened.value
    await card.get_by_role("button").first.click()
    await expect(card.get_by_role("heading", level=1)).to_have_text("Saved")
    await card.close()
    await shop.page.evaluate("dispatchEvent(new Event('focus'))")  # as when the other tab is closed
    await expect(recharge.locator("[part=method]")).to_contain_text("Sandbox card •••• 4242", timeout=SOON_MS)
    await recharge.get_by_label("When below").fill("10")
    await recharge.get_by_label("Recharge automatically").check()
    await recharge.get_by_role("button", name="Save").click()
    await expect(recharge).to_contain_text("Saved", timeout=SOON_MS)
    assert await shop.books.since() == (0, 0)

    await shop.page.get_by_role("link", name="Press").click()
    await shop.page.locator("#pull").click()  # 20 − 14.4 is below 10
    await credits_are(shop.visit, "205.6")
    await shop.page.get_by_role("link", name="Billing & credits", exact=True).click()
    await expect(recharge.locator("[part=attempts] li").first).to_contain_text("$12.00 · Paid", timeout=SOON_MS)
    await expect(recharge.locator("[part=status]")).to_contain_text("$12.00 of $120.00 spent", timeout=SOON_MS)
    assert await shop.books.since() == (1, 1)
    await recharge.get_by_label("Recharge automatically").uncheck()
    await recharge.get_by_role("button", name="Save").click()
    await until("the rule stays on", lambda: _is_off(shop))


# What Scrip itself takes as a name: controls of the writing's direction and other invisible letters it refuses.
HOSTILE = "<img src=x onerror=window.pwned=1> &lt;b&gt; שלום 👩\u200d🎨 \"quotes\" '${x}' {{x}}"


@pytest.mark.parametrize("invisible", ["\u202e", "\u2066", "\u200b"])
async def test_letters_that_turn_or_hide_a_text_are_no_part_of_a_name(shop: Shop, invisible: str):
    first, *rest = CATALOG["bundles"]
    document = {"bundles": [{**first, "name": f"200{invisible}credits"}, *rest]}
    answer = await shop.ledger.act("applyCatalog", document=document)
    assert answer.code == "INVALID_INPUT"


async def test_hostile_names_stay_text(shop: Shop):
    bundles = [{**each, "name": f"{index} {HOSTILE}"} for index, each in enumerate(CATALOG["bundles"])]
    await shop.ledger.must("applyCatalog", document={"bundles": bundles})
    await shop.ledger.must("upsertCustomer", key=STUDIO, name=HOSTILE)
    try:
        await shop.page.reload()
        await expect(shop.top_up.locator("[part=bundle] strong").first).to_have_text(f"0 {HOSTILE}", timeout=SOON_MS)
        await expect(shop.page.locator("#auto option").first).to_contain_text(f"0 {HOSTILE}")
        async with shop.context.expect_page() as opened:
            await shop.top_up.locator("[part=action]").first.click()
        paying = await opened.value
        await expect(paying.get_by_role("main")).to_contain_text(f"0 {HOSTILE}", timeout=SOON_MS)
        await paying.get_by_role("button", name="Pay", exact=True).click()
        await shop.says("200 credits added")
        async with shop.context.expect_page() as opened:
            await shop.page.locator("#auto").get_by_role("button", name="Add: Payment method").click()
        setup = await opened.value
        await expect(setup.get_by_role("main")).to_contain_text(HOSTILE, timeout=SOON_MS)
        for page in shop.context.pages:
            assert await page.evaluate("window.pwned") is None
            assert await page.locator("img[src=x]").count() == 0
        assert (await shop.visit.watched())["violations"] == []
    finally:
        await shop.ledger.must("applyCatalog", document={"bundles": CATALOG["bundles"]})
        await shop.ledger.must("upsertCustomer", key=STUDIO, name="Studio Lindqvist")


async def _is(value: bool) -> bool:
    return value


async def _is_equal(shop: Shop, available: str) -> bool:
    return bool((await shop.ledger.balance(STUDIO))["available"] == available)


async def _is_off(shop: Shop) -> bool:
    found = await shop.ledger.ask(
        'query ($key: String!) { customer(key: $key) { recharge(creditType: "ai") { enabled } } }', key=STUDIO
    )
    return not found["customer"]["recharge"]["enabled"]
