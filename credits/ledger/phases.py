"""Phases: the account's time cut at every instant where more changed than burns can change. PURE.

Within a phase the burn order is fixed, so of its burns only the total matters, and what it took from each grant. A
boundary ends it: a grant begins or ends, something is taken from grants for good (a hold opens, a settlement goes beyond
its hold, a grant is voided or clawed back) or given to them (a hold gives back, a burn is reversed). With its phases an
account can be taken back to any instant and laid again from there, without a look at its burns: `late.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

Parts = list[tuple[int, int]]


class Boundary(IntEnum):
    """What ends a phase. The numbers are stored: never renumber, only add."""

    BEGIN = 1  # moved: the grant and its amount; repaid: the overdraft that it paid at once
    END = 2  # moved: the grant and what expired of it, then −grant and what open holds kept of it
    TAKE = 3  # moved: grants and what was taken from each for good, 0 and what became overdraft
    GIVE = (
        4  # moved: grants and what came back to each, 0 and by how much the overdraft fell; repaid: what then paid it
    )
    CLOSE = 5  # as TAKE, and the grant is no longer live: an operator ended it


class Rank(IntEnum):
    """The order of boundaries at one instant."""

    EXPIRY = 1
    LAPSE = 2
    START = 3
    ASKED = 4


@dataclass(slots=True, eq=False)
class Phase:
    """What burned up to a boundary, and the boundary. Micro-credits by grant number; 0 is overdraft."""

    number: int
    until: datetime
    rank: Rank
    boundary: Boundary
    moved: Parts
    repaid: Parts = field(default_factory=list)
    drawn: dict[int, int] = field(default_factory=dict)

    @property
    def place(self) -> tuple[datetime, int, int]:
        """Phases follow one another by it."""
        return (self.until, self.rank, self.number)

    @property
    def grants(self) -> set[int]:
        """Whatever it speaks of."""
        named = {abs(number) for number, _ in self.moved} | {abs(number) for number, _ in self.repaid} | {*self.drawn}
        return named - {0}


def add(drawn: dict[int, int], parts: Iterable[tuple[int, int]]) -> None:
    """Adds parts to what a phase drew."""
    for number, part in parts:
        drawn[number] = drawn.get(number, 0) + part
