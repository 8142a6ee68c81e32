"""The second wall of numbers: what slips past every scalar, the tables refuse (N1)."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

NUMBERS = """SELECT table_name, column_name, data_type FROM information_schema.columns
              WHERE table_schema = 'public' AND data_type IN ('numeric', 'real', 'double precision', 'money')"""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def like(owner: asyncpg.Connection, table: str) -> None:
    """A table `bare` with the checks of `table`, where every column may be left out."""
    await owner.execute(f"CREATE TEMP TABLE bare (LIKE {table} INCLUDING CONSTRAINTS)")
    columns = await owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'bare' AND is_nullable = 'NO'"
    )
    for (column,) in columns:
        await owner.execute(f"ALTER TABLE bare ALTER {column} DROP NOT NULL")


async def test_no_column_is_a_float(owner: asyncpg.Connection):
    kinds = {row["data_type"] for row in await owner.fetch(NUMBERS)}
    assert kinds == {"numeric"}


async def test_every_number_that_could_be_nan_is_checked(owner: asyncpg.Connection):
    """In PostgreSQL NaN is greater than everything: it passes every `>= 0`, and every question for enough credits."""
    columns = await owner.fetch(NUMBERS)
    assert len(columns) > 3
    for table, column, _ in columns:
        await like(owner, table)
        await owner.execute(f"INSERT INTO bare ({column}) VALUES (1)")
        for value in ("NaN", "Infinity", "-Infinity"):
            with pytest.raises((asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError)):
                await owner.execute(f"INSERT INTO bare ({column}) VALUES ('{value}') /* {table} */")
        await owner.execute("DROP TABLE bare")


async def test_an_amount_is_a_whole_number_that_cannot_be_nan(owner: asyncpg.Connection):
    for table in ("accounts", "grants", "entries", "holds"):
        row = await owner.fetchrow(
            "SELECT data_type FROM information_schema.columns WHERE table_name = $1 AND column_name = ANY($2)",
            table,
            ["amount", "balance"],
        )
        assert row is not None
        assert row["data_type"] == "bigint"
