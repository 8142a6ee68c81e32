"""The elements around the balance in real Chromium against a real server: what they show is what the ledger has, they
follow it while somebody looks, and a page that shows all of them asks once and opens one socket.
"""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from e2e.host import SHOWN_MS, Host, customer, hosting, part
from tests.harness.server import Server


@pytest.fixture
async def host(chromium: Browser, server: Server) -> AsyncIterator[Host]:
    async with hosting(chromium, server, "elements") as host:
        yield host


async def test_expirations_show_what_ends_and_follow_it(host: Host):
    key = await customer(host, "ends")
    page = await host.open(key, '<scrip-expirations credit-type="ai"></scrip-expirations>')
    await expect(part(page, "amount")).to_have_text(["470 credits"], timeout=SHOWN_MS)
    await expect(part(page, "source")).to_have_text(["Plan"])
    expected = await host.client.ask(
        'query($key: String!) { customer(key: $key) { expirations(creditType: "ai") { projectedLoss } } }', key=key
    )
    loss = expected["customer"]["expirations"][0]["projectedLoss"]
    assert (await part(page, "loss").count()) == (1 if float(loss) else 0)
    await host.burn(key, "70000", "ends-second")
    await expect(part(page, "amount")).to_have_text(["400 credits"], timeout=SHOWN_MS)


async def test_runway_shows_what_the_server_reckons_and_follows_it(host: Host):
    key = await customer(host, "lasts")
    page = await host.open(key, '<scrip-runway credit-type="ai"></scrip-runway>')
    ask = 'query($key: String!) { customer(key: $key) { runway(creditType: "ai") { dailyBurn runsOutAt basis } } }'
    before = (await host.client.ask(ask, key=key))["customer"]["runway"]
    await expect(part(page, "basis")).to_contain_text(before["basis"], timeout=SHOWN_MS)
    await host.burn(key, "300000", "lasts-second")
    await expect(part(page, "basis")).to_contain_text("330 credits a day", timeout=SHOWN_MS)
    after = (await host.client.ask(ask, key=key))["customer"]["runway"]
    shown = await part(page, "date").locator("time").get_attribute("datetime")
    assert shown is not None
    assert shown[:13] == after["runsOutAt"][:13]


async def test_usage_shows_each_day_and_grows_while_somebody_looks(host: Host):
    key = await customer(host, "uses")
    page = await host.open(key, '<scrip-usage credit-type="ai" range="P7D" group-by="feature"></scrip-usage>')
    await expect(part(page, "readout")).to_contain_text("30 credits used", timeout=SHOWN_MS)
    await expect(part(page, "bar")).to_have_count(7)
    await expect(part(page, "legend")).to_contain_text("Input tokens 30")
    await host.burn(key, "12000", "uses-second")
    await expect(part(page, "readout")).to_contain_text("42 credits used", timeout=SHOWN_MS)
    await part(page, "bar").last.focus()
    await expect(part(page, "readout")).to_contain_text("42 credits")
    await page.keyboard.press("ArrowLeft")
    await expect(part(page, "readout")).to_contain_text("0 credits")
    await part(page, "toggle").click()
    await expect(part(page, "table").locator("tbody tr").first).to_contain_text("42")


async def test_the_ledger_tells_why_live_and_takes_a_dispute(host: Host, tmp_path: Path):
    key = await customer(host, "reads")
    page = await host.open(
        key, '<scrip-ledger credit-type="ai" live disputable page-size="2"></scrip-ledger>', accept_downloads=True
    )
    await expect(part(page, "explanation").first).to_contain_text("30,000 tokens of Input tokens", timeout=SHOWN_MS)
    await part(page, "more").click()
    await expect(part(page, "row")).to_have_count(3)

    entry = await host.burn(key, "5000", "reads-second")
    await expect(part(page, "row")).to_have_count(4, timeout=SHOWN_MS)
    await expect(part(page, "amount").first).to_have_attribute("value", "-5")
    assert len(await host.client.ledger(key)) == 4

    await part(page, "row").first.get_by_role("button").click()
    await expect(part(page, "details")).to_contain_text("0.001 each · default, version 1")
    await page.get_by_role("button", name="This is not mine").click()
    await page.get_by_role("textbox").fill("Nobody here did that")
    await page.get_by_role("button", name="Send").click()
    await expect(part(page, "dispute")).to_have_text("Disputed", timeout=SHOWN_MS)
    ask = "query { disputes { id reason entries { id } } }"
    [dispute] = (await host.client.ask(ask))["disputes"]
    assert (dispute["reason"], dispute["entries"]) == ("Nobody here did that", [{"id": entry["id"]}])

    await host.client.must("updateDispute", id=dispute["id"], status="INVESTIGATING")
    await expect(part(page, "dispute")).to_have_text("Being looked into", timeout=SHOWN_MS)
    resolution = {"resolution": "It was not theirs", "idempotencyKey": "reads-resolved"}
    await host.client.must("resolveDispute", id=dispute["id"], uphold=True, **resolution)
    await expect(part(page, "dispute")).to_have_text("Dispute upheld", timeout=SHOWN_MS)
    await expect(part(page, "row").first).to_contain_text("Given back", timeout=SHOWN_MS)

    async with page.expect_download() as download:
        await part(page, "export").click()
    await (await download.value).save_as(tmp_path / "ai.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "ai.csv").read_text("utf-8-sig"))))
    booked = (await host.client.ledger(key))[::-1]
    assert [(row["id"], row["amount"]) for row in rows] == [(each["id"], each["amount"]) for each in booked]


async def test_a_page_of_all_elements_asks_once_and_opens_one_socket(host: Host):
    key = await customer(host, "whole")
    asked: list[str] = []
    sockets: list[str] = []
    page = await host.open(key, "", viewport={"width": 320, "height": 800})
    page.on("request", lambda request: "graphql" in request.url and asked.append(request.url))
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.evaluate(
        """async (names) => {
          await customElements.whenDefined("scrip-ledger");
          for (const name of names) {
            const element = document.createElement(`scrip-${name}`);
            element.setAttribute("credit-type", "ai");
            element.toggleAttribute("live", true);
            document.querySelector("scrip-provider").append(element);
          }
        }""",
        ["balance", "expirations", "runway", "usage", "ledger"],
    )
    await expect(part(page, "value")).to_have_text("1,470", timeout=SHOWN_MS)
    await expect(part(page, "row")).to_have_count(3, timeout=SHOWN_MS)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await page.wait_for_timeout(4_000)
    assert (len(asked), len(sockets)) == (1, 1)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
