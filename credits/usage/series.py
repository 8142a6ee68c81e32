"""Usage over time: what an account burned per hour, day, week or month of a timezone, in all or by group.

Exact at every instant: roll-ups answer for what lies behind the watermark, entries for the rest, in one view.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.customers.customers import Customer, is_timezone
from credits.db import bare
from credits.usage import statements
from credits.windows import Interval, windows

UsageGroup = Literal["NONE", "FEATURE", "MEMBER", "SOURCE"]
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """What was used in a bucket. `label` is the group: a feature's id, a member's key, a source; None where there is none."""

    start: datetime
    end: datetime
    label: str | None
    amount_micro: int
    quantity: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class UsageSeries:
    timezone: str
    total_micro: int
    points: list[UsagePoint]


async def read_series(
    connection: AsyncConnection,
    workspace_id: int,
    customer: Customer,
    credit_type_id: int,
    *,
    since: datetime,
    until: datetime,
    interval: Interval,
    group_by: UsageGroup,
    timezone: str | None,
) -> UsageSeries:
    """Usage in [since, until), in the buckets of the timezone (None: the customer's) that it touches.

    Points bear the whole borders of their bucket; usage outside [since, until) is in none of them. Ungrouped there is a
    point for every bucket, grouped for every group that used something in it. Raises ValueError, with the argument
    named, for what is no timezone and for more points than `bounds.USAGE_POINTS_MAX`.
    """
    zone = customer.timezone if timezone is None else timezone
    if not is_timezone(zone):
        raise ValueError(f"timezone: {zone!r} is no IANA timezone such as Europe/Berlin")
    try:
        buckets = windows(interval, zone, since, until, bounds.USAGE_POINTS_MAX)
    except ValueError as error:
        raise ValueError(f"interval: {error}") from None
    if not buckets:
        return UsageSeries(zone, 0, [])
    starts = [each.start for each in buckets]
    place = (customer.id, credit_type_id)
    rows = await _read(connection, workspace_id, place, since=since, until=until, starts=starts, group_by=group_by)
    if len(rows) > bounds.USAGE_POINTS_MAX:
        raise ValueError(f"interval: would be more than {bounds.USAGE_POINTS_MAX} points")
    found = [
        UsagePoint(buckets[bucket].start, buckets[bucket].end, label, amount, quantity, events)
        for bucket, label, amount, quantity, events in rows
    ]
    total = sum(point.amount_micro for point in found)
    if group_by == "NONE":
        used = {point.start: point for point in found}
        empty = (None, 0, Decimal(0), 0)
        found = [used.get(each.start) or UsagePoint(each.start, each.end, *empty) for each in buckets]
    return UsageSeries(zone, total, found)


async def read_member_burned(
    connection: AsyncConnection,
    workspace_id: int,
    customer_id: int,
    member: str,
    *,
    credit_type_id: int,
    since: datetime,
    until: datetime,
) -> int:
    """What a member burned in [since, until), net of reversals, micro-credits."""
    if since >= until:
        return 0
    place = (customer_id, credit_type_id)
    rows = await _read(
        connection, workspace_id, place, since=since, until=until, starts=[since], group_by="NONE", member=member
    )
    return sum(amount for _, _, amount, _, _ in rows)


async def _read(
    connection: AsyncConnection,
    workspace_id: int,
    place: tuple[int, int],
    *,
    since: datetime,
    until: datetime,
    starts: list[datetime],
    group_by: UsageGroup,
    member: str | None = None,
) -> list[tuple[int, str | None, int, Decimal, int]]:
    """(bucket, label, amount, quantity, events)."""
    driver = await bare(connection)
    cut = sorted(_cut([since, until, *starts]))
    statement = statements.read_usage(group_by)
    rows = await driver.fetch(statement, *place, since, until, starts, cut, workspace_id, member)
    return [tuple(row) for row in rows]


def _cut(borders: Iterable[datetime]) -> set[datetime]:
    """The quarters of an hour that a border lies inside of. Of timezones, only those before 1972 have such borders."""
    found = set()
    for border in borders:
        at = border.astimezone(UTC)
        into = timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
        if into:
            found.add(at - into)
    return found
