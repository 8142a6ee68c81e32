"""Public ids: their kind, then the customer, then what it is within the customer.

`cus_<customer>`, `gra_<customer>_<credit type>_<number>`, likewise `hld_` and `ent_`. Every id of something a
customer owns carries the customer (the shard key), so that looking it up asks one shard and one index. Numbers
are written in base 36.
"""

import re
from uuid import UUID

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = re.compile(r"0|[1-9a-z][0-9a-z]{0,12}")  # one spelling per number; 64 bits have 13 digits


def _base36(number: int) -> str:
    if number < 0:
        raise ValueError("ids are made of natural numbers")
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


def make(kind: str, *numbers: int) -> str:
    """`make("ent", 42, 1, 7)` → `ent_16_1_7`."""
    return "_".join([kind, *map(_base36, numbers)])


def event(key: UUID) -> str:
    """`evt_` and the key in hexadecimal: events are the workspace's, whose they are may not be known."""
    return f"evt_{key.hex}"


def parse(kind: str, text: str, count: int) -> tuple[int, ...] | None:
    """The numbers of a public id, or None where the text is no id of that kind: such a thing does not exist."""
    head, *parts = text.split("_", count + 1)
    # Digits alone: int() would also take signs, blanks and the digits of other scripts.
    if head != kind or len(parts) != count or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = tuple(int(part, 36) for part in parts)
    return numbers if max(numbers) < 2**63 else None
