"""When a message that was not taken is sent again. PURE."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from credits import bounds

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_DRAWS = 2**32


def delay(
    schedule: Sequence[timedelta], step: int, draw: int, *, not_before: timedelta = timedelta(0)
) -> timedelta | None:
    """How long to wait after attempt number `step` (0, 1, …) has failed; None: it is given up.

    Full jitter: anything up to the schedule's own delay, by `draw` (random 32 bits), so that receivers that come back
    are not met by everybody at once. `not_before`: what the receiver has asked for.
    """
    if step >= len(schedule):
        return None
    # In whole numbers: a length of time multiplied by a draw would leave what a `timedelta` can hold.
    wait = (schedule[step] // _MICROSECOND) * (draw % _DRAWS) // _DRAWS * _MICROSECOND
    return max(wait, min(not_before, bounds.WEBHOOK_RETRY_AFTER_MAX))


def retry_after(header: str | None, now: datetime) -> timedelta:
    """What `Retry-After` asks for: seconds, or an HTTP date; zero where it says nothing that we understand."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * _SECOND, bounds.WEBHOOK_RETRY_AFTER_MAX)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return timedelta(0)
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)


def taken(status: int) -> bool:
    """A receiver has taken a message when it says so with 2xx."""
    return 200 <= status < 300
