"""`scrip demo` as somebody meets it who has just installed Scrip: one address, and a page whose credits are real.

A real process, a real browser. What the page shows is compared with the ledger, read by a key of our own.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.harness.client import Client
from tests.harness.server import SCRIP, Server
from tests.harness.wire import Wire
from tests.model.rating import micro

STUDIO = "studio-lindqvist"
START_S = 60.0
SHOWN_S = 15.0
POSTER_THREE_INKS = "14.4"  # 12 megapixels at 1.2
PROOF = "0.5"
LINE_PX = 24  # what is taller than this is more than one line of the text beside a number

# Before anything of the page runs: what the browser thinks of it.
WATCH = """
window.watched = {shifts: [], violations: []};
new PerformanceObserver((list) => {
  for (const {value, hadRecentInput, sources} of list.getEntries()) {
    if (!hadRecentInput) window.watched.shifts.push({value, sources: sources.map(({node, previousRect, currentRect}) => ({
      inside: node === null ? "an element" : node.nodeName,
      from: [previousRect.top, previousRect.bottom],
      to: [currentRect.top, currentRect.bottom],
    }))});
  }
}).observe({type: "layout-shift", buffered: true});
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  window.watched.violations.push(`${violatedDirective} ${blockedURI}`));
"""


class Demo(Server):
    """One `scrip demo` on its embedded database. What it prints and what it logs are kept apart."""

    started_s = 0.0

    @property
    def printed(self) -> str:
        return self.log_path.with_suffix(".out").read_text()

    def spawn(self) -> None:
        with self.log_path.open("wb") as log, self.log_path.with_suffix(".out").open("wb") as out:
            self.process = subprocess.Popen(
                [*SCRIP, "demo", "--port", str(self.port), "--data-dir", str(self.data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=self.environment,
                cwd=self.data_dir.parent,
                start_new_session=True,
            )

    async def interrupt(self) -> None:
        """Ctrl-C stops everything, the embedded database too."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert await self.wait() == 0
        assert not (self.data_dir / "pg" / "postmaster.pid").exists()

    async def until_ready(self) -> None:
        began_s = time.monotonic()
        while "http://" not in self.printed:
            assert self.process is not None
            assert self.process.poll() is None, self.logs
            assert time.monotonic() - began_s < START_S, self.logs
            await asyncio.sleep(0.02)
        self.started_s = time.monotonic() - began_s


@dataclass
class Visit:
    """The page in a browser, and what went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        self.page.on("console", lambda line: line.type in ("error", "warning") and self.problems.append(line.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(f"{request.url}: {request.failure}"))
        self.page.on(
            "request", lambda request: url in request.url.replace("ws:", "http:") or self.problems.append(request.url)
        )
        await self.page.add_init_script(WATCH)
        await self.page.goto(f"{url}/demo")
        await self.page.locator("#balance [part=value]").wait_for()
        await self.page.locator("#price").filter(has_text="credits").wait_for()

    async def shown(self) -> tuple[int, str]:
        """The balance on the screen: the exact amount that stands behind it, and what can be read."""
        value = self.page.locator("#balance [part=value]")
        return micro(str(await value.get_attribute("value"))), await value.inner_text()

    async def watched(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate("window.watched")
        return found


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
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest.fixture
async def visit(demo: Demo, browser: Browser) -> AsyncIterator[Visit]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(await context.new_page())
    await visit.open(demo.url)
    yield visit
    await context.close()


async def until_shown(visit: Visit, ledger: Client) -> int:
    """Waits until the page shows what the ledger has; the team goes on working meanwhile."""
    until_s = time.monotonic() + SHOWN_S
    while True:
        available = micro((await ledger.balance(STUDIO))["available"])
        amount, text = await visit.shown()
        if amount == available:
            assert micro(text.replace(",", "").replace("−", "-")) == amount
            return amount
        assert time.monotonic() < until_s, f"the page shows {text}, the ledger has {available}"
        await asyncio.sleep(0.05)


async def press(visit: Visit, selector: str, path: str) -> dict[str, Any]:
    """Presses a button once the page is done with the last one; what its backend answered."""
    await visit.page.locator("#press:not([aria-busy])").wait_for()
    async with visit.page.expect_response(f"**/demo/{path}") as answer:
        await visit.page.locator(selector).click()
    found: dict[str, Any] = await (await answer.value).json()
    return found


async def settle(visit: Visit, level: str) -> None:
    """By the demo's own buttons: to 5 credits, or to 500 where there are fewer."""
    await press(visit, f"[data-level={level}]", "level")


def test_it_prints_one_address_within_a_minute(demo: Demo):
    assert demo.printed.split() == [f"{demo.url}/demo"]
    assert demo.started_s < START_S


