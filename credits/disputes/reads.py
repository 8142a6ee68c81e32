"""Reading disputes. None of it locks."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.disputes.disputes import UNDECIDED, Dispute, DisputeEvent, Place, dispute_of
from credits.disputes.tables import dispute_entries, dispute_events, disputes

_PLACE = (disputes.c.customer_id, disputes.c.number)


async def read_disputes(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, Dispute]:
    """Disputes by (customer, number)."""
    rows = await connection.execute(select(disputes).where(tuple_(*_PLACE).in_(list(places))))
    found = [dispute_of(row) for row in rows.mappings()]
    return {dispute.place: dispute for dispute in found}


async def read_disputes_of_entries(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Dispute]:
    """The latest dispute of each entry, by (customer, credit type, sequence): the open one where there is one."""
    key = (dispute_entries.c.customer_id, dispute_entries.c.credit_type_id, dispute_entries.c.sequence)
    query = (
        select(dispute_entries.c.sequence.label("entry"), disputes)
        .join_from(
            dispute_entries,
            disputes,
            (disputes.c.customer_id == dispute_entries.c.customer_id) & (disputes.c.number == dispute_entries.c.number),
        )
        .where(tuple_(*key).in_(list(places)))
        .order_by(disputes.c.number)
    )
    rows = (await connection.execute(query)).mappings()
    return {(row["customer_id"], row["credit_type_id"], row["entry"]): dispute_of(row) for row in rows}


async def read_timelines(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, list[DisputeEvent]]:
    """What happened in each dispute, oldest first."""
    place = (dispute_events.c.customer_id, dispute_events.c.number)
    query = select(dispute_events).where(tuple_(*place).in_(list(places))).order_by(dispute_events.c.position)
    found: dict[Place, list[DisputeEvent]] = {}
    for row in (await connection.execute(query)).mappings():
        event = DisputeEvent(row["at"], row["actor_id"], row["action"], row["note"])
        found.setdefault((row["customer_id"], row["number"]), []).append(event)
    return found


async def list_of_customer(connection: AsyncConnection, customer_id: int, status: str | None) -> list[Dispute]:
    """The customer's disputes, newest first."""
    query = select(disputes).where(disputes.c.customer_id == customer_id)
    if status is not None:
        query = query.where(disputes.c.status == status)
    query = query.order_by(disputes.c.number.desc()).limit(bounds.DISPUTES_LISTED_MAX)
    return [dispute_of(row) for row in (await connection.execute(query)).mappings()]


async def list_disputes(
    connection: AsyncConnection, status: str | None, overdue: bool | None, now: datetime
) -> list[Dispute]:
    """Disputes of the workspace, what is due first first. Overdue is what is undecided at its due instant."""
    query = select(disputes)
    if status is not None:
        query = query.where(disputes.c.status == status)
    if overdue is not None:
        late = disputes.c.status.in_(UNDECIDED) & (disputes.c.due_at <= now)
        query = query.where(late if overdue else ~late)
    query = query.order_by(disputes.c.due_at, *_PLACE).limit(bounds.DISPUTES_LISTED_MAX)
    return [dispute_of(row) for row in (await connection.execute(query)).mappings()]


async def list_changed(
    connection: AsyncConnection, customer_id: int | None, since: datetime, *, undecided: bool
) -> list[Dispute]:
    """What changed since, and where asked for all that is undecided, of the customer or (None) of the workspace; in
    order of change."""
    query = select(disputes)
    if customer_id is not None:
        query = query.where(disputes.c.customer_id == customer_id)
    recent = disputes.c.changed_at >= since
    if undecided:
        recent |= disputes.c.status.in_(UNDECIDED)
    query = query.where(recent).order_by(disputes.c.changed_at, *_PLACE)
    return [dispute_of(row) for row in (await connection.execute(query)).mappings()]
