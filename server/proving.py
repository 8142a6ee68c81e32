"""What proves the book by itself: a signed checkpoint every so often, and reconciliations, slowly."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from credits import bounds
from credits.db import Database, is_unavailable
from credits.proof.checkpoints import make_checkpoint
from credits.proof.reconcile import reconcile
from credits.proof.reports import Report, book_size, claim, keep, read_last
from credits.proof.seal import Seal
from credits.workspaces import WorkspaceName, list_workspaces
from server import metrics

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 30.0
_REST = 9  # times as long as it has worked: a tenth of one processor


class Pace:
    """Rests after each piece of work, in proportion to it."""

    def __init__(self, rest: float = _REST) -> None:
        self._rest = rest
        self._since = time.monotonic()

    async def __call__(self) -> None:
        await asyncio.sleep((time.monotonic() - self._since) * self._rest)
        self._since = time.monotonic()


class Prover:
    """One per process. A zero of `checkpoint_every` or `reconcile_every`: never by itself."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        *,
        checkpoint_every: timedelta,
        reconcile_every: timedelta,
        refuse_writes: Callable[[], bool] = lambda: False,
    ) -> None:
        self._refuse_writes = refuse_writes
        self._database = database
        self._seal = seal
        self._checkpoint_every = checkpoint_every
        self._reconcile_every = reconcile_every
        self._asked: dict[int, asyncio.Task[Report]] = {}

    async def report(self, workspace_id: int) -> Report:
        """A reconciliation: of now, where the book is small; else the last one, if there is any. Whoever asks while one
        is made is told of that one."""
        async with self._database.hot(workspace_id) as connection:
            last = await read_last(await connection.driver())
            small = await book_size(await connection.driver()) <= bounds.RECONCILE_AT_ONCE_ENTRIES_MAX
        if last is not None and not small:
            return last
        task = self._asked.get(workspace_id)
        if task is None:
            task = self._asked[workspace_id] = asyncio.create_task(self._reconcile(workspace_id, Pace(0)))
            task.add_done_callback(lambda _: self._asked.pop(workspace_id, None))
        return await asyncio.shield(task)

    async def run(self) -> None:
        """For ever: looks which workspace's turn it is."""
        wanted = [every.total_seconds() for every in (self._checkpoint_every, self._reconcile_every) if every]
        while wanted:
            await asyncio.sleep(min(_LOOK_EVERY_S, *wanted))
            if self._refuse_writes():
                continue
            try:
                workspaces = await list_workspaces(self._database)
                for workspace in workspaces:
                    await self._prove(workspace)
                await self._measure(workspaces)
            except Exception as error:
                if not is_unavailable(error):
                    logger.exception("proving failed; the next look tries again")
                else:
                    logger.warning("proving waits for the store: %s", error)

    async def _prove(self, workspace: WorkspaceName) -> None:
        """What cannot be proved of one workspace keeps no other from its own."""
        try:
            if self._checkpoint_every:
                made = await make_checkpoint(self._database, workspace.id, self._seal, every=self._checkpoint_every)
                if made is not None:
                    logger.info("checkpoint %d of %r: %d entries", made.number, workspace.name, made.entries)
            if self._reconcile_every and await self._is_our_turn(workspace.id):
                report = await self._reconcile(workspace.id, Pace())
                if not report.found.ok:
                    logger.error("the book of %r does not reconcile: see `scrip reconcile`", workspace.name)
        except Exception as error:
            if is_unavailable(error):
                raise
            logger.exception("proving workspace %r failed; the next look tries again", workspace.name)

    async def _is_our_turn(self, workspace_id: int) -> bool:
        async with self._database.hot(workspace_id) as connection:
            return await claim(await connection.driver(), self._reconcile_every)

    async def _reconcile(self, workspace_id: int, pace: Pace) -> Report:
        found = await reconcile(self._database, workspace_id, rest=pace, tell=lambda _: None)
        async with self._database.hot(workspace_id) as connection:
            return await keep(await connection.driver(), found)

    async def _measure(self, workspaces: list[WorkspaceName]) -> None:
        """What any process has found, told by each."""
        problems = 0
        for workspace in workspaces:
            async with self._database.hot(workspace.id) as connection:
                last = await read_last(await connection.driver())
            if last is not None:
                problems += last.found.found + last.found.chains_broken + last.found.events_unaccounted
        metrics.RECONCILIATION_PROBLEMS.set(problems)
