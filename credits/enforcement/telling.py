"""What webhooks are told of a change of enforcement."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.webhooks.messages import Message
from credits.webhooks.outbox import tell
from credits.workspaces import workspaces


async def tell_change(connection: AsyncConnection, change: str, what: Mapping[str, Any], version: int) -> None:
    """Tells, in the database transaction of the change, by the workspace's clock. `change` is what the audit log calls
    it, `version` that of the configuration."""
    clock = func.clock_timestamp().label("clock")
    row = (await connection.execute(select(workspaces.c.id, workspaces.c.clock_offset_us, clock))).one()
    at = row.clock + timedelta(microseconds=row.clock_offset_us)
    data = {"change": change, **what, "version": version}
    await tell(connection, [Message(row.id, "enforcement.changed", at, str(version), data)])
