"""Recharge at once: after a commit, accounts that a rule watches are looked at; and again by a slow sweep, which finds what
other processes wrote, what a process that ended has left, and what fell due by the clock."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from credits import bounds
from credits.db import Database, is_unavailable
from credits.recharge.recharger import Account, Recharger
from credits.workspaces import list_workspaces

logger = logging.getLogger(__name__)

_SWEEP_EVERY_S = 5.0  # a rule that another process was given is watched here after so long
_AT_ONCE = 8  # attempts under way at the same time: each waits for the provider, and holds no connection meanwhile


class Recharging:
    """One per process: `note` what was written, `run` for ever."""

    def __init__(self, database: Database, recharger: Recharger, refuse_writes: Callable[[], bool]) -> None:
        self._database = database
        self._recharger = recharger
        self._refuse_writes = refuse_writes
        self._ruled: dict[int, set[Account]] = {}
        self._noted: set[tuple[int, Account]] = set()
        self._busy: set[tuple[int, Account]] = set()
        self._work = asyncio.Event()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def note(self, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
        """An account has new entries. Costs nothing where no rule watches it; never blocks."""
        account = (customer_id, credit_type_id)
        if account in self._ruled.get(workspace_id, ()):
            self._noted.add((workspace_id, account))
            self._work.set()

    def watch(self, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
        """A rule was set here: it is asked at once."""
        self._ruled.setdefault(workspace_id, set()).add((customer_id, credit_type_id))
        self.note(workspace_id, customer_id, credit_type_id)

    async def run(self) -> None:
        """For as long as the process lasts."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep_for_ever())
            while True:
                await self._work.wait()
                self._work.clear()
                ready = self._noted - self._busy
                self._noted -= ready
                for workspace_id, account in ready:
                    self._busy.add((workspace_id, account))
                    await self._room.acquire()
                    tasks.create_task(self._fire(workspace_id, account))

    async def _fire(self, workspace_id: int, account: Account) -> None:
        try:
            if not self._refuse_writes():
                await self._recharger.fire(workspace_id, account)
        except Exception as error:
            if is_unavailable(error):
                logger.warning("a recharge waits for the store: %s", error)
            else:
                logger.exception("a recharge failed; the sweep tries again")
        finally:
            self._room.release()
            self._busy.discard((workspace_id, account))
            if (workspace_id, account) in self._noted:  # what was written meanwhile
                self._work.set()

    async def _sweep_for_ever(self) -> None:
        while True:
            began = time.monotonic()
            try:
                for workspace in await list_workspaces(self._database):
                    await self._sweep(workspace.id)
            except Exception as error:
                if is_unavailable(error):
                    logger.warning("the sweep of recharge rules waits for the store: %s", error)
                else:
                    logger.exception("the sweep of recharge rules failed; the next one tries again")
            rest = _SWEEP_EVERY_S * random.uniform(0.8, 1.2) - (time.monotonic() - began)  # noqa: S311 -- jitter, no secret
            await asyncio.sleep(max(rest, 1.0))

    async def _sweep(self, workspace_id: int) -> None:
        ruled = await self._recharger.ruled(workspace_id)
        self._ruled[workspace_id] = ruled
        if not ruled:
            return
        await self._recharger.give_up_unconfirmed(workspace_id, bounds.SWEEP_ACCOUNTS_MAX)
        for account in await self._recharger.below(workspace_id, bounds.SWEEP_ACCOUNTS_MAX):
            self._noted.add((workspace_id, account))
        self._work.set()
