"""Which rate of a card applies: the most specific match. PURE.

A rate's `match` names the dimensions that usage must carry for it to apply; dimensions that it does not name do not
matter. The most specific match, the one with most dimensions, wins. Two of the same size that could both apply would
leave the price to chance: `ambiguities` finds them, and the catalog refuses them.

Values are compared by meaning: numbers as numbers (1 is 1.0), text as text, true and false as themselves (true is not
1, and "1" is not 1).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol, TypeVar

Scalar = str | bool | int | Decimal
Match = Mapping[str, Scalar]


class Matched(Protocol):
    """Whatever carries a match."""

    @property
    def match(self) -> Match: ...


R = TypeVar("R", bound=Matched)

# Python takes True for 1: as a key of its own it is neither a number nor a text.
_BOOLEANS = {True: ("true",), False: ("false",)}

Key = str | int | Decimal | tuple[str]

# The rates of one feature that name the same dimensions, by the values they ask for.
Shape = tuple[tuple[str, ...], dict[tuple[Key, ...], R]]


def comparable(value: object) -> Key | None:
    """`value` such that `==` and `hash` compare by meaning; None for what no match can name."""
    kind = type(value)
    if kind is str or kind is int or kind is Decimal:
        return value  # type: ignore[return-value]
    if kind is bool:
        return _BOOLEANS[value]  # type: ignore[index]
    return None


def meaning(match: Match) -> frozenset[tuple[str, Key | None]]:
    """Equal for matches that mean the same."""
    return frozenset((name, comparable(value)) for name, value in match.items())


def shapes(rates: Iterable[R]) -> tuple[Shape[R], ...]:
    """The rates of one feature such that `most_specific` finds the one that applies; most dimensions first."""
    by_names: dict[tuple[str, ...], dict[tuple[Key, ...], R]] = {}
    for rate in rates:
        names = tuple(sorted(rate.match))
        by_names.setdefault(names, {})[_wanted(rate.match, names)] = rate
    return tuple(sorted(by_names.items(), key=lambda shape: (-len(shape[0]), shape[0])))


def most_specific(shapes: tuple[Shape[R], ...], dimensions: Mapping[str, object]) -> R | None:
    """The rate with most dimensions among those whose match `dimensions` carries; None where none applies."""
    for names, rates in shapes:
        found = rates.get(tuple([comparable(dimensions.get(name)) for name in names]))  # type: ignore[misc]
        if found is not None:
            return found
    return None


def ambiguities(rates: Iterable[R]) -> list[tuple[R, R]]:
    """Pairs of one feature's rates that are equally specific and could both apply to the same usage.

    Two of the same size are told apart by a dimension that both name with different values, and by nothing else.
    Compared shape by shape rather than rate by rate: a card may have thousands of rates, but bounded shapes.
    """
    found: list[tuple[R, R]] = []
    by_names: dict[tuple[str, ...], list[R]] = {}
    for rate in rates:
        by_names.setdefault(tuple(sorted(rate.match)), []).append(rate)
    groups = list(by_names.items())
    for place, (names, group) in enumerate(groups):
        seen: dict[tuple[Key, ...], R] = {}
        for rate in group:
            first = seen.setdefault(_wanted(rate.match, names), rate)
            if first is not rate:
                found.append((first, rate))
        for other_names, other_group in groups[place + 1 :]:
            if len(other_names) == len(names):
                shared = tuple(sorted(set(names) & set(other_names)))
                wanted = {_wanted(rate.match, shared): rate for rate in group}
                found += [(wanted[key], rate) for rate in other_group if (key := _wanted(rate.match, shared)) in wanted]
    return found


def _wanted(match: Match, names: tuple[str, ...]) -> tuple[Key, ...]:
    return tuple([comparable(match[name]) for name in names])  # type: ignore[misc]
