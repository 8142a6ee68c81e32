"""A provider that is a small bank: it keeps orders by their id, takes money once whoever asks how often, and can fail as
networks do, before or after it has done what was asked."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from credits.recharge.provider import (
    Method,
    Order,
    Payback,
    Payer,
    Payment,
    ProviderName,
    ProviderRefused,
    ProviderUnavailable,
    Setup,
)


@dataclass
class Account:
    """What the bank knows of one order."""

    order: Order
    payment: Payment
    refunds: dict[str, str] = field(default_factory=dict)  # our id → the bank's


@dataclass
class Bank:
    """`fault(verb, "before" | "after")` is asked at each call: what it raises is what the caller sees. `tax` in percent."""

    name: ProviderName = "sandbox"
    live: bool = False
    tax: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    payers: dict[int, str] = field(default_factory=dict)
    saved: dict[int, tuple[Method, ...]] = field(default_factory=dict)
    fault: Callable[[str, str], None] = lambda _verb, _when: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    charges: list[str] = field(default_factory=list)  # each time money was taken
    refuses: str | None = None
    cards: dict[str, str] = field(
        default_factory=dict
    )  # by what is saved: ok (as any other), declining, authenticating
    _count: Any = field(default_factory=lambda: itertools.count(1))

    # ─── what Scrip asks ───────────────────────────────────────────────────────────────────────────
    async def know(self, payer: Payer) -> str:
        self._begin("know", payer.key)
        known = self.payers.setdefault(payer.customer_id, f"payer-{payer.customer_id}")
        self.fault("know", "after")
        return known

    async def start(self, order: Order) -> Payment:
        self._begin("start", order.id)
        if self.refuses:
            raise ProviderRefused(self.refuses)
        account = self.accounts.get(order.id) or self._open(order)
        self.fault("start", "after")
        return account.payment

    async def charge(self, order: Order) -> Payment:
        self._begin("charge", order.id)
        if self.refuses:
            raise ProviderRefused(self.refuses)
        if order.id not in self.accounts:
            self._open(order)
            match self.cards.get(order.method or ""):
                case "declining":
                    self.decline(order.id)
                case "authenticating":
                    self.decline(order.id, "authentication_required", "REQUIRES_ACTION")
                case _:
                    self.pay(order.id)
        self.fault("charge", "after")
        return self.accounts[order.id].payment

    async def read(self, order: Order) -> Payment | None:
        self._begin("read", order.id)
        account = self.accounts.get(order.id)
        return None if account is None else account.payment

    async def cancel(self, order: Order) -> Payment | None:
        self._begin("cancel", order.id)
        account = self.accounts.get(order.id)
        if account is not None and account.payment.state not in ("SUCCEEDED", "CANCELED"):
            account.payment = replace(account.payment, state="CANCELED", checkout_url=None, client_secret=None)
        self.fault("cancel", "after")
        return None if account is None else account.payment

    async def refund(self, order: Order, refund_id: str, amount: int, reason: str) -> Payment:
        self._begin("refund", order.id)
        assert reason
        account = self.accounts[order.id]
        if refund_id not in account.refunds:
            account.refunds[refund_id] = self.give_back(order.id, amount, ours=refund_id)
        self.fault("refund", "after")
        return account.payment

    async def set_up(self, payer: Payer, mode: str, return_url: str | None) -> Setup:
        self._begin("set_up", payer.key)
        return Setup(f"https://bank.test/setup/{payer.key}?{return_url}", None if mode == "HOSTED" else "secret")

    async def methods(self, payer: Payer) -> tuple[Method, ...]:
        self._begin("methods", payer.key)
        return self.saved.get(payer.customer_id, ())

    # ─── what happens at the bank ──────────────────────────────────────────────────────────────────
    def pay(self, order_id: str) -> Payment:
        account = self.accounts[order_id]
        if account.payment.state != "SUCCEEDED":
            self.charges.append(order_id)
            paid = account.order.price * (100 + self.tax) // 100
            self.tell(order_id, state="SUCCEEDED", paid=paid, receipt_url=f"https://bank.test/receipt/{order_id}")
            self.tell(order_id, failure=None, decline_code=None)
        return self.accounts[order_id].payment

    def decline(self, order_id: str, code: str = "card_declined", state: str = "FAILED") -> Payment:
        return self.tell(order_id, state=state, failure="the card was declined", decline_code=code)

    def give_back(self, order_id: str, amount: int, *, kind: str = "REFUND", ours: str | None = None) -> str:
        """Money that goes back: asked by us, or by somebody else. Its id at the bank."""
        account = self.accounts[order_id]
        gone = sum(each.amount for each in account.payment.paybacks if each.state != "FAILED")
        if kind == "REFUND" and gone + amount > (account.payment.paid or 0):
            raise ProviderRefused("more than was paid")
        payback = Payback(f"{kind.lower()}-{next(self._count)}", kind, "DONE", amount, ours)  # type: ignore[arg-type]
        self.tell(order_id, paybacks=(*account.payment.paybacks, payback))
        return payback.provider_id

    def undo(self, order_id: str, provider_id: str) -> Payment:
        """A refund that fails after all, or a payment dispute that is won."""
        now = [
            replace(each, state="FAILED") if each.provider_id == provider_id else each
            for each in self.accounts[order_id].payment.paybacks
        ]
        return self.tell(order_id, paybacks=tuple(now))

    def tell(self, order_id: str, **changes: Any) -> Payment:
        account = self.accounts[order_id]
        account.payment = replace(account.payment, **changes)
        return account.payment

    def _open(self, order: Order) -> Account:
        number = next(self._count)
        hosted = order.mode == "HOSTED"
        payment = Payment(
            state="PENDING",
            order_id=order.id,
            subtotal=order.price,
            paid=None,
            currency=order.currency,
            payer_id=order.payer.provider_id,
            live=self.live,
            session=f"session-{number}",
            payment=f"payment-{number}",
            checkout_url=f"https://bank.test/pay/{number}" if hosted else None,
            client_secret=None if hosted else f"secret-{number}",
        )
        self.accounts[order.id] = Account(order, payment)
        return self.accounts[order.id]

    def _begin(self, verb: str, what: str) -> None:
        self.asked.append((verb, what))
        self.fault(verb, "before")


def lost(verb: str, when: str, times: int = 1) -> Callable[[str, str], None]:
    """The network is lost at that verb, so many times."""
    left = [times]

    def fault(asked: str, at: str) -> None:
        if (asked, at) == (verb, when) and left[0]:
            left[0] -= 1
            raise ProviderUnavailable(f"{verb}: lost {when}")

    return fault
