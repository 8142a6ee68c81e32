"""Recharge at once: after a commit, accounts that a rule watches are looked at; and again by a slow sweep, which finds what
other processes wrote, what a process that ended has left, and what fell due by the clock.

A look takes no lock and is one query for all that was written meanwhile, so that an account that is busy far above its
threshold, or whose rule rests, costs its burns nothing. Only where the rule seems to have to buy is the lock taken.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection

from credits import bounds
from credits.db import Database, is_unavailable
from credits.recharge.recharger import Account, Recharger, Ruled
from credits.workspaces import list_workspaces

logger = logging.getLogger(__name__)

_SWEEP_EVERY_S = 5.0  # a rule that another process was given is watched here after so long
_GATHER_S = 0.05  # what is written meanwhile is looked at together
_AT_ONCE = 8  # attempts under way at the same time: each waits for the provider, and holds no connection meanwhile
_UNCONFIRMED_AT_ONCE = 20  # asked one after the other: what is left is the next sweep's

Noted = tuple[int, Account]  # workspace, account


class Recharging:
    """One per process: `note` what was written, `run` for ever."""

    def __init__(
        self,
        database: Database,
        recharger: Recharger,
        refuse_writes: Callable[[], bool],
        *,
        sweep_every_s: float = _SWEEP_EVERY_S,
    ) -> None:
        self._database = database
        self._recharger = recharger
        self._refuse_writes = refuse_writes
        self._sweep_every_s = sweep_every_s
        self._ruled: dict[int, Ruled] = {}
        self._noted: set[Noted] = set()
        self._busy: set[Noted] = set()
        self._work = asyncio.Event()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def note(self, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
        """An account has new entries. Costs nothing where no rule watches it; never blocks."""
        ruled = self._ruled.get(workspace_id)
        account = (customer_id, credit_type_id)
        if ruled is not None and account in ruled.accounts:
            self._noted.add((workspace_id, account))
            self._work.set()

    def watch(self, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
        """A rule was set here: it is asked at once."""
        self._ruled.setdefault(workspace_id, Ruled()).accounts.add((customer_id, credit_type_id))
        self.note(workspace_id, customer_id, credit_type_id)

    async def run(self) -> None:
        """For as long as the process lasts."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep_for_ever(tasks))
            while True:
                await self._work.wait()
                self._work.clear()
                ready = self._noted - self._busy
                self._noted -= ready
                grouped: dict[int, list[Account]] = {}
                for workspace_id, account in ready:
                    grouped.setdefault(workspace_id, []).append(account)
                for workspace_id, accounts in grouped.items():
                    await self._fire_those(tasks, workspace_id, await self._below(workspace_id, accounts))
                await asyncio.sleep(_GATHER_S)

    async def _below(self, workspace_id: int, accounts: Collection[Account]) -> list[Account]:
        """Those of them whose rule seems to have to buy. What cannot be asked now is left to the sweep."""
        try:
            return await self._recharger.below(workspace_id, len(accounts), accounts)
        except Exception as error:
            if is_unavailable(error):
                logger.warning("recharge rules wait for the store: %s", error)
            else:
                logger.exception("recharge rules could not be looked at; the sweep tries again")
            return []

    async def _fire_those(self, tasks: asyncio.TaskGroup, workspace_id: int, accounts: Collection[Account]) -> None:
        """Each begun, as soon as there is room."""
        for account in accounts:
            noted = (workspace_id, account)
            if noted in self._busy:
                self._noted.add(noted)  # looked at again when that ends
                continue
            self._busy.add(noted)
            await self._room.acquire()
            tasks.create_task(self._fire(noted))

    async def _fire(self, noted: Noted) -> None:
        try:
            if not self._refuse_writes():
                await self._recharger.fire(*noted)
        except Exception as error:
            if is_unavailable(error):
                logger.warning("a recharge waits for the store: %s", error)
            else:
                logger.exception("a recharge failed; the sweep tries again")
        finally:
            self._room.release()
            self._busy.discard(noted)
            if noted in self._noted:  # what was written meanwhile
                self._work.set()

    async def _sweep_for_ever(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            began = time.monotonic()
            try:
                for workspace in [] if self._refuse_writes() else await list_workspaces(self._database):
                    await self._sweep_one(tasks, workspace.id, workspace.name)
            except Exception as error:
                if is_unavailable(error):
                    logger.warning("the sweep of recharge rules waits for the store: %s", error)
                else:
                    logger.exception("the sweep of recharge rules failed; the next one tries again")
            every = self._sweep_every_s * random.uniform(0.8, 1.2)  # noqa: S311 -- jitter, no secret
            await asyncio.sleep(max(every - (time.monotonic() - began), every / 5))

    async def _sweep_one(self, tasks: asyncio.TaskGroup, workspace_id: int, name: str) -> None:
        """What cannot be bought in one workspace keeps no other from its own."""
        try:
            ruled = await self._recharger.ruled(workspace_id, self._ruled.setdefault(workspace_id, Ruled()))
            if ruled.accounts:
                below = await self._recharger.below(workspace_id, bounds.SWEEP_ACCOUNTS_MAX)
                await self._fire_those(tasks, workspace_id, below)
            await self._recharger.give_up_unconfirmed(workspace_id, _UNCONFIRMED_AT_ONCE)
        except Exception as error:
            if is_unavailable(error):
                raise
            logger.exception("the sweep of recharge rules of %r failed; the next one tries again", name)
