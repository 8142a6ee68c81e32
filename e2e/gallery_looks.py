"""What the elements of the gallery look like, as small text that two machines agree on.

Text is drawn as blocks, at one fixed moment, so boxes are the same whatever fonts a machine has. A look is the box and the
colours of the parts, and how bright every tile of the picture is: what moved, vanished, grew or changed its colour is
told by the name of its part, and what has no part by its tiles.
"""

import asyncio
import base64
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from playwright.async_api import Page

from e2e.block_font import block_font

MOMENT = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
FONT = "Scrip Blocks"
TILE_PX = 8
# By how much a box may be elsewhere, in CSS px: fractions round differently.
BOX_PX = 2
# How much brighter or darker a tile may be, of 255, and how many tiles of a picture may be more than that.
TILE_STEP = 32
TILES_SHARE = 0.01
TILES_AT_LEAST, TILES_AT_MOST = 3, 12
COLOUR_STEP = 6

# Only the elements, and as blocks. `:has` keeps what they stand in.
ONLY_THE_ELEMENTS = f"""
body *:not(.stage[data-tag], .stage[data-tag] *, :has(.stage[data-tag])), .stage[data-tag] .code {{ display: none !important }}
body, body :has(.stage[data-tag]) {{ display: block !important; margin: 0 !important; padding: 0 !important;
  max-inline-size: none !important }}
*, .frame, .frame * {{ font-family: "{FONT}" !important; animation: none !important; transition: none !important;
  letter-spacing: 0 !important; caret-color: transparent !important }}
"""
PREPARE = """async ([name, font, css]) => {
  const bytes = Uint8Array.from(atob(font), (sign) => sign.charCodeAt(0));
  const face = await new FontFace(name, bytes, {weight: "100 900"}).load();
  document.fonts.add(face);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const text = document.createElement("canvas").getContext("2d");
  text.font = `100px "${name}"`;
  return text.measureText("il Wش、").width;
}"""
CHOOSE = """([tag, label]) => {
  const choices = [...document.querySelectorAll(`.stage[data-tag="${tag}"] .states label`)];
  choices.find((each) => each.textContent.trim() === label).querySelector("input").click();
}"""
# Every part that can be seen, in the order of the tree, with its box in the frame.
MEASURE = """() => {
  const measure = (frame, tag) => {
    const at = frame.getBoundingClientRect();
    const parts = [];
    let isBusy = false;
    const walk = (tree, host) => {
      for (const node of tree.querySelectorAll("*")) {
        const visible = node.checkVisibility({opacityProperty: true, visibilityProperty: true});
        isBusy ||= node.ariaBusy === "true";
        // What stands in an element within an element is told by that one; here its tiles are.
        if (node.part?.value && host && visible && (host === tag || node.part.value === "card")) {
          const box = node.getBoundingClientRect();
          const {color, backgroundColor, borderTopColor, borderTopWidth, fill} = getComputedStyle(node);
          const edge = parseFloat(borderTopWidth) ? borderTopColor : "none";
          const inside = node instanceof SVGElement ? fill : backgroundColor;
          const px = [box.x - at.x, box.y - at.y, box.width, box.height].map(Math.round);
          parts.push([host === tag ? node.part.value : `${host}/card`, px, [color, inside, edge]]);
        }
        if (node.shadowRoot) walk(node.shadowRoot, node.localName);
      }
    };
    walk(frame, "");
    return {x: at.x + scrollX, y: at.y + scrollY, width: at.width, height: at.height, parts, isBusy,
            reach: [frame.scrollWidth, frame.scrollHeight]};
  };
  const stages = [...document.querySelectorAll(".stage[data-tag]")];
  return Object.fromEntries(stages.map((each) => [each.dataset.tag, measure(each.querySelector(".frame"), each.dataset.tag)]));
}"""
# How bright each tile is on average, by rows.
TILES = """async ([png, areas, tile]) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  return areas.map(([x, y, width, height]) => {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(picture, -x, -y);
    const {data} = context.getImageData(0, 0, width, height);
    const rows = [];
    for (let top = 0; top + tile <= height; top += tile)
      for (let left = 0; left + tile <= width; left += tile) {
        let sum = 0;
        for (let v = top; v < top + tile; v++)
          for (let at = 4 * (v * width + left), end = at + 4 * tile; at < end; at += 4)
            sum += 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
        rows.push(Math.round(sum / tile / tile));
      }
    return rows;
  });
}"""


