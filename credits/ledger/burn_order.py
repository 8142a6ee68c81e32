"""The burn order: one total order of grants, in one place. PURE.

Each order ends in the grant's number, so that no two grants ever tie and every process burns alike. SQL that sorts
grants for burning is pinned to this by a test. "Never" expires last.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credits.ledger.account import Grant

_LAST = datetime.max.replace(tzinfo=UTC)


def expiry(expires_at: datetime | None) -> tuple[bool, datetime]:
    """What sorts by expiry, never after the last instant of the calendar."""
    return (expires_at is None, expires_at or _LAST)


def _priority_then_expiry(grant: "Grant") -> tuple[Any, ...]:
    return (grant.priority, *expiry(grant.expires_at), grant.effective_at, grant.number)


def _expiry_first(grant: "Grant") -> tuple[Any, ...]:
    return (*expiry(grant.expires_at), grant.priority, grant.effective_at, grant.number)


def _paid_last(grant: "Grant") -> tuple[Any, ...]:
    return (
        grant.cost_amount is not None,
        *expiry(grant.expires_at),
        grant.priority,
        grant.effective_at,
        grant.number,
    )


def _oldest_first(grant: "Grant") -> tuple[Any, ...]:
    return (grant.effective_at, grant.number)


_KEYS: dict[str, Callable[["Grant"], tuple[Any, ...]]] = {
    "PRIORITY_THEN_EXPIRY": _priority_then_expiry,
    "EXPIRY_FIRST": _expiry_first,
    "PAID_LAST": _paid_last,
    "OLDEST_FIRST": _oldest_first,
}


def order(grants: Iterable["Grant"], name: str) -> list["Grant"]:
    """The grants in the order they burn, under the credit type's burn order `name`."""
    return sorted(grants, key=_KEYS[name])


def key(grant: "Grant", name: str) -> tuple[Any, ...]:
    """What `order` sorts by."""
    return _KEYS[name](grant)
