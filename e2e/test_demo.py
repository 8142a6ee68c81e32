"""`scrip demo` as somebody meets it who has just installed Scrip: one address, and a page whose credits are real.

A real process, a real browser. What the page shows is compared with the ledger, read by a key of our own.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from e2e.overprint import SHOWN_S, START_S, STUDIO, Demo, Visit, chromium, credits_are, until_shown
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.wire import Wire
from tests.model.rating import micro

SOON_MS = SHOWN_S * 1000
POSTER_THREE_INKS = "14.4"  # 3 plates at 4.8
LINE_PX = 24  # what is taller than this is more than one line of the text beside a number


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    process = Demo(tmp_path_factory.mktemp("demo") / "data")
    await process.start()
    yield process
    await process.close()


@pytest.fixture(scope="module")
async def ledger(demo: Demo) -> AsyncIterator[Client]:
    async with Client(demo.url, await demo.create_key("demo", "ADMIN", test=True)) as client:
        yield client


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture
async def visit(demo: Demo, browser: Browser) -> AsyncIterator[Visit]:
    """The page, and a team that rests: what changes is ours."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(await context.new_page())
    await visit.open(demo.url)
    await visit.page.locator("#leaves").filter(has_text="Leaves").wait_for()
    await visit.post("team", rests=True)
    yield visit
    await context.close()


async def press(visit: Visit, selector: str) -> dict[str, Any]:
    """Presses a button once the page is done with the last one; what its backend answered."""
    await visit.page.locator("#press:not([aria-busy])").wait_for()
    async with visit.page.expect_response("**/demo/generate") as answer:
        await visit.page.locator(selector).click()
    found: dict[str, Any] = await (await answer.value).json()
    return found


def test_it_prints_one_address_within_a_minute(demo: Demo):
    assert demo.printed.split() == [f"{demo.url}/demo"]
    assert demo.started_s < START_S


USED = """
query ($key: String!, $from: DateTime!, $to: DateTime!, $by: UsageGroup!) {
  customer(key: $key) { usage(creditType: "ai", from: $from, to: $to, interval: DAY, groupBy: $by) { points { start group amount } } }
}
"""


async def test_there_are_thirty_days_of_everybodys_work(ledger: Client):
    """Before anybody has pressed anything: told of in order, so that nothing had to be laid anew."""
    to = datetime.fromisoformat(await ledger.now())
    asked = {"key": STUDIO, "from": (to - timedelta(days=30)).isoformat(), "to": to.isoformat()}
    found = {}
    for by in ("FEATURE", "MEMBER"):
        points = (await ledger.ask(USED, **asked, by=by))["customer"]["usage"]["points"]
        used = [point for point in points if micro(point["amount"])]
        found[by] = {point["group"] for point in used}
        assert len({point["start"] for point in used}) > 20
    assert found == {
        "FEATURE": {"posters", "postcards", "proofs", "ideas", "enlargements"},
        "MEMBER": {"ines", "teo", "maren", "you"},
    }
    entries = await ledger.ledger(STUDIO)
    assert {entry["kind"] for entry in entries} == {"GRANT", "BURN"}
    assert all(micro(entry["balanceAfter"]) >= 0 for entry in entries)


ACTS = [
    ("[data-action=ideas]", "ideas", "0.3"),
    ("[data-action=proof]", "proof", "0.5"),
    ("[data-action=enlarge]", "enlarge", "6"),
    ("#pull", "print", POSTER_THREE_INKS),
]


@pytest.mark.parametrize(("button", "price", "cost"), ACTS, ids=[case[1] for case in ACTS])
async def test_a_click_burns_what_the_button_says(visit: Visit, ledger: Client, button: str, price: str, cost: str):
    before = await until_shown(visit, ledger)
    born = await visit.page.evaluate("performance.timeOrigin")
    known = {entry["id"] for entry in await ledger.ledger(STUDIO)}
    assert await visit.page.locator(f"{button} [data-price={price}]").inner_text() == f"{cost} credits"

    answer = await press(visit, button)

    assert answer["cost"] == cost
    await visit.page.locator("#receipt").filter(has_text=f"−{cost} credits").wait_for()
    assert await until_shown(visit, ledger) == before - micro(cost) == micro(answer["after"])
    new = [entry for entry in await ledger.ledger(STUDIO) if entry["id"] not in known]
    assert [(entry["id"], entry["amount"]) for entry in new] == [(answer["entry"], f"-{cost}")]
    assert await visit.page.evaluate("performance.timeOrigin") == born, "the page was loaded again"
    assert visit.problems == []


