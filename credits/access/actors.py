"""Who acts. Ledger entries point to an actor; null is the system itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Column, Integer, Table, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.db import metadata

actors = Table(
    "actors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    Column("kind", Text),
    Column("subject", Text),
    Column("name", Text),
)


async def ensure_actor(connection: AsyncConnection, workspace_id: int, kind: str, subject: str, name: str) -> int:
    """The id of the actor, made when new."""
    made = await connection.execute(
        insert(actors)
        .values(workspace_id=workspace_id, kind=kind, subject=subject, name=name)
        .on_conflict_do_nothing()
        .returning(actors.c.id)
    )
    found = made.scalar_one_or_none()
    if found is not None:
        return int(found)
    known = await connection.execute(
        select(actors.c.id).where(
            actors.c.workspace_id == workspace_id, actors.c.kind == kind, actors.c.subject == subject
        )
    )
    return int(known.scalar_one())


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: `kind` is the contract's ActorKind, `subject` a public id."""

    kind: str
    subject: str
    name: str


async def read_actors(connection: AsyncConnection, actor_ids: Iterable[int]) -> dict[int, Actor]:
    """The actors with those ids, by id."""
    rows = await connection.execute(select(actors).where(actors.c.id.in_(list(actor_ids))))
    return {row.id: Actor(row.kind, row.subject, row.name) for row in rows}
