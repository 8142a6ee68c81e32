"""What a provider has told us, each event once and for ever; and how far its own list of events has been read.

An event is kept after what it made happen has been committed: who dies in between is told again, and does it again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.db import Database
from credits.recharge.provider import ProviderName
from credits.recharge.tables import payment_cursors, payment_events, top_ups
from credits.recharge.top_ups import Place


async def told_before(
    database: Database, workspace_id: int, provider: ProviderName, events: Collection[str]
) -> set[str]:
    """Which of these events the workspace was told before. Raises `Unavailable`."""
    if not events:
        return set()
    wanted = select(payment_events.c.id).where(
        payment_events.c.workspace_id == workspace_id,
        payment_events.c.provider == provider,
        payment_events.c.id.in_(events),
    )
    async with database.transaction(workspace_id) as connection:
        return set((await connection.execute(wanted)).scalars())


async def keep_told(
    database: Database,
    workspace_id: int,
    provider: ProviderName,
    events: Iterable[tuple[str, str]],
    real_now: datetime,
) -> None:
    """Keeps events (id, type): the first of two stays. Raises `Unavailable`."""
    async with database.transaction(workspace_id) as connection:
        await _keep(connection, workspace_id, provider, events, real_now)


async def _keep(
    connection: AsyncConnection,
    workspace_id: int,
    provider: ProviderName,
    events: Iterable[tuple[str, str]],
    real_now: datetime,
) -> None:
    rows = [
        {"workspace_id": workspace_id, "provider": provider, "id": event, "type": kind, "received_at": real_now}
        for event, kind in sorted(events)  # two processes meet in the same order
    ]
    if rows:
        await connection.execute(insert(payment_events).on_conflict_do_nothing(), rows)


async def keep_credited(
    database: Database,
    workspace_id: int,
    provider: ProviderName,
    told: Mapping[Place, Sequence[tuple[str, str, str]]],
    real_now: datetime,
) -> set[Place]:
    """Of top-ups that events say are paid, (id, type, session or payment) each, those that have been credited for just that;
    their events are kept, in one transaction: no database that lacks the credit says so. Raises `Unavailable`."""
    if not told:
        return set()
    wanted = select(top_ups.c.customer_id, top_ups.c.number, top_ups.c.session, top_ups.c.payment).where(
        top_ups.c.workspace_id == workspace_id,
        tuple_(top_ups.c.customer_id, top_ups.c.number).in_(told),
        top_ups.c.grant_number.is_not(None),
    )
    async with database.transaction(workspace_id) as connection:
        credited = {
            (row.customer_id, row.number)
            for row in await connection.execute(wanted)
            if all(paid_by in (row.session, row.payment) for *_, paid_by in told[row.customer_id, row.number])
        }
        events = [(event, kind) for place in credited for event, kind, _ in told[place]]
        await _keep(connection, workspace_id, provider, events, real_now)
    return credited


async def count_open(database: Database, workspace_id: int) -> int:
    """How many top-ups of the workspace nobody has paid yet, and may still. Raises `Unavailable`."""
    waiting = select(func.count()).where(top_ups.c.workspace_id == workspace_id, top_ups.c.look_at.is_not(None))
    async with database.transaction(workspace_id) as connection:
        return int((await connection.execute(waiting)).scalar_one())


async def claim_list(
    database: Database, workspace_id: int, provider: ProviderName, real_now: datetime, *, every: timedelta, first: str
) -> str | None:
    """From where the provider's list is to be read for the workspace; None while another process has just begun to.

    Whoever claims it has it for `every`, and longer with each `advance_list`: who dies leaves it to the next one.
    `first` is where a workspace begins. Raises `Unavailable`.
    """
    row = {"workspace_id": workspace_id, "provider": provider, "cursor": first, "read_at": real_now}
    made = insert(payment_cursors).values(row)
    claimed = made.on_conflict_do_update(
        index_elements=["workspace_id", "provider"],
        set_={"read_at": real_now},
        # One that was read in the future was read by a clock that has been put right since.
        where=or_(payment_cursors.c.read_at <= real_now - every, payment_cursors.c.read_at > literal(real_now) + every),
    ).returning(payment_cursors.c.cursor)
    async with database.transaction(workspace_id) as connection:
        cursor: str | None = (await connection.execute(claimed)).scalar_one_or_none()
        return cursor


async def advance_list(
    database: Database, workspace_id: int, provider: ProviderName, cursor: str, real_now: datetime
) -> None:
    """The list has been read up to `cursor`, and all that it tells has been committed. Raises `Unavailable`."""
    async with database.transaction(workspace_id) as connection:
        await connection.execute(
            update(payment_cursors)
            .where(payment_cursors.c.workspace_id == workspace_id, payment_cursors.c.provider == provider)
            .values(cursor=cursor, read_at=real_now)
        )
