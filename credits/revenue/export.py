"""Cells of a CSV file that people open in spreadsheets. PURE."""

import re
from collections.abc import Iterable

# Where a spreadsheet would begin to calculate; their wide twins too, which some take for the same.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_QUOTED = re.compile('[",\r\n]')

MARK = "\ufeff"  # tells a spreadsheet that it is UTF-8


def cell(value: object) -> str:
    """One cell as RFC 4180 has it. A text that looks like a formula gets an apostrophe before it; numbers stay numbers."""
    text = "" if value is None else str(value)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def row(values: Iterable[object]) -> str:
    return ",".join(map(cell, values)) + "\r\n"
