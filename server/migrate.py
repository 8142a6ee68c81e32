"""The schema of a database: which version it has, and bringing it up to date, as its owner."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from credits import migrations
from server.operator_error import OperatorError

VERSIONS = Path(migrations.__path__[0])
POSTGRES_MIN, POSTGRES_TESTED = 16, 18
LOCK_ID = 0x5C21_0001  # any number that nobody else uses: two starters take turns


class SchemaError(OperatorError):
    """The schema of the database is not the one this Scrip works with."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The version a database has (None: empty) and the one that this Scrip works with."""

    version: str | None
    wanted: str
    known: bool

    @property
    def is_current(self) -> bool:
        return self.version == self.wanted

    def problem(self) -> str | None:
        """What is wrong and what to run, on one line; None when it is current."""
        if self.is_current:
            return None
        if self.version is None:
            return "the database has no Scrip schema yet; run: scrip migrate"
        if not self.known:
            return f"the database has schema {self.version}, newer than this Scrip ({self.wanted}); upgrade Scrip"
        return f"the database has schema {self.version}, this Scrip needs {self.wanted}; run: scrip migrate"


async def read_schema(url: str) -> Schema:
    """Which schema the database at `url` has. Raises what the driver raises when it is not there."""
    async with _owner(url) as connection:
        return await connection.run_sync(_schema)


async def is_current(url: str) -> bool:
    """The schema is the one that this Scrip works with."""
    return (await read_schema(url)).is_current


async def upgrade(url: str) -> None:
    """Bring the database up to date, in one database transaction; nothing happens when it is.

    Raises `SchemaError` for a database that a newer Scrip has migrated, or an older PostgreSQL.
    """
    async with _owner(url) as connection:
        # Ends with the database transaction; a session's lock would stay behind in a pooler.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        number = (await connection.execute(text("SELECT current_setting('server_version_num')::int"))).scalar_one()
        if number // 10_000 < POSTGRES_MIN:
            raise SchemaError(f"PostgreSQL {number // 10_000} is too old; Scrip needs {POSTGRES_MIN} to 18")
        schema = await connection.run_sync(_schema)
        if schema.version is not None and not schema.known:
            raise SchemaError(str(schema.problem()))
        await connection.run_sync(_upgrade)


@contextlib.asynccontextmanager
async def _owner(url: str) -> AsyncIterator[AsyncConnection]:
    """One connection as the owner, in a database transaction that commits at the end."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _config(**attributes: Any) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(VERSIONS).replace("%", "%%"))
    return config


def _schema(connection: Connection) -> Schema:
    scripts = ScriptDirectory.from_config(_config())
    version = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema(version=version, wanted=str(scripts.get_current_head()), known=version in known)


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection=connection), "head")