async def test_a_click_burns_what_the_button_says(visit: Visit, ledger: Client):
    await settle(visit, "full")
    before = await until_shown(visit, ledger)
    born = await visit.page.evaluate("performance.timeOrigin")
    known = {entry["id"] for entry in await ledger.ledger(STUDIO)}
    assert await visit.page.locator("#price").inner_text() == f"{POSTER_THREE_INKS} credits"

    answer = await press(visit, "#pull", "generate")

    assert answer["cost"] == POSTER_THREE_INKS
    await visit.page.locator("#receipt").filter(has_text=f"−{POSTER_THREE_INKS} credits").wait_for()
    after = await until_shown(visit, ledger)
    new = [entry for entry in await ledger.ledger(STUDIO) if entry["id"] not in known]
    own = [entry for entry in new if entry["id"] == answer["entry"]]
    assert [(entry["kind"], entry["amount"], entry["quantity"]) for entry in own] == [
        ("BURN", f"-{POSTER_THREE_INKS}", "12")
    ]
    assert after <= before - micro(POSTER_THREE_INKS)
    assert await visit.page.evaluate("performance.timeOrigin") == born, "the page was loaded again"
    assert visit.problems == []


async def test_a_double_click_burns_once(visit: Visit, ledger: Client):
    await settle(visit, "full")
    await until_shown(visit, ledger)
    known = {entry["id"] for entry in await ledger.ledger(STUDIO)}
    await visit.page.locator("#press:not([aria-busy])").wait_for()
    async with visit.page.expect_response("**/demo/generate"):
        await visit.page.locator("#proof").dblclick(delay=60)
    await visit.page.locator("#receipt").filter(has_text=f"−{PROOF} credits").wait_for()
    await until_shown(visit, ledger)
    new = [entry for entry in await ledger.ledger(STUDIO) if entry["id"] not in known]
    # What the page asks for has a key; what the team does comes as events, which have none.
    assert [entry["amount"] for entry in new if entry["idempotencyKey"]] == [f"-{PROOF}"]


async def test_the_team_moves_the_balance_by_itself(visit: Visit, ledger: Client):
    await settle(visit, "full")
    before = await until_shown(visit, ledger)
    until_s = time.monotonic() + SHOWN_S
    while (await visit.shown())[0] == before:
        assert time.monotonic() < until_s, "nobody works"
        await asyncio.sleep(0.1)
    assert (await until_shown(visit, ledger)) < before
    newest = visit.page.locator("#activity li").first
    assert re.match(r"(Ines|Teo|Maren) ", await newest.inner_text())


async def test_credits_run_out_kindly_and_come_back(visit: Visit, ledger: Client):
    await settle(visit, "full")
    await settle(visit, "low")
    assert await until_shown(visit, ledger) == micro("5")
    known = await ledger.ledger(STUDIO)

    answer = await press(visit, "#pull", "generate")

    assert answer["refused"] == {"code": "INSUFFICIENT_CREDITS", "needed": POSTER_THREE_INKS, "available": "5"}
    assert "Out of credits" in await visit.page.locator("#receipt").inner_text()
    assert await ledger.ledger(STUDIO) == known, "a refusal wrote something"
    refill = visit.page.locator("#receipt button")
    assert "demo" in await refill.inner_text()
    await press(visit, "#receipt button", "level")
    assert await until_shown(visit, ledger) > micro("400")
    assert "cost" in await press(visit, "#pull", "generate")
    assert visit.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
async def test_the_page_is_calm_at_every_width(demo: Demo, browser: Browser, ledger: Client, width: int, scheme: Any):
    context = await browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    visit = Visit(await context.new_page())
    await visit.open(demo.url)
    await settle(visit, "full")
    await press(visit, "#pull", "generate")
    await until_shown(visit, ledger)
    wide = await visit.page.evaluate("document.documentElement.scrollWidth")
    watched = await visit.watched()
    await context.close()
    assert wide <= width, "it scrolls sideways"
    assert watched["violations"] == []
    # Inside the element the words after a number move with the number's length, along their line. How often, and so the
    # sum of it, is up to the team and to how long we look. Nothing else moves, and nothing moves up or down.
    for source in [source for shift in watched["shifts"] for source in shift["sources"]]:
        assert (source["inside"], source["to"]) == ("an element", source["from"]), watched["shifts"]
        assert source["to"][1] - source["to"][0] <= LINE_PX, watched["shifts"]
    assert visit.problems == []


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
@pytest.mark.parametrize("path", ["generate", "level"])
async def test_another_site_spends_nothing(demo: Demo, path: str, _who: str, headers: dict[str, str], status: int):
    wire = Wire(demo.url)
    answer = await wire.request(
        "POST", f"/demo/{path}", headers, b'{"action": "proof", "level": "low", "key": "theirs"}'
    )
    wire.drop()
    assert answer.status == status


async def test_starting_again_gives_nothing_twice(demo: Demo, ledger: Client):
    grants = [grant for grant in await ledger.grants(STUDIO) if grant["source"] != "PROMOTION"]
    assert sorted(grant["source"] for grant in grants) == ["PLAN", "PURCHASE"]
    burned = (await ledger.balance(STUDIO))["burned"]
    await demo.interrupt()
    await demo.start()
    again = [grant for grant in await ledger.grants(STUDIO) if grant["source"] != "PROMOTION"]
    assert again == grants
    assert (await ledger.balance(STUDIO))["burned"] == burned


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
