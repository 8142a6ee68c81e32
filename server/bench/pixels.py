"""From the commit of a burn to the changed pixel in a real browser: server, hub, socket, element, frame.

The clock starts at the burn's `recordedAt`, which the database sets under the account's lock, just before it writes
and commits: what is shown here is a little too long. Both ends read the clock of one machine.
"""

import http.client
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from server.bench.browser import PATIENCE_MS, NoBrowser, busy, opened
from server.bench.page import PATH
from server.bench.report import AtMost, Figure, Spread
from server.bench.run import Run
from server.bench.world import SHOWN
from server.embed import folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BURNS = 300
_EVERY_S = (0.05, 0.15)  # drawn anew for each: they meet the browser's frames and the hub's window anywhere
_NAME = "commit to changed pixel, ms"
_BURN = """mutation($input: BurnInput!) { burn(input: $input) { __typename
  ... on BurnOk { entry { recordedAt } balance { available } } } }"""


@dataclass(frozen=True, slots=True)
class _Burned:
    at_s: float
    available: Decimal


def commit_to_pixel(run: Run) -> Iterator[Figure]:
    if not (folder() / "manifest.json").exists():
        yield Figure(_NAME, skipped=f"the embed bundle is not built: {folder()} is empty")
        return
    run.say("commit to changed pixel")
    try:
        with opened() as browser:
            taken_ms = _measure(run, browser)
    except NoBrowser as why:
        yield Figure(_NAME, skipped=str(why))
        return
    p99 = taken_ms[int(len(taken_ms) * 0.99)]
    yield Figure(
        _NAME,
        f"{len(taken_ms)} burns, in Chromium at 60 frames/s; {busy()}",
        Spread.of(taken_ms),
        AtMost(50),
    )
    yield Figure(f"{_NAME}, p99", "of the same burns", Spread.of([p99]), AtMost(250))


def _measure(run: Run, browser: "Browser") -> list[float]:
    """Milliseconds from each burn to the frame that shows it, sorted."""
    server = http.client.HTTPConnection("127.0.0.1", run.stage.port, timeout=30)
    token = _post(run, server, "/v1/embed-token", {"customer": SHOWN})["token"]
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{run.stage.port}{PATH}#{token}")
    page.wait_for_function("window.seen?.length > 0", timeout=PATIENCE_MS)
    burned = []
    for number in range(run.many(BURNS, 20)):
        burned.append(_burn(run, server, number))
        time.sleep(random.uniform(*_EVERY_S))  # noqa: S311 -- no secret
    server.close()
    seen = _seen(page, burned[-1].available)
    return sorted((_shown_s(seen, burn.available) - burn.at_s) * 1e3 for burn in burned)


def _burn(run: Run, server: http.client.HTTPConnection, number: int) -> _Burned:
    burn = {"customer": SHOWN, "creditType": "ai", "amount": "1", "idempotencyKey": f"pixel-{number}"}
    answer = _post(run, server, "/graphql", {"query": _BURN, "variables": {"input": burn}})["data"]["burn"]
    at = datetime.fromisoformat(answer["entry"]["recordedAt"])
    return _Burned(at.timestamp(), Decimal(answer["balance"]["available"]))


def _post(run: Run, server: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {run.stage.world.secret}"}
    server.request("POST", path, json.dumps(body), headers)
    return json.loads(server.getresponse().read())


def _seen(page: "Page", last: Decimal) -> list[tuple[Decimal, float]]:
    """What was on the screen from when on, once the last burn is."""
    page.wait_for_function(f"Number(window.seen.at(-1)[0]) === {last}", timeout=PATIENCE_MS)
    return [(Decimal(available), at_ms / 1e3) for available, at_ms in page.evaluate("window.seen")]


def _shown_s(seen: list[tuple[Decimal, float]], available: Decimal) -> float:
    """When the page first showed that balance, or, where two burns met in one frame, a later one."""
    return next(at_s for shown, at_s in seen if shown <= available)
