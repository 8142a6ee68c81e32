"""How late usage may come: by the setting, or as a workspace or one of its customers has it."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, durations
from credits.customers.customers import customers, find_customer
from credits.errors import InvalidInput, NotFound
from credits.workspaces import workspaces

_REFERENCE = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


async def set_late_cutoff(
    connection: AsyncConnection, cutoff: str | None, customer: str | None
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
        await connection.execute(update(workspaces).values(values))
        return wanted
    found = await find_customer(connection, customer)
    if found is None:
        return NotFound(f"no customer {customer!r}")
    await connection.execute(update(customers).where(customers.c.id == found.id).values(values))
    return wanted


def as_duration(cutoff: timedelta) -> str:
    """`P7D`, or `PT5400S` where it is no whole number of days."""
    return f"PT{int(cutoff.total_seconds())}S" if cutoff.seconds else f"P{cutoff.days}D"
