"""Amounts: whole micro-credits inside, exact decimals at the edges.

An amount of credits is an `int` of micro-credits (10⁻⁶ credit) that fits 64 bits. A quantity or a rate is a
`Decimal` with at most 12 decimals. No float passes through here, in or out.
"""

import re
from decimal import Decimal

MICRO = 1_000_000
MICRO_DECIMALS = 6
QUANTITY_DECIMALS = 12
INT64_MAX = 2**63 - 1

# The contract's plain decimal: ASCII digits alone, so that NaN, exponents, underscores, blanks and the
# digits of other scripts never reach Decimal, which would take them.
_PLAIN = re.compile(r"-?[0-9]{1,13}(?:\.[0-9]{1,12})?", re.ASCII)


def parse_plain(text: str) -> Decimal:
    """A plain decimal as the contract allows it on the way in; `ValueError` says what is wrong with any other."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("not a plain decimal: at most 13 digits, a point and at most 12 decimals")
    return Decimal(text)


def decimals(value: Decimal) -> int:
    """How many decimals carry meaning: 1.50 has one."""
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("not a finite decimal")  # noqa: TRY004 -- NaN is a Decimal, its value is what is wrong
    return max(0, -exponent)


def to_micro(value: Decimal) -> int:
    """Credits → micro-credits, exactly.

    Raises `ValueError` where more than six decimals carry meaning, or where the result leaves 64 bits.
    """
    micro = value * MICRO
    whole = int(micro)
    if whole != micro:
        raise ValueError("more than 6 decimals")
    if not -INT64_MAX <= whole <= INT64_MAX:
        raise ValueError("beyond 64 bits of micro-credits")
    return whole


def from_micro(micro: int) -> Decimal:
    """Micro-credits → credits, exactly."""
    return Decimal(micro).scaleb(-MICRO_DECIMALS)


def plain(value: Decimal) -> str:
    """Plain notation without exponent and without trailing zeros."""
    text = str(value)
    if text.isdigit():  # most quantities, and the fastest to write
        return text
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def plain_micro(micro: int) -> str:
    """Micro-credits → credits in plain notation; integer arithmetic alone, because every answer comes through here."""
    sign = "-" if micro < 0 else ""
    whole, fraction = divmod(abs(micro), MICRO)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:06d}".rstrip("0")


def fits(micro: int) -> bool:
    """True where the amount fits the 64 bits it is stored in."""
    return -INT64_MAX <= micro <= INT64_MAX
