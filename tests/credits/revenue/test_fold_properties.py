"""Money over random histories of the real rules: what must hold after every entry, whatever happened before."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from credits.catalog.currencies import from_minor
from credits.ledger.account import Grant
from credits.ledger.entries import Entry, Kind
from credits.ledger.standing import Standing, effect_of, replay
from credits.revenue.fold import Fold
from credits.revenue.lots import paid_for, share, worth
from tests.credits.ledger import given
from tests.credits.revenue.desk import HOUR, Desk, half_up, tell_one

CURRENCIES = ("USD", "USD", "JPY", "BHD")
VERBS = (
    *("sell", "sell", "tell of", "give free", "burn", "burn", "burn", "late", "late", "hold", "settle", "release"),
    *("wait", "wait", "void", "adjust", "extend", "reverse", "reverse", "claw back", "refund", "charge back", "win"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(1, 40), st.integers(0, 9_999), st.integers(0, 7)),
    min_size=4,
    max_size=60,
)


class Walk:
    """Any verb with small numbers, on whatever it can do something to."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.lost: list[tuple[Entry, Grant, int, str]] = []
        self.currency: dict[int, str] = {}

    def step(self, verb: str, amount: int, minor: int, pick: int) -> None:
        desk = self.desk
        desk.wait(timedelta(minutes=pick))
        ends = None if pick % 3 == 0 else desk.now + HOUR * (1 + pick)
        grants = [grant for grant in desk.account.grants.values() if grant.state == "ACTIVE"]
        burns = [entry for entry in desk.account.entries if entry.kind in (Kind.BURN, Kind.SETTLE)]
        open_holds = [hold for hold in desk.account.holds.values() if hold.status == "OPEN"]
        match verb:
            case "sell":
                grant = desk.sell(amount, minor, currency=CURRENCIES[pick % 4], expires_at=ends, priority=40 + pick)
                self.currency[grant.number] = CURRENCIES[pick % 4]
            case "tell of":
                desk.told_of(amount, f"{minor}000.5", expires_at=ends, priority=40 + pick)
            case "give free":
                desk.give(amount, expires_at=ends, source="PROMOTION")
            case "burn":
                desk.burn(amount)
            case "late":
                desk.burn_late(amount, desk.now - HOUR * pick)
            case "hold":
                given.hold(desk.account, amount, now=desk.now, lasts=HOUR * (1 + pick))
            case "settle" if open_holds:
                given.settle(desk.account, self.one(open_holds, pick), amount, now=desk.now, closes=bool(minor % 2))
            case "release" if open_holds:
                given.release(desk.account, self.one(open_holds, pick), now=desk.now)
            case "wait":
                desk.wait(HOUR * amount)
            case "reverse" if burns:
                self.reverse(self.one(burns, pick), amount)
            case _ if grants:
                self.on_grant(verb, self.one(grants, pick), amount, minor)
        desk.tell()

    def on_grant(self, verb: str, grant: Grant, amount: int, minor: int) -> None:
        desk, currency = self.desk, self.currency.get(grant.number, "USD")
        match verb:
            case "void" if grant.free:
                desk.void(grant)
            case "adjust":
                desk.adjust(grant, amount if minor % 2 else -min(amount, grant.free) or 1)
            case "extend" if grant.free:
                desk.extend(grant, desk.now + HOUR * amount)
            case "claw back":
                desk.claw_back(grant, amount)
            case "refund":
                desk.refund(grant, amount, minor, currency=currency)
            case "charge back":
                entry = desk.refund(grant, amount, minor, kind="CHARGEBACK", currency=currency)
                self.lost.append((entry, grant, minor, currency))
            case "win" if self.lost:
                desk.win(*self.lost.pop())

    def reverse(self, entry: Entry, amount: int) -> None:
        later = self.desk.account.entries[entry.sequence :]
        left = -entry.amount - sum(each.amount for each in later if each.cause.reverses == entry.sequence)
        if left:
            self.desk.reverse(entry, min(amount, left))

    @staticmethod
    def one(things: Sequence[Any], pick: int) -> Any:
        return things[-1 - pick % len(things)]


