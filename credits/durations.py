"""ISO 8601 durations (`P30D`, `PT15M`, `P1Y`), with calendar months and years; and instants as whole microseconds."""

from datetime import UTC, datetime, timedelta

import isodate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def parse(text: str) -> "isodate.Duration | timedelta":
    """A positive duration; `ValueError` says what is wrong."""
    if len(text) > 64:
        raise ValueError("not an ISO 8601 duration")
    try:
        duration = isodate.parse_duration(text)
    except (isodate.ISO8601Error, ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise ValueError("not an ISO 8601 duration such as P30D or PT15M") from error
    if text.startswith("-") or not _positive(duration):
        raise ValueError("must be longer than zero")
    return duration


def after(start: datetime, text: str) -> datetime:
    """`start` + duration; `ValueError` where it is no duration or leaves the calendar."""
    duration = parse(text)
    try:
        end: datetime = start + duration
    except (OverflowError, ValueError) as error:
        raise ValueError("reaches beyond the calendar") from error
    return end


def meaning(text: str) -> tuple[int, int]:
    """Whole months and microseconds: what two spellings of one duration share (PT15M and PT900S, P1Y and P12M)."""
    duration = parse(text)
    if isinstance(duration, timedelta):
        return 0, duration // _MICROSECOND
    return int(12 * duration.years + duration.months), duration.tdelta // _MICROSECOND


def micros(at: datetime) -> int:
    """An instant as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """The instant of so many microseconds since 1970. Raises OverflowError beyond the calendar."""
    return _EPOCH + micros * _MICROSECOND


def _positive(duration: "isodate.Duration | timedelta") -> bool:
    reference = datetime(2000, 1, 1)  # noqa: DTZ001 -- only compared with itself
    try:
        return bool(reference + duration > reference)
    except (OverflowError, ValueError):
        return False
