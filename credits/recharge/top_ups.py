"""What a top-up is: credits that a person buys, or the rule does (a recharge). PURE."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from credits import ids
from credits.recharge.provider import Mode, ProviderName

TopUpStatus: TypeAlias = Literal[
    "PENDING", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELED", "REFUNDED", "DISPUTED"
]
OPEN: tuple[TopUpStatus, ...] = ("PENDING", "REQUIRES_ACTION")
PAID: tuple[TopUpStatus, ...] = ("SUCCEEDED", "REFUNDED", "DISPUTED")

Place: TypeAlias = tuple[int, int]  # customer, number


@dataclass(frozen=True, slots=True)
class TopUp:
    """`credits` and `clawed_back` in micro-credits; `price` (before tax), `paid` and `paid_back` (with it) in the smallest
    unit of `currency`. `paid` is None until it is paid."""

    workspace_id: int
    customer_id: int
    number: int
    credit_type_id: int
    bundle_id: int
    quantity: int
    credits: int
    price: int
    currency: str
    paid: int | None
    paid_back: int
    clawed_back: int
    status: TopUpStatus
    automatic: bool
    provider: ProviderName
    mode: Mode
    priority: int
    expires_after: str | None
    grant_number: int | None
    actor_id: int | None
    return_url: str | None
    method: str | None
    session: str | None
    payment: str | None
    checkout_url: str | None
    client_secret: str | None
    receipt_url: str | None
    failure: str | None
    decline_code: str | None
    key: str | None
    fingerprint: int
    version: int
    created_at: datetime
    changed_at: datetime
    settled_at: datetime | None
    look_at: datetime | None

    @property
    def place(self) -> Place:
        return self.customer_id, self.number

    @property
    def id(self) -> str:
        return ids.make("top", *self.place)


def place_of(text: str) -> Place | None:
    """Which top-up a public id names; None where it is no such id."""
    numbers = ids.parse("top", text, 2)
    return None if numbers is None else (numbers[0], numbers[1])
