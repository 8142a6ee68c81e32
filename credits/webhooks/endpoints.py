"""Endpoints: made, rotated, switched, removed. Each change is known to every process with its next batch."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.audit.log import record
from credits.errors import InvalidInput, NotFound
from credits.webhooks import statements
from credits.webhooks.messages import events_form, in_order
from credits.webhooks.signing import SALT_BYTES, secret_of
from credits.webhooks.tables import webhook_endpoints
from credits.workspaces import bump_config

_INT32 = 2**31 - 1
_NO_ENDPOINT = NotFound("no such webhook endpoint")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a workspace wants to be told, and how it is doing. Instants are real time.

    `failures`: attempts in a row that failed. `disabled_because`: why the system has disabled it, where it was not an
    operator. Of its secret nothing is in here: `secret_of(salt, …)` makes it.
    """

    number: int
    url: str
    events: tuple[str, ...]
    enabled: bool
    disabled_because: str | None
    salt: bytes
    rotated_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_delivery_at: datetime | None
    created_at: datetime

    @property
    def id(self) -> str:
        return public_id(self.number)


def public_id(number: int) -> str:
    return ids.make("whe", number)


async def create_endpoint(
    connection: AsyncConnection,
    workspace_id: int,
    *,
    url: str,
    events: Sequence[str],
    pepper: str,
    actor_id: int | None,
) -> tuple[Endpoint, str] | InvalidInput:
    """A new endpoint and its secret, which is shown this once. That `url` may be called was looked at before."""
    problem = events_form(events)
    if problem:
        return problem
    # First: its row lock makes changes of configuration wait for each other. A refusal takes it back.
    savepoint = await connection.begin_nested()
    await bump_config(connection)
    of_workspace = webhook_endpoints.c.workspace_id == workspace_id
    count = await connection.scalar(select(func.count()).select_from(webhook_endpoints).where(of_workspace))
    if (count or 0) >= bounds.WEBHOOK_ENDPOINTS_MAX:
        await savepoint.rollback()
        return InvalidInput(f"a workspace has at most {bounds.WEBHOOK_ENDPOINTS_MAX} webhook endpoints", field="url")
    values = {"workspace_id": workspace_id, "url": url, "events": in_order(events), "enabled": True, "failures": 0}
    made = await connection.execute(
        insert(webhook_endpoints)
        .values(**values, salt=secrets.token_bytes(SALT_BYTES), created_at=func.clock_timestamp())
        .returning(webhook_endpoints)
    )
    await savepoint.commit()
    endpoint = endpoint_of(made.mappings().one())
    await record(connection, actor_id, "webhookEndpoint.created", endpoint.id, before=None, after=_told(endpoint))
    return endpoint, secret_of(endpoint.salt, pepper)


async def remove_endpoint(
    connection: AsyncConnection, endpoint_id: str, *, actor_id: int | None
) -> Endpoint | NotFound:
    """Ends an endpoint; returns it as it was. What waits for it is never sent, and forgotten."""
    savepoint = await connection.begin_nested()
    await bump_config(connection)
    removed = await connection.execute(delete(webhook_endpoints).where(_is(endpoint_id)).returning(webhook_endpoints))
    row = removed.mappings().one_or_none()
    if row is None:
        await savepoint.rollback()
        return _NO_ENDPOINT
    await savepoint.commit()
    endpoint = endpoint_of(row)
    await record(connection, actor_id, "webhookEndpoint.removed", endpoint.id, before=_told(endpoint), after=None)
    return endpoint


