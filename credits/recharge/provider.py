"""What Scrip asks of whoever takes the money, and what it is told. No provider is named here.

A provider is asked outside of any database transaction: the intent is stored first, then it is asked, and what it then
says is the truth about money. It is asked by an order's id, which is also its idempotency key: asking again, whatever was
lost in between, finds the same payment and never makes a second one. Money is in the smallest unit of its currency.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

ProviderName: TypeAlias = Literal["sandbox", "stripe"]
Mode: TypeAlias = Literal["HOSTED", "ELEMENT", "OFF_SESSION"]
PaymentState: TypeAlias = Literal["PENDING", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELED"]
PaybackState: TypeAlias = Literal["PENDING", "DONE", "FAILED"]


class ProviderUnavailable(Exception):
    """It is not known whether anything happened. The same order may be asked for again, and finds what happened."""


class ProviderRefused(Exception):
    """The provider will not, whoever asks how often: what was asked for is wrong. The message is for operators."""


class PayerUnknown(ProviderRefused):
    """It knows no customer by the id that we have: somebody has deleted it there, or it was made in the other mode."""


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer as the provider needs to know it. `provider_id` is the provider's own id of it; None until it has one."""

    workspace_id: int
    customer_id: int
    key: str
    name: str
    email: str | None
    locale: str | None
    provider_id: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A top-up as the provider needs to know it. `id` is its public id: idempotency key, and metadata of everything.

    `unit_price` × `quantity` is `price`, before tax. `session` and `payment` are the provider's ids, as far as we know
    them. `method` is what an off-session charge is made by.
    """

    id: str
    payer: Payer
    name: str  # of the bundle
    quantity: int
    unit_price: int
    price: int
    currency: str  # capitals
    mode: Mode
    return_url: str | None
    session: str | None
    payment: str | None
    method: str | None
    created_at: datetime  # in real time


@dataclass(frozen=True, slots=True)
class Payback:
    """A refund or a payment dispute, as the provider has it. `ours` is our id of a refund that we asked for."""

    provider_id: str
    kind: Literal["REFUND", "CHARGEBACK"]
    state: PaybackState  # of a chargeback: PENDING while the bank only asks, DONE while it has it, FAILED once won
    amount: int
    ours: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """All that is known of an order's money at this moment.

    `order_id` is what the provider's metadata say; `subtotal` is before tax, `paid` with it; both are None where nobody has
    been asked for money yet. `live` is whether it is real money. `method` is what was paid by, where that is saved.
    """

    state: PaymentState
    order_id: str | None
    subtotal: int | None
    paid: int | None
    currency: str | None  # capitals
    payer_id: str | None
    live: bool
    session: str | None = None
    payment: str | None = None
    checkout_url: str | None = None
    client_secret: str | None = None
    receipt_url: str | None = None
    failure: str | None = None  # a sentence for the customer
    decline_code: str | None = None
    paybacks: tuple[Payback, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """A saved payment method: no card data, a label such as `Visa •••• 4242`, and `expires` such as `2030-04`."""

    provider_id: str
    label: str
    expires: str | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class Setup:
    """Where, or with which secret, a payment method is saved."""

    url: str | None
    client_secret: str | None


class Provider(Protocol):
    """Each verb raises `ProviderUnavailable` or `ProviderRefused`. A decline is neither: it is a `Payment` that says so."""

    @property
    def name(self) -> ProviderName: ...

    @property
    def live(self) -> bool:
        """Whether it moves real money."""
        ...

    async def know(self, payer: Payer) -> str:
        """The provider's id of the customer, made where it has none; the same one whoever asks how often."""
        ...

    async def start(self, order: Order) -> Payment:
        """A checkout for somebody who is there: `checkout_url` (HOSTED) or `client_secret` (ELEMENT)."""
        ...

    async def charge(self, order: Order) -> Payment:
        """By `order.method`, with nobody there (OFF_SESSION)."""
        ...

    async def read(self, order: Order) -> Payment | None:
        """The truth, by the ids we know, else by our own id in the metadata; None: it knows no such order."""
        ...

    async def cancel(self, order: Order) -> Payment | None:
        """Ends what has not been paid; what has been paid stays so, and is said."""
        ...

    async def refund(self, order: Order, refund_id: str, amount: int, reason: str) -> Payment:
        """Pays `amount` of what was paid back. `refund_id` is our id of it, and its idempotency key."""
        ...

    async def set_up(self, payer: Payer, mode: Mode, return_url: str | None) -> Setup:
        """For saving a payment method."""
        ...

    async def methods(self, payer: Payer) -> tuple[Method, ...]:
        """What is saved now."""
        ...
