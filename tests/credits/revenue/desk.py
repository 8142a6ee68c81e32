"""An account of the real rules whose money is told entry by entry, with what was paid for its grants."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from credits.ledger import advance, corrections, late
from credits.ledger.account import Account, Grant
from credits.ledger.entries import Entry
from credits.ledger.laying import LateBurn
from credits.revenue.fold import Fold, Told
from credits.revenue.lots import Line, Lot, Moved, Terms
from tests.credits.ledger import given
from tests.credits.ledger.given import NOBODY, NOON, an_account

HOUR = timedelta(hours=1)


def half_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)


@dataclass
class Desk:
    """Every verb of the ledger on one account; `now` goes on by itself where `after` is given."""

    account: Account = field(default_factory=an_account)
    fold: Fold = field(default_factory=Fold)
    movements: dict[int, Moved] = field(default_factory=dict)
    now: datetime = NOON
    told: int = 0

    def wait(self, by: timedelta) -> None:
        self.now += by
        advance.advance(self.account, self.now)
        self.tell()

    def tell(self) -> list[Line]:
        """Tells what was booked since; the lines of it."""
        before = len(self.fold.lines)
        for entry in self.account.entries[self.told :]:
            tell_one(self.fold, self.account, entry, self.movements)
        self.told = len(self.account.entries)
        return self.fold.lines[before:]

    # ─── what is bought ──────────────────────────────────────────────────────────────────────────────────
    def sell(self, amount: int, price: int, *, currency: str = "USD", **more: Any) -> Grant:
        """A purchased grant."""
        advance.advance(self.account, self.now)
        grant = given.give(self.account, amount, now=self.now, source="PURCHASE", **more)
        self.move("SALE", price, grant, currency)
        self.tell()
        return grant

    def told_of(self, amount: int, cost: str, currency: str = "USD", **more: Any) -> Grant:
        """A grant that the host sold, by its word: money per credit."""
        return self.give(amount, cost_amount=Decimal(cost), cost_currency=currency, **more)

    def give(self, amount: int, **more: Any) -> Grant:
        advance.advance(self.account, self.now)
        grant = given.give(self.account, amount, now=self.now, **more)
        self.tell()
        return grant

    def move(self, kind: str, minor: int, grant: Grant, currency: str = "USD") -> None:
        """Money beside the last entry."""
        self.movements[self.account.sequence] = Moved(kind, minor, currency, grant.number)

    # ─── what becomes of it ──────────────────────────────────────────────────────────────────────────────
    def burn(self, amount: int) -> Entry:
        entry = given.spend(self.account, amount, now=self.now)
        self.tell()
        return entry

    def burn_late(self, amount: int, at: datetime) -> Entry:
        advance.advance(self.account, self.now)
        (entry,) = late.place(self.account, [LateBurn(amount, at, NOBODY)], self.now)
        self.tell()
        return entry

    def void(self, grant: Grant) -> None:
        given.void(self.account, grant, now=self.now)
        self.tell()

    def adjust(self, grant: Grant, amount: int) -> None:
        advance.advance(self.account, self.now)
        corrections.adjust(self.account, grant, amount, now=self.now, cause=NOBODY)
        self.tell()

    def extend(self, grant: Grant, until: datetime | None = None) -> Grant:
        advance.advance(self.account, self.now)
        new, _ = corrections.move(self.account, grant, expires_at=until, now=self.now, cause=NOBODY)
        self.tell()
        return new

    def reverse(self, entry: Entry, amount: int | None = None) -> Entry:
        reversal = given.reverse(self.account, entry, amount, now=self.now)
        self.tell()
        return reversal

    def refund(self, grant: Grant, amount: int, minor: int, *, kind: str = "REFUND", currency: str = "USD") -> Entry:
        """Credits clawed back for money paid back."""
        entry = given.claw_back(self.account, grant, amount, now=self.now)
        self.move(kind, minor, grant, currency)
        self.tell()
        return entry

    def claw_back(self, grant: Grant, amount: int) -> Entry:
        entry = given.claw_back(self.account, grant, amount, now=self.now)
        self.tell()
        return entry

    def win(self, clawback: Entry, grant: Grant, minor: int, currency: str = "USD") -> None:
        """A payment dispute is won: the clawback is reversed, and the money is back."""
        given.reverse(self.account, clawback, now=self.now)
        self.move("CHARGEBACK_WON", minor, grant, currency)
        self.tell()

    # ─── what is so ──────────────────────────────────────────────────────────────────────────────────────
    def sums(self, currency: str = "USD") -> dict[str, int]:
        """All that was told, in the words of a report; what is not zero."""
        lines = [line for line in self.fold.lines if line.currency == currency]
        found = {
            name: sum(getattr(line, name) for line in lines) for name in ("sold", "recognized", "breakage", "refunded")
        }
        found["deferred"] = sum(lot.deferred for lot in self.fold.lots.values() if lot.currency == currency)
        return {name: value for name, value in found.items() if value}

    def check(self) -> None:
        """What must hold after every entry."""
        by_currency = {line.currency for line in self.fold.lines}
        for currency in by_currency:
            changed = sum(line.change for line in self.fold.lines if line.currency == currency)
            assert changed == sum(lot.deferred for lot in self.fold.lots.values() if lot.currency == currency)
        for lot in self.fold.lots.values():
            grant = self.account.grants[lot.number]
            assert lot.remaining == grant.remaining, (lot, grant)
            assert lot.deferred == deferred_of(lot)
            assert 0 <= lot.deferred <= lot.paid
        assert all(line.says_something for line in self.fold.lines)


def deferred_of(lot: Lot) -> int:
    """By fractions: what the paid credits among what remains are worth."""
    left = min(max(0, lot.remaining - max(0, lot.adjusted)), lot.amount)
    return half_up(Fraction(lot.paid * left, lot.amount)) if lot.amount else 0


def tell_one(fold: Fold, account: Account, entry: Entry, movements: dict[int, Moved]) -> None:
    fold.movements = movements
    fold.terms = {
        number: Terms(grant.source, grant.cost_amount, grant.cost_currency, grant.rolled_from)
        for number, grant in account.grants.items()
    }
    reversed_kind = None if entry.cause.reverses is None else account.entries[entry.cause.reverses - 1].kind
    fold.tell(Told(entry.sequence, entry.kind, entry.amount, entry.recorded_at, list(entry.allocations), reversed_kind))
