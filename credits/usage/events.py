"""A usage event as it is kept, and one that became a dead letter."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credits import ids
from credits.posting.outcomes import EventOutcome


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """`data` is JSON text as it was received; `entries` are (customer, credit type, sequence). `customer_id` is None
    where nobody has that key; `type` is empty where the sender gave none that is text."""

    key: UUID
    customer_id: int | None
    event_id: str
    source: str
    type: str
    occurred_at: datetime
    received_at: datetime
    data: str
    outcome: EventOutcome
    entries: tuple[tuple[int, int, int], ...]
    subject: str
    sound: bool  # False: its envelope could not be read, and `data` is all of it

    @property
    def id(self) -> str:
        return ids.event(self.key)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`event` is JSON text: the event as a CloudEvent, or, where it was none, whatever was sent.

    `customer` is the key it was sent for, known or not. `position` is where a page may go on after it.
    """

    key: UUID
    event: str
    outcome: EventOutcome
    message: str
    customer: str | None
    received_at: datetime
    attempts: int
    resolved_at: datetime | None
    position: tuple[int, int, int]

    @property
    def id(self) -> str:
        return ids.event(self.key)


def key_of(text: str) -> UUID | None:
    """The key of a public id; None where the text is no such id: the event does not exist."""
    digits = text.removeprefix("evt_")
    if len(text) != 36 or len(digits) != 32 or not digits.isascii() or not digits.isalnum() or digits != digits.lower():
        return None
    try:
        return UUID(hex=digits)
    except ValueError:
        return None