async def rotate_secret(
    connection: AsyncConnection, endpoint_id: str, *, pepper: str, actor_id: int | None
) -> tuple[Endpoint, str] | NotFound:
    """Another secret, shown this once. The one before signs beside it for `WEBHOOK_OVERLAP`, and none before that."""
    row = await _change(
        connection,
        endpoint_id,
        previous_salt=webhook_endpoints.c.salt,
        salt=secrets.token_bytes(SALT_BYTES),
        rotated_at=func.clock_timestamp(),
    )
    if row is None:
        return _NO_ENDPOINT
    endpoint = endpoint_of(row)
    ends_at = None if endpoint.rotated_at is None else endpoint.rotated_at + bounds.WEBHOOK_OVERLAP
    after = {"rotatedAt": endpoint.rotated_at, "previousSignsUntil": ends_at}
    await record(connection, actor_id, "webhookEndpoint.rotated", endpoint.id, before={}, after=after)
    return endpoint, secret_of(endpoint.salt, pepper)


async def set_enabled(
    connection: AsyncConnection, endpoint_id: str, *, enabled: bool, because: str | None = None, actor_id: int | None
) -> Endpoint | NotFound:
    """Switches an endpoint off or on; returns it as it is. Off: nothing is written for it, and what waits is kept for
    `WEBHOOK_KEPT`. On: its failures are forgotten, and what waits goes on at once. `because`: the system's own reason."""
    savepoint = await connection.begin_nested()
    await bump_config(connection)  # before the endpoint, as everywhere
    before = (await connection.execute(select(webhook_endpoints).where(_is(endpoint_id)))).mappings().one_or_none()
    if before is None or before["enabled"] == enabled:
        await savepoint.rollback()
        return _NO_ENDPOINT if before is None else endpoint_of(before)
    values: dict[str, Any] = {"enabled": enabled, "disabled_because": because}
    if enabled:
        values |= {"failures": 0, "failing_since": None}
    row = await _change(connection, endpoint_id, **values)
    if row is None:
        await savepoint.rollback()
        return _NO_ENDPOINT
    endpoint = endpoint_of(row)
    if enabled:
        await connection.execute(text(statements.HURRY_LANES), {"endpoint_id": endpoint.number})
    await savepoint.commit()
    action = "webhookEndpoint.enabled" if enabled else "webhookEndpoint.disabled"
    after = {"enabled": enabled} | ({"because": because} if because else {})
    await record(connection, actor_id, action, endpoint.id, before={"enabled": not enabled}, after=after)
    return endpoint


async def list_endpoints(connection: AsyncConnection) -> list[Endpoint]:
    """Every endpoint of the workspace at hand, oldest first."""
    found = await connection.execute(select(webhook_endpoints).order_by(webhook_endpoints.c.id))
    return [endpoint_of(row) for row in found.mappings()]


def endpoint_of(row: RowMapping) -> Endpoint:
    return Endpoint(
        number=row["id"],
        url=row["url"],
        events=tuple(row["events"]),
        enabled=row["enabled"],
        disabled_because=row["disabled_because"],
        salt=row["salt"],
        rotated_at=row["rotated_at"],
        failures=row["failures"],
        failing_since=row["failing_since"],
        last_delivery_at=row["last_delivery_at"],
        created_at=row["created_at"],
    )


async def _change(connection: AsyncConnection, endpoint_id: str, **values: Any) -> RowMapping | None:
    changed = await connection.execute(
        update(webhook_endpoints).where(_is(endpoint_id)).values(**values).returning(webhook_endpoints)
    )
    row: RowMapping | None = changed.mappings().one_or_none()
    return row


def _is(endpoint_id: str) -> ColumnElement[bool]:
    """The row of a public id; an id that no row can have finds none."""
    numbers = ids.parse("whe", endpoint_id, 1)
    return webhook_endpoints.c.id == (numbers[0] if numbers and numbers[0] <= _INT32 else 0)


def _told(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as the audit log tells it. Of its URL the origin alone: paths and queries of such URLs are often
    passwords."""
    parts = urlsplit(endpoint.url)
    return {
        "origin": f"{parts.scheme}://{parts.netloc}",
        "events": list(endpoint.events),
        "enabled": endpoint.enabled,
    }