async def test_what_it_leaves_is_said_before_and_is_so_after(visit: Visit):
    said = re.sub(r"[^0-9.]", "", await visit.page.locator("#leaves").inner_text())
    await press(visit, "#pull")
    await credits_are(visit, said)
    await expect(visit.page.locator("#leaves")).not_to_contain_text(said, timeout=SOON_MS)


async def test_a_double_click_burns_once(visit: Visit, ledger: Client):
    before = await until_shown(visit, ledger)
    await visit.page.locator("#press:not([aria-busy])").wait_for()
    async with visit.page.expect_response("**/demo/generate"):
        await visit.page.locator("#proof").dblclick(delay=60)
    await visit.page.locator("#receipt").filter(has_text="−0.5 credits").wait_for()
    assert await until_shown(visit, ledger) == before - micro("0.5")


async def test_the_team_moves_the_balance_by_itself_and_says_who(visit: Visit, ledger: Client):
    await visit.post("team", rests=False)
    before = (await visit.shown())[0]
    until_s = time.monotonic() + 2 * SHOWN_S
    while (await visit.shown())[0] == before:
        assert time.monotonic() < until_s, "nobody works"
        await asyncio.sleep(0.1)
    assert (await until_shown(visit, ledger)) < before
    newest = visit.page.locator("#activity li").first
    await expect(newest).to_contain_text(re.compile("^(Ines|Teo|Maren) "), timeout=SOON_MS)


async def test_the_team_never_uses_up_the_last_credits(visit: Visit, ledger: Client):
    await visit.post("level", level="low")
    await credits_are(visit, "20")
    await visit.post("team", rests=False)
    await asyncio.sleep(15)  # longer than the team ever pauses
    assert await until_shown(visit, ledger) == micro("20")


INTERNALS = re.compile(r"scrip|ledger|\bburn|\bgrant|rate card|sandbox|entry|token|workspace", re.IGNORECASE)


async def test_the_products_own_words_say_nothing_of_how_it_is_made(visit: Visit):
    for path in ("/demo", "/demo/billing"):
        await visit.page.goto(visit.page.url.split("/demo")[0] + path)
        await visit.ready()
        words = " ".join(await visit.page.locator("header.top, #content, footer, #notice").all_text_contents())
        assert INTERNALS.findall(words) == []


@pytest.mark.parametrize("path", ["/demo", "/demo/billing", "/demo/billing?lang=ar"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1440])
async def test_the_page_is_calm_and_accessible_at_every_width(
    demo: Demo, browser: Browser, width: int, scheme: Any, path: str
):
    context = await browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    visit = Visit(await context.new_page())
    await visit.open(demo.url, path)
    await visit.page.wait_for_function("!document.querySelector('#content main:not([hidden]) :not(:defined)')")
    await visit.page.wait_for_timeout(1_000)
    watched = await visit.watched()
    wide = await visit.page.evaluate("document.documentElement.scrollWidth")
    found = await visit.axe()
    await visit.page.locator("#panel-tab").click()
    found_with_panel = await visit.axe()
    await context.close()
    assert wide <= width, "it scrolls sideways"
    assert found == found_with_panel == []
    assert watched["violations"] == []
    if "lang" in path:  # which turns the page around once it is there
        watched["shifts"] = []
    # Inside an element the words after a number move with the number's length, along their line. Nothing else moves.
    for source in [source for shift in watched["shifts"] for source in shift["sources"]]:
        assert source["to"] == source["from"], watched["shifts"]
        assert source["to"][1] - source["to"][0] <= LINE_PX, watched["shifts"]
    assert visit.problems == []


