"""What a top-up is: credits that a person buys, or the rule does (a recharge); and what of it was paid back. PURE."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias

from credits import ids
from credits.errors import Refusal
from credits.recharge.provider import Mode, ProviderName

TopUpStatus: TypeAlias = Literal[
    "PENDING", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELED", "REFUNDED", "DISPUTED"
]
OPEN: tuple[TopUpStatus, ...] = ("PENDING", "REQUIRES_ACTION")

PaybackStatus: TypeAlias = Literal["ASKED", "DONE", "FAILED", "UNDONE"]

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
    asked_at: datetime
    look_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Nobody knows yet whether it is paid."""
        return self.status in OPEN

    @property
    def may_be_paid(self) -> bool:
        """What was declined may be paid yet, by whoever still has the page that has declined it."""
        return self.is_open or (self.status == "FAILED" and self.is_known and self.mode != "OFF_SESSION")

    @property
    def is_known(self) -> bool:
        """The provider has told of it."""
        return self.session is not None or self.payment is not None

    @property
    def is_paid(self) -> bool:
        return self.grant_number is not None

    @property
    def place(self) -> Place:
        return self.customer_id, self.number

    @property
    def id(self) -> str:
        return public_id(self.place)


@dataclass(frozen=True, slots=True)
class KeptPayback:
    """A refund or payment dispute as we keep it: see `provider.Payback` for what the provider says of it.

    `amount` and `counted` (what of it found something left that was paid) are of what was paid, with tax; `minor` is of the
    price, before tax; `credits`, in micro-credits, were clawed back by the entry `sequence`, and given back by `undone_by`.
    """

    customer_id: int
    top_up: int
    number: int
    kind: Literal["REFUND", "CHARGEBACK"]
    status: PaybackStatus
    amount: int
    counted: int = 0
    minor: int = 0
    credits: int = 0
    provider_id: str | None = None
    sequence: int | None = None
    undone_by: int | None = None
    actor_id: int | None = None
    reason: str | None = None
    note: str | None = None
    key: str | None = None
    fingerprint: int | None = None
    created_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def of(self) -> Place:
        """Of which top-up."""
        return self.customer_id, self.top_up

    @property
    def id(self) -> str:
        """What the provider is given as our id of a refund."""
        return ids.make("pbk", self.customer_id, self.top_up, self.number)


@dataclass(frozen=True, slots=True)
class PaymentFailed(Refusal):
    """No money came. `retryable`: the same card may do another time. `client_secret` is for whoever has to act."""

    decline_code: str | None
    retryable: bool
    client_secret: str | None
    code: str = "PAYMENT_FAILED"


# What a bank says of a card that will never pay here. Anything else may pass.
_NEVER = frozenset(
    {
        *("stolen_card", "lost_card", "pickup_card", "fraudulent", "merchant_blacklist", "restricted_card"),
        *("invalid_account", "new_account_information_available", "card_not_supported", "currency_not_supported"),
        *("expired_card", "invalid_number", "incorrect_number", "invalid_expiry_year", "invalid_expiry_month"),
        *("revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order"),
    }
)
REFUSED = "refused"  # decline code: the provider would not have it, whichever card


def failed(top_up: TopUp) -> PaymentFailed | None:
    """What keeps the top-up from being paid by itself: a decline, or somebody who has to act where no page leads on."""
    message = top_up.failure or "the payment did not go through"
    if top_up.status == "FAILED":
        retryable = top_up.decline_code not in _NEVER | {REFUSED}
        return PaymentFailed(message, top_up.decline_code, retryable, None)
    if top_up.status == "REQUIRES_ACTION" and top_up.checkout_url is None:
        message = top_up.failure or "the payment has to be confirmed"
        return PaymentFailed(message, top_up.decline_code, True, top_up.client_secret, "PAYMENT_ACTION_REQUIRED")
    return None


def top_up_of(row: Any) -> TopUp:
    """From a row of its table, whose columns have these names: of either door."""
    return TopUp(**{each.name: row[each.name] for each in fields(TopUp)})


def payback_of(row: Any) -> KeptPayback:
    """Likewise."""
    return KeptPayback(**{each.name: row[each.name] for each in fields(KeptPayback)})


def public_id(place: Place) -> str:
    return ids.make("top", *place)


def place_of(text: str) -> Place | None:
    """Which top-up a public id names; None where it is no such id."""
    numbers = ids.parse("top", text, 2)
    return None if numbers is None or numbers[1] >= 2**31 else (numbers[0], numbers[1])
