"""The kill switch: all enforcement OFF, whatever the policies say; they are kept, and hold again when it is restored."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.audit.log import record
from credits.enforcement.telling import tell_change
from credits.errors import InvalidInput
from credits.workspaces import bump_config, workspaces


async def set_kill_switch(
    connection: AsyncConnection, *, off: bool, reason: str, actor_id: int | None
) -> InvalidInput | None:
    """Turns all enforcement of the workspace at hand off, or restores its policies; every process knows with its next
    batch. Logged with the reason, also where it changes nothing: somebody meant it."""
    if not 0 < len(reason.strip()) <= bounds.NOTE_MAX or "\0" in reason:
        return InvalidInput(f"must be 1 to {bounds.NOTE_MAX} characters", field="reason")
    # First: its row lock makes changes of configuration wait for each other.
    version = await bump_config(connection)
    before = await connection.scalar(select(workspaces.c.enforcement_off))
    await connection.execute(update(workspaces).values(enforcement_off=off))
    action, after = ("enforcement.off" if off else "enforcement.restored"), {"off": off, "reason": reason}
    await record(connection, actor_id, action, "enforcement", before={"off": before}, after=after)
    await tell_change(connection, action, after, version)
    return None
