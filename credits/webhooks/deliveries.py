"""Deliveries: what became of each message at each endpoint, and once more by hand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.audit.log import record
from credits.db import HotConnection
from credits.errors import NotFound
from credits.webhooks import messages, statements
from credits.webhooks.endpoints import public_id
from credits.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_messages

_PLACE = (webhook_deliveries.c.customer_id, webhook_deliveries.c.id)
_NO_DELIVERY = NotFound("no such webhook delivery")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message at one endpoint. `status`: WAITING, DELIVERED or FAILED (given up). Instants are real time."""

    customer_id: int
    number: int
    endpoint: int
    message: UUID
    type: str
    status: str
    attempts: int
    response_code: int | None
    error: str | None
    created_at: datetime
    attempted_at: datetime | None
    next_at: datetime | None
    closed_at: datetime | None

    @property
    def id(self) -> str:
        return ids.make("whd", self.customer_id, self.number)

    @property
    def message_id(self) -> str:
        """As `webhook-id` says it."""
        return messages.public_id(self.message)


async def list_deliveries(connection: AsyncConnection, endpoint: int, first: int) -> list[Delivery]:
    """What was, is, or waits to be delivered to an endpoint, newest first."""
    return await _read(connection, first, webhook_deliveries.c.endpoint_id == endpoint)


async def replay(connection: AsyncConnection, delivery_id: str, *, actor_id: int | None) -> Delivery | NotFound:
    """Sends a message to its endpoint once more, under its own id, before what waits behind it; one that waits for its
    next attempt is tried at once."""
    place = ids.parse("whd", delivery_id, 2)
    if place is None:
        return _NO_DELIVERY
    at = {"customer_id": place[0], "id": place[1]}
    found = await _read(
        connection, 1, webhook_deliveries.c.customer_id == place[0], webhook_deliveries.c.id == place[1]
    )
    if not found:
        return _NO_DELIVERY
    # Before the delivery, as everywhere; its endpoint stays meanwhile.
    same = webhook_endpoints.c.id == found[0].endpoint
    if await connection.scalar(select(webhook_endpoints.c.id).where(same).with_for_update(read=True)) is None:
        return _NO_DELIVERY
    lane = {"customer_id": place[0], "endpoint_id": found[0].endpoint}
    await connection.execute(text(statements.HURRY_LANE), lane)
    replayed = (await connection.execute(text(statements.REPLAY_DELIVERY), at)).one_or_none()
    if replayed is None:
        return _NO_DELIVERY
    after = {"status": "WAITING", "endpoint": public_id(replayed.endpoint_id), "message": found[0].message_id}
    before = {"status": replayed.status}
    await record(connection, actor_id, "webhookDelivery.replayed", found[0].id, before=before, after=after)
    return (await _read(connection, 1, *(column == value for column, value in zip(_PLACE, place, strict=True))))[0]


async def forget(connection: HotConnection, workspace_id: int) -> int:
    """Lets go of what the log need not show any more, a bounded number of rows; returns how many went."""
    gone = 0
    for statement in statements.FORGET:
        bound = (bounds.WEBHOOK_KEPT, bounds.WEBHOOK_FORGOTTEN_AT_ONCE)
        status = await connection.execute(statement, workspace_id, *bound)
        gone += int(status.rpartition(" ")[2])
    return gone


async def _read(connection: AsyncConnection, first: int, *conditions: ColumnElement[bool]) -> list[Delivery]:
    of = webhook_deliveries.c
    query = (
        select(webhook_deliveries, webhook_messages.c.type)
        .join_from(
            webhook_deliveries,
            webhook_messages,
            (webhook_messages.c.customer_id == of.customer_id) & (webhook_messages.c.key == of.message),
        )
        .where(*conditions)
        .order_by(of.id.desc())
        .limit(first)
    )
    return [_delivery_of(row) for row in (await connection.execute(query)).mappings()]


def _delivery_of(row: RowMapping) -> Delivery:
    return Delivery(
        customer_id=row["customer_id"],
        number=row["id"],
        endpoint=row["endpoint_id"],
        message=row["message"],
        type=row["type"],
        status=row["status"],
        attempts=row["attempts"],
        response_code=row["response_code"],
        error=row["error"],
        created_at=row["created_at"],
        attempted_at=row["attempted_at"],
        next_at=row["next_at"],
        closed_at=row["closed_at"],
    )
