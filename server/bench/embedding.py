"""The embed in a plain host page under the slow profile: when the balance is there, what moved, what blocked.

The clock starts with the navigation to a page that holds nothing but the balance, and stops with the first frame that
shows it: document, script, query over HTTP, each a trip of its own. The token is in the page, which is Scrip's own
origin; a host elsewhere that has its tokens fetched pays two more trips, which are measured beside it.

How long a task blocks is measured twice: by the clock, as the browser's own observer of long tasks does, which counts
what other processes take on a busy machine too, and, in loads of their own with tracing, by the thread's processor time.
Of these only tasks that end after the script has arrived can be ours: before, the browser sets up the document.
"""

import http.client
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from server.bench.browser import PATIENCE_MS, SLOW, NoBrowser, busy, opened, slow_page
from server.bench.page import PLAIN_PATH
from server.bench.report import AtMost, Figure, Spread
from server.bench.run import Run
from server.bench.world import SHOWN
from server.embed import folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOADS = 9
APART = 5
TRACED = 5
_SETTLES_MS = 1_000  # what moves or blocks after the balance counts too: the socket opens, other parts are drawn
_NAME = f"the balance in a plain page ({SLOW})"
_TASK = "RunTask"  # with what runs after a task's own work: promises are answered there
_TRACE = ["disabled-by-default-devtools.timeline", "blink.user_timing"]
_RESULT = """() => {
  const { startTime, responseEnd } = performance.getEntriesByType("resource").find(({ name }) => name.endsWith("/embed/v1.js"));
  return {
    shown_ms: window.shown,
    script_ms: startTime,
    arrived_ms: responseEnd,
    shift: window.shifts.reduce((sum, shift) => sum + shift, 0),
    longest_ms: Math.max(0, ...window.tasks),
  };
}"""


@dataclass(frozen=True, slots=True)
class Load:
    """One load of the page. Times are ms from the start of the navigation, except `longest_ms`: a task's length, 0 where
    none took more than 50."""

    shown_ms: float
    script_ms: float
    arrived_ms: float
    shift: float
    longest_ms: float


def first_balance(run: Run) -> Iterator[Figure]:
    if not (folder() / "manifest.json").exists():
        yield Figure(_NAME, skipped=f"not measured: the embed bundle is not built: {folder()} is empty")
        return
    try:
        with opened() as browser:
            token = _token(run)
            bare = _load(run, browser, f"?token={token}&bare")  # also warms the server up
            loads = []
            for number in range(1, run.many(LOADS, 2) + 1):
                run.say(f"the embed in a plain page: load {number}")
                loads.append(_load(run, browser, f"?token={token}"))
            apart = [_load(run, browser, f"?token={token}&apart") for _ in range(run.many(APART, 1))]
            worked_ms = [_traced(run, browser, f"?token={token}") for _ in range(run.many(TRACED, 1))]
    except NoBrowser as why:
        yield Figure(_NAME, skipped=f"not measured: {why}")
        return
    yield from figures_of(loads, bare)
    yield Figure(
        "the longest task's own processor time, ms",
        f"{len(worked_ms)} loads with tracing, CPU 4 times slower",
        Spread.of(worked_ms),
        AtMost(50),
    )
    yield Figure(
        f"the same page elsewhere, its token fetched, to the first balance, ms ({SLOW})",
        f"{len(apart)} loads with empty caches: two more trips, for the token and for the browser's question whether the page may ask",
        Spread.of([load.shown_ms for load in apart]),
    )


def figures_of(loads: list[Load], bare: Load) -> Iterator[Figure]:
    """`bare` is a load without the reserving rules: that something moves there shows that moving is seen."""
    from_script = median(load.shown_ms - load.script_ms for load in loads)
    quiet = sum(load.longest_ms == 0 for load in loads)
    yield Figure(
        f"navigation to the first balance, ms ({SLOW})",
        f"{len(loads)} loads with empty caches, token in the page; {from_script:.0f} ms from the script's request; {busy()}",
        Spread.of([load.shown_ms for load in loads]),
        AtMost(800),
    )
    yield Figure(
        "cumulative layout shift, with the rules of reserve.css",
        f"the page's, until a second after the balance; {bare.shift:.3f} without the rules",
        Spread.of([load.shift for load in loads]),
        AtMost(0),
    )
    yield Figure(
        "longest task over 50 ms, ms; 0 where there is none",
        f"none in {quiet} of {len(loads)} loads, CPU 4 times slower; {busy()}",
        Spread.of([load.longest_ms for load in loads]),
        AtMost(50),
    )


def _token(run: Run) -> str:
    server = http.client.HTTPConnection("127.0.0.1", run.stage.port, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {run.stage.world.secret}"}
    server.request("POST", "/v1/embed-token", json.dumps({"customer": SHOWN}), headers)
    token = str(json.loads(server.getresponse().read())["token"])
    server.close()
    return token


def _load(run: Run, browser: "Browser", asked: str) -> Load:
    with slow_page(browser) as page:
        _open(run, page, asked)
        return Load(**page.evaluate(_RESULT))


def _traced(run: Run, browser: "Browser", asked: str) -> float:
    with slow_page(browser) as page:
        browser.start_tracing(page=page, categories=_TRACE)
        _open(run, page, asked)
        events = json.loads(browser.stop_tracing())["traceEvents"]
        return longest_work_ms(events, Load(**page.evaluate(_RESULT)))


def _open(run: Run, page: "Page", asked: str) -> None:
    """Until some time after the balance is shown. Nothing is asked of the page meanwhile: that would be work in it."""
    with page.expect_console_message(lambda message: message.text == "shown", timeout=PATIENCE_MS):
        page.goto(f"http://127.0.0.1:{run.stage.port}{PLAIN_PATH}{asked}", wait_until="commit")
    page.wait_for_timeout(_SETTLES_MS)


def longest_work_ms(events: Sequence[dict[str, Any]], load: Load) -> float:
    """The most processor time that a task of the page's main thread took, of the thread that has the mark `shown`, once
    the script was there."""
    shown = next(event for event in events if event["name"] == "shown")
    arrived_us = shown["ts"] - (load.shown_ms - load.arrived_ms) * 1e3
    tasks = [
        event
        for event in events
        if event["name"] == _TASK
        and (event["pid"], event["tid"]) == (shown["pid"], shown["tid"])
        and event["ts"] + event.get("dur", 0) > arrived_us
    ]
    return float(max(event.get("tdur", 0) for event in tasks)) / 1e3  # in µs
