"""Numbers, units, days and lists in English. PURE."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal

from credits.amount import plain

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LISTED_MAX = 3  # a sentence that lists more is read by nobody


def grouped(number: Decimal) -> str:
    """`1,234.5`: every digit, none rounded away."""
    whole, point, fraction = plain(number).partition(".")
    return f"{int(whole):,}{point}{fraction}" if whole.lstrip("-") != "0" else f"{whole}{point}{fraction}"


def counted(number: Decimal, singular: str, plural: str) -> str:
    """`1 credit`, `0.5 credits`"""
    return f"{grouped(number)} {singular if number == 1 else plural}"


def unit(name: str, quantity: Decimal) -> str:
    """A feature's unit, which the catalog knows in the singular: `token` → `tokens`, `query` → `queries`, `GB` → `GB`."""
    if quantity == 1 or not (name.isascii() and name.islower()) or name.endswith("s"):
        return name
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("x", "z", "ch", "sh")) else f"{name}s"


def day(at: datetime, zone: tzinfo, *, beside: datetime) -> str:
    """`Jan 31` where the customer lives; with its year where that is not the year of `beside`."""
    try:
        local, other = at.astimezone(zone), beside.astimezone(zone)
    except OverflowError:  # the last day of the calendar, east of Greenwich
        local, other = at, beside
    year = "" if local.year == other.year else f", {local.year}"
    return f"{_MONTHS[local.month - 1]} {local.day}{year}"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; beyond three, how many more."""
    if len(parts) > _LISTED_MAX:
        parts = [*parts[:_LISTED_MAX], f"{len(parts) - _LISTED_MAX} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