@dataclass(frozen=True)
class Look:
    """One element in one state."""

    columns: int
    """How many tiles stand side by side."""
    reach: list[int]
    """Width and height of what is in the frame, also of what sticks out of it, in CSS px."""
    parts: list[str]
    """`part number/of-that-name x y width height | colour background border`, colours as RRGGBB or RRGGBBAA."""
    tiles: str
    """Brightness of the tiles by rows, a byte each, compressed."""


Looks = dict[str, Look]


async def prepare(page: Page) -> None:
    """Hides everything but the elements, and draws blocks for text."""
    font = base64.b64encode(block_font(FONT)).decode()
    width = await page.evaluate(PREPARE, [FONT, font, ONLY_THE_ELEMENTS])
    assert round(width) == 300, f"this browser does not draw our font: six characters are {width} px wide, not 300"


async def choose(page: Page, states: dict[str, str]) -> None:
    for tag, label in states.items():
        await page.evaluate(CHOOSE, [tag, label])


async def settled(page: Page, tags: list[str], busy: bool, within_s: float = 30) -> dict[str, Any]:
    """The measures of the elements, once they no longer change."""
    before, calm = None, 0
    for _ in range(int(within_s / 0.1)):
        found = {tag: each for tag, each in (await page.evaluate(MEASURE)).items() if tag in tags}
        drawn = all(each["height"] >= 15 and (busy or not each["isBusy"]) for each in found.values())
        calm = calm + 1 if drawn and found == before else 0
        if calm == 4:
            return found
        before = found
        await asyncio.sleep(0.1)
    raise AssertionError(f"still not calm after {within_s} s: {tags}")


