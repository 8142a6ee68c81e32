"""What can be asked of the ledger. Each command carries who asks, and what its idempotency key stands for.

`form` is the first of the checks: what can be refused by looking at the command alone. The rest, in the order of
the contract, is in `decide.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from credits import bounds, durations
from credits.amount import INT64_MAX, MICRO, MICRO_DECIMALS, QUANTITY_DECIMALS, decimals
from credits.canonical import canonical_json, fingerprint
from credits.errors import InvalidInput
from credits.posting.keys import key_form

if TYPE_CHECKING:
    from credits.posting.companions import Companion
    from credits.posting.corrections import Correction


_COST_MAX = 10**12  # per credit: what fits the column


@dataclass(slots=True)
class Spend:
    """What is to be spent, never changed: a feature and a quantity, rated by the customer's rate card, or credits as they are."""

    feature: str | None = None
    quantity: Decimal | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    credit_type: str | None = None
    amount: Decimal | None = None
    member: str | None = None

    def form(self) -> InvalidInput | None:
        if (self.feature is None) == (self.credit_type is None):
            return InvalidInput("give either feature and quantity, or creditType and amount", field="feature")
        if self.feature is not None:
            if self.amount is not None:
                return InvalidInput("goes with creditType, not with feature", field="amount")
            if self.quantity is None:
                return InvalidInput("is missing: a feature is burned by quantity", field="quantity")
            return positive(self.quantity, "quantity") or dimensions_form(self.dimensions) or text_form(self)
        if self.quantity is not None:
            return InvalidInput("goes with feature, not with creditType", field="quantity")
        if self.dimensions:
            return InvalidInput("go with feature, not with creditType", field="dimensions")
        if self.amount is None:
            return InvalidInput("is missing", field="amount")
        return amount_form(self.amount) or text_form(self)

    def meaning(self) -> tuple[Any, ...]:
        return (self.feature, self.quantity, self.dimensions, self.credit_type, self.amount, self.member)


@dataclass(frozen=True, slots=True)
class HoldId:
    """A hold's public id, taken apart."""

    customer_id: int
    credit_type_id: int
    number: int


@dataclass(slots=True)
class Burn:
    """Never changed; not `frozen`, which doubles what making one costs."""

    customer: str
    spend: Spend
    key: str
    actor_id: int | None
    occurred_at: datetime | None = None
    note: str | None = None
    not_after: datetime | None = None

    def form(self) -> InvalidInput | None:
        return key_form(self.key) or self.spend.form() or note_form(self.note)

    def meaning(self) -> int:
        # Not the deadline: a retry may come with another one.
        return fingerprint("burn", *self.spend.meaning(), self.occurred_at, self.note)


