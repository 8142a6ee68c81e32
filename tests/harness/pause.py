"""Stops whoever writes to a table in the middle of a database transaction, so that a test can kill it right there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_LOCK = 471_100
_WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_MET_WITHIN_S = 60.0  # a machine may be busy


class Pause:
    """Somebody who waits for a lock of ours, inside of a database transaction of theirs."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self._owner = owner
        self._met: list[int] = []

    async def until_met(self) -> None:
        """Somebody waits now."""
        async with asyncio.timeout(_MET_WITHIN_S):
            while not (met := await self._owner.fetch(_WAITING)):
                await asyncio.sleep(0.01)
        self._met = [row["pid"] for row in met]

    async def let_go(self) -> None:
        """The lock is free; whoever waited has gone, if its process has been killed: it did what it still could."""
        await self._owner.execute("SELECT pg_advisory_unlock_all()")
        async with asyncio.timeout(_MET_WITHIN_S):
            while await self._owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", self._met):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def paused(owner_url: str, when: str, table: str, *, where: str = "true") -> AsyncIterator[Pause]:
    """`paused(url, "BEFORE UPDATE", "accounts")`: while it lasts, the first row that is to be updated waits; of those for
    which `where` holds, such as `NEW.kind = 2`."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute(
            f"""
            SELECT pg_advisory_lock({_LOCK});
            CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN PERFORM pg_advisory_xact_lock_shared({_LOCK}); RETURN NEW; END $$;
            CREATE TRIGGER pause {when} ON {table} FOR EACH ROW WHEN ({where}) EXECUTE FUNCTION pause();
            """
        )
        pause = Pause(owner)
        yield pause
        await pause.let_go()
        await owner.execute("DROP FUNCTION pause CASCADE")
    finally:
        await owner.close()
