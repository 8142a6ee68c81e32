"""Relay's connections: opaque cursors, `first` from 1 to 500."""

import base64
import binascii
from datetime import datetime

import strawberry

from credits import durations
from schema.errors import bad_request

_FIRST = 50  # contract: the default of every list


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @staticmethod
    def of(cursors: list[str], *, more: bool, after: str | None) -> "PageInfo":
        return PageInfo(
            has_next_page=more,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def page_size(first: int | None) -> int:
    """How many a list answers. The guard has refused anything but 1 to 500 before any resolver."""
    return _FIRST if first is None else first


def cursor(*position: int | str) -> str:
    """Where a page may go on. Opaque to clients; whole numbers or one text inside."""
    return base64.urlsafe_b64encode(":".join(map(str, position)).encode()).decode().rstrip("=")


def position(after: str | None, count: int, *, small: int = 0) -> tuple[int, ...] | None:
    """The whole numbers of a cursor, the last `small` of which fit 32 bits, as the columns do that they are compared
    with; raises an input error for what is no cursor of ours."""
    if after is None:
        return None
    try:
        numbers = tuple(int(part) for part in _text(after).split(":"))
    except ValueError:
        raise bad_request("after: no cursor of this list") from None
    beyond = max(map(abs, numbers)) >= 2**62 or any(abs(number) >= 2**31 for number in numbers[count - small :])
    if len(numbers) != count or beyond:
        raise bad_request("after: no cursor of this list")
    return numbers


def text_position(after: str | None) -> str | None:
    """The text of a cursor."""
    return None if after is None else _text(after)


def instant(micro: int) -> datetime:
    """The instant of a cursor; raises an input error beyond the calendar."""
    try:
        return durations.instant(micro)
    except OverflowError:
        raise bad_request("after: no cursor of this list") from None


def _text(after: str) -> str:
    try:
        return base64.urlsafe_b64decode(after.encode() + b"=" * (-len(after) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise bad_request("after: no cursor of this list") from None