@dataclass(frozen=True, slots=True)
class GiveGrant:
    """`customer` by key, or by id. What it cost is said per credit (`cost_amount`) or in all (`cost_total`); kept is the
    first, to 12 decimals: whoever needs the exact total keeps it with the companion.
    """

    customer: str | int
    credit_type: str
    amount: Decimal
    source: str
    key: str
    actor_id: int | None
    reason: str | None = None
    note: str | None = None
    priority: int = 50
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    cost_amount: Decimal | None = None
    cost_currency: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    by_hand: bool = False  # an operator's act, for the audit log; no part of the meaning
    cost_total: Decimal | None = None
    expires_after: str | None = None  # ISO 8601, from effectiveAt on; instead of expiresAt
    companion: "Companion | None" = None  # no part of the meaning

    def form(self) -> InvalidInput | None:
        problem = key_form(self.key) or amount_form(self.amount) or note_form(self.note)
        if problem:
            return problem
        if not -(2**31) < self.priority < 2**31:
            return InvalidInput("must fit 32 bits", field="priority")
        if self.expires_at and self.effective_at and self.expires_at <= self.effective_at:
            return InvalidInput("must lie after effectiveAt", field="expiresAt")
        if self.expires_at is not None and self.expires_after is not None:
            return InvalidInput("is given as an instant or as a duration, not both", field="expiresAt")
        if self.cost_amount is not None and self.cost_total is not None:
            return InvalidInput("is given per credit or in all, not both", field="costBasis.amount")
        if min(self.cost_amount or 0, self.cost_total or 0) < 0:
            return InvalidInput("must not be negative", field="costBasis.amount")
        if self.cost_total is not None and self.cost_total >= self.amount * _COST_MAX:
            return InvalidInput(f"must be less than {_COST_MAX} per credit", field="costBasis.amount")
        if self.cost_currency is not None and not _currency(self.cost_currency):
            return InvalidInput("must be three capital letters such as USD", field="costBasis.currency")
        return json_form(self.metadata, "metadata")

    def meaning(self) -> int:
        return fingerprint(
            "grant",
            *(self.credit_type, self.amount, self.source, self.reason, self.note, self.priority),
            *(self.effective_at, self.expires_at, self.cost_amount, self.cost_currency, self.metadata),
            *(() if self.cost_total is None else (self.cost_total,)),
            *(() if self.expires_after is None else (durations.meaning(self.expires_after),)),
        )

    @property
    def cost_per_credit(self) -> Decimal | None:
        if self.cost_total is None:
            return self.cost_amount
        with localcontext(prec=60):
            return (self.cost_total / self.amount).quantize(Decimal(1).scaleb(-QUANTITY_DECIMALS), ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class OpenHold:
    customer: str
    spend: Spend
    ttl: str
    key: str
    actor_id: int | None
    not_after: datetime | None = None

    def form(self) -> InvalidInput | None:
        return key_form(self.key) or self.spend.form() or ttl_form(self.ttl)

    def meaning(self) -> int:
        return fingerprint("hold", *self.spend.meaning(), durations.meaning(self.ttl))


@dataclass(frozen=True, slots=True)
class Settle:
    hold: HoldId
    key: str
    actor_id: int | None
    quantity: Decimal | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    amount: Decimal | None = None
    partial: bool = False

    def form(self) -> InvalidInput | None:
        problem = key_form(self.key)
        if problem:
            return problem
        if (self.quantity is None) == (self.amount is None):
            return InvalidInput("give either quantity or amount", field="quantity")
        if self.quantity is not None:
            return positive(self.quantity, "quantity") or dimensions_form(self.dimensions)
        if self.dimensions:
            return InvalidInput("go with quantity, not with amount", field="dimensions")
        return amount_form(self.amount) if self.amount is not None else None

    def meaning(self) -> int:
        hold = (self.hold.credit_type_id, self.hold.number)
        return fingerprint("settle", *hold, self.quantity, self.dimensions, self.amount, self.partial)


@dataclass(frozen=True, slots=True)
class Release:
    hold: HoldId
    key: str
    actor_id: int | None

    def form(self) -> InvalidInput | None:
        return key_form(self.key)

    def meaning(self) -> int:
        return fingerprint("release", self.hold.credit_type_id, self.hold.number)


@dataclass(frozen=True, slots=True)
class ExtendHold:
    """Gives an open hold another end, counted from now. It moves nothing, so it needs no key."""

    hold: HoldId
    ttl: str

    def form(self) -> InvalidInput | None:
        return ttl_form(self.ttl)


@dataclass(slots=True)
class TakeEvent:
    """A usage event that has passed its envelope's checks, or has not: then `problem` says why, and it is kept.

    Never changed; not `frozen`, which doubles what making one costs.
    """

    key: UUID
    content: int
    source: str
    event_id: str
    type: str
    subject: str
    time: datetime | None  # None: the time of receipt
    data: Mapping[str, Any]
    data_text: str  # as received
    problem: str | None = None
    accept_late: bool = False
    again: bool = False  # a dead letter that an operator tries once more
    actor_id: int | None = None  # that operator, for the audit log


@dataclass(frozen=True, slots=True)
class Advance:
    """Books what fell due for a customer: the sweep's only command."""

    customer_id: int


Keyed: TypeAlias = "Burn | GiveGrant | OpenHold | Settle | Release | Correction"
Command: TypeAlias = "Keyed | ExtendHold | TakeEvent | Advance"


def amount_form(amount: Decimal) -> InvalidInput | None:
    problem = positive(amount, "amount")
    if problem:
        return problem
    if decimals(amount) > MICRO_DECIMALS:
        return InvalidInput(f"has more than {MICRO_DECIMALS} decimals", field="amount")
    if amount * MICRO > INT64_MAX:
        return InvalidInput("is beyond 64 bits of micro-credits", field="amount")
    return None


def positive(value: Decimal, name: str) -> InvalidInput | None:
    return None if value > 0 else InvalidInput("must be more than zero", field=name)


def note_form(note: str | None) -> InvalidInput | None:
    if note is None:
        return None
    if len(note) > bounds.NOTE_MAX or "\0" in note or not _is_text(note):
        return InvalidInput(f"must be at most {bounds.NOTE_MAX} characters, without NUL", field="note")
    return None


def text_form(spend: Spend) -> InvalidInput | None:
    member = spend.member
    if member is not None and (not 0 < len(member) <= bounds.NAME_MAX or not member.isprintable()):
        return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field="member")
    return None


def dimensions_form(dimensions: Mapping[str, Any]) -> InvalidInput | None:
    if not isinstance(dimensions, Mapping):
        return InvalidInput("must be a JSON object", field="dimensions")
    if len(dimensions) > bounds.DIMENSIONS_MAX:
        return InvalidInput(f"at most {bounds.DIMENSIONS_MAX}", field="dimensions")
    for name, value in dimensions.items():
        if not isinstance(value, str | int | Decimal | bool | None):
            return InvalidInput("must be text, a number, a truth value or null", field=f"dimensions.{name}")
    return json_form(dimensions, "dimensions")


def json_form(value: Mapping[str, Any], name: str) -> InvalidInput | None:
    if not isinstance(value, Mapping):
        return InvalidInput("must be a JSON object", field=name)
    if not value:
        return None
    try:
        written = canonical_json(value)
    except TypeError:  # a lone surrogate, or what JSON has no word for
        return InvalidInput("must be JSON in Unicode", field=name)
    if len(written) > bounds.JSON_BYTES_MAX:
        return InvalidInput(f"must be at most {bounds.JSON_BYTES_MAX} bytes", field=name)
    if "\\u0000" in written:
        return InvalidInput("must not contain NUL characters", field=name)
    return None


def ttl_form(ttl: str) -> InvalidInput | None:
    reference = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    try:
        end = durations.after(reference, ttl)
    except ValueError as error:
        return InvalidInput(str(error), field="ttl")
    if end - reference > bounds.HOLD_TTL_MAX:
        return InvalidInput(f"must be at most {bounds.HOLD_TTL_MAX.days} days", field="ttl")
    return None


def _is_text(text: str) -> bool:
    """Half of a surrogate pair is no character, and cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _currency(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()
