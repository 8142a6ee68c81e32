"""What happens by itself: the sweep, which books what fell due for whoever watches; the standings, which keep questions
about the past short; roll-ups of usage; and what became of money."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from credits.db import Database, is_unavailable
from credits.enforcement.counting import forget_windows
from credits.errors import Unavailable
from credits.posting.clock import sweep
from credits.posting.reader import Reader
from credits.posting.standings import Keeper
from credits.posting.writer import Writer
from credits.revenue.projection import tell_all
from credits.usage.rollups import roll_up
from credits.workspaces import WorkspaceName, list_workspaces

logger = logging.getLogger(__name__)

_EVERY_S = 0.5  # contract: booking follows within a second where somebody is subscribed
_KEEP_EVERY_S = 1.0  # what a busy account writes meanwhile, a question about the past reads entry by entry
_LOOK_EVERY_S = 3_600.0  # for what another process, now ended, has not made any more
_ROLL_UP_EVERY_S = (
    15.0  # a hot account gains some ten thousand entries meanwhile, which are read in tens of milliseconds
)


@asynccontextmanager
async def sweeping(database: Database, reader: Reader, writer: Writer) -> AsyncIterator[None]:
    """Sweeps every workspace, again and again, for as long as the context lasts.

    Every process sweeps: the customers' locks make two sweeps of one account one after the other, and the second
    finds nothing due.
    """
    async with for_ever(_sweep_for_ever(database, reader, writer), "sweep"):
        yield


@asynccontextmanager
async def keeping_standings(database: Database, keeper: Keeper) -> AsyncIterator[None]:
    """Makes standings of the accounts that grow, for as long as the context lasts."""
    async with for_ever(_keep_for_ever(database, keeper), "standings"):
        yield


@asynccontextmanager
async def for_ever(job: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Runs the job for as long as the context lasts."""
    task = asyncio.create_task(job, name=name)
    try:
        yield
    finally:
        while (
            not task.done()
        ):  # one cancellation may be lost: a ROLLBACK that fails meanwhile makes another error of it
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_for_ever(database: Database, keeper: Keeper) -> None:
    looked_at = -_LOOK_EVERY_S
    while True:
        try:
            if time.monotonic() - looked_at >= _LOOK_EVERY_S:
                for workspace in await list_workspaces(database):
                    await keeper.look_through(workspace.id)
                looked_at = time.monotonic()
            await keeper.keep()
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("no standings could be made; the next round tries again")
            else:
                logger.warning("the standings wait for the store: %s", error)
        await asyncio.sleep(_KEEP_EVERY_S)


@asynccontextmanager
async def rolling_up(database: Database, refuse_writes: Callable[[], bool]) -> AsyncIterator[None]:
    """Keeps the usage roll-ups of every workspace near their entries, for as long as the context lasts.

    What is read is exact without them; they keep it quick. Every process does it, and an account belongs to whichever
    comes first. Nothing is written while `refuse_writes()`.
    """
    async with for_ever(_roll_up_for_ever(database, refuse_writes), "roll-up"):
        yield


async def _roll_up_for_ever(database: Database, refuse_writes: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(_ROLL_UP_EVERY_S)
        try:
            for workspace in [] if refuse_writes() else await list_workspaces(database):
                await _roll_up_one(database, workspace)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("the roll-up of usage failed; the next one tries again")
            else:
                logger.warning("the roll-up of usage waits for the store: %s", error)


async def _roll_up_one(database: Database, workspace: WorkspaceName) -> None:
    """As the sweep: each workspace for itself. Beside it, windows of spend limits that are long past are forgotten."""
    try:
        await roll_up(database, workspace.id)
        async with database.hot(workspace.id) as connection:
            await forget_windows(connection, workspace.id)
    except Exception as error:
        if is_unavailable(error):
            raise
        logger.exception("the roll-up of workspace %r failed; the next one tries again", workspace.name)


@asynccontextmanager
async def telling_revenue(database: Database, refuse_writes: Callable[[], bool]) -> AsyncIterator[None]:
    """Tells what entries did to money, for as long as the context lasts. As `rolling_up`: reports are exact without it."""
    async with for_ever(_tell_for_ever(database, refuse_writes), "revenue"):
        yield


async def _tell_for_ever(database: Database, refuse_writes: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(_ROLL_UP_EVERY_S)
        try:
            for workspace in [] if refuse_writes() else await list_workspaces(database):
                await _tell_one(database, workspace)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("revenue could not be told; the next round tries again")
            else:
                logger.warning("revenue waits for the store: %s", error)


async def _tell_one(database: Database, workspace: WorkspaceName) -> None:
    """What cannot be told of one workspace keeps no other from its own."""
    try:
        await tell_all(database, workspace.id)
    except Exception as error:
        if is_unavailable(error):
            raise
        logger.exception("the revenue of workspace %r could not be told; the next round tries again", workspace.name)


async def _sweep_for_ever(database: Database, reader: Reader, writer: Writer) -> None:
    while True:
        try:
            for workspace in await list_workspaces(database):
                await _sweep_one(reader, writer, workspace)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("the sweep failed; the next one tries again")
            else:
                logger.warning("the sweep waits for the store: %s", error)
        await asyncio.sleep(_EVERY_S)


async def _sweep_one(reader: Reader, writer: Writer, workspace: WorkspaceName) -> None:
    """What cannot be booked in one workspace keeps no other from its own."""
    try:
        await sweep(reader, writer, workspace.id)
    except Unavailable:
        raise
    except Exception:
        logger.exception("the sweep of workspace %r failed; the next one tries again", workspace.name)
