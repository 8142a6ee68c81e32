"""Grants that are about to end are told of, some days before, once for each distance.

A *horizon* of a workspace says up to which expiry its grants have been told of, so many days ahead. It moves in the
database transaction of the messages, under its row's lock: however many processes look, and whenever one of them dies,
each grant is told of once. It begins where somebody first wants to know: what lies nearer then was nobody's to hear.
"""

from datetime import datetime, timedelta
from typing import Any

from credits import bounds, ids
from credits.amount import plain_micro
from credits.db import Database, HotConnection
from credits.webhooks.messages import Message
from credits.webhooks.outbox import read_wanted, tell_hot

_TYPE = "grant.expiring"

# forget_horizons -- Nobody wants to know any more.
_FORGET_HORIZONS = "DELETE FROM expiry_horizons WHERE workspace_id = $1"

# lock_horizon -- With the workspace's clock. Another process that has it locked tells for us, too.
_LOCK_HORIZON = """
SELECT h.expires_at, h.customer_id, h.credit_type_id, h.number,
       clock_timestamp() + w.clock_offset_us * interval '1 microsecond' AS now
  FROM expiry_horizons h JOIN workspaces w ON w.id = h.workspace_id
 WHERE h.workspace_id = $1 AND h.days = $2
   FOR UPDATE OF h SKIP LOCKED
"""

# begin_horizon -- What ends later than `days` from now is still to be told of.
_BEGIN_HORIZON = """
INSERT INTO expiry_horizons (workspace_id, days, expires_at, customer_id, credit_type_id, number)
SELECT w.id, $2::smallint, clock_timestamp() + w.clock_offset_us * interval '1 microsecond' + $2 * interval '1 day', 0, 0, 0
  FROM workspaces w WHERE w.id = $1
    ON CONFLICT DO NOTHING
"""

# read_ending -- The next grants in the order of their end, whatever became of them: that is the horizon's to pass.
_READ_ENDING = """
SELECT g.customer_id, g.credit_type_id, g.number, g.expires_at, g.remaining, g.source, g.state,
       greatest(g.created_at, g.effective_at) AS since,
       c.key AS customer, t.key AS credit_type, a.sequence
  FROM grants g
  JOIN customers c ON c.id = g.customer_id
  JOIN credit_types t ON t.id = g.credit_type_id
  JOIN accounts a ON a.customer_id = g.customer_id AND a.credit_type_id = g.credit_type_id
 WHERE g.workspace_id = $1 AND g.expires_at IS NOT NULL AND g.expires_at <= $6
   AND (g.expires_at, g.customer_id, g.credit_type_id, g.number) > ($2, $3, $4, $5)
 ORDER BY g.expires_at, g.customer_id, g.credit_type_id, g.number
 LIMIT $7
"""
_MOVE_HORIZON = """
UPDATE expiry_horizons SET expires_at = $3, customer_id = $4, credit_type_id = $5, number = $6
 WHERE workspace_id = $1 AND days = $2
"""


async def tell_expiring(database: Database, workspace_id: int) -> int:
    """Tells of the workspace's grants that came near their end; returns of how many. Nothing, where nobody wants to know."""
    async with database.hot(workspace_id) as connection:
        if _TYPE not in await read_wanted(connection):
            await connection.execute(_FORGET_HORIZONS, workspace_id)
            return 0
    told = 0
    for days in bounds.EXPIRING_DAYS:
        more = True
        while more:
            async with database.hot(workspace_id) as connection:
                number, more = await _tell_next(connection, workspace_id, days)
            told += number
    return told


async def _tell_next(connection: HotConnection, workspace_id: int, days: int) -> tuple[int, bool]:
    """Moves one horizon by a page: of how many grants it told, and whether there may be more."""
    horizon = await connection.fetchrow(_LOCK_HORIZON, workspace_id, days)
    if horizon is None:
        await connection.execute(_BEGIN_HORIZON, workspace_id, days)
        return 0, False
    now, place = horizon["now"], tuple(horizon)[:4]
    until = now + timedelta(days=days)
    rows = await connection.fetch(_READ_ENDING, workspace_id, *place, until, bounds.EXPIRING_AT_ONCE)
    if not rows:
        return 0, False
    messages = [_message(workspace_id, row, days) for row in rows if _concerns(row, now, days)]
    await tell_hot(connection, messages)
    last = rows[-1]
    reached = (last["expires_at"], last["customer_id"], last["credit_type_id"], last["number"])
    await connection.execute(_MOVE_HORIZON, workspace_id, days, *reached)
    return len(messages), len(rows) == bounds.EXPIRING_AT_ONCE


def _concerns(row: Any, now: datetime, days: int) -> bool:
    """Something of it can still be lost, and it was there when it came so near. What has ended meanwhile is told of as
    expired."""
    live = row["state"] == "ACTIVE" and row["remaining"] > 0 and row["expires_at"] > now
    return bool(live and row["since"] <= row["expires_at"] - timedelta(days=days))


def _message(workspace_id: int, row: Any, days: int) -> Message:
    """At the instant when it came so near, whenever we look."""
    grant = ids.make("gra", row["customer_id"], row["credit_type_id"], row["number"])
    data = {
        "customer": row["customer"],
        "customerId": ids.make("cus", row["customer_id"]),
        "creditType": row["credit_type"],
        "grant": grant,
        "source": row["source"],
        "remaining": plain_micro(row["remaining"]),
        "expiresAt": row["expires_at"],
        "days": days,
        "version": row["sequence"],
    }
    at = row["expires_at"] - timedelta(days=days)
    return Message(workspace_id, _TYPE, at, f"{grant} {days}", data, row["customer_id"])
