"""Everybody's patience is bounded, and in order: a lock, a statement, the driver, the whole answer (G19)."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from credits import db
from credits.db import Database
from credits.errors import Unavailable
from schema import execution


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, size=2)
    yield opened
    await opened.close()


async def test_the_inner_patience_ends_before_the_outer_one(database: Database):
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    question = "SELECT " + ", ".join(f"extract(epoch FROM current_setting('{name}')::interval)" for name in names)
    async with database.hot(1) as connection:
        hot = tuple(map(float, await connection.fetchrow(question)))
    async with database.transaction(1) as connection:
        ordinary = tuple(map(float, (await connection.execute(text(question))).one()))
    for lock_s, statement_s, idle_s in (hot, ordinary):
        assert 0 < lock_s < statement_s < db._COMMAND_TIMEOUT_S < execution.EXECUTION_S
        assert 0 < idle_s <= execution.EXECUTION_S


@pytest.mark.parametrize("door", ["transaction", "view"])
async def test_a_statement_that_takes_too_long_is_ended_and_the_store_is_said_to_be_at_fault(
    database: Database, door: str
):
    async def too_long() -> None:
        async with getattr(database, door)(1) as connection:
            await connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
            await connection.execute(text("SELECT pg_sleep(30)"))

    with pytest.raises(Unavailable, match="statement timeout"):
        await too_long()
    async with getattr(database, door)(1) as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_hot_statement_that_takes_too_long_is_ended_and_the_connection_goes_on(database: Database):
    async def too_long() -> None:
        async with database.hot(1) as connection:
            await connection.execute("SET LOCAL statement_timeout = '50ms'")
            await connection.execute("SELECT pg_sleep(30)")

    with pytest.raises(Exception, match="statement timeout") as caught:
        await too_long()
    assert db.is_unavailable(caught.value)
    async with database.hot(1) as connection:
        assert await connection.fetchval("SELECT 1") == 1