@settings(max_examples=400)
@drawn(STEPS)
def test_after_every_entry_the_roll_forward_holds_and_what_is_deferred_is_what_remains(steps: list[Any]):
    walk = Walk()
    for step in steps:
        walk.step(*step)
        walk.desk.check()
    desk = walk.desk
    for currency in set(CURRENCIES):
        lines = [line for line in desk.fold.lines if line.currency == currency]
        moved = [each for each in desk.movements.values() if each.currency == currency]
        back = sum(each.minor for each in moved if each.kind == "CHARGEBACK_WON")
        out = sum(each.minor for each in moved if each.kind in ("REFUND", "CHARGEBACK"))
        assert sum(line.refunded for line in lines) == out - back
        sales = sum(line.sold for line in lines if not line.elsewhere)
        assert sales == sum(each.minor for each in moved if each.kind == "SALE")


@settings(max_examples=200)
@drawn(STEPS)
def test_when_nothing_is_left_everything_sold_was_recognized_lost_or_paid_back(steps: list[Any]):
    walk = Walk()
    for step in steps:
        walk.step(*step)
    desk = walk.desk
    for hold in [each for each in desk.account.holds.values() if each.status == "OPEN"]:
        given.release(desk.account, hold, now=desk.now)
    desk.tell()
    for grant in [each for each in desk.account.grants.values() if each.state == "ACTIVE" and each.free]:
        desk.void(grant)
    for currency in set(CURRENCIES):
        found = desk.sums(currency)
        assert "deferred" not in found
        assert found.get("sold", 0) == sum(found.get(name, 0) for name in ("recognized", "breakage", "refunded"))


@settings(max_examples=150)
@drawn(STEPS, st.integers(0, 200))
def test_telling_may_stop_and_go_on_anywhere(steps: list[Any], stop: int):
    """A fold that goes on from what another has kept tells the same, but within a move."""
    walk = Walk()
    for step in steps:
        walk.step(*step)
    desk, entries = walk.desk, walk.desk.account.entries
    stop = min(stop, len(entries))
    while 0 < stop < len(entries) and entries[stop - 1].kind is Kind.ADJUST:
        stop -= 1
    first = Fold()
    for entry in entries[:stop]:
        tell_one(first, desk.account, entry, desk.movements)
    second = Fold(first.lots, first.highest)
    for entry in entries[stop:]:
        tell_one(second, desk.account, entry, desk.movements)
    assert first.lines + second.lines == desk.fold.lines
    assert second.lots == desk.fold.lots


@settings(max_examples=150)
@drawn(STEPS)
def test_what_remains_of_a_grant_is_what_a_standing_says(steps: list[Any]):
    """Two readings of the same allocations: the one of time travel, and ours."""
    walk = Walk()
    for step in steps:
        walk.step(*step)
    desk, standing = walk.desk, Standing()
    for entry in desk.account.entries:
        replay(standing, effect_of(entry, desk.account.grants))
    for lot in desk.fold.lots.values():
        assert lot.remaining == standing.remaining.get(lot.number, 0)


# ─── rounding ──────────────────────────────────────────────────────────────────────────────────────────────
MONEY = st.integers(0, 10**20)
MICRO = st.integers(1, 2**63 - 1)


@drawn(MONEY, MICRO, MICRO)
def test_worth_is_half_up_and_never_more_than_was_paid(paid: int, amount: int, part: int):
    assert worth(paid, amount, part) == half_up(Fraction(paid * min(part, amount), amount))


@drawn(MONEY, st.lists(st.integers(1, 10**12), min_size=1, max_size=8))
def test_shares_add_up_to_the_money_and_none_is_a_unit_off_for_each_taken_before(money: int, parts: list[int]):
    left, whole = money, sum(parts)
    for number, part in enumerate(parts, 1):
        taken = share(left, part, whole)
        assert abs(taken - Fraction(money * part, sum(parts))) <= number
        left, whole = left - taken, whole - part
    assert left == 0


@drawn(st.decimals(0, 10**13 - 1, places=12), MICRO, st.sampled_from(("USD", "JPY", "BHD")))
def test_a_cost_basis_times_an_amount_is_exact_and_half_to_even(cost: Any, micro: int, currency: str):
    scale = {"USD": 2, "JPY": 0, "BHD": 3}[currency]
    assert paid_for(cost, micro, currency) == round(Fraction(cost) * micro * 10**scale / 10**6)


@drawn(st.integers(-(10**60), 10**60), st.sampled_from(("USD", "JPY", "BHD")))
def test_money_is_shown_to_the_last_unit_however_much_there_is(minor: int, currency: str):
    scale = {"USD": 2, "JPY": 0, "BHD": 3}[currency]
    assert Fraction(from_minor(minor, currency)) == Fraction(minor, 10**scale)
