"""What waits for the writer, and which of it goes next."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import cast

from credits import bounds
from credits.posting.commands import Command, TakeEvent
from credits.posting.locking import Whose
from credits.posting.outcomes import Answer

_GATHER_S = 0.005  # at most: who comes first waits no longer for company, however many come
_SHARED = 8  # fewer are not worth two batches
_COMMAND_BATCHES = 2
_EVENT_LANES = 3
_LATELY = 100_000  # events of a lane after which what went before counts half


class Asked:
    """What one caller asks for together, and the one future that waits for all of its answers.

    One for ten thousand commands: a future each would cost as much as taking an event apart.
    """

    def __init__(self, count: int) -> None:
        self._answers: list[Answer | None] = [None] * count
        self._failures: dict[int, Exception] = {}
        self._open = count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self._done.set_result(None)

    async def all(self) -> list[Answer]:
        """Every answer, in order, once all are there; the first exception where there is any."""
        await self._done
        if self._failures:
            raise self._failures[min(self._failures)]
        return cast("list[Answer]", self._answers)

    def answer(self, place: int, answer: Answer) -> None:
        self._answers[place] = answer
        self._close()

    def fail(self, place: int, error: Exception) -> None:
        self._failures[place] = error
        self._close()

    def failure(self, place: int) -> Exception | None:
        return self._failures.get(place)

    def _close(self) -> None:
        self._open -= 1
        if not self._open and not self._done.done():  # else whoever asked has gone
            self._done.set_result(None)


@dataclass(slots=True)
class Waiting:
    """A command, whom it is about, and whose answer it is: which of those that were `asked` together."""

    command: Command
    whose: Whose
    asked: Asked
    place: int = 0

    def succeed(self, answer: Answer) -> None:
        self.asked.answer(self.place, answer)

    def fail(self, error: Exception) -> None:
        self.asked.fail(self.place, error)


@dataclass(slots=True)
class Lane:
    """What waits for one workspace: its commands, or events of some of its customers.

    As many as `batches_max` batches are under way at once, each with customers of its own, so that one is decided while
    another is written; what one customer is asked for stays in order.
    """

    workspace_id: int
    batch_max: int
    batches_max: int
    waiting: deque[Waiting] = field(default_factory=deque)
    running: "set[asyncio.Task[None]]" = field(default_factory=set)
    gathering: bool = False
    aside: "set[asyncio.Task[None]]" = field(default_factory=set)
    _busy: set[Whose] = field(default_factory=set)
    _aside: set[Whose] = field(default_factory=set)
    _under_way: int = 0

    @property
    def has_room(self) -> bool:
        """Something waits, and a batch more may be under way."""
        return bool(self.waiting) and not self.gathering and len(self.running) < self.batches_max

    async def gather(self) -> list[Waiting]:
        """The next batch, in the order of arrival; nobody whose customer is in another. Once it is done, `leave` it.

        Whoever is at the door is let in first: as long as each turn of the event loop brings somebody, until there is
        enough for a batch. Where all came together, half is enough: the other half is decided while this one is written.
        """
        self.gathering = True
        try:
            loop = asyncio.get_running_loop()
            until, seen = loop.time() + _GATHER_S, 0
            while seen < len(self.waiting) < self._enough() and loop.time() < until:
                seen = len(self.waiting)
                await asyncio.sleep(0)  # what has arrived is read
                await asyncio.sleep(0)  # and put here
            return self._take()
        finally:
            self.gathering = False

    def leave(self, batch: list[Waiting]) -> None:
        """The batch is done, but for those whom it has set aside."""
        self._busy.difference_update(item.whose for item in batch if item.whose not in self._aside)
        self._under_way -= len(batch)

    def set_aside(self, names: set[Whose]) -> None:
        """Their customers are locked by somebody else: they go on by themselves, until they are `readmit`ted."""
        self._aside |= names

    def readmit(self, names: set[Whose]) -> None:
        self._aside -= names
        self._busy -= names

    def drop(self, names: set[Whose]) -> list[Waiting]:
        """Takes out everybody who waits behind these."""
        dropped = [item for item in self.waiting if item.whose in names]
        self.waiting = deque(item for item in self.waiting if item.whose not in names)
        return dropped

    def _enough(self) -> int:
        share = -(-(len(self.waiting) + self._under_way) // self.batches_max)
        return min(self.batch_max, max(_SHARED, share))

    def _take(self) -> list[Waiting]:
        waiting, busy = self.waiting, self._busy
        batch = [waiting.popleft() for _ in range(min(len(waiting), self._enough()))]
        if busy:
            waiting.extendleft(reversed([item for item in batch if item.whose in busy]))
            batch = [item for item in batch if item.whose not in busy]
        self._busy.update(item.whose for item in batch)
        self._under_way += len(batch)
        return batch


class Lanes:
    """The lanes of one workspace: one of commands, and some of events, each with customers of its own.

    Where a customer's events go once, they go always: so they stay in order. A new customer's go where least went of
    late. By chance alone, of three lanes the fullest had 45% of all usage, and the others waited for it.
    """

    def __init__(self, workspace_id: int) -> None:
        self.commands = Lane(workspace_id, bounds.BATCH_COMMANDS_MAX, _COMMAND_BATCHES)
        self.events = [Lane(workspace_id, bounds.BATCH_EVENTS_MAX, 1) for _ in range(_EVENT_LANES)]
        self.all = (self.commands, *self.events)
        self._homes: dict[Whose, int] = {}
        self._went = [0] * _EVENT_LANES

    def of(self, command: Command, name: Whose) -> Lane:
        """Where a command about this customer waits."""
        if not isinstance(command, TakeEvent):
            return self.commands
        home = self._homes.get(name)
        if home is None:
            home = self._find_home(name)
        self._went[home] += 1
        return self.events[home]

    def _find_home(self, name: Whose) -> int:
        if len(self._homes) >= bounds.LANE_CUSTOMERS_MAX:
            return hash(name) % _EVENT_LANES
        home = self._homes[name] = self._went.index(min(self._went))
        if self._went[home] > _LATELY:
            self._went = [count // 2 for count in self._went]
        return home
