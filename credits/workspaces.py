"""Workspaces: the walls between tenants, each with its own clock and its own configuration version."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.db import Database, metadata

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text),
    Column("test_mode", Boolean),
    Column("clock_offset_us", BigInteger),
    Column("late_cutoff_s", BigInteger),
    Column("dispute_sla_s", BigInteger),
    Column("config_version", Integer),
    Column("catalog_version", Integer),
    Column("enforcement_off", Boolean),
    Column("created_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """`now` is this workspace's clock when it was read: the database's, plus what `advanceClock` has added."""

    id: int
    name: str
    test_mode: bool
    clock_offset: timedelta
    late_cutoff: timedelta
    config_version: int
    catalog_version: int
    now: datetime


async def read_workspace(connection: AsyncConnection, workspace_id: int, late_cutoff: timedelta) -> Workspace:
    """The workspace with its present clock; `late_cutoff` is the setting, for a workspace without its own."""
    row = (
        await connection.execute(
            select(workspaces, func.clock_timestamp().label("clock")).where(workspaces.c.id == workspace_id)
        )
    ).one()
    offset = timedelta(microseconds=row.clock_offset_us)
    return Workspace(
        id=row.id,
        name=row.name,
        test_mode=row.test_mode,
        clock_offset=offset,
        late_cutoff=late_cutoff if row.late_cutoff_s is None else timedelta(seconds=row.late_cutoff_s),
        config_version=row.config_version,
        catalog_version=row.catalog_version,
        now=row.clock + offset,
    )


@dataclass(frozen=True, slots=True)
class WorkspaceName:
    """What may be known of a workspace before anyone has shown a credential for it."""

    id: int
    name: str
    test_mode: bool


async def list_workspaces(database: Database) -> list[WorkspaceName]:
    """Every workspace, for the sweep and the command line."""
    async with database.engine.connect() as connection:
        rows = await connection.execute(text("SELECT id, name, test_mode FROM list_workspaces()"))
        return [WorkspaceName(row.id, row.name, row.test_mode) for row in rows]


async def ensure_workspace(database: Database, name: str, *, test_mode: bool, now: datetime) -> WorkspaceName:
    """The workspace of that name, made when new. An existing one keeps its mode."""
    for workspace in await list_workspaces(database):
        if workspace.name == name:
            return workspace
    try:
        async with database.engine.begin() as connection:
            created = await connection.execute(
                text("SELECT create_workspace(:name, :test_mode, :now)"),
                {"name": name, "test_mode": test_mode, "now": now},
            )
            return WorkspaceName(created.scalar_one(), name, test_mode)
    except IntegrityError:  # somebody else has made it meanwhile
        return next(workspace for workspace in await list_workspaces(database) if workspace.name == name)


async def bump_config(connection: AsyncConnection, *, catalog: bool = False) -> int:
    """Tells every process that configuration changed; returns the new version.

    Call it first in the database transaction: the row lock makes two changes of configuration wait for each other.
    """
    values = {"config_version": workspaces.c.config_version + 1}
    if catalog:
        values["catalog_version"] = workspaces.c.catalog_version + 1
    changed = await connection.execute(update(workspaces).values(values).returning(workspaces.c.config_version))
    return int(changed.scalar_one())
