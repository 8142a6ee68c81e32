"""How a page is looked over: by axe in every scheme, at its narrowest, and for what a screen reader is told."""

from typing import Any

from playwright.async_api import Page

from e2e.host import AXE

NARROW_PX = 320
# Name → what the browser pretends, and the direction of the page.
SCHEMES: dict[str, tuple[dict[str, Any], str]] = {
    "light": ({"color_scheme": "light"}, "ltr"),
    "dark": ({"color_scheme": "dark"}, "ltr"),
    "forced colours": ({"forced_colors": "active"}, "ltr"),
    "right to left": ({"color_scheme": "light"}, "rtl"),
}
_RUN = """() => axe.run().then(({violations}) => violations.map(({id, nodes}) =>
  `${id}: ${nodes.map(({html, failureSummary}) => html + " " + failureSummary).join(" | ")}`))"""
# Everything that draws, through shadow roots, as far as it is neither clipped away nor inside of what scrolls by itself.
_BEYOND = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      const style = getComputedStyle(node);
      if (style.clipPath !== "none" && style.position === "fixed") continue;
      const {left, right, width} = node.getBoundingClientRect();
      const scrolls = node.closest("[part=table]");
      if (width && !scrolls && (right > innerWidth + 0.5 || left < -0.5))
        found.push(`${node.localName}[${node.getAttribute("part")}] ${left}–${right}`);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
  return found;
}"""
_REGIONS = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.matches("[aria-live], [role=status], [role=log], [role=alert], output")) found.push(node.id || node.localName);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
  return found;
}"""


async def look_over(page: Page) -> None:
    """No violation in any scheme, nothing beyond the edge at 320 pixels, one live region."""
    await page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for scheme, (media, direction) in SCHEMES.items():
        await page.emulate_media(**{"color_scheme": None, "forced_colors": None, **media})
        await page.evaluate("way => { document.documentElement.dir = way }", direction)
        found[scheme] = await page.evaluate(_RUN)
    await page.emulate_media(color_scheme=None, forced_colors=None)
    wide = page.viewport_size
    await page.set_viewport_size({"width": NARROW_PX, "height": 800})
    for direction in ("rtl", "ltr"):
        await page.evaluate("way => { document.documentElement.dir = way }", direction)
        found[f"{direction} at {NARROW_PX} px"] = await page.evaluate(_BEYOND)
    if wide is not None:
        await page.set_viewport_size(wide)
    await page.evaluate("document.documentElement.removeAttribute('dir')")
    wrong = {scheme: each for scheme, each in found.items() if each}
    assert not wrong, wrong
    found_regions = await regions(page)
    assert found_regions == ["scrip-status"], found_regions


async def regions(page: Page) -> list[str]:
    """Everything that a screen reader would speak by itself."""
    found: list[str] = await page.evaluate(_REGIONS)
    return found
