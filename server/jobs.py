"""What happens by itself: the sweep, which books what fell due for whoever watches, and the standings, which keep
questions about the past short."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from credits.db import Database, is_unavailable
from credits.errors import Unavailable
from credits.posting.clock import sweep
from credits.posting.reader import Reader
from credits.posting.standings import Keeper
from credits.posting.writer import Writer
from credits.workspaces import WorkspaceName, list_workspaces

logger = logging.getLogger(__name__)

_EVERY_S = 0.5  # contract: booking follows within a second where somebody is subscribed
_KEEP_EVERY_S = 1.0  # what a busy account writes meanwhile, a question about the past reads entry by entry
_LOOK_EVERY_S = 3_600.0  # for what another process, now ended, has not made any more


@asynccontextmanager
async def sweeping(database: Database, reader: Reader, writer: Writer) -> AsyncIterator[None]:
    """Sweeps every workspace, again and again, for as long as the context lasts.

    Every process sweeps: the customers' locks make two sweeps of one account one after the other, and the second
    finds nothing due.
    """
    async with _running(_sweep_for_ever(database, reader, writer), "sweep"):
        yield


@asynccontextmanager
async def keeping_standings(database: Database, keeper: Keeper) -> AsyncIterator[None]:
    """Makes standings of the accounts that grow, for as long as the context lasts."""
    async with _running(_keep_for_ever(database, keeper), "standings"):
        yield


@asynccontextmanager
async def _running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
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
