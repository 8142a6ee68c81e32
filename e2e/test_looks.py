"""The elements look as they did. References are in `looks/`; frontend_embed/README.md says how they are made anew."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from e2e.gallery_looks import MOMENT, Looks, choose, differences, looks, prepare, read, settled, written
from tests.harness.server import Server
from tests.harness.tidy import REPOSITORY

REFERENCES = REPOSITORY / "e2e" / "looks"
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
WRITES = os.environ.get("SCRIP_LOOKS") == "write"
KINDS = ["balance", "usage", "runway", "expirations", "ledger", "top-up", "recharge", "gate", "dashboard"]
TAGS = [f"scrip-{name}" for name in KINDS]

# What each state of ours is called at each element; where an element has none, it is left out.
STATES = {
    "ready": dict.fromkeys(TAGS, "Ready") | {"scrip-usage": "By feature", "scrip-gate": "Allowed"},
    "empty": dict.fromkeys(["scrip-balance", "scrip-usage", "scrip-expirations", "scrip-ledger"], "Empty")
    | {"scrip-runway": "Nothing used", "scrip-top-up": "Nothing on sale"},
    "blocked": {
        "scrip-gate": "Blocked",
        "scrip-recharge": "Stopped",
        "scrip-top-up": "Declined",
        "scrip-balance": "Low",
    },
    "other": {
        "scrip-gate": "Warned",
        "scrip-recharge": "Read only",
        "scrip-top-up": "Waiting",
        "scrip-balance": "Many grants, held",
        "scrip-usage": "Table",
        "scrip-expirations": "Many",
    },
    "loading": dict.fromkeys(TAGS, "Loading"),
    "error": dict.fromkeys(TAGS, "Error"),
}


@dataclass(frozen=True)
class View:
    name: str
    width: int
    scheme: Any = "light"
    forced: Any = "none"
    direction: str = "ltr"
    states: tuple[str, ...] = ("ready",)


VIEWS = [
    View(f"{scheme}-{width}", width, scheme, states=tuple(state for state in STATES if state in states))
    for scheme, states in (("light", STATES), ("dark", STATES.keys() - {"other"}))
    for width in (1280, 390)
] + [
    each
    for width in (1280, 390)
    for each in (
        View(f"forced-colours-{width}", width, forced="active"),
        View(f"right-to-left-{width}", width, direction="rtl"),
    )
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        await started.close()


@pytest.fixture
async def hinting() -> AsyncIterator[Browser]:
    """A browser that draws text in another way."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    args = ["--no-sandbox", "--font-render-hinting=full", "--disable-font-subpixel-positioning", "--disable-lcd-text"]
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, args=args)
        yield started
        await started.close()


