"""The audit log: each change of configuration and each act of an operator, with what was before and after.

An act is recorded in the database transaction of the change itself: either both are there or neither. The database
refuses to change or delete what is recorded. Personal data stays in the customers' table: an act names a customer by
id, and of names and addresses says only that they changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, cast, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.canonical import canonical_json
from credits.db import HotConnection, metadata

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("workspace_id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True)),
    Column("actor_id", Integer),
    Column("action", Text),
    Column("subject", Text),
    Column("before", JSONB),
    Column("after", JSONB),
)

# insert_act -- at the workspace's clock, whoever's clock that is: the database knows both
_INSERT_ACT = """
INSERT INTO audit_log (workspace_id, at, actor_id, action, subject, before, after)
SELECT w.id, clock_timestamp() + w.clock_offset_us * interval '1 microsecond', {}, {}, {}, {}, {}
  FROM workspaces w WHERE w.id = scrip_workspace()
"""
_ORDINARY = text(
    _INSERT_ACT.format(
        *("CAST(:actor AS int)", ":action", ":subject", "CAST(:before AS jsonb)", "CAST(:after AS jsonb)")
    )
)
_HOT = _INSERT_ACT.format("$1::int", "$2::text", "$3::text", "$4::text::jsonb", "$5::text::jsonb")


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. `action` is `what.done`, `subject` the public id of what it was done to, or the word for what
    a workspace has one of (`catalog`, `clock`, `enforcement`, `lateEventCutoff`). `before` and `after` are JSON, None where there was or is
    nothing; amounts of credits in them are decimal strings."""

    actor_id: int | None  # None: the system itself
    action: str
    subject: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """An act as it stands in the log, with its number there; `before` and `after` are JSON text."""

    number: int
    at: datetime
    act: Act


async def record(
    connection: AsyncConnection, actor_id: int | None, action: str, subject: str, *, before: Any, after: Any
) -> None:
    """Records an act in the database transaction at hand, that of the change. Raises what the driver raises."""
    values = {"actor": actor_id, "action": action, "subject": subject, "before": _json(before), "after": _json(after)}
    await connection.execute(_ORDINARY, values)


async def record_all(connection: AsyncConnection, acts: Sequence[Act]) -> None:
    """As `record`, several at once."""
    if acts:
        names = ("actor", "action", "subject", "before", "after")
        rows = [(act.actor_id, act.action, act.subject, _json(act.before), _json(act.after)) for act in acts]
        await connection.execute(_ORDINARY, [dict(zip(names, row, strict=True)) for row in rows])


async def record_hot(connection: HotConnection, acts: Sequence[Act]) -> None:
    """The same for the batch writer's transaction, on the bare driver."""
    if acts:
        rows = [(act.actor_id, act.action, act.subject, _json(act.before), _json(act.after)) for act in acts]
        await (await connection.driver()).executemany(_HOT, rows)


async def list_acts(
    connection: AsyncConnection, subjects: Sequence[str] | None, first: int, before: int | None
) -> tuple[list[Recorded], bool]:
    """What was recorded, newest first, from before that number on; and whether there is more. `subjects`: None is all."""
    columns = (audit_log.c.id, audit_log.c.at, audit_log.c.actor_id, audit_log.c.action, audit_log.c.subject)
    # As text: parsed, a number might come out as another one.
    states = (cast(audit_log.c.before, Text).label("before"), cast(audit_log.c.after, Text).label("after"))
    query = select(*columns, *states).order_by(audit_log.c.id.desc()).limit(first + 1)
    query = query.where(audit_log.c.workspace_id == text("scrip_workspace()"))
    if subjects is not None:
        query = query.where(audit_log.c.subject.in_(subjects))
    if before is not None:
        query = query.where(audit_log.c.id < before)
    rows = [
        Recorded(row.id, row.at, Act(row.actor_id, row.action, row.subject, row.before, row.after))
        for row in await connection.execute(query)
    ]
    return rows[:first], len(rows) > first


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two states of one thing only what differs."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _json(value: Any) -> str | None:
    return None if value is None else canonical_json(value)


__all__ = ["Act", "Recorded", "audit_log", "changes", "list_acts", "record", "record_all", "record_hot"]
