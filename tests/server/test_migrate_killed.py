"""Killed in the middle of a migration (K9): the database is what it was before or what it is after, whichever revision it
was at; what is not the present schema is not served, and the next migration finishes it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from server import migrate, serve
from server.migrate import SchemaError
from tests.harness.databases import execute, named
from tests.harness.pause import paused
from tests.harness.tidy import REPOSITORY

REVISIONS = [each.revision for each in ScriptDirectory.from_config(migrate._config()).walk_revisions()][::-1]
HEAD = REVISIONS[-1]

# A process of its own for each URL that it reads, which begins at once because everything is imported already.
_MIGRATE_EACH = """
import asyncio, os, sys
from server import migrate
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        asyncio.run(migrate.upgrade(line.strip()))
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
# As Alembic makes it: it has to be there before a trigger can be on it.
_VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"
# Everything that a migration can make, as text, and the version that it says it is.
_ALL_OF_IT = """
WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'),
     relations AS (SELECT c.* FROM pg_class c JOIN ours ON ours.oid = c.relnamespace)
SELECT 'schema', nspname, '' FROM ours
UNION ALL SELECT 'relation', relname, concat_ws(' ', relkind, relrowsecurity, relforcerowsecurity, relacl, reloptions)
            FROM relations
UNION ALL SELECT 'column', concat_ws('.', relname, attname),
                 concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attacl)
            FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND attnum > 0 AND NOT attisdropped
            LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
UNION ALL SELECT 'index', relname, pg_get_indexdef(oid) FROM relations WHERE relkind = 'i'
UNION ALL SELECT 'constraint', concat_ws('.', conrelid::regclass, conname), pg_get_constraintdef(c.oid)
            FROM pg_constraint c JOIN ours ON ours.oid = connamespace
UNION ALL SELECT 'trigger', concat_ws('.', relname, tgname), concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled)
            FROM pg_trigger t JOIN relations r ON r.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT 'policy', concat_ws('.', relname, polname),
                 concat_ws(' ', polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
            FROM pg_policy JOIN relations r ON r.oid = polrelid
UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(p.oid), proacl)
            FROM pg_proc p JOIN ours ON ours.oid = pronamespace
UNION ALL SELECT 'enum', enumtypid::regtype::text, enumlabel FROM pg_enum
UNION ALL SELECT 'version', version_num, '' FROM alembic_version
"""


async def everything(connection: asyncpg.Connection) -> set[tuple[str, ...]]:
    return {tuple(row) for row in await connection.fetch(_ALL_OF_IT)}


class Migrators:
    """Processes that migrate, to be killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, url: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{url}\n".encode())
        return await self._say()

    async def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert await self._say() == signal.SIGKILL, "it had ended by itself"

    async def _say(self) -> int:
        assert self._process.stdout is not None
        return int(await self._process.stdout.readline())


@pytest.fixture
async def migrators() -> AsyncIterator[Migrators]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _MIGRATE_EACH,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    yield Migrators(process)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


@pytest.fixture
async def old_url(postgres: str) -> AsyncIterator[str]:
    """A database of before the first revision."""
    await execute(postgres, "CREATE DATABASE old")
    url = named(postgres, "old")
    await execute(url, _VERSIONS)
    yield url
    await execute(postgres, "DROP DATABASE old WITH (FORCE)")


async def step_to(url: str, revision: str) -> None:
    """As an older Scrip would have left it."""
    async with migrate._owner(url) as connection:
        await connection.run_sync(lambda c: command.upgrade(migrate._config(connection=c), revision))


@pytest.mark.timeout(180)
async def test_a_kill_at_the_end_of_a_migration_leaves_the_schema_that_was_there_at_every_revision(
    old_url: str, migrators: Migrators, database_url: str
):
    """At the end everything of it has been done, and nothing is committed."""
    owner = await asyncpg.connect(old_url)
    for before, revision in zip([None, *REVISIONS], REVISIONS, strict=False):
        async with paused(
            old_url, "BEFORE INSERT OR UPDATE", "alembic_version", where=f"NEW.version_num = '{HEAD}'"
        ) as pause:
            was = await everything(owner)
            pid = await migrators.begin(old_url)
            await pause.until_met()
            await migrators.kill(pid)
            await pause.let_go()
            assert await everything(owner) == was, f"something stayed of what was killed at {before}"
        told = "no Scrip schema yet" if before is None else f"has schema {before}, this Scrip needs {HEAD}"
        with pytest.raises(SchemaError, match=f"{told}; run: scrip migrate"):
            await serve._await_schema(old_url)
        await step_to(old_url, revision)
    new = await asyncpg.connect(database_url)
    assert await everything(owner) == await everything(new), "a way with kills and steps leads elsewhere"
    await serve._await_schema(old_url)
    for connection in (owner, new):
        await connection.close()
