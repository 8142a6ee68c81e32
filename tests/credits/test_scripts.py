"""What is sent together: texts within a script, statements prepared once, plans that grow with the tables."""

import asyncio

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credits.db import Connection, Database, Prepared, literal

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
ADD = Prepared("add_note", "INSERT INTO pg_temp.notes SELECT $1, $2", parameters=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | TEXTS | st.text("'\\\\$;-/*E\n\"", min_size=1), min_size=1, max_size=20))
def test_any_text_in_a_script_arrives_as_it_is(owner_url: str, texts: list[str | None]):
    """Quotes, backslashes, dollars, comments, whatever a caller can write: text, and never SQL."""

    async def arrive() -> list[str | None]:
        connection = await asyncpg.connect(owner_url)
        try:
            row = await connection.fetchrow(f"SELECT {', '.join(f'{literal(text)}::text' for text in texts)}")
            assert row is not None
            return list(row)
        finally:
            await connection.close()

    assert asyncio.run(arrive()) == texts


@pytest.fixture
async def own(database_url: str):
    opened = await Database.connect(database_url, size=1)
    async with opened.hot(1) as connection:
        await connection.execute("CREATE TEMP TABLE notes (one text, two text)")
    yield opened
    await opened.close()


async def test_what_is_sent_runs_in_order_with_the_next_question_or_the_commit(own: Database):
    async with own.hot(1) as connection:
        await connection.send(ADD, "it's", None)
        await connection.send(ADD, "\\'; ROLLBACK; --", "2")
        rows = await connection.fetch("SELECT * FROM pg_temp.notes")
        assert [tuple(row) for row in rows] == [("it's", None), ("\\'; ROLLBACK; --", "2")]
        await connection.send(ADD, "3", "3")
    async with own.hot(1) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_temp.notes") == 3


async def test_what_fails_within_a_script_undoes_all_of_it_and_the_connection_goes_on(own: Database):
    async def fail() -> None:
        async with own.hot(1) as connection:
            await connection.send(ADD, "lost", None)
            await connection.send(Prepared("divide", "INSERT INTO pg_temp.notes SELECT (1 / $1::int)::text", 1), "0")
            await connection.send(ADD, "lost, too", None)

    for _ in range(2):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await fail()
    async with own.hot(1) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_temp.notes") == 0
        await connection.send(ADD, "found", None)
    async with own.hot(1) as connection:
        assert await connection.fetchval("SELECT one FROM pg_temp.notes") == "found"


async def test_two_statements_of_one_name_are_two(own: Database):
    for _ in range(2):
        async with own.hot(1) as connection:
            await connection.send(Prepared("note", "INSERT INTO pg_temp.notes SELECT $1, 'first'", 1), "a")
            await connection.send(Prepared("note", "INSERT INTO pg_temp.notes SELECT $1, 'second'", 1), "a")
    async with own.hot(1) as connection:
        rows = await connection.fetch("SELECT two, count(*) FROM pg_temp.notes GROUP BY two ORDER BY two")
        assert [tuple(row) for row in rows] == [("first", 2), ("second", 2)]


async def test_plans_are_forgotten_as_often_as_the_uses_of_a_connection_double(owner_url: str):
    connection = await asyncpg.connect(owner_url, connection_class=Connection)
    openings = [connection.opening() for _ in range(40)]
    await connection.close()
    assert [number for number, opening in enumerate(openings, 1) if "DISCARD" in opening] == [1, 2, 4, 8, 16, 32]