@asynccontextmanager
async def gallery(browser: Browser, url: str, view: View) -> AsyncIterator[Page]:
    """The gallery and nothing else of its page, as `view` has it, at one moment."""
    context = await browser.new_context(
        viewport={"width": view.width, "height": 900},
        color_scheme=view.scheme,
        forced_colors=view.forced,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
        bypass_csp=True,
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(MOMENT)
    await page.goto(f"{url}/embed/docs")
    await prepare(page)
    await page.evaluate(
        "(d) => document.querySelectorAll('.view').forEach((view) => { view.dir = d; })", view.direction
    )
    yield page
    await context.close()


async def seen(browser: Browser, url: str, view: View) -> Looks:
    canvas = await browser.new_page()
    found: Looks = {}
    async with gallery(browser, url, view) as page:
        for state in view.states:
            await choose(page, STATES[state])
            found.update(await looks(page, canvas, list(STATES[state]), state))
            if folder := os.environ.get("SCRIP_LOOKS_SHEETS"):
                await page.screenshot(full_page=True, path=f"{folder}/{view.name}-{state}.png")
    await canvas.close()
    return found


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_the_elements_look_as_they_did(server: Server, browser: Browser, view: View):
    found = await seen(browser, server.url, view)
    reference = REFERENCES / f"{view.name}.txt"
    if WRITES:
        reference.write_text(written(found))
    wanted = read(reference.read_text())
    assert found.keys() == wanted.keys()
    told = {name: differences(wanted[name], look) for name, look in found.items()}
    assert {name: each for name, each in told.items() if each} == {}


async def test_another_hinting_looks_the_same(server: Server, hinting: Browser):
    view = next(each for each in VIEWS if each.name == "right-to-left-390")
    found = await seen(hinting, server.url, view)
    wanted = read((REFERENCES / f"{view.name}.txt").read_text())
    told = {name: differences(wanted[name], look) for name, look in found.items()}
    assert {name: each for name, each in told.items() if each} == {}


# What goes wrong in an element: its tag, the part, the style → what must be said of it.
WRONG = [
    ("scrip-balance", "value", "color: #777", "value 1/1 has the colours"),
    ("scrip-balance", "card", "background: #eef", "card 1/1 has the colours"),
    ("scrip-usage", "toggle", "visibility: hidden", "is gone: toggle 1/1"),
    ("scrip-usage", "heading", "display: none", "is gone: heading 1/1"),
    ("scrip-top-up", "price", "opacity: 0", "is gone: price 1/3"),
    ("scrip-recharge", "card", "transform: translateX(8px)", "card 1/1 is at"),
    ("scrip-runway", "heading", "position: relative; inset-block-start: 8px", "heading 1/1 is at"),
    ("scrip-ledger", "heading", "min-inline-size: 500px", "heading 1/1 is at"),
    ("scrip-expirations", "card", "filter: invert(1); background: white", "tiles are brighter or darker"),
    ("scrip-dashboard", "card", "padding-inline-start: 40px", "tiles are brighter or darker"),
]
SPOIL = """([tag, part, style]) => {
  const found = (tree) => tree.querySelector(`[part~=${part}]`) ??
    [...tree.querySelectorAll("*")].reduce((it, each) => it ?? (each.shadowRoot && found(each.shadowRoot)), null);
  const node = found(document.querySelector(`.stage[data-tag="${tag}"] .frame ${tag}`).shadowRoot);
  node.style.cssText += style.replaceAll(";", " !important;") + " !important";
}"""


async def test_what_goes_wrong_is_seen_and_named(server: Server, browser: Browser):
    wanted = read((REFERENCES / "light-390.txt").read_text())
    canvas = await browser.new_page()
    async with gallery(browser, server.url, View("light-390", 390)) as page:
        for tag, part, style, told in WRONG:
            await choose(page, {tag: STATES["ready"][tag]})
            await settled(page, [tag], busy=False)
            await page.evaluate(SPOIL, [tag, part, style])
            found = await looks(page, canvas, [tag], "ready")
            said = differences(wanted[f"{tag} ready"], found[f"{tag} ready"])
            assert any(told in each for each in said), (tag, part, style, said)
            await choose(page, {tag: "Loading"})
    await canvas.close()


async def axe_finds(page: Page) -> list[str]:
    await page.add_script_tag(path=AXE)
    found = await page.evaluate("axe.run('.gallery, .stage[data-tag]', {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(
    "view", [each for each in VIEWS if each.width == 390 and each.states == ("ready",)], ids=lambda view: view.name
)
async def test_axe_finds_nothing_in_any_state(server: Server, browser: Browser, view: View):
    if not AXE.exists():
        pytest.skip("npm ci brings axe")
    async with gallery(browser, server.url, view) as page:
        for state, states in STATES.items():
            await choose(page, states)
            await settled(page, list(states), busy=state == "loading")
            assert await axe_finds(page) == [], state


# What a screen reader is told of by itself, in every tree; the page around the elements has regions of its own.
LIVE = """() => {
  const found = [];
  const walk = (tree) => {
    for (const node of tree.querySelectorAll("*")) {
      const isOurs = tree !== document || node.closest(".frame") || !node.closest("main, #told");
      if (isOurs && node.matches("[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log], output"))
        found.push(node.id || node.role || node.localName);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
  return found;
}"""


async def test_all_nine_elements_share_one_live_region(server: Server, browser: Browser):
    async with gallery(browser, server.url, View("light-1280", 1280)) as page:
        for state, states in STATES.items():
            await choose(page, states)
            await settled(page, list(states), busy=state == "loading")
            # A payment that failed may interrupt: it is an alert where it is shown.
            alerts = ["alert"] if state == "blocked" else []
            assert await page.evaluate(LIVE) == [*alerts, "scrip-status"], state
