"""What a sandbox payment is and what may become of it. PURE.

    pending → succeeded | failed (declined: may be tried again on the page) | requires action | canceled
    requires action → succeeded | failed | canceled

Money is in the smallest unit of its currency; times are real.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from credits import ids
from credits.recharge.provider import Method, Mode, Payback, PaymentState
from credits.recharge.top_ups import Place, public_id

Act: TypeAlias = Literal["pay", "decline", "authenticate", "cancel"]
DisputeAct: TypeAlias = Literal["open", "win", "lose"]
MethodKind: TypeAlias = Literal["ok", "declining", "authenticating"]
PaybackKind: TypeAlias = Literal["REFUND", "CHARGEBACK"]
StoredState: TypeAlias = Literal["DONE", "OPEN", "WON", "LOST"]

ACTS: tuple[Act, ...] = get_args(Act)
DISPUTE_ACTS: tuple[DisputeAct, ...] = get_args(DisputeAct)
METHOD_KINDS: tuple[MethodKind, ...] = get_args(MethodKind)

LIVES = timedelta(hours=24)  # as long as a hosted checkout of Stripe
_CARDS: dict[MethodKind, str] = {
    "ok": "Sandbox card •••• 4242",
    "declining": "Sandbox card •••• 0002 (declines)",
    "authenticating": "Sandbox card •••• 3220 (asks for authentication)",
}
_CARD_EXPIRES = "2099-12"
_DECLINED = ("The card was declined.", "card_declined")
_NOT_AUTHENTICATED = ("The payment was not authenticated.", "authentication_failed")
_EXPIRED = "The checkout has expired."

# What each act makes of an open payment.
_ENDS: dict[Act, PaymentState] = {
    "pay": "SUCCEEDED",
    "decline": "FAILED",
    "authenticate": "REQUIRES_ACTION",
    "cancel": "CANCELED",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the act is not possible. The payment is as it was."""

    message: str


@dataclass(frozen=True, slots=True)
class SandboxPayment:
    """One order's payment. `paid_back` is what refunds and payment disputes have taken of `subtotal`."""

    customer_id: int
    number: int
    subtotal: int
    paid_back: int
    currency: str
    name: str
    quantity: int
    state: PaymentState
    mode: Mode
    return_url: str | None
    method: str | None
    failure: str | None
    decline_code: str | None
    version: int
    created_at: datetime
    expires_at: datetime

    @property
    def place(self) -> Place:
        return self.customer_id, self.number

    @property
    def order_id(self) -> str:
        return public_id(self.place)

    def is_open(self, now: datetime) -> bool:
        """Whether its page takes an act that pays."""
        again = self.state == "FAILED" and self.mode != "OFF_SESSION"
        return now < self.expires_at and (again or self.state in ("PENDING", "REQUIRES_ACTION"))

    def at(self, now: datetime) -> "SandboxPayment":
        """The payment as it is then: what was not paid in time is canceled."""
        if self.state in ("PENDING", "REQUIRES_ACTION") and now >= self.expires_at:
            return replace(self, state="CANCELED", failure=_EXPIRED, decline_code=None)
        return self


@dataclass(frozen=True, slots=True)
class SandboxPayback:
    """What of a payment went back. `ours` is the id of whoever asked for a refund."""

    position: int
    kind: PaybackKind
    state: StoredState
    amount: int
    ours: str | None

    def told(self, place: Place) -> Payback:
        """As a provider tells it."""
        return Payback(
            provider_id=f"sandbox_{ids.make('pb', *place, self.position)}",
            kind=self.kind,
            state="FAILED" if self.state == "WON" else "DONE",
            amount=self.amount,
            ours=self.ours,
        )


@dataclass(frozen=True, slots=True)
class SandboxMethod:
    """A saved method. `number` counts the customer's."""

    customer_id: int
    number: int
    kind: MethodKind

    @property
    def id(self) -> str:
        return f"sandbox_{ids.make('pm', self.customer_id, self.number)}"

    def told(self, *, is_default: bool) -> Method:
        return Method(self.id, _CARDS[self.kind], _CARD_EXPIRES, is_default)


def method_number(text: str | None, customer_id: int) -> int | None:
    """Which of the customer's methods an id names; None where it is none of the customer's."""
    numbers = ids.parse("pm", (text or "").removeprefix("sandbox_"), 2)
    return None if numbers is None or numbers[0] != customer_id else numbers[1]


def act_on(payment: SandboxPayment, act: Act, now: datetime) -> SandboxPayment | Refused:
    """What the act makes of it; the same payment where it has happened already."""
    current = payment.at(now)
    if current.state == _ENDS[act] and act != "authenticate":
        return current
    if not current.is_open(now):
        return Refused(f"the payment is {current.state.lower()}")
    state = _ENDS[act]
    failure, decline_code = _DECLINED if act == "decline" else (None, None)
    if current.state == "REQUIRES_ACTION":
        if act == "authenticate":
            state = "SUCCEEDED"
        if act == "decline":
            failure, decline_code = _NOT_AUTHENTICATED
    return replace(current, state=state, failure=failure, decline_code=decline_code)


def charged(payment: SandboxPayment, kind: MethodKind) -> SandboxPayment:
    """A new off-session charge by that kind of method."""
    if kind == "ok":
        return replace(payment, state="SUCCEEDED")
    if kind == "authenticating":
        return replace(payment, state="REQUIRES_ACTION")
    failure, decline_code = _DECLINED
    return replace(payment, state="FAILED", failure=failure, decline_code=decline_code)


def refund_of(
    payment: SandboxPayment, paybacks: tuple[SandboxPayback, ...], refund_id: str, amount: int
) -> SandboxPayback | Refused | None:
    """The refund to write; None where it is there already."""
    known = next((each for each in paybacks if each.ours == refund_id), None)
    if known is not None:
        return None if known.amount == amount else Refused(f"{refund_id} was asked for with another amount")
    if payment.state != "SUCCEEDED":
        return Refused("the payment has not succeeded")
    left = payment.subtotal - payment.paid_back
    if not 0 < amount <= left:
        return Refused(f"{amount} of {left} that are left cannot be paid back")
    return SandboxPayback(len(paybacks) + 1, "REFUND", "DONE", amount, refund_id)


def dispute_of(
    payment: SandboxPayment, paybacks: tuple[SandboxPayback, ...], act: DisputeAct
) -> SandboxPayback | Refused | None:
    """The payment dispute as it is to be written, new or changed; None where it is so already.

    It takes all that is left of the payment. One that is lost stays so, and leaves nothing to contest.
    """
    last = next((each for each in reversed(paybacks) if each.kind == "CHARGEBACK"), None)
    wanted: StoredState = {"open": "OPEN", "win": "WON", "lose": "LOST"}[act]  # type: ignore[assignment]
    if last is not None and last.state == wanted:
        return None
    if act != "open":
        if last is None or last.state != "OPEN":
            return Refused("there is no open payment dispute")
        return SandboxPayback(last.position, "CHARGEBACK", wanted, last.amount, None)
    left = payment.subtotal - payment.paid_back
    if payment.state != "SUCCEEDED" or left == 0:
        return Refused("there is nothing paid to contest")
    return SandboxPayback(len(paybacks) + 1, "CHARGEBACK", "OPEN", left, None)


def paid_back(paybacks: tuple[SandboxPayback, ...]) -> int:
    """What they have taken together."""
    return sum(each.amount for each in paybacks if each.state != "WON")
