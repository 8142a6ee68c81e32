"""A dispute and what may become of it. PURE."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credits import bounds, ids
from credits.errors import Conflict, InvalidInput
from credits.posting.commands import note_form

Place = tuple[int, int]  # customer, number
UNDECIDED = ("OPEN", "INVESTIGATING")


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a customer contests. Amounts are micro-credits.

    `amount_micro` is what of its entries had not been given back when it was opened, `given_back_micro` what its
    resolution gave back. `version` grows by one with every change.
    """

    customer_id: int
    number: int
    credit_type_id: int
    sequences: tuple[int, ...]
    status: str
    reason: str
    amount_micro: int
    given_back_micro: int
    opened_by: int | None
    assignee: int | None
    opened_at: datetime
    due_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    version: int

    @property
    def id(self) -> str:
        return ids.make("dsp", self.customer_id, self.number)

    @property
    def is_undecided(self) -> bool:
        return self.status in UNDECIDED

    @property
    def place(self) -> Place:
        return self.customer_id, self.number

    @property
    def entries(self) -> list[tuple[int, int, int]]:
        """Where its entries are: customer, credit type, sequence."""
        return [(self.customer_id, self.credit_type_id, sequence) for sequence in self.sequences]


@dataclass(frozen=True, slots=True)
class DisputeEvent:
    """One thing that happened in a dispute. `action`: opened, assigned, unassigned, investigating, reopened, note,
    upheld, rejected or withdrawn."""

    at: datetime
    actor_id: int | None
    action: str
    note: str | None


def place_of(text: str) -> Place | None:
    """A dispute's public id, taken apart; None for what can be no dispute."""
    numbers = ids.parse("dsp", text, 2)
    return None if numbers is None or numbers[1] >= 2**31 else (numbers[0], numbers[1])


def dispute_of(row: Any) -> Dispute:
    return Dispute(
        customer_id=row["customer_id"],
        number=row["number"],
        credit_type_id=row["credit_type_id"],
        sequences=tuple(row["sequences"]),
        status=row["status"],
        reason=row["reason"],
        amount_micro=row["amount"],
        given_back_micro=row["given_back"],
        opened_by=row["opened_by"],
        assignee=row["assignee"],
        opened_at=row["opened_at"],
        due_at=row["due_at"],
        changed_at=row["changed_at"],
        resolved_at=row["resolved_at"],
        resolution=row["resolution"],
        version=row["version"],
    )


def text_form(text: str, field: str) -> InvalidInput | None:
    """A reason or resolution: a paragraph that says something."""
    if not text.strip():
        return InvalidInput("is missing", field=field)
    if note_form(text):
        return InvalidInput(f"must be at most {bounds.NOTE_MAX} characters, without NUL", field=field)
    return None


def decided(status: str) -> Conflict:
    return Conflict(f"the dispute is {status.lower()}")
