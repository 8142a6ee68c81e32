"""The whole real trace goes through a running server while a browser watches one customer's balance.

19,366 requests, two features each, are imported with `scrip events import … --accept-late`; real Chromium shows a host
page with `<scrip-balance>` for the busiest customer. No reload; the last value shown is the ledger's; the sum of all
burns is what exact fractions say, to the last micro-credit; importing the same file again burns nothing.
"""

import asyncio
import csv
import json
import re
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import Page, async_playwright

from tests.harness.client import Client
from tests.harness.world import PER_INPUT, PER_OUTPUT, SCALE, build_world, give
from tests.model.rating import micro
from tests.model.trace import ROWS, Row, cost_by_customer, read_trace

IMPORT_S = 300.0
SHOWN_WITHIN_MS = 15_000
WORKSPACE = "trace"
FUNDS = "6000"  # of the busiest; what the others burn goes into overdraft: events tell of what has happened

MAP = """\
source: {value: azure-llm-2023}
id: {row: true}
type: {value: llm.tokens}
subject: {column: CUSTOMER}
time: {column: TIMESTAMP, timezone: UTC}
data: {model: {value: chat}, input_tokens: {column: ContextTokens}, output_tokens: {column: GeneratedTokens}}
"""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Host page</title>
<script>
  window.changes = [];
  window.bornAt = performance.timeOrigin;
  addEventListener("scrip-balance-change", (event) => window.changes.push(event.detail));
</script>
<script type="module" src="{server}/embed/v1.js"></script>
<scrip-provider endpoint="{server}" token-url="/credits-token">
  <scrip-balance credit-type="ai"></scrip-balance>
</scrip-provider></html>"""


def write_trace(folder: Path, rows: list[Row]) -> tuple[Path, Path]:
    """The trace with its customers, and the map of its columns."""
    trace, columns = folder / "trace.csv", folder / "map.yaml"
    with trace.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("TIMESTAMP", "ContextTokens", "GeneratedTokens", "CUSTOMER"))
        writer.writerows((row.timestamp, row.input_tokens, row.output_tokens, row.customer) for row in rows)
    columns.write_text(MAP)
    return trace, columns


@contextmanager
def host_page(server: str, secret: str, customer: str) -> Iterator[str]:
    """A product's own web server: its page, and the route that fetches a token with its secret key."""

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer("text/html; charset=utf-8", PAGE.replace("{server}", server).encode())

        def do_POST(self) -> None:
            headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
            body = json.dumps({"customer": customer, "ttlSeconds": 600}).encode()
            with urlopen(Request(f"{server}/v1/embed-token", body, headers)) as token:
                self.answer("application/json", token.read())

        def answer(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    host = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{host.server_port}/"
    finally:
        host.shutdown()
        thread.join()
        host.server_close()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield await browser.new_page()
        await browser.close()


async def shown(page: Page) -> int:
    """The number that the element shows, in micro-credits."""
    text = await page.locator("scrip-balance").locator("[part~=value]").first.inner_text()
    number = re.sub(r"[^\d.\-−]", "", text).replace("−", "-")
    return micro(number)


async def until_shown(page: Page, expected: int) -> None:
    waited = 0
    while (now := await shown(page)) != expected:
        assert waited < SHOWN_WITHIN_MS, f"the page shows {now}, the ledger has {expected}"
        await page.wait_for_timeout(50)
        waited += 50


async def burned_by_all(client: Client, customers: list[str]) -> dict[str, int]:
    """What each customer's ledger says it burned."""
    names = " ".join(
        f'c{number}: customer(key: "{key}") {{ balance(creditType: "ai") {{ burned }} }}'
        for number, key in enumerate(customers)
    )
    found = await client.ask("{ " + names + " }")
    return {key: micro(found[f"c{number}"]["balance"]["burned"]) for number, key in enumerate(customers)}


async def burned_in_total(client: Client, customers: list[str]) -> dict[str, int]:
    """In small documents: the server bounds how much one may ask."""
    total: dict[str, int] = {}
    for start in range(0, len(customers), 5):
        some = await burned_by_all(client, customers[start : start + 5])
        total.update(some)
    return total


def says(output: str, count: int) -> bool:
    """The count is among the numbers that a command printed, however they are grouped."""
    return str(count) in re.findall(r"\d+", re.sub(r"(?<=\d)[,._\u202f ](?=\d{3})", "", output))


@pytest.mark.timeout(900)
async def test_the_whole_trace_burns_exactly_while_a_page_watches(own_server, page, tmp_path):
    rows = read_trace()
    assert len(rows) == ROWS
    cost = cost_by_customer(rows, per_input=PER_INPUT, per_output=PER_OUTPUT, scale=SCALE)
    busiest = max(cost, key=lambda key: cost[key])
    secret = await own_server.create_key(WORKSPACE, "ADMIN", test=True)
    client = Client(own_server.url, secret)
    await build_world(client, sorted(cost))
    await give(client, busiest, FUNDS, "funds")
    trace, columns = write_trace(tmp_path, rows)
    command = ("events", "import", str(trace), "--workspace", WORKSPACE, "--map", str(columns), "--accept-late")

    with host_page(own_server.url, secret, busiest) as address:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(address)
        await until_shown(page, micro(FUNDS))
        born = await page.evaluate("window.bornAt")

        began = time.monotonic()
        imported = await asyncio.wait_for(own_server.command(*command), IMPORT_S)
        took = time.monotonic() - began
        assert imported.returncode == 0, imported
        assert says(imported.stdout, ROWS), imported.stdout
        assert await settled(client, cost) == cost
        available = micro((await client.balance(busiest))["available"])
        assert available == micro(FUNDS) - cost[busiest]
        await until_shown(page, available)

        assert await page.evaluate("window.bornAt") == born, "the page was loaded again"
        changes = await page.evaluate("window.changes")
        assert len(changes) >= 3, f"the page did not move while the import ran: {changes}"
        print(f"imported in {took:.1f} s; the page showed {len(changes)} balances on the way")
        versions = [change["version"] for change in changes]
        assert versions == sorted(set(versions)), f"versions went back: {versions}"
        assert micro(changes[-1]["available"]) == available
        assert errors == []

        again = await asyncio.wait_for(own_server.command(*command), IMPORT_S)
        assert again.returncode == 0, again
        assert says(again.stdout, ROWS), again.stdout
        assert await settled(client, cost) == cost, "importing again burned"
        await until_shown(page, available)
    await check_ledger(client, busiest, rows)


async def settled(client: Client, cost: dict[str, int]) -> dict[str, int]:
    """What has burned once it no longer changes: all that is stored burns within a second."""
    before: dict[str, int] = {}
    for _ in range(60):
        now = await burned_in_total(client, sorted(cost))
        if now in (before, cost):
            return now
        before = now
        await asyncio.sleep(1.0)
    return before


async def check_ledger(client: Client, busiest: str, rows: list[Row]) -> None:
    """Entry by entry: the busiest customer's ledger is its rows of the trace, each feature once."""
    own = [row for row in rows if row.customer == busiest]
    burns = [entry for entry in await client.ledger(busiest) if entry["kind"] == "BURN"]
    expected = sorted(
        amount
        for row in own
        for amount in (micro(PER_INPUT) * row.input_tokens, micro(PER_OUTPUT) * row.output_tokens)
        if amount
    )
    assert sorted(-micro(entry["amount"]) for entry in burns) == expected
    assert all(entry["late"] for entry in burns)
