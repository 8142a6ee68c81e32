"""One run of the benchmarks: its stage, how long and how often, and what one of them leaves for another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from server.bench.load import Outcome, Stream
from server.bench.stage import Stage

ROUNDS = 5
ROUNDS_QUICK = 2

A = TypeVar("A")


@dataclass(slots=True)
class Run:
    """`seconds` is the length of one phase; `quick` shrinks everything, and proves no more than that it works."""

    stage: Stage
    seconds: float
    quick: bool = False
    say: Callable[[str], None] = lambda _: None
    memory_bytes: list[int] = field(default_factory=list)
    """Of the server, while the long account was filled; see `filling`."""
    many_entries: int = 0

    @property
    def rounds(self) -> int:
        return ROUNDS_QUICK if self.quick else ROUNDS

    def many(self, full: int, quick: int) -> int:
        """How many of something."""
        return quick if self.quick else full

    def phase(self, name: str, *streams: Stream) -> list[Outcome]:
        return self.stage.run(name, *streams)

    def in_turns(self, what: str, *measures: Callable[[], A]) -> list[list[A]]:
        """Each measure once a round, one after the other: what disturbs the machine disturbs them alike."""
        taken: list[list[A]] = [[] for _ in measures]
        for number in range(1, self.rounds + 1):
            self.say(f"{what}: round {number} of {self.rounds}")
            for measure, values in zip(measures, taken, strict=True):
                values.append(measure())
        return taken
