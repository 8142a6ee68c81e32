"""What happens by itself: the sweep, which books what fell due for whoever watches; and roll-ups of usage."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from credits.db import Database, is_unavailable
from credits.enforcement.counting import forget_windows
from credits.errors import Unavailable
from credits.posting.clock import sweep
from credits.posting.reader import Reader
from credits.posting.writer import Writer
from credits.usage.rollups import roll_up
from credits.workspaces import WorkspaceName, list_workspaces

logger = logging.getLogger(__name__)

_EVERY_S = 0.5  # contract: booking follows within a second where somebody is subscribed
_ROLL_UP_EVERY_S = (
    15.0  # a hot account gains some ten thousand entries meanwhile, which are read in tens of milliseconds
)


@asynccontextmanager
async def sweeping(database: Database, reader: Reader, writer: Writer) -> AsyncIterator[None]:
    """Sweeps every workspace, again and again, for as long as the context lasts.

    Every process sweeps: the customers' locks make two sweeps of one account one after the other, and the second
    finds nothing due.
    """
    task = asyncio.create_task(_sweep_for_ever(database, reader, writer), name="sweep")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def rolling_up(database: Database, refuse_writes: Callable[[], bool]) -> AsyncIterator[None]:
    """Keeps the usage roll-ups of every workspace near their entries, for as long as the context lasts.

    What is read is exact without them; they keep it quick. Every process does it, and an account belongs to whichever
    comes first. Nothing is written while `refuse_writes()`.
    """
    task = asyncio.create_task(_roll_up_for_ever(database, refuse_writes), name="roll-up")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


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
