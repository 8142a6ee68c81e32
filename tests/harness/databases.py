"""Databases on one PostgreSQL: named, executed on, copied fresh from a migrated template."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

TEMPLATE = "scrip_template"
_numbers = itertools.count(1)


def named(url: str, name: str) -> str:
    """The same server and user, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def execute(url: str, sql: str) -> None:
    """One statement outside of any database transaction, as CREATE DATABASE wants it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_database(url: str) -> AsyncIterator[str]:
    """A copy of the template, gone at the end, whoever is still connected."""
    name = f"test_{next(_numbers)}"
    await execute(url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")
    try:
        yield named(url, name)
    finally:
        await execute(url, f"DROP DATABASE {name} WITH (FORCE)")
