"""What each entry of an account does to money, told in the order of the book. PURE.

The books of credits say which grant bore what; a grant's money follows its credits. What remains of a grant decides what is
deferred of it, and an entry that changes what remains moves the difference, to where its kind says:

    BURN, SETTLE, REALLOCATE, overdraft repaid   earned (either sign)
    EXPIRE, VOID, ADJUST                         breakage; UNEXPIRE takes it back
    REVERSE                                      earned, negative
    CLAWBACK                                     paid back: what is not deferred any more was earned, and is returned

So each cent belongs to one entry, and every sum of entries holds to the cent: no period is rounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from credits.ledger.entries import OVERDRAFT, Allocations, Kind
from credits.revenue.lots import Line, Lot, Moved, Terms, paid_for, share

_ENDS = frozenset({Kind.EXPIRE, Kind.UNEXPIRE, Kind.VOID})
_FREES = frozenset({Kind.RELEASE, Kind.LAPSE})
_OUT = frozenset({"REFUND", "CHARGEBACK"})
_BACK = frozenset({"REFUND_FAILED", "CHARGEBACK_WON"})

_Side = Literal["earned", "breakage"]


@dataclass(slots=True)
class Told:
    """What the fold needs of an entry. `reversed_kind`: of the entry that a REVERSE gives back."""

    sequence: int
    kind: Kind
    amount: int
    at: datetime
    allocations: Allocations
    reversed_kind: Kind | None = None


def changes(entry: Told) -> Iterator[tuple[int, int]]:
    """(grant, by how much what remains of it changes), for entries that neither give nor hold."""
    for number, part in entry.allocations:
        if number == OVERDRAFT or (number > 0 and entry.kind in _FREES):
            continue  # released is as if never held
        yield abs(number), part if entry.kind is Kind.UNEXPIRE else -part


class Fold:
    """An account's money. `lots` are the grants with money that the entries name, `terms` the grants that may be new in
    them, `movements` by the entry's sequence; whoever tells adds to them as he reads on."""

    def __init__(self, lots: dict[int, Lot] | None = None, highest: int = 0) -> None:
        self.lots: dict[int, Lot] = {} if lots is None else lots
        self.terms: dict[int, Terms] = {}
        self.movements: Mapping[int, Moved] = {}
        self.highest = highest  # number of the grants named so far: a higher one is new
        self.lines: list[Line] = []
        self.changed: set[int] = set()
        self._entry: Told
        self._known = highest
        self._open: dict[str, Line] = {}

    def tell(self, entry: Told) -> None:
        """The next entry. Nothing but HOLD, and RELEASE and LAPSE that repaid nothing, may be left out."""
        self._entry, self._open, self._known = entry, {}, self.highest
        moved = self.movements.get(entry.sequence)
        match entry.kind:
            case Kind.HOLD:
                pass
            case Kind.GRANT:
                moved = self._begin(moved)
            case Kind.CLAWBACK:
                moved = self._claw_back(moved)
            case Kind.REVERSE if entry.reversed_kind is Kind.CLAWBACK:
                moved = self._claw_forward(moved)
            case Kind.REVERSE:
                self._give_back()
            case Kind.ADJUST:
                self._adjust()
            case kind:
                for number, change in changes(entry):
                    self._change(number, change, "breakage" if kind in _ENDS else "earned")
        if moved is not None:
            self._line(moved.currency).move_alone(moved)
        self.lines += [line for line in self._open.values() if line.says_something]

    # ─── beginning ───────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self, moved: Moved | None) -> Moved | None:
        """A grant begins: it is bought, or told to have been, or rolled on from another; or it is free."""
        entry = self._entry
        number = abs(entry.allocations[0][0])
        terms = self._meet(number)
        if terms.rolled_from is not None or terms.source == "ROLLOVER":
            if (money := self._continue(number, entry.amount, terms)) is not None:
                self._line(money.currency).breakage -= money.paid
        elif moved is not None and moved.kind == "SALE":
            self._line(moved.currency).sold += moved.minor
            self._add(number, moved.currency, moved.minor, entry.amount)
            moved = None
        elif terms.cost_amount is not None and terms.cost_currency is not None:
            paid = paid_for(terms.cost_amount, entry.amount, terms.cost_currency)
            line = self._line(terms.cost_currency)
            line.sold += paid
            line.elsewhere = True
            self._add(number, terms.cost_currency, paid, entry.amount)
        self._change(number, -self._repaid(number), "earned")
        return moved

    def _continue(self, number: int, amount: int, terms: Terms) -> Lot | None:
        """A new grant in the place of credits that another has just lost: their money goes along. Whoever calls takes it out
        of where it went."""
        old = None if terms.rolled_from is None else self.lots.get(terms.rolled_from)
        if old is None:
            return None
        micro = min(amount, old.ended)
        paid = share(old.ended_minor, micro, old.ended)
        old.ended, old.ended_minor = old.ended - micro, old.ended_minor - paid
        if not old.remaining:  # what comes back to it later is of what has not moved on
            old.paid -= paid
            old.amount -= min(micro, max(0, old.amount - old.burned))  # what was added by hand was not paid for
        if self._entry.kind is Kind.ADJUST:  # a move takes nothing by hand
            old.adjusted = min(max(0, old.adjusted), old.adjusted + micro)
        self.changed.add(old.number)
        return self._add(number, old.currency, paid, amount)

    def _add(self, number: int, currency: str, paid: int, amount: int) -> Lot | None:
        """Grants without money are not looked at again."""
        if not paid:
            return None
        lot = Lot(number, currency, paid, amount, remaining=amount, deferred=paid)
        self.lots[number] = lot
        self.changed.add(number)
        return lot

    # ─── giving back ─────────────────────────────────────────────────────────────────────────────────────────
    def _give_back(self) -> None:
        """A burn is reversed."""
        for number, part, repaid in self._given():
            self._give_one_back(number, part, repaid)

    def _give_one_back(self, number: int, part: int, repaid: int) -> None:
        """Home, or where that has ended to a new grant that takes its share of what was earned."""
        if not self._is_new(number):
            self._change(number, part, "earned")
            return
        old = self.lots.get(self._meet(number).rolled_from or OVERDRAFT)
        if old is None:
            return
        micro = part + repaid
        paid = share(old.earned, micro, old.burned)
        old.burned -= micro
        old.earned -= paid
        self.changed.add(old.number)
        self._line(old.currency).earned -= paid
        self._add(number, old.currency, paid, micro)
        self._change(number, -repaid, "earned")

    def _claw_back(self, moved: Moved | None) -> Moved | None:
        """Credits are taken back, for money that was paid back; without any, they are lost like any that end."""
        (number, taken), *others = self._entry.allocations
        lot = self.lots.get(number)
        if lot is not None:
            released = lot.shift(-taken)
            lot.ended, lot.ended_minor = taken, released
            self.changed.add(number)
            line = self._line(lot.currency)
            paid_back = 0
            if moved is not None and moved.kind in _OUT and moved.currency == lot.currency:
                paid_back = moved.minor
                moved = None
            returned = max(0, paid_back - released)
            line.refunded += paid_back
            line.returned += returned
            line.breakage += released - (paid_back - returned)
            lot.earned -= returned
        for other, part in others:
            if other < OVERDRAFT:
                self._change(-other, -part, "earned")
        return moved

    def _claw_forward(self, moved: Moved | None) -> Moved | None:
        """A clawback is undone: the money is here again, or what was lost is not. What others had repaid of its debt goes
        back to them, as a burn would."""
        back = moved if moved is not None and moved.kind in _BACK else None
        clawed = abs(self._entry.allocations[0][0]) if back is None else back.grant
        gained = 0
        for number, part, repaid in self._given():
            new = self._is_new(number)
            if clawed != (self.terms[number].rolled_from if new else number):
                self._give_one_back(number, part, repaid)
                continue
            lot = self._regain(number, part + repaid, back) if new else self.lots.get(number)
            if lot is None:
                continue
            money = lot.paid if new else -lot.shift(part)
            self.changed.add(number)
            line = self._line(lot.currency)
            if back is None:
                line.breakage -= money
            else:
                line.returned += money
                gained += money
            if new:
                self._change(number, -repaid, "earned")
        if back is None:
            return moved
        line = self._line(back.currency)
        line.refunded -= back.minor
        line.returned -= back.minor
        if (named := self.lots.get(back.grant)) is not None:
            named.earned += back.minor - gained
            self.changed.add(back.grant)
        return None

    def _regain(self, number: int, micro: int, back: Moved | None) -> Lot | None:
        """A new grant in the place of one that has ended, with its share of the money that is back, or was lost."""
        old = self.lots.get(self._meet(number).rolled_from or OVERDRAFT)
        if back is not None:
            return self._add(number, back.currency, share(back.minor, micro, self._entry.amount), micro)
        return None if old is None else self._add(number, old.currency, share(old.ended_minor, micro, old.ended), micro)

    def _adjust(self) -> None:
        """By hand. A grant that is new in it continues another, which the entry before has taken from."""
        entry = self._entry
        for number, part, repaid in self._given():
            if entry.amount > 0 and self._is_new(number):
                if (money := self._continue(number, entry.amount, self._meet(number))) is not None:
                    self._undo(money)
                continue
            change = part + repaid if entry.amount > 0 else -part
            if (lot := self.lots.get(number)) is not None:
                lot.adjusted += change
            self._change(number, change, "breakage")
            self._change(number, -repaid, "earned")

    def _undo(self, money: Lot) -> None:
        """A move: its money was not lost for the instant between its two entries."""
        last = self.lines[-1] if self.lines else None
        if last is not None and last.sequence == self._entry.sequence - 1 and last.breakage == money.paid:
            self.lines.pop()
        else:
            self._line(money.currency).breakage -= money.paid

    # ─── one grant ───────────────────────────────────────────────────────────────────────────────────────────
    def _change(self, number: int, change: int, side: _Side) -> None:
        lot = self.lots.get(number)
        if lot is None or not change:
            return
        released = lot.shift(change)
        self.changed.add(number)
        if side == "earned":
            lot.burned -= change
            lot.earned += released
        elif change < 0:
            lot.ended, lot.ended_minor = -change, released
        if released:
            line = self._line(lot.currency)
            if side == "earned":
                line.earned += released
            else:
                line.breakage += released

    def _given(self) -> list[tuple[int, int, int]]:
        """(grant, what it keeps of what it was given, what it repaid of it at once), in order."""
        kept = {number: part for number, part in self._entry.allocations if number > OVERDRAFT}
        repaid = {-number: part for number, part in self._entry.allocations if number < OVERDRAFT}
        return [(number, kept.get(number, 0), repaid.get(number, 0)) for number in {**kept, **repaid}]

    def _repaid(self, number: int) -> int:
        return sum(part for other, part in self._entry.allocations if other == -number)

    def _is_new(self, number: int) -> bool:
        return number > self._known

    def _meet(self, number: int) -> Terms:
        """The terms of a grant that is named for the first time."""
        self.highest = max(self.highest, number)
        return self.terms[number]

    def _line(self, currency: str) -> Line:
        line = self._open.get(currency)
        if line is None:
            line = Line(self._entry.sequence, self._entry.at, self._entry.kind, currency)
            self._open[currency] = line
        return line
