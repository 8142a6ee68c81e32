"""The browser of the benchmarks, and the slow profile: a middling telephone on a middling network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

PATIENCE_MS = 20_000
SLOW = "1.6 Mbit/s, 150 ms, CPU 4 times slower"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_NETWORK = {
    "offline": False,
    "latency": 150,  # ms that each request waits for its answer
    "downloadThroughput": 1_600_000 // 8,  # bytes/s
    "uploadThroughput": 750_000 // 8,
}
_CPU_TIMES_SLOWER = 4


class NoBrowser(Exception):
    """There is none to measure in; its text says what is missing."""


@contextmanager
def opened() -> "Iterator[Browser]":
    """A headless Chromium. Raises `NoBrowser`."""
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 -- only who develops has it
    except ImportError:
        raise NoBrowser("Playwright is not installed: pip install playwright") from None
    with sync_playwright() as playwright:
        try:
            browser = _launch(playwright)
        except Error as error:
            raise NoBrowser(f"no browser: {str(error).strip().splitlines()[0]}") from error
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: "Playwright") -> "Browser":
    """The machine's own browser, else the one that Playwright has downloaded."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=found, args=arguments)


def busy() -> str:
    """How busy the machine is with everything: what waits for a processor is slower in wall-clock time."""
    return f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} CPUs"


@contextmanager
def slow_page(browser: "Browser") -> "Iterator[Page]":
    """An empty tab under the slow profile, with nothing in its caches and no open connection.

    Every request waits and shares the bandwidth; the socket of live changes does so only as far as the browser slows
    sockets, and no figure here waits for it.
    """
    context = browser.new_context()
    try:
        page = context.new_page()
        tools = context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.send("Network.emulateNetworkConditions", _NETWORK)
        tools.send("Emulation.setCPUThrottlingRate", {"rate": _CPU_TIMES_SLOWER})
        yield page
    finally:
        context.close()
