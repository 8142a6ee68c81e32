"""Calendar windows in a timezone: the hour, day, week or month around an instant. PURE.

A window is half-open, [start, end), and the windows of a kind cover all of time without gap or overlap:

HOUR    an hour of the local clock, cut wherever the clock is put forward or back: 25 of them on a day of 25 hours
DAY     from the first instant at which the local clock shows midnight, or later where midnight was skipped
WEEK    from Monday, as DAY
MONTH   from the first, as DAY

A midnight that occurs twice is the first one. A day that a country skipped altogether is no window.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Interval = Literal["HOUR", "DAY", "WEEK", "MONTH"]
INTERVALS: tuple[Interval, ...] = ("HOUR", "DAY", "WEEK", "MONTH")

_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)  # clocks are put forward and back on whole seconds
_MICROSECOND = timedelta(microseconds=1)
_BEYOND = "reaches beyond the calendar"


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end), in UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


def window(interval: Interval, timezone: str, at: datetime) -> Window:
    """The window that the instant lies in. Raises ValueError where it leaves the calendar (years 1 to 9999)."""
    zone = ZoneInfo(timezone)
    try:
        return _hour(zone, at.astimezone(UTC)) if interval == "HOUR" else _days(interval, zone, at.astimezone(UTC))
    except (OverflowError, ValueError):
        raise ValueError(_BEYOND) from None


def windows(interval: Interval, timezone: str, since: datetime, until: datetime, most: int) -> list[Window]:
    """Every window that [since, until) touches, in order. Raises ValueError for more than `most`."""
    found: list[Window] = []
    at = since
    while at < until:
        if len(found) == most:
            raise ValueError(f"would be more than {most} of this interval")
        found.append(window(interval, timezone, at))
        at = found[-1].end
    return found


def _hour(zone: ZoneInfo, at: datetime) -> Window:
    local = at.astimezone(zone)
    offset = local.utcoffset()
    start = at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    end = start + _HOUR
    if start.astimezone(zone).utcoffset() != offset:
        start = _change(zone, start, at)
    if (end - _MICROSECOND).astimezone(zone).utcoffset() != offset:
        end = _change(zone, at, end)
    return Window(start, end)


def _days(interval: Interval, zone: ZoneInfo, at: datetime) -> Window:
    local = at.astimezone(zone)
    wall = datetime(local.year, local.month, local.day)  # noqa: DTZ001 -- what the clock on the wall shows
    if interval == "WEEK":
        wall -= timedelta(days=local.weekday())
    elif interval == "MONTH":
        wall = wall.replace(day=1)
    start, end = _first_at(zone, wall), _first_at(zone, following := _next(interval, wall))
    while end <= at:  # put back over midnight: the clock shows yesterday, the day has begun
        start, end = end, _first_at(zone, following := _next(interval, following))
    return Window(start, end)


def _next(interval: Interval, wall: datetime) -> datetime:
    if interval == "MONTH":
        return wall.replace(year=wall.year + wall.month // 12, month=wall.month % 12 + 1)
    return wall + timedelta(days=7 if interval == "WEEK" else 1)


def _first_at(zone: ZoneInfo, wall: datetime) -> datetime:
    """The first instant at which the local clock shows `wall`, or later where it is put forward over it."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _change(zone, wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """When the clock is put forward or back between the two, of which `before` still has the old offset."""
    offset = before.astimezone(zone).utcoffset()
    before = before.replace(microsecond=0)
    steps = -((before - after) // _SECOND)  # rounded up
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return before + high * _SECOND
