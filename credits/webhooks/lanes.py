"""Lanes: what waits for one endpoint about one customer, one message after the other, and the lease on sending it.

A worker leases a lane, sends its next message, says what came of it, and goes on; one that dies loses the lease, and
the next worker sends the same message again. A lease is numbered: who has lost it changes nothing any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from credits import bounds
from credits.db import HotConnection
from credits.webhooks import messages, statements
from credits.webhooks.endpoints import public_id
from credits.webhooks.signing import valid_salts

_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send what waits in a lane, until it ends by itself."""

    customer_id: int
    endpoint: int
    number: int

    @property
    def place(self) -> tuple[int, int, int]:
        return self.customer_id, self.endpoint, self.number


@dataclass(frozen=True, slots=True)
class Head:
    """What stands first in a lane: its next message. `step`: which attempt of its schedule this is, from 0 on. `salts`: whose secrets sign."""

    delivery: int
    message: UUID
    step: int
    url: str
    body: str
    salts: Sequence[bytes]

    @property
    def message_id(self) -> str:
        return messages.public_id(self.message)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending. `retry_in`: None where it was taken, or is given up."""

    head: Head
    taken: bool
    response_code: int | None
    error: str | None
    retry_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """`ours`: the lease was still held, and is held on. `hopeless`: the endpoint has failed for `WEBHOOK_DISABLED_AFTER`."""

    ours: bool
    hopeless: bool


async def claim_lanes(
    connection: HotConnection, workspace_id: int, under_way: Mapping[int, int], lease: timedelta = bounds.WEBHOOK_LEASE
) -> list[Lease]:
    """Leases lanes where something is due, as many for each endpoint as `under_way` (endpoint → requests) leaves room."""
    rows = await connection.fetch(
        statements.CLAIM_LANES,
        workspace_id,
        bounds.WEBHOOK_ENDPOINT_CONCURRENCY,
        list(under_way.keys()),
        list(under_way.values()),
        lease,
    )
    return [Lease(row["customer_id"], row["endpoint_id"], row["leases"]) for row in rows]


async def next_of(connection: HotConnection, lease: Lease, length: timedelta = bounds.WEBHOOK_LEASE) -> Head | None:
    """What goes next, its attempt counted; None, and the lease is over, where nothing does. Under the lane's lock: see `hold_lanes`."""
    if await connection.fetchval(statements.KEEP_LANE, *lease.place, length) is None:
        return None
    row = await connection.fetchrow(statements.READ_HEAD, lease.customer_id, lease.endpoint)
    if row is None or row["id"] is None:
        await connection.execute(statements.END_LANE, *lease.place)
        return None
    if not row["enabled"]:
        await leave(connection, lease)
        return None
    await connection.execute(statements.BEGIN_ATTEMPT, lease.customer_id, row["id"])
    return _head_of(row)


async def settle(
    connection: HotConnection, lease: Lease, attempt: Attempt, length: timedelta = bounds.WEBHOOK_LEASE
) -> Settled:
    """Writes down what came of an attempt. A message that waits for its next one keeps its lane for itself, unleased."""
    hopeless = False
    if attempt.taken:
        await connection.execute(statements.NOTE_SUCCESS, lease.endpoint)
    else:
        after = bounds.WEBHOOK_DISABLED_AFTER
        hopeless = bool(await connection.fetchval(statements.NOTE_FAILURE, lease.endpoint, after))
    if attempt.retry_in is None:
        kept = await connection.fetchval(statements.KEEP_LANE, *lease.place, length)
    else:
        kept = await leave(connection, lease, attempt.retry_in)
    if not kept:
        return Settled(ours=False, hopeless=hopeless)
    closed = "DELIVERED" if attempt.taken else "FAILED"
    await connection.execute(
        statements.NOTE_ATTEMPT,
        lease.customer_id,
        attempt.head.delivery,
        closed if attempt.retry_in is None else "WAITING",
        attempt.response_code,
        attempt.error,
        attempt.retry_in,
    )
    return Settled(ours=attempt.retry_in is None, hopeless=hopeless)


async def leave(connection: HotConnection, lease: Lease, wait: timedelta = _AT_ONCE) -> bool:
    """Ends the lease; the lane is anybody's again after `wait`. False where it was lost before."""
    return await connection.execute(statements.LEAVE_LANE, *lease.place, wait) == "UPDATE 1"


async def oldest_waiting(connection: HotConnection, workspace_id: int) -> tuple[int, int]:
    """How many messages wait in the workspace (10,000: as many or more), and for how many seconds the oldest has."""
    row = await connection.fetchrow(statements.OLDEST_WAITING, workspace_id)
    return (0, 0) if row is None else (row["messages"], int(row["age_s"]))


def endpoint_id(lease: Lease) -> str:
    """The public id of the endpoint that a lease is on."""
    return public_id(lease.endpoint)


def _head_of(row: Any) -> Head:
    return Head(
        delivery=row["id"],
        message=row["message"],
        step=row["step"],
        url=row["url"],
        body=row["body"],
        salts=valid_salts(row["salt"], row["previous_salt"], row["rotated_at"], row["now"]),
    )
