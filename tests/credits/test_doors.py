"""Each way to the database shows one workspace for the length of a database transaction, whoever owns the tables."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from credits import db
from credits.access.keys import create_key, find_key
from credits.db import Database
from credits.errors import Unavailable
from credits.posting.commands import HoldId
from credits.posting.outcomes import Burned
from credits.posting.writer import Writer
from credits.workspaces import ensure_workspace, list_workspaces
from server import migrate
from tests.credits.posting.till import open_till
from tests.credits.walled import OURS, WORKSPACE, Two, two
from tests.harness.databases import execute

__all__ = ["two"]


async def seen(connection: Any) -> int:
    """Rows that a connection just out of its pool can see."""
    if hasattr(connection, "fetchval"):
        return int(await connection.fetchval("SELECT count(*) FROM customers"))
    return int((await connection.execute(text("SELECT count(*) FROM customers"))).scalar_one())


async def test_the_next_user_of_a_connection_sees_nothing(two: Two):
    """D15. One connection in each pool, so that the next user gets the same one."""
    own = await Database.connect(two.here.owner_url, size=1)
    here = two.here.workspace_id
    try:
        async with own.hot(here) as hot:
            assert await seen(hot) == 2
        async with own.snapshot(here) as hot:
            assert await seen(hot) == 2
        with pytest.raises(ZeroDivisionError):
            async with own.hot(here):
                raise ZeroDivisionError
        with pytest.raises(asyncpg.PostgresSyntaxError):
            async with own.hot(here) as hot:
                await hot.execute("nonsense")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), own.hot(here) as hot:
                await hot.execute("SELECT pg_sleep(5)")
        async with own.pool.acquire() as hot:
            assert not hot.is_in_transaction()
            assert await seen(hot) == 0
        for door in (own.transaction, own.view):
            async with door(here) as connection:
                assert await seen(connection) == 2
            with pytest.raises(ZeroDivisionError):
                async with door(here):
                    raise ZeroDivisionError
            async with own.engine.connect() as connection:
                assert await seen(connection) == 0
    finally:
        await own.close()


async def test_a_view_is_unmoving_and_the_next_transaction_is_not(two: Two):
    own = await Database.connect(two.here.owner_url, size=1)
    levels = text("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    try:
        for _ in range(2):
            async with own.view(two.here.workspace_id) as connection:
                assert tuple((await connection.execute(levels)).one()) == ("repeatable read", "on")
            async with own.transaction(two.here.workspace_id) as connection:
                assert tuple((await connection.execute(levels)).one()) == ("read committed", "off")
            async with own.engine.connect() as connection:
                assert tuple((await connection.execute(levels)).one()) == ("read committed", "off")
    finally:
        await own.close()


async def test_many_tasks_of_two_workspaces_on_few_connections_never_see_each_other(two: Two):
    own = await Database.connect(two.here.owner_url, size=2)

    async def look(number: int) -> None:
        workspace_id = (two.here, two.there)[number % 2].workspace_id
        door = (own.hot, own.transaction, own.view, own.snapshot)[number % 4 if number % 3 else 0]
        async with door(workspace_id) as connection:  # type: ignore[operator]
            query = "SELECT DISTINCT workspace_id FROM entries"
            if hasattr(connection, "fetch"):
                rows = [row[0] for row in await connection.fetch(query)]
            else:
                rows = [row[0] for row in await connection.execute(text(query))]
            assert rows == [workspace_id]
            if number % 7 == 0:
                raise InterruptedError

    answers = await asyncio.gather(*(look(number) for number in range(200)), return_exceptions=True)
    await own.close()
    assert [answer for answer in answers if isinstance(answer, AssertionError)] == []
    assert sum(answer is None for answer in answers) == 200 - len(range(0, 200, 7))


async def test_a_failed_statement_that_is_passed_over_commits_nothing_and_says_so(two: Two):
    async def careless() -> None:
        async with two.here.database.hot(two.here.workspace_id) as hot:
            await hot.execute("UPDATE customers SET name = 'lost'")
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await hot.execute("nonsense")

    with pytest.raises(RuntimeError, match="nothing was committed"):
        await careless()
    assert (await two.here.customer()).name != "lost"


async def test_the_application_acts_as_its_role_through_every_door(two: Two):
    who = "SELECT current_user::text"
    for door in (two.here.database.hot, two.here.database.snapshot):
        async with door(two.here.workspace_id) as hot:
            assert await hot.fetchval(who) == "scrip_app"
    for view in (two.here.database.transaction, two.here.database.view):
        async with view(two.here.workspace_id) as connection:
            assert (await connection.execute(text(who))).scalar_one() == "scrip_app"


async def test_a_connection_that_does_not_act_as_the_application_is_not_used(two: Two, monkeypatch: pytest.MonkeyPatch):
    """D14: a pooler in transaction mode drops the startup parameters, and with them the role."""
    monkeypatch.setattr(db, "_HOT_SESSION", {name: value for name, value in db._HOT_SESSION.items() if name != "role"})
    with pytest.raises(RuntimeError, match="does not act as scrip_app"):
        await Database.connect(two.here.owner_url)


async def test_pools_that_are_used_up_are_unavailable_and_heal(two: Two, monkeypatch: pytest.MonkeyPatch):
    """C14: not an internal error, and not for ever."""
    monkeypatch.setattr(db, "_CONNECT_TIMEOUT_S", 1.0)  # also for a connection, which a busy machine makes slowly
    own = await Database.connect(two.here.owner_url, size=1)
    writer = Writer(own, two.here.configuration, publish=lambda *_: None)
    try:
        async with own.view(two.here.workspace_id), own.transaction(two.here.workspace_id):
            with pytest.raises(Unavailable):
                async with own.view(two.here.workspace_id):
                    pass
        async with own.pool.acquire():
            with pytest.raises(Unavailable):
                await two.here.post(two.here.burn("1"), writer)
        assert isinstance(await two.here.post(two.here.burn("1"), writer), Burned)
        async with own.view(two.here.workspace_id) as connection:
            assert await seen(connection) == 2
    finally:
        await writer.close()
        await own.close()


# ─── an owner that is no superuser, as every managed PostgreSQL has ────────────────────────────────
async def test_an_owner_without_superpowers_migrates_and_is_fenced_as_well(postgres: str, owner_url: str):
    name = f"managed_{uuid4().hex[:8]}"
    await execute(postgres, f"CREATE ROLE {name} LOGIN CREATEROLE")
    await execute(postgres, f"GRANT scrip_app TO {name} WITH ADMIN OPTION")
    await execute(postgres, f"CREATE DATABASE {name} OWNER {name}")
    managed = owner_url.replace("postgres@", f"{quote(name)}@", 1).replace(
        owner_url.split("/")[3].split("?", maxsplit=1)[0], name, 1
    )
    opened = None
    try:
        await migrate.upgrade(managed)
        opened = await Database.connect(managed, size=2)
        workspace = await ensure_workspace(opened, "managed", test_mode=True, now=datetime.now(UTC))
        assert [found.name for found in await list_workspaces(opened)] == ["managed"]
        async with open_till(opened, managed, workspace) as till:
            await till.must(till.grant("10"))
            hold = await till.open_hold("4")
            assert isinstance(hold, HoldId)
            await till.must(till.burn("1"))
            await till.check()
            async with opened.transaction(workspace.id) as connection:
                more = {"test_mode": True, "name": "k", "role": "ADMIN", "now": datetime.now(UTC)}
                _, secret = await create_key(connection, workspace_id=workspace.id, pepper="p", **more)
            assert await find_key(opened, secret, "p") is not None
            owner = await till.as_owner()
            for table in OURS - {"api_keys"}:
                assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            for statement in ("UPDATE entries SET note = 'x'", "DELETE FROM entries", "TRUNCATE entries"):
                await owner.execute(WORKSPACE, str(workspace.id))
                with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                    await owner.execute(statement)
            await owner.close()
    finally:
        if opened is not None:
            await opened.close()
        await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
        await execute(postgres, f"DROP ROLE {name}")


async def test_pages_on_the_disk_carry_checksums(two: Two):
    """D13: a page that has rotted is an error, not a balance."""
    assert await two.owner.fetchval("SHOW data_checksums") == "on"
    assert await two.owner.fetchval("SHOW ignore_checksum_failure") == "off"
    assert await two.owner.fetchval("SHOW fsync") == "on"
    assert await two.owner.fetchval("SHOW full_page_writes") == "on"
    assert await two.owner.fetchval("SHOW synchronous_commit") == "on"


def test_a_database_transaction_gives_up_before_its_callers_do():
    """D3: statement before command before whoever forgot it."""

    def seconds(name: str) -> timedelta:
        return timedelta(seconds=int(str(db._SESSION[name]).removesuffix("s")))

    assert seconds("lock_timeout") < seconds("statement_timeout") < timedelta(seconds=db._COMMAND_TIMEOUT_S)
    assert timedelta(seconds=db._COMMAND_TIMEOUT_S) < seconds("idle_in_transaction_session_timeout")
