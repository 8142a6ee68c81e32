"""Ledger entries: what they say, and the chain that binds them.

PURE. `hash = SHA-256(hash of the entry before ‖ canonical entry)`, per account, the first one after 32 zero bytes.
The canonical entry is a JSON array without blanks: text, whole numbers, null and lists of whole numbers, instants
as RFC 3339 in UTC, decimals in plain notation. Any JSON writer can make it again in twenty years.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from uuid import UUID

import orjson

from credits.amount import plain

GENESIS = bytes(32)


class Kind(IntEnum):
    """What an entry records. The numbers are stored: never renumber, only add."""

    GRANT = 1
    BURN = 2
    HOLD = 3
    SETTLE = 4
    RELEASE = 5
    LAPSE = 6
    EXPIRE = 7
    UNEXPIRE = 8
    REALLOCATE = 9
    VOID = 10
    REVERSE = 11
    CLAWBACK = 12
    ADJUST = 13


REVERSIBLE = (Kind.BURN, Kind.SETTLE)  # by whoever may reverse
GIVEN_BACK = (
    *REVERSIBLE,
    Kind.CLAWBACK,
)  # what REVERSE entries give back; of a clawback, where its payment stands after all

# Grant number → micro-credits, in the order they were drawn. Number 0: overdraft, no grant bore it.
# −g: overdraft that grant g repaid.
Allocations = Sequence[tuple[int, int]]
OVERDRAFT = 0


_ABOUT_GRANTS = frozenset({Kind.GRANT, Kind.EXPIRE, Kind.UNEXPIRE, Kind.VOID, Kind.CLAWBACK})


def about(kind: Kind, allocations: Allocations) -> int | None:
    """The grant that an entry is about; None where it is about none. Such entries name it first, also where they do
    nothing to it. The reversal of a clawback does so with a part of zero, as no other reversal does."""
    if not allocations:
        return None
    number, part = allocations[0]
    return abs(number) if kind in _ABOUT_GRANTS or (kind is Kind.REVERSE and not part) else None


@dataclass(slots=True)
class Cause:
    """Why an entry came to be: who asked, for which usage, at which price, under which key.

    Never changed; not `frozen`, which doubles what making one costs, and every entry makes one.
    """

    actor_id: int | None = None
    feature_id: int | None = None
    rate_id: int | None = None
    quantity: Decimal | None = None
    exact_amount: Decimal | None = None  # credits before rounding; None where it is the amount itself
    dimensions: str | None = None  # canonical JSON
    member: str | None = None
    event: UUID | None = None
    reason: str | None = None
    note: str | None = None
    key: str | None = None
    fingerprint: int | None = None
    reverses: int | None = None  # sequence of the entry that is given back


BY_THE_CLOCK = Cause()


@dataclass(slots=True)
class Entry:
    """One line of an account's book. Amounts are micro-credits."""

    workspace_id: int
    customer_id: int
    credit_type_id: int
    sequence: int
    kind: Kind
    amount: int
    held_amount: int
    balance_after: int
    held_after: int
    occurred_at: datetime
    recorded_at: datetime
    allocations: Allocations
    hold_number: int | None
    cause: Cause
    hash: bytes = GENESIS


def canonical(entry: Entry) -> bytes:
    """The bytes that are hashed: every column of the entry but the hash, in this order.

    What came later is appended by name where it is set, so that the bytes of older entries stay as they were.
    """
    cause = entry.cause
    return orjson.dumps(
        [
            entry.workspace_id,
            entry.customer_id,
            entry.credit_type_id,
            entry.sequence,
            int(entry.kind),
            entry.amount,
            entry.held_amount,
            entry.balance_after,
            entry.held_after,
            entry.occurred_at,
            entry.recorded_at,
            entry.allocations,
            entry.hold_number,
            cause.actor_id,
            cause.feature_id,
            cause.rate_id,
            None if cause.quantity is None else plain(cause.quantity),
            None if cause.exact_amount is None else plain(cause.exact_amount),
            cause.dimensions,
            cause.member,
            None if cause.event is None else str(cause.event),
            cause.reason,
            cause.note,
            cause.key,
            cause.fingerprint,
            *([] if cause.reverses is None else [["reverses", cause.reverses]]),
        ]
    )


def chain(previous: bytes, entry: Entry) -> bytes:
    """The entry's hash, given the hash of the one before."""
    return hashlib.sha256(previous + canonical(entry)).digest()
