"""What became of the money, computed the slow way: by fractions, from the entries and what was paid, grant by grant.

Nothing of the code under test is used. A grant's credits are worth `paid ÷ amount` each; what was added by hand is worth
nothing. A grant that continues another has the money of the credits that it took over, exactly.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

DECIMALS = {"USD": 2, "JPY": 0, "BHD": 3}
# credits/ledger/entries.py
GRANT, BURN, HOLD, SETTLE, RELEASE, LAPSE, EXPIRE, UNEXPIRE, REALLOCATE, VOID, REVERSE, CLAWBACK, ADJUST = range(1, 14)


@dataclass
class Paid:
    currency: str
    money: Fraction  # smallest units, for `amount` micro-credits
    amount: int
    remaining: int

    @property
    def worth(self) -> Fraction:
        return self.money * self.remaining / self.amount


@dataclass
class Slowly:
    """One account. `moved[day, currency]` is (sold, recognized, breakage, refunded); `continued` counts grants by currency
    that took money over: each may be rounded by one unit."""

    grants: Mapping[int, Any]
    movements: Mapping[int, Any]
    paid: dict[int, Paid] = field(default_factory=dict)
    moved: dict[tuple[date, str], list[Fraction]] = field(
        default_factory=lambda: defaultdict(lambda: [Fraction(0)] * 4)
    )
    deferred: dict[tuple[date, str], Fraction] = field(default_factory=dict)  # at the end of the day
    continued: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lots: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    taken: Paid | None = None  # by the first half of a move

    def read(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            day = entry["recorded_at"].date()
            self._read(entry, day)
            for currency in {each.currency for each in self.paid.values()}:
                self.deferred[day, currency] = sum(
                    (each.worth for each in self.paid.values() if each.currency == currency), Fraction(0)
                )

    def _book(self, day: date, currency: str, **sums: Fraction) -> None:
        now = self.moved[day, currency]
        names = ("sold", "recognized", "breakage", "refunded")
        self.moved[day, currency] = [
            before + sums.get(name, Fraction(0)) for before, name in zip(now, names, strict=True)
        ]

    def _read(self, entry: Any, day: date) -> None:
        kind, parts = entry["kind"], allocations(entry)
        money = self.movements.get(entry["sequence"])
        if kind == GRANT:
            self._begin(abs(parts[0][0]), entry["amount"], money, day)
        if kind == REVERSE:
            for number in {abs(number) for number, _ in parts if number}:
                if self._is_new(number, entry):
                    self._refund(number, day)
        if kind == ADJUST and entry["amount"] > 0 and self._is_new(parts[0][0], entry) and self.taken:
            (number, part), *_ = parts
            self.paid[number] = Paid(self.taken.currency, self.taken.worth, part, part)
            self.continued[self.taken.currency] += 1
            return
        if kind in (CLAWBACK, REVERSE) and money is not None:
            back = Fraction(money["minor"] * (1 if kind == CLAWBACK else -1))
            self._book(day, money["currency"], refunded=back, recognized=-back)
        for number, change in changes(kind, entry["amount"], parts):
            self._change(entry, number, change, day)

    def _begin(self, number: int, amount: int, money: Any, day: date) -> None:
        grant = self.grants[number]
        if money is not None:
            sold, currency = Fraction(money["minor"]), money["currency"]
        elif grant["cost_amount"]:
            currency = grant["cost_currency"]
            exact = Fraction(grant["cost_amount"]) * Fraction(amount, 10**6) * 10 ** DECIMALS[currency]
            sold = Fraction(round(exact))  # half to even
        else:
            return
        if sold:
            self.paid[number] = Paid(currency, sold, amount, amount)
            self.lots[currency] += 1
            self._book(day, currency, sold=sold)

    def _is_new(self, number: int, entry: Any) -> bool:
        grant = self.grants[number]
        return (
            grant["rolled_from"] is not None and grant["created_at"] == entry["recorded_at"] and number not in self.paid
        )

    def _refund(self, number: int, day: date) -> None:
        """A new grant for what was given back of one that has ended: at the price it was burned for."""
        old = self.paid.get(self.grants[number]["rolled_from"])
        if old is not None:
            amount = self.grants[number]["amount"]
            self.paid[number] = Paid(old.currency, old.money * amount / old.amount, amount, 0)
            self.continued[old.currency] += 1

    def _change(self, entry: Any, number: int, change: int, day: date) -> None:
        lot, kind = self.paid.get(number), entry["kind"]
        if lot is None:
            return
        before = lot.worth
        lot.remaining += change
        released = before - lot.worth
        if kind == ADJUST:  # nothing but moves in this year
            self.taken = Paid(lot.currency, lot.money * -change / lot.amount, -change, -change)
            lot.money, lot.amount = lot.money - self.taken.money, lot.amount + change
            if not lot.amount:
                lot.amount = 1
        elif kind in (EXPIRE, UNEXPIRE, VOID):
            self._book(day, lot.currency, breakage=released)
        else:
            self._book(day, lot.currency, recognized=released)


def allocations(entry: Any) -> list[tuple[int, int]]:
    if entry["grant_number"] is not None:
        return [(entry["grant_number"], max(abs(entry["amount"]), abs(entry["held_amount"] or 0)))]
    flat = entry["allocations"] or []
    return list(zip(flat[::2], flat[1::2], strict=True))


def changes(kind: int, amount: int, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(grant, by how much what remains of it changes)."""
    gives = kind in (GRANT, REVERSE, UNEXPIRE) or (kind == ADJUST and amount > 0)
    found = []
    for number, part in parts:
        if kind == HOLD or number == 0 or (kind in (RELEASE, LAPSE) and number > 0):
            continue
        if kind == GRANT:
            change = 0 if number > 0 else -part  # the whole amount was there at first
        elif gives:
            change = part if number > 0 else 0
        else:
            change = -part
        found.append((abs(number), change))
    return found
