"""The demo's product in a real browser, and `scrip demo` as a real process behind it."""

import asyncio
import json
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.harness.client import Client
from tests.harness.server import SCRIP, Server
from tests.model.rating import micro

STUDIO = "studio-lindqvist"
START_S = 60.0
SHOWN_S = 30.0  # the machine may be busy
AXE = Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"

# Before anything of the page runs: what the browser thinks of it.
WATCH = """
window.watched = {shifts: [], violations: []};
new PerformanceObserver((list) => {
  for (const {value, hadRecentInput, sources} of list.getEntries()) {
    if (!hadRecentInput) window.watched.shifts.push({value, sources: sources.map(({node, previousRect, currentRect}) => ({
      inside: node === null ? "an element" : node.nodeName + "#" + (node.id ?? ""),
      from: [previousRect.top, previousRect.bottom],
      to: [currentRect.top, currentRect.bottom],
    }))});
  }
}).observe({type: "layout-shift", buffered: true});
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  window.watched.violations.push(`${violatedDirective} ${blockedURI}`));
"""


class Demo(Server):
    """One `scrip demo`. What it prints and what it logs are kept apart."""

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

    async def open(self, url: str, path: str = "/demo") -> None:
        self.page.on("console", lambda line: line.type in ("error", "warning") and self.problems.append(line.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(f"{request.url}: {request.failure}"))
        self.page.on(
            "request", lambda request: url in request.url.replace("ws:", "http:") or self.problems.append(request.url)
        )
        await self.page.add_init_script(WATCH)
        await self.page.goto(f"{url}{path}")
        await self.ready()

    async def ready(self) -> None:
        """Something is shown, and the credits are."""
        await self.page.locator("#header-balance [part=value]").wait_for()

    async def shown(self) -> tuple[int, str]:
        """The balance on the screen: the exact amount that stands behind it, and what can be read."""
        value = self.page.locator("#header-balance [part=value]")
        return micro(str(await value.get_attribute("value"))), await value.inner_text()

    async def watched(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate("window.watched")
        return found

    async def post(self, path: str, **body: Any) -> Any:
        """What one of the demo's own buttons sends."""
        text = "([path, body]) => fetch(`/demo/${path}`, {method: 'POST', headers: {'content-type': 'application/json'}, body}).then((answer) => answer.json())"
        body = {"key": uuid.uuid4().hex, **body}
        return await self.page.evaluate(text, [path, json.dumps(body)])

    async def axe(self) -> list[str]:
        """What axe finds wrong, and where."""
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = await self.page.evaluate(
            "axe.run().then(({violations}) => violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`))"
        )
        return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield running
        await running.close()


async def until_shown(visit: Visit, ledger: Client) -> int:
    """Waits until the page shows what the ledger has; the team may go on working meanwhile."""
    until_s = time.monotonic() + SHOWN_S
    while True:
        available = micro((await ledger.balance(STUDIO))["available"])
        amount, text = await visit.shown()
        if amount == available:
            assert micro(text.replace(",", "").replace("−", "-")) == amount
            return amount
        assert time.monotonic() < until_s, f"the page shows {text}, the ledger has {available}"
        await asyncio.sleep(0.05)


async def until(what: str, test: Callable[[], Any]) -> Any:
    """Waits for something that is asked for, not awaited."""
    until_s = time.monotonic() + SHOWN_S
    while not (found := await test()):
        assert time.monotonic() < until_s, what
        await asyncio.sleep(0.1)
    return found


async def credits_are(visit: Visit, amount: str) -> None:
    """The header shows so many, without anything else being done."""
    value = visit.page.locator("#header-balance [part=value]")
    await expect(value).to_have_attribute("value", amount, timeout=SHOWN_S * 1000)
