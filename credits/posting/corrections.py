"""What can be asked to be corrected: void, extend, adjust and claw back a grant, reverse a burn or a clawback.

Each names what it corrects by its place, because it exists already; the rest is as in `commands.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from credits.amount import from_micro
from credits.canonical import fingerprint
from credits.errors import InvalidInput
from credits.posting.commands import amount_form, note_form
from credits.posting.companions import Companion
from credits.posting.keys import key_form


@dataclass(frozen=True, slots=True)
class GrantId:
    """A grant's public id, taken apart."""

    customer_id: int
    credit_type_id: int
    number: int


@dataclass(frozen=True, slots=True)
class EntryId:
    """An entry's public id, taken apart."""

    customer_id: int
    credit_type_id: int
    sequence: int

    @property
    def place(self) -> tuple[int, int, int]:
        return self.customer_id, self.credit_type_id, self.sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What every correction says. `reason` is the contract's ReasonCode."""

    key: str
    actor_id: int | None
    reason: str | None = None
    note: str | None = None

    @property
    def customer_id(self) -> int:
        raise NotImplementedError

    def form(self) -> InvalidInput | None:
        return key_form(self.key) or note_form(self.note)

    def payload(self) -> dict[str, Any]:
        """What was asked, by the names that the caller knows."""
        return {"reason": self.reason, "note": self.note}

    def meaning(self) -> int:
        return fingerprint(type(self).__name__, *self.payload().values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfGrant(Correction):
    grant: GrantId

    @property
    def customer_id(self) -> int:
        return self.grant.customer_id

    def payload(self) -> dict[str, Any]:
        return {
            "grant": (self.grant.credit_type_id, self.grant.number),
            "reason": self.reason,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidGrant(_OfGrant):
    """Ends what remains of a grant and is not held. Refused with GRANT_NOT_ACTIVE where it has ended or nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendGrant(_OfGrant):
    """Moves what remains of a live grant and is not held into a new one with another expiry; None: never.

    Refused with GRANT_NOT_ACTIVE where there is nothing to move.
    """

    expires_at: datetime | None

    def payload(self) -> dict[str, Any]:
        return {**_OfGrant.payload(self), "expiresAt": self.expires_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(_OfGrant):
    """Corrects a live or depleted grant by a signed number of credits; down by what is free at most (CONFLICT)."""

    amount: Decimal

    def form(self) -> InvalidInput | None:
        if self.amount == 0:
            return InvalidInput("must not be zero", field="amount")
        return Correction.form(self) or amount_form(abs(self.amount))

    def payload(self) -> dict[str, Any]:
        return {**_OfGrant.payload(self), "amount": self.amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clawback(_OfGrant):
    """Takes back what a refund or lost payment dispute undid: `amount_micro` micro-credits, first of what is free of that
    grant, the rest as overdraft whatever the limit. Refused with GRANT_NOT_ACTIVE before the grant has begun."""

    amount_micro: int
    companion: Companion | None = None  # no part of the meaning

    def form(self) -> InvalidInput | None:
        if self.amount_micro <= 0:
            return InvalidInput("must be more than zero", field="amount")
        return Correction.form(self) or amount_form(from_micro(self.amount_micro))

    def payload(self) -> dict[str, Any]:
        return {**_OfGrant.payload(self), "amount": from_micro(self.amount_micro)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseBurn(Correction):
    """Gives back `amount` credits of a burn or settlement; None: all that has not been given back.

    Refused with OVER_REVERSED where less than that is left.
    """

    entry: EntryId
    amount: Decimal | None = None

    @property
    def customer_id(self) -> int:
        return self.entry.customer_id

    def form(self) -> InvalidInput | None:
        return Correction.form(self) or (None if self.amount is None else amount_form(self.amount))

    def payload(self) -> dict[str, Any]:
        return {
            "entry": (self.entry.credit_type_id, self.entry.sequence),
            "amount": self.amount,
            "reason": self.reason,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseClawback(Correction):
    """Gives back `amount_micro` micro-credits of a clawback whose payment stands after all, such as after a payment
    dispute that was won; None: all that has not been given back. Refused with OVER_REVERSED where less than that is left.
    """

    entry: EntryId
    amount_micro: int | None = None
    companion: Companion | None = None  # no part of the meaning

    @property
    def customer_id(self) -> int:
        return self.entry.customer_id

    def form(self) -> InvalidInput | None:
        if self.amount_micro is not None and self.amount_micro <= 0:
            return InvalidInput("must be more than zero", field="amount")
        amount = None if self.amount_micro is None else amount_form(from_micro(self.amount_micro))
        return Correction.form(self) or amount

    def payload(self) -> dict[str, Any]:
        return {
            "entry": (self.entry.credit_type_id, self.entry.sequence),
            "amount": None if self.amount_micro is None else from_micro(self.amount_micro),
            "reason": self.reason,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseTogether(Correction):
    """Gives back `amount` credits of several burns of one account, in their order, or (None) all that is left of them,
    together with what its companion writes: both, or neither. Its key is the companion's to know."""

    customer: int
    entries: tuple[EntryId, ...]
    companion: Companion
    amount: Decimal | None = None

    @property
    def customer_id(self) -> int:
        return self.customer

    def form(self) -> InvalidInput | None:
        return Correction.form(self) or (None if self.amount is None else amount_form(self.amount))

    def payload(self) -> dict[str, Any]:
        entries = [(entry.credit_type_id, entry.sequence) for entry in self.entries]
        return {"entries": entries, "amount": self.amount, "reason": self.reason, "note": self.note}
