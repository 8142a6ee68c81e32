"""What keeps payments true without anybody's telling: each provider is asked about whatever is open, and its own list of
events is read. Webhooks make it quicker, and are not needed.

Every process does it. An order's look is claimed by whoever takes it, Stripe's list by whoever begins to read it.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias, cast

from credits.db import Database, is_unavailable
from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from credits.recharge.told import count_open
from credits.recharge.top_ups import Place, TopUp, public_id
from credits.workspaces import WorkspaceName, list_workspaces
from server import metrics

logger = logging.getLogger(__name__)

AT_ONCE = 10  # questions of one process that nobody waits for: with those of webhooks fewer than it asks Stripe at once
_UNANSWERED = 5  # in a row: the provider is down, and whoever is left is asked in the next round

_Round: TypeAlias = Callable[[], Awaitable[Any]]


class Looking(Protocol):
    """What of the cashier is needed here."""

    async def look(self, workspace_id: int, place: Place) -> TopUp | None: ...
    async def due(self, workspace_id: int, real_now: datetime, first: int) -> list[Place]: ...


class Listing(Protocol):
    """A provider's own list of what has happened."""

    async def read(self) -> int:
        """Acts upon what is new in it; how many events that were. Raises `Unavailable`, `ProviderUnavailable`."""
        ...


class Reconciler:
    """Asks, round after round: about what is due, and for the list. One per process. `events` is there where a provider has
    such a list, `turn` is what both take turns by, so that buyers need not wait for them."""

    def __init__(
        self,
        database: Database,
        cashier: Looking,
        events: Listing | None,
        *,
        every: timedelta,
        real_now: Callable[[], datetime],
        turn: asyncio.Semaphore,
        refuse_writes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database, self._cashier = database, cashier
        self._every_s, self._real_now, self._turn = every.total_seconds(), real_now, turn
        self._refuse_writes = refuse_writes
        began = time.monotonic()
        self._ended_at: dict[_Round, float] = dict.fromkeys(
            [self.looks, *([] if events is None else [events.read])], began
        )
        metrics.PAYMENTS_RECONCILED_AGE_S.set_function(lambda: time.monotonic() - min(self._ended_at.values()))

    async def run(self) -> None:
        """For ever. Neither waits for the other: while a provider is slow, looks may last longer than a process lives."""
        async with asyncio.TaskGroup() as both:
            for one_round in self._ended_at:
                both.create_task(self._again_and_again(one_round))

    async def _again_and_again(self, one_round: _Round) -> None:
        """Soon and often at first, for what has happened while nobody was there: the list may be claimed for a while yet by
        whoever died."""
        first = [0.4, 0.3, random.uniform(0.0, 0.2)]  # noqa: S311 -- no secret
        is_ending = cast("asyncio.Task[None]", asyncio.current_task()).cancelling
        while not is_ending():  # a cancellation may come out of a database that is ending, too, as that one's error
            # Processes that were started together do not ask together.
            pause = first.pop() if first else random.uniform(0.8, 1.1)  # noqa: S311 -- no secret
            await asyncio.sleep(self._every_s * pause)
            if self._refuse_writes():
                continue
            try:
                await one_round()
                self._ended_at[one_round] = time.monotonic()
            except Exception as error:
                if isinstance(error, ProviderUnavailable) or is_unavailable(error):
                    logger.warning("payments wait to be reconciled: %s", error)
                else:
                    logger.exception("payments could not be reconciled; the next round tries again")

    async def looks(self) -> None:
        """One round of what is due, of every workspace. Raises what the store raises."""
        still_open = 0
        for workspace in await list_workspaces(self._database):
            await self._looks_of(workspace)
            waiting = await count_open(self._database, workspace.id)
            still_open += waiting
        metrics.TOP_UPS_OPEN.set(still_open)

    async def _looks_of(self, workspace: WorkspaceName) -> None:
        due: deque[Place] = deque()
        claiming, is_last = asyncio.Lock(), False
        unanswered, lost = 0, list[Exception]()

        async def next_one() -> Place | None:
            # No more are claimed than are looked at soon: whoever dies leaves them claimed.
            nonlocal is_last
            async with claiming:
                if not due and not is_last:
                    due.extend(await self._cashier.due(workspace.id, self._real_now(), AT_ONCE))
                    is_last = len(due) < AT_ONCE
                return due.popleft() if due else None

        async def look_at_them() -> None:
            nonlocal unanswered
            try:
                while unanswered < _UNANSWERED and not lost and (place := await next_one()) is not None:
                    async with self._turn:
                        answered = await self._look(workspace, place)
                    unanswered = 0 if answered else unanswered + 1
            except Exception as error:  # raised once the others are done  # noqa: BLE001
                lost.append(error)

        await asyncio.gather(*(look_at_them() for _ in range(AT_ONCE)))
        if lost:
            raise lost[0]
        if unanswered >= _UNANSWERED:
            logger.warning("the payment provider of %r does not answer", workspace.name)

    async def _look(self, workspace: WorkspaceName, place: Place) -> bool:
        """Whether there was an answer. What cannot be settled keeps no other from its own; its claim ends by itself."""
        top_up = public_id(place)
        try:
            await self._cashier.look(workspace.id, place)
        except ProviderUnavailable as error:
            logger.warning("%s of %r waits for the payment provider: %s", top_up, workspace.name, error)
            return False
        except ProviderRefused as error:
            logger.error("%s of %r: the payment provider refused to tell: %s", top_up, workspace.name, error)  # noqa: TRY400
        except Exception as error:
            if is_unavailable(error):
                raise
            logger.exception("%s of %r could not be settled; the next look tries again", top_up, workspace.name)
        return True
