"""`/embed/docs` as a developer of a host page finds it: everything is live, nothing offends the page's own policy, and
what can be copied is true of the scripts that this very server sends.
"""

import json
import re
import shutil
import sys
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from server.embed import folder
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.tidy import REPOSITORY
from tests.harness.world import build_world

MANIFEST = json.loads((folder() / "manifest.json").read_bytes())
DESCRIBED = json.loads((folder() / MANIFEST["version"] / "custom-elements.json").read_bytes())
ELEMENTS = [each for module in DESCRIBED["modules"] for each in module["declarations"]]
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
SHOWN_MS = 20_000
REFUSED = "The specified value"  # a control of the browser's says that it does not take something
WATCH = """
window.offences = [];
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  window.offences.push(`${violatedDirective} ${blockedURI}`));
"""
# Every state of one element, one after the other, each given time to settle; what could not be seen.
EACH_STATE = """async ([tag, wait_ms]) => {
  const stage = document.querySelector(`.stage[data-tag="${tag}"]`);
  const missing = [];
  const choices = [...stage.querySelectorAll(".states input")];
  for (const choice of choices) {
    choice.click();
    const name = choice.parentElement.textContent.trim();
    const shown = () => {
      const root = customElements.get(tag) && stage.querySelector(tag)?.shadowRoot;
      if (!root || stage.querySelector(".frame").offsetHeight < 15) return false;
      const parts = (selector) => [root, ...[...root.querySelectorAll("*")].map((each) => each.shadowRoot)]
        .some((tree) => tree?.querySelector(selector));
      if (name === "Offline" && tag !== "scrip-gate") return parts("[part=stale]");
      return (name === "Loading") === parts("[aria-busy=true]") || tag === "scrip-gate";
    };
    const until = Date.now() + wait_ms;
    while (!shown() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    if (!shown()) missing.push(name);
  }
  return [choices.length, missing];
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or None
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        await started.close()


@asynccontextmanager
async def reading(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """The page in a browser; nothing may have gone wrong in it when it is closed."""
    problems: list[str] = []
    context = await browser.new_context(reduced_motion="reduce", locale="en-US", **options)
    page = await context.new_page()
    page.on(
        "console",
        lambda line: (
            line.type in ("error", "warning") and not line.text.startswith(REFUSED) and problems.append(line.text)
        ),
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: request.url.startswith(url) or problems.append(request.url))
    page.on("response", lambda answer: answer.status >= 400 and problems.append(f"{answer.status} {answer.url}"))
    await page.add_init_script(WATCH)
    await page.goto(f"{url}/embed/docs")
    await expect(page.locator("#hero scrip-balance [part=value]")).to_have_text("1,240", timeout=SHOWN_MS)
    await expect(page.locator("#scrip-top-up [part=bundle]").first).to_be_visible(timeout=SHOWN_MS)
    yield page
    assert await page.evaluate("window.offences") == []
    assert problems == []
    await context.close()


async def test_every_element_is_shown_in_every_state(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        tags = await page.eval_on_selector_all(".stage[data-tag]", "all => all.map((each) => each.dataset.tag)")
        assert sorted([*tags, "scrip-provider"]) == sorted(each["tagName"] for each in ELEMENTS)
        for tag in tags:
            count, missing = await page.evaluate(EACH_STATE, [tag, SHOWN_MS])
            assert (count >= 4, missing) == (True, []), tag


async def test_the_first_one_is_alive(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        await page.get_by_role("button", name="Burn 48.5").click()
        await expect(page.locator("#hero scrip-balance [part=value]")).to_have_text("1,191.5")
        await expect(page.locator("#hero-event")).to_have_text("scrip-balance-change 1191.5")
        await page.get_by_role("button", name="Offline").click()
        await expect(page.locator("#hero scrip-balance [part=stale]")).to_be_visible()
        await page.get_by_role("button", name="Offline").click()
        await expect(page.locator("#hero scrip-balance [part=stale]")).to_have_count(0)


async def test_a_purchase_goes_to_a_pretended_payment_page_and_back(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        shop = page.locator("#scrip-top-up")
        async with page.expect_popup() as opened:
            await shop.locator("[part=action]").first.click()
        paying = await opened.value
        await paying.get_by_role("button", name="Pay", exact=True).click()
        await expect(shop.locator("[part=status]")).to_contain_text("added", timeout=SHOWN_MS)


async def test_the_gallery_changes_scheme_direction_language_and_width(server: Server, browser: Browser):
    async with reading(browser, server.url, color_scheme="light") as page:
        card = page.locator("#scrip-usage [part=card]")
        colour = "(node) => getComputedStyle(node).color"
        before = await card.evaluate(colour)
        looks = page.get_by_role("form", name="How the gallery is shown")
        await looks.get_by_role("radio", name="Dark").check()
        assert await card.evaluate(colour) != before
        await looks.get_by_label("Language").select_option("ar")
        await expect(card).to_have_attribute("dir", "rtl")
        await expect(page.locator("#scrip-usage [part=toggle]")).to_have_text("جدول", timeout=SHOWN_MS)
        await looks.get_by_label("Width").select_option("320")
        box = await card.bounding_box()
        assert box is not None
        assert box["width"] <= 320


async def test_the_playground_writes_the_theme_that_it_shows(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        play = page.locator(".playground")
        card = play.locator("scrip-balance [part=card]")
        css = play.locator("#theme-output code")
        await play.get_by_label("color-surface", exact=True).fill("#123456")
        assert await card.evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(18, 52, 86)"
        await play.get_by_label("radius", exact=True).fill("2")
        assert await card.evaluate("(node) => getComputedStyle(node).borderRadius") == "32px"
        await expect(css).to_have_text(
            "scrip-provider {\n  --scrip-color-surface: #123456;\n  --scrip-radius: 2rem;\n}"
        )
        await play.get_by_role("button", name="Unset color-surface").click()
        await expect(css).to_have_text("scrip-provider {\n  --scrip-radius: 2rem;\n}")
        wanted = {each["name"] for element in ELEMENTS for each in element["cssProperties"]}
        named = await play.locator("[data-property]").evaluate_all("all => all.map((each) => each.dataset.property)")
        assert set(named) == wanted


# Whatever somebody gets into a control by the page's own script, a restored form or an extension.
FORCE = """(values) => {
  for (const field of document.querySelectorAll(".playground [data-property]:not(button)")) for (const value of values) {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const [rule] = document.adoptedStyleSheets.flatMap(({ cssRules }) => [...cssRules]).filter((each) =>
    each.cssText.includes("[data-theme]"));
  return [rule.selectorText, [...rule.style].map((name) => [name, rule.style.getPropertyValue(name).trim()])];
}"""
TYPED = re.compile(r"#[0-9a-f]{6}|[0-9.]+rem")


async def test_the_playground_takes_values_and_no_css(server: Server, browser: Browser):
    """X2: a colour, a size or one of the choices, whatever else is tried."""
    raw = [
        "red; } * { display: none } /*",
        "</style><img src=x onerror=alert(1)>",
        "url(https://elsewhere.example/a.png)",
    ]
    async with reading(browser, server.url) as page:
        selector, declared = await page.evaluate(FORCE, raw)
        assert selector == "[data-theme] .frame"
        assert {name for name, _ in declared} <= {
            each["name"] for element in ELEMENTS for each in element["cssProperties"]
        }
        assert len(declared) > 8
        assert [value for _, value in declared if not TYPED.fullmatch(value)] == []
        assert "elsewhere" not in await page.locator("#theme-output code").inner_text()


async def test_the_reference_names_everything_that_is_described(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        for element in ELEMENTS:
            for kind in ("attributes", "members", "events", "slots", "cssParts", "cssProperties"):
                listed = page.locator(f"#{element['tagName']}-{kind} dt > code:first-child")
                names = [each["name"] or "(default)" for each in element[kind]]
                assert await listed.all_text_contents() == names, (element["tagName"], kind)


async def test_what_is_copied_is_what_stands_there_and_is_true(server: Server, browser: Browser):
    async with reading(browser, server.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        addresses: set[str] = set()
        for box in await page.locator(".code").all():
            code = await box.locator("code").text_content() or ""
            await box.locator(".copy").evaluate("(button) => button.click()")
            await expect(box.locator(".copy")).to_have_text("Copied")
            assert await page.evaluate("navigator.clipboard.readText()") == f"{code}\n"
            assert "credits.example.com" not in code
            assert "{{integrity" not in code
            addresses |= set(re.findall(rf"{re.escape(server.url)}(/embed/[\w./-]+)", code))
            for src, integrity in re.findall(r'src="[^"]*/embed/([^"]+)"\s+integrity="([^"]+)"', code):
                version, _, name = src.partition("/")
                assert (version, integrity) == (MANIFEST["version"], MANIFEST["files"][name]["integrity"])
        assert f"/embed/{MANIFEST['version']}/embed.js" in addresses
        for path in addresses - {f"/embed/{MANIFEST['version']}/", f"/embed/{MANIFEST['version']}/types/"}:
            assert status(server.url, path) == 200, path


def status(url: str, path: str) -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", path)
    found = connection.getresponse().status
    connection.close()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_axe_finds_nothing(server: Server, browser: Browser, scheme: Any, width: int):
    if not AXE.exists():
        pytest.skip("npm ci brings axe")
    size = {"width": width, "height": 900}
    # What is put into the page for the test is not of the page: its policy would refuse it.
    async with reading(browser, server.url, color_scheme=scheme, viewport=size, bypass_csp=True) as page:
        await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        await page.wait_for_timeout(1_000)
        await page.add_script_tag(path=AXE)
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        told = [
            f"{each['id']}: {node['html']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]
        assert told == []


async def test_every_theme_to_begin_with_can_be_read(server: Server, browser: Browser):
    if not AXE.exists():
        pytest.skip("npm ci brings axe")
    async with reading(browser, server.url, color_scheme="light", bypass_csp=True) as page:
        await page.add_script_tag(path=AXE)
        for name in await page.locator("[name=preset]").evaluate_all("all => all.map((each) => each.value)"):
            await page.locator(f"[name=preset][value={name}]").evaluate("(choice) => choice.click()")
            found = await page.evaluate("axe.run('.playground', {runOnly: ['wcag2a', 'wcag2aa']})")
            assert [node["failureSummary"] for each in found["violations"] for node in each["nodes"]] == [], name


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
async def test_nothing_sticks_out(server: Server, browser: Browser, width: int):
    async with reading(browser, server.url, viewport={"width": width, "height": 800}) as page:
        await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_it_can_be_used_by_keyboard(server: Server, browser: Browser):
    async with reading(browser, server.url) as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.get_by_role("tab", name="HTML").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tab", name="React 19")).to_be_focused()
        await expect(page.locator("#snippet-react-tsx")).to_be_visible()
        await expect(page.locator("#snippet-plain-html")).to_be_hidden()
        await page.keyboard.press("End")
        await expect(page.locator("#snippet-rails_controller-rb")).to_be_visible()
        await page.locator("#scrip-balance .states input").first.focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#scrip-balance [part=held]")).to_be_visible(timeout=SHOWN_MS)


async def test_without_a_script_everything_can_still_be_read(server: Server, browser: Browser):
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{server.url}/embed/docs")
    await expect(page.locator("#snippet-rails_controller-rb")).to_be_visible()
    await expect(page.get_by_text("The gallery is live: it needs JavaScript.").first).to_be_visible()
    await context.close()


def django_view(url: str, key: str) -> Callable[[Any], Any]:
    """The view of the documentation, with as much of Django as it names."""

    def untouched(view: Any) -> Any:
        return view

    told = {
        "django": {},
        "django.conf": {"settings": types.SimpleNamespace(SCRIP_URL=url, SCRIP_SECRET_KEY=key)},
        "django.http": {"JsonResponse": dict},
        "django.contrib": {},
        "django.contrib.auth": {},
        "django.contrib.auth.decorators": {"login_required": untouched},
        "django.views": {},
        "django.views.decorators": {},
        "django.views.decorators.csrf": {"csrf_exempt": untouched},
        "django.views.decorators.http": {"require_POST": untouched},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, content in told.items():
            module = types.ModuleType(name)
            vars(module).update(content)
            patch.setitem(sys.modules, name, module)
        world: dict[str, Any] = {}
        source = REPOSITORY / "frontend_embed" / "docs" / "snippets" / "django_views.py"
        exec(compile(source.read_text(), str(source), "exec"), world)
    view: Callable[[Any], Any] = world["credits_token"]
    return view


async def test_the_python_of_the_documentation_gets_a_token_that_works(server: Server):
    secret = await server.create_key("docs", "ADMIN")
    async with Client(server.url, secret) as client:
        await build_world(client, ["documented"])
    user = types.SimpleNamespace(account_key="documented")
    request = types.SimpleNamespace(user=user, scheme="https", get_host=lambda: "shop.example")
    answer = django_view(server.url, secret)(request)
    assert answer.keys() == {"token", "expiresAt"}
    async with Client(server.url, answer["token"]) as customer:
        found = await customer.ask("query { customer { key } }")
    assert found == {"customer": {"key": "documented"}}
