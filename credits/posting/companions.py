"""Companions: what else changes in the database transaction of a command, for whoever builds on the ledger. PURE.

Both happen, or neither. A dispute is closed with its reversals, a top-up is paid with its grant, a refund is booked
with its clawback: neither can be there without the other, whatever fails in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from credits.db import HotConnection
from credits.errors import IdempotencyConflict, Refusal
from credits.ledger.entries import Entry
from credits.posting.book import Book, LockedCustomer
from credits.posting.outcomes import HappenedBefore, Replay

if TYPE_CHECKING:
    from credits.posting.commands import GiveGrant
    from credits.posting.corrections import Clawback, GrantId, ReverseClawback


@dataclass(frozen=True, slots=True)
class Made:
    """What a command made: its GRANT, CLAWBACK or REVERSE entries; and of a grant, which one it is.

    A grant that begins later has no entry yet.
    """

    entries: Sequence[Entry]
    grant: "GrantId | None" = None


class Companion(Protocol):
    """`look` reads under the customer's lock, `decide` says by that alone whether it may happen, `write` writes it.

    `look` comes before every command of the batch is decided, `write` after all else of the batch is written. Where a
    batch has to go through again, so do they, with the same companion: what `look` found before is to be forgotten.
    """

    @property
    def place(self) -> tuple[object, ...]:
        """What it is about: those of one batch with the same place know of each other."""
        ...

    async def look(self, connection: HotConnection) -> None: ...

    def decide(self, now: datetime, earlier: "Companion | None") -> Refusal | bool:
        """Why not; or whether it has happened before. `earlier`: the last one of the same place that went before in this
        batch, and is written before this one: what `look` found is from before both."""
        ...

    async def write(self, connection: HotConnection, now: datetime, made: Made) -> None: ...


def seen(
    book: Book, customer: LockedCustomer, command: "GiveGrant | Clawback | ReverseClawback"
) -> Replay | HappenedBefore | Refusal | None:
    """What has been decided of the command already; None for a new one.

    Without a companion, its key knows. With one, the companion knows: a key that was used although the companion has
    not happened was used for something else.
    """
    if command.companion is None:
        return book.replay(customer, command)
    said = asked(book, command.companion)
    if isinstance(said, Refusal):
        return said
    used = book.used_keys.get((customer.id, command.key))
    if said:
        same = used is not None and used.fingerprint == command.meaning()
        return Replay(used, contradicts=False) if used is not None and same else HappenedBefore()
    return None if used is None else taken(used.first_seen_at)


def asked(book: Book, companion: Companion) -> Refusal | bool:
    """What the companion says, told of the last one of its place in this batch."""
    earlier = next((each for each, _ in reversed(book.companions) if each.place == companion.place), None)
    return companion.decide(book.now, earlier)


def taken(first_seen_at: datetime) -> IdempotencyConflict:
    return IdempotencyConflict("this idempotency key was used before for something else", first_seen_at)
