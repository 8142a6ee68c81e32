"""Migrations: all or nothing, one starter at a time, and never across a version we do not know."""

import asyncio

import asyncpg
import pytest
from alembic import command

from server import migrate
from server.migrate import SchemaError, read_schema, upgrade
from tests.harness.databases import execute, named


@pytest.fixture
async def empty_url(postgres):
    """A database without anything in it."""
    await execute(postgres, "CREATE DATABASE empty")
    yield named(postgres, "empty")
    await execute(postgres, "DROP DATABASE empty WITH (FORCE)")


async def tables(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()


async def test_an_empty_database_becomes_current_and_then_nothing_happens(empty_url):
    assert (await read_schema(empty_url)).problem() == "the database has no Scrip schema yet; run: scrip migrate"
    await upgrade(empty_url)
    first = await read_schema(empty_url)
    assert first.is_current
    assert first.problem() is None
    await upgrade(empty_url)
    assert await read_schema(empty_url) == first
    assert await migrate.is_current(empty_url)


async def test_starters_take_turns(empty_url):
    await asyncio.gather(*(upgrade(empty_url) for _ in range(5)))
    assert await migrate.is_current(empty_url)


async def test_a_migration_that_breaks_in_the_middle_leaves_nothing(empty_url, monkeypatch):
    whole = command.upgrade

    def break_after(*arguments: object) -> None:
        whole(*arguments)
        raise RuntimeError("cut off")

    monkeypatch.setattr(command, "upgrade", break_after)
    with pytest.raises(RuntimeError, match="cut off"):
        await upgrade(empty_url)
    assert await tables(empty_url) == 0
    monkeypatch.setattr(command, "upgrade", whole)
    await upgrade(empty_url)
    assert await migrate.is_current(empty_url)


async def test_a_database_of_a_newer_scrip_is_left_alone(database_url):
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    schema = await read_schema(database_url)
    assert schema.problem() == f"the database has schema 9999, newer than this Scrip ({schema.wanted}); upgrade Scrip"
    with pytest.raises(SchemaError, match="newer than this Scrip"):
        await upgrade(database_url)


async def test_an_owner_that_is_no_superuser_can_migrate(postgres):
    """As on a hosted PostgreSQL: it may create roles and owns its database, no more."""
    await execute(postgres, "CREATE ROLE hosted LOGIN CREATEROLE")
    if await has_role(postgres):
        await execute(postgres, "GRANT scrip_app TO hosted WITH ADMIN OPTION")
    await execute(postgres, "CREATE DATABASE hosted OWNER hosted")
    url = named(postgres, "hosted").replace("//postgres@", "//hosted@")
    try:
        await upgrade(url)
        connection = await asyncpg.connect(url, server_settings={"role": "scrip_app"})
        assert await connection.fetchval("SELECT current_user") == "scrip_app"
        await connection.close()
    finally:
        await execute(postgres, "DROP DATABASE hosted WITH (FORCE)")
        await execute(postgres, "DROP ROLE hosted")


async def has_role(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scrip_app')")
    finally:
        await connection.close()