async def test_all_of_it_is_reached_by_keyboard(visit: Visit):
    page = visit.page
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()
    await page.get_by_role("link", name="Billing & credits", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Billing & credits")).to_be_visible()
    await expect(page).to_have_title("Billing & credits: Overprint")
    await page.locator("#panel-tab").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#panel-heading")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel")).to_be_hidden()
    await expect(page.locator("#panel-tab")).to_be_focused()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Prints from a sentence")).to_be_visible()


async def test_the_panel_says_which_elements_there_are_and_what_they_tell(visit: Visit):
    page = visit.page
    await page.locator("#panel-tab").click()
    await expect(page.locator("#elements code").nth(1)).to_have_text('<scrip-gate feature="posters" quantity="3">')
    await press(visit, "#proof")
    await expect(page.locator("#events li").first).to_contain_text("scrip-balance-change", timeout=SOON_MS)
    await page.get_by_role("link", name="Billing & credits", exact=True).click()
    for name in ("balance", "runway", "usage", "top-up", "recharge", "expirations", "ledger"):
        await expect(page.locator("#elements")).to_contain_text(f"<scrip-{name} ")


async def test_a_disputed_entry_is_contested_where_it_is_seen(visit: Visit, ledger: Client):
    await press(visit, "#proof")
    page = visit.page
    await page.get_by_role("link", name="Billing & credits", exact=True).click()
    rows = page.locator("#billing-view scrip-ledger")
    await rows.get_by_role("button", name=re.compile("Colour proofs")).first.click()
    await rows.get_by_role("button", name="This is not mine").first.click()
    await rows.get_by_label("What is wrong with it?").fill("I was on holiday")
    await rows.get_by_role("button", name="Send").click()
    await expect(rows).to_contain_text("Disputed", timeout=SOON_MS)


async def test_a_month_later_what_was_due_has_ended_and_the_plan_has_given(visit: Visit, ledger: Client):
    before = datetime.fromisoformat(await ledger.now())
    await visit.page.locator("#panel-tab").click()
    await visit.page.locator("#clock").click()
    await expect(visit.page.locator("#panel-told")).to_contain_text("It is ", timeout=SOON_MS)
    passed = datetime.fromisoformat(await ledger.now()) - before
    assert timedelta(days=28) <= passed < timedelta(days=32)
    month = f"{datetime.fromisoformat(await ledger.now()):%Y-%m}"
    plans = [grant for grant in await ledger.grants(STUDIO) if grant["source"] == "PLAN"]
    assert plans[0]["effectiveAt"].startswith(f"{month}-01T00:00:00")
    assert "REALLOCATE" not in {entry["kind"] for entry in await ledger.ledger(STUDIO)}
    await until_shown(visit, ledger)


async def test_the_policy_of_the_page_allows_nothing_inline(visit: Visit):
    answer = await visit.page.request.get(visit.page.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy


FOREIGN = [
    ("another site's form", {"content-type": "text/plain"}, 415),
    ("another site's script", {"content-type": "application/json", "origin": "https://else.example"}, 403),
    ("as the browser says", {"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403),
]


@pytest.mark.parametrize(("_who", "headers", "status"), FOREIGN, ids=[case[0] for case in FOREIGN])
@pytest.mark.parametrize("path", ["generate", "level", "clock", "team", "reset"])
async def test_another_site_spends_nothing(demo: Demo, path: str, _who: str, headers: dict[str, str], status: int):
    wire = Wire(demo.url)
    answer = await wire.request(
        "POST", f"/demo/{path}", headers, b'{"action": "proof", "level": "low", "key": "theirs"}'
    )
    wire.drop()
    assert answer.status == status


async def test_starting_again_gives_nothing_twice(demo: Demo, ledger: Client):
    grants = [grant for grant in await ledger.grants(STUDIO) if grant["source"] != "PROMOTION"]
    assert {grant["source"] for grant in grants} == {"PLAN", "PURCHASE"}
    burned = (await ledger.balance(STUDIO))["burned"]
    await demo.interrupt()
    await demo.start()
    again = [grant for grant in await ledger.grants(STUDIO) if grant["source"] != "PROMOTION"]
    assert again == grants
    assert (await ledger.balance(STUDIO))["burned"] == burned


async def test_starting_over_is_another_world_as_on_the_first_day(demo: Demo, browser: Browser):
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(await context.new_page())
    await visit.open(demo.url)
    await visit.page.locator("#panel-tab").click()
    await expect(visit.page.locator("#workspace")).to_have_text("demo")
    async with visit.page.expect_navigation(timeout=START_S * 1000):
        await visit.page.locator("#reset").click()
    await visit.page.locator("#panel-tab").click()
    await expect(visit.page.locator("#workspace")).to_have_text("demo-2")
    async with Client(demo.url, await demo.create_key("demo-2", "ADMIN", test=True)) as anew:
        assert {grant["source"] for grant in await anew.grants(STUDIO)} == {"PLAN", "PURCHASE", "PROMOTION"}
        await until_shown(visit, anew)
    # Another press of the same button, in a page that was left open, does nothing more.
    await visit.post("reset", workspace="demo")
    told = await visit.page.evaluate("fetch('/demo/stage').then((answer) => answer.json())")
    await context.close()
    assert told["workspace"] == "demo-2"


async def test_nothing_of_it_exists_under_serve(demo: Demo):
    """On the very data of the demo."""
    await demo.interrupt()
    plain = Server(demo.data_dir)
    await plain.start()
    wire = Wire(plain.url)
    answers = [await wire.request("GET", path, {}, b"") for path in ("/demo", "/demo/prices", "/demo/page.js")]
    answers.append(await wire.request("POST", "/demo/token", {}, b""))
    wire.drop()
    await plain.close()
    assert [answer.status for answer in answers] == [404] * 4
