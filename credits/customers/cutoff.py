"""How late usage may come: by the setting, or as a workspace or one of its customers has it."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, durations, ids
from credits.audit.log import record
from credits.customers.customers import customers, find_customer
from credits.errors import InvalidInput, NotFound
from credits.workspaces import workspaces

_REFERENCE = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


async def set_late_cutoff(
    connection: AsyncConnection, cutoff: str | None, customer: str | None, *, actor_id: int | None = None
) -> timedelta | InvalidInput | NotFound | None:
    """Sets the cutoff of the workspace, or of a customer; None falls back to the next wider one. Returns it."""
    wanted: timedelta | None = None
    if cutoff is not None:
        try:
            wanted = durations.after(_REFERENCE, cutoff) - _REFERENCE
        except ValueError as error:
            return InvalidInput(str(error), field="cutoff")
        if wanted > bounds.LATE_CUTOFF_MAX or wanted % timedelta(seconds=1):
            return InvalidInput(f"must be whole seconds, at most {bounds.LATE_CUTOFF_MAX.days} days", field="cutoff")
    values = {"late_cutoff_s": None if wanted is None else wanted // timedelta(seconds=1)}
    if customer is None:
        before = await connection.scalar(select(workspaces.c.late_cutoff_s).with_for_update(key_share=True))
        await connection.execute(update(workspaces).values(values))
        await _record(connection, actor_id, "lateEventCutoff", before, wanted)
        return wanted
    found = await find_customer(connection, customer)
    if found is None:
        return NotFound(f"no customer {customer!r}")
    own = select(customers.c.late_cutoff_s).where(customers.c.id == found.id)
    before = await connection.scalar(own.with_for_update(key_share=True))
    await connection.execute(update(customers).where(customers.c.id == found.id).values(values))
    await _record(connection, actor_id, ids.make("cus", found.id), before, wanted)
    return wanted


async def _record(
    connection: AsyncConnection, actor_id: int | None, subject: str, before_s: int | None, wanted: timedelta | None
) -> None:
    before = None if before_s is None else timedelta(seconds=before_s)
    if before != wanted:
        was, is_now = ({"cutoff": None if of is None else as_duration(of)} for of in (before, wanted))
        await record(connection, actor_id, "lateEventCutoff.set", subject, before=was, after=is_now)


def as_duration(cutoff: timedelta) -> str:
    """`P7D`, or `PT5400S` where it is no whole number of days."""
    return f"PT{int(cutoff.total_seconds())}S" if cutoff.seconds else f"P{cutoff.days}D"
