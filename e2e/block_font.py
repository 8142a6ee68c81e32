"""A font in which every character is the same block: text takes the same room on every machine and has no hinting.

Made here rather than kept as a file: nine tables, one drawn glyph, and a character map that leads everything to it.
"""

import struct
from itertools import pairwise

EM = 1000
WIDTH = 500
ASCENT, DESCENT = 900, 300
# As wide as it is long: a word is one bar, and only its ends depend on how a machine places its characters.
LEFT, BOTTOM, RIGHT, TOP = 0, 0, WIDTH, 600


def block_font(name: str) -> bytes:
    """The font as a browser takes it."""
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": _glyph(),
        b"head": _head(),
        b"hhea": struct.pack(
            ">IhhhHhhhhhh4hhH", 0x10000, ASCENT, -DESCENT, 0, WIDTH, 0, 0, RIGHT, 1, 0, 0, *[0] * 5, 2
        ),
        b"hmtx": struct.pack(">HhHhh", WIDTH, 0, WIDTH, LEFT, 0),
        b"loca": struct.pack(">4I", 0, 0, *[len(_glyph())] * 2),  # no character, the block, a space
        b"maxp": struct.pack(">I14H", 0x10000, 3, 4, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"name": _names(name),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory, body = b"", b""
    for tag, content in sorted(tables.items()):
        padded = content + b"\0" * (-len(content) % 4)
        directory += struct.pack(">4sIII", tag, _sum(padded), offset + len(body), len(content))
        body += padded
    return struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, 16 * len(tables) - 128) + directory + body


def _sum(padded: bytes) -> int:
    return sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF


def _head() -> bytes:
    box = (LEFT, BOTTOM, RIGHT, TOP)
    return struct.pack(">IIIIHHqq4hHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, EM, 0, 0, *box, 0, 8, 2, 1, 0)


def _glyph() -> bytes:
    box = (LEFT, BOTTOM, RIGHT, TOP)
    steps_x = (LEFT, 0, RIGHT - LEFT, 0)
    steps_y = (BOTTOM, TOP - BOTTOM, 0, BOTTOM - TOP)
    glyph = struct.pack(">5hHH4B4h4h", 1, *box, 3, 0, 1, 1, 1, 1, *steps_x, *steps_y)
    return glyph + b"\0" * (-len(glyph) % 4)


def _cmap() -> bytes:
    """Format 13, many characters to one glyph; a space stays empty, and so breaks lines as it does."""
    spaces = [0x20, 0xA0, *range(0x2000, 0x200B), 0x202F]
    starts = sorted({0x21, *spaces, *(each + 1 for each in spaces)})
    groups = [(at, end - 1, 2 if at in spaces else 1) for at, end in pairwise([*starts, 0x110000])]
    table = b"".join(struct.pack(">III", *group) for group in groups)
    wide = struct.pack(">HHIII", 13, 0, 16 + len(table), 0, len(groups)) + table
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + wide


def _os2() -> bytes:
    head = struct.pack(">HhHHH", 4, WIDTH, 400, 5, 0)
    head += struct.pack(">11h", *[0] * 11) + bytes(10) + struct.pack(">4I4s", 1, 0, 0, 0, b"SCRP")
    head += struct.pack(">HHHhhhHH", 0x40, 0x20, 0xFFFF, ASCENT, -DESCENT, 0, ASCENT, DESCENT)
    return head + struct.pack(">IIhhHHH", 0, 0, 500, TOP, 0, 0x20, 1)


def _names(name: str) -> bytes:
    told = [(1, name), (2, "Regular"), (3, name), (4, name), (6, name)]
    records, texts = b"", b""
    for number, text in told:
        written = text.encode("utf-16-be")
        records += struct.pack(">6H", 3, 1, 0x409, number, len(written), len(texts))
        texts += written
    return struct.pack(">HHH", 0, len(told), 6 + len(records)) + records + texts