async def looks(page: Page, canvas: Page, tags: list[str], state: str) -> Looks:
    """What these elements look like now; `canvas` is a page for sums over pictures."""
    found = await settled(page, tags, busy=state == "loading")
    png = base64.b64encode(await page.screenshot(full_page=True)).decode()
    areas = []
    for each in found.values():
        # A tile more on every side, for what sticks out.
        sizes = [TILE_PX * (-(-round(each[side]) // TILE_PX) + 2) for side in ("width", "height")]
        areas.append([round(each["x"]) - TILE_PX, round(each["y"]) - TILE_PX, *sizes])
    tiles = await canvas.evaluate(TILES, [png, areas, TILE_PX])
    return {
        f"{tag} {state}": Look(area[2] // TILE_PX, each["reach"], list(_lines(each["parts"])), _packed(rows))
        for (tag, each), area, rows in zip(found.items(), areas, tiles, strict=True)
    }


def _lines(parts: list[Any]) -> Iterator[str]:
    """Of parts of one name the first two and the last: sixty rows are alike."""
    totals = Counter(name for name, _, _ in parts)
    seen: Counter[str] = Counter()
    for name, box, colours in parts:
        seen[name] += 1
        if seen[name] in (1, 2, totals[name]):
            words = [str(px) for px in box]
            yield f"{name} {seen[name]}/{totals[name]} {' '.join(words)} | {' '.join(map(_short, colours))}"


def _short(colour: str) -> str:
    """`rgb(1, 2, 3)`, `color(srgb 0.1 0.2 0.3 / 0.5)` as eight hexadecimal digits; others as they are."""
    kind, _, inner = colour.partition("(")
    words = inner.rstrip(")").replace(",", " ").replace("/", " ").replace("srgb", "").split()
    if kind not in ("rgb", "rgba", "color") or not all(
        word.replace(".", "").replace("e-", "").isdigit() for word in words
    ):
        return colour.replace(" ", "")
    whole = 1 if kind == "color" else 255
    channels = [float(word) / whole for word in words[:3]] + [float(word) for word in words[3:]]
    digits = "".join(f"{min(255, max(0, round(255 * each))):02x}" for each in [*channels, 1][:4])
    return "none" if digits.endswith("00") else digits.removesuffix("ff") if len(digits) == 8 else digits


def _packed(rows: list[int]) -> str:
    return base64.b85encode(zlib.compress(bytes(each // 16 * 16 for each in rows), 9)).decode()


def differences(wanted: Look, found: Look) -> list[str]:
    """What a person would have to look at; empty if both look the same."""
    told = list(_of_parts(wanted.parts, found.parts))
    if any(abs(a - b) > BOX_PX for a, b in zip(wanted.reach, found.reach, strict=True)):
        told.append(f"reaches {found.reach}, not {wanted.reach}")
    before, after = (zlib.decompress(base64.b85decode(each.tiles)) for each in (wanted, found))
    if (wanted.columns, len(before)) != (found.columns, len(after)):
        if not told:  # a fraction of a px at the edge of a tile; the parts are where they were
            return []
        told.append(f"{len(after)} tiles in rows of {found.columns}, not {len(before)} of {wanted.columns}")
        return told
    off = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if abs(a - b) > TILE_STEP]
    if len(off) > max(TILES_AT_LEAST, min(TILES_AT_MOST, TILES_SHARE * len(before))):
        places = [
            f"{at % found.columns * TILE_PX - TILE_PX},{at // found.columns * TILE_PX - TILE_PX}" for at in off[:8]
        ]
        told.append(f"{len(off)} of {len(before)} tiles are brighter or darker, near {' '.join(places)}")
    return told


def _of_parts(wanted: list[str], found: list[str]) -> Iterator[str]:
    before, after = _by_name(wanted), _by_name(found)
    yield from (f"is gone: {name}" for name in before.keys() - after.keys())
    yield from (f"is new: {name}" for name in after.keys() - before.keys())
    for name in before.keys() & after.keys():
        (box, colours), (box_now, colours_now) = before[name], after[name]
        if any(abs(a - b) > BOX_PX for a, b in zip(box, box_now, strict=True)):
            yield f"{name} is at {box_now}, not {box}"
        if any(not _alike(a, b) for a, b in zip(colours, colours_now, strict=True)):
            yield f"{name} has the colours {colours_now}, not {colours}"


def _by_name(lines: list[str]) -> dict[str, tuple[list[int], list[str]]]:
    found = {}
    for line in lines:
        place, colours = line.split(" | ")
        *name, x, y, width, height = place.split(" ")
        found[" ".join(name)] = [int(each) for each in (x, y, width, height)], colours.split(" ")
    return found


def _alike(a: str, b: str) -> bool:
    try:
        both = [bytes.fromhex(each.ljust(8, "f")) for each in (a, b)]
    except ValueError:
        return a == b
    return all(abs(x - y) <= COLOUR_STEP for x, y in zip(*both, strict=True))


def written(all_looks: Looks) -> str:
    """As a file: of each look a name, how far it reaches, its parts, its tiles; one a line, an empty one between."""
    blocks = [
        [f"{name} {look.columns} {look.reach[0]} {look.reach[1]}", *look.parts, look.tiles]
        for name, look in sorted(all_looks.items())
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def read(text: str) -> Looks:
    found = {}
    for block in text.rstrip("\n").split("\n\n"):
        head, *parts, tiles = block.split("\n")
        tag, state, columns, *reach = head.split(" ")
        found[f"{tag} {state}"] = Look(int(columns), [int(each) for each in reach], parts, tiles)
    return found
