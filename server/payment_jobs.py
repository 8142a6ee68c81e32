"""What keeps payments true without anybody's telling: each provider is asked about whatever is open, and its own list of
events is read. Webhooks make it quicker, and are not needed.

Every process does it. An order's look is claimed by whoever takes it, Stripe's list by whoever begins to read it.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from credits.db import Database, is_unavailable
from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from credits.recharge.told import count_open
from credits.recharge.top_ups import Place, TopUp, public_id
from credits.workspaces import WorkspaceName, list_workspaces
from server import metrics

logger = logging.getLogger(__name__)

AT_ONCE = 8  # looks of one process: they must not take the connections that burns need, nor the turns of who buys
_TAKEN = 50  # looks claimed together: what a claim's minute is enough for
_UNANSWERED = 5  # in a row: the provider is down, and whoever is left is asked in the next round


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
    """Asks, round after round. One per process. `events` is there where a provider has such a list."""

    def __init__(
        self,
        database: Database,
        cashier: Looking,
        events: Listing | None,
        *,
        every: timedelta,
        real_now: Callable[[], datetime],
        refuse_writes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database, self._cashier, self._events = database, cashier, events
        self._every_s, self._real_now, self._refuse_writes = every.total_seconds(), real_now, refuse_writes
        self._ended_at = time.monotonic()
        metrics.PAYMENTS_RECONCILED_AGE_S.set_function(lambda: time.monotonic() - self._ended_at)

    async def run(self) -> None:
        """For ever; soon and often at first, for what has happened while nobody was there: the list may be claimed for a while
        yet by whoever died."""
        first = [0.4, 0.3, random.uniform(0.0, 0.2)]  # noqa: S311 -- no secret
        while True:
            # Processes that were started together do not ask together.
            pause = first.pop() if first else random.uniform(0.8, 1.1)  # noqa: S311 -- no secret
            await asyncio.sleep(self._every_s * pause)
            if self._refuse_writes():
                continue
            try:
                await self.round()
                self._ended_at = time.monotonic()
            except Exception as error:
                if isinstance(error, ProviderUnavailable) or is_unavailable(error):
                    logger.warning("payments wait to be reconciled: %s", error)
                else:
                    logger.exception("payments could not be reconciled; the next round tries again")

    async def round(self) -> None:
        """One round: what is due of every workspace, then the provider's list. Raises what the list raises, after the looks."""
        still_open = 0
        for workspace in await list_workspaces(self._database):
            await self._looks(workspace)
            waiting = await count_open(self._database, workspace.id)
            still_open += waiting
        metrics.TOP_UPS_OPEN.set(still_open)
        if self._events is not None:
            await self._events.read()

    async def _looks(self, workspace: WorkspaceName) -> None:
        unanswered = 0
        turn = asyncio.Semaphore(AT_ONCE)

        async def look(place: Place) -> None:
            nonlocal unanswered
            async with turn:
                if unanswered < _UNANSWERED:
                    answered = await self._look(workspace, place)
                    unanswered = 0 if answered else unanswered + 1

        while unanswered < _UNANSWERED:
            due = await self._cashier.due(workspace.id, self._real_now(), _TAKEN)
            await asyncio.gather(*map(look, due))
            if len(due) < _TAKEN:
                return
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
