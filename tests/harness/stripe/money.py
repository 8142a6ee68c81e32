"""What was really taken, given back and contested, by the order that the caller's metadata name."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.returns import TAKEN_BACK


@dataclass
class Money:
    """In minor units. `taken`: of `charges` successful charges. `disputed`: withdrawn and not won back."""

    currency: str
    charges: int = 0
    taken: int = 0
    refunded: int = 0
    disputed: int = 0

    @property
    def left(self) -> int:
        return self.taken - self.refunded - self.disputed


def by_order(book: Book, by: str) -> dict[str, Money]:
    """Order → its money; "" for what names none. The name is `by` in the metadata of charge, intent or session."""
    sums: dict[str, Money] = {}
    owner: dict[str, str] = {}
    sessions = {item["payment_intent"]: item for item in book.kinds["checkout.session"] if item["payment_intent"]}
    for charge in book.kinds["charge"]:
        if charge["paid"]:
            order = owner[charge["id"]] = _order(book, charge, sessions, by)
            money = sums.setdefault(order, Money(charge["currency"]))
            if order:
                assert money.currency == charge["currency"], f"order {order} was charged in two currencies"
            money.charges += 1
            money.taken += charge["amount"]
    for refund in book.kinds["refund"]:
        if refund["status"] not in TAKEN_BACK:
            sums[owner[refund["charge"]]].refunded += refund["amount"]
    for dispute in book.kinds["dispute"]:
        if dispute["status"] != "won":
            sums[owner[dispute["charge"]]].disputed += dispute["amount"]
    return sums


def check(book: Book, by: str, *, once: bool = True) -> dict[str, Money]:
    """The same, after it was found consistent. Raises AssertionError; `once`: also for an order charged twice."""
    sums = by_order(book, by)
    for order, money in sums.items():
        if once and order:
            assert money.charges <= 1, f"order {order} was charged {money.charges} times: {asdict(money)}"
        assert 0 <= money.refunded <= money.taken, f"order {order}: {asdict(money)}"
    of_intents = Counter(charge["payment_intent"] for charge in book.kinds["charge"] if charge["paid"])
    for intent, charges in of_intents.items():
        assert charges == 1, f"{intent} was charged {charges} times"
    for charge in book.kinds["charge"]:
        assert 0 <= charge["amount_refunded"] <= charge["amount_captured"], charge["id"]
    lines = sum(line["amount"] for line in book.kinds["balance_transaction"])
    assert lines == sum(money.left for money in sums.values()), "the balance is not what was taken less what went back"
    return sums


def shown(sums: dict[str, Money]) -> dict[str, dict[str, Any]]:
    return {order: {**asdict(money), "left": money.left} for order, money in sums.items()}


def _order(book: Book, charge: Json, sessions: dict[str, Json], by: str) -> str:
    intent = book.objects[charge["payment_intent"]]
    session = sessions.get(intent["id"], {})
    for item in (charge, intent, session):
        found = (item.get("metadata") or {}).get(by)
        if found:
            return str(found)
    return str(session.get("client_reference_id") or "")
