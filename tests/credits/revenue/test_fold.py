"""What each kind of entry does to money, case by case. Amounts are micro-credits, money is cents."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from credits.ledger import grants
from credits.ledger.account import Grant
from credits.ledger.entries import Kind
from tests.credits.ledger import given
from tests.credits.revenue.desk import HOUR, Desk

DAY = timedelta(days=1)


def sold(desk: Desk) -> None:
    desk.sell(10, 1000)


def used(desk: Desk) -> None:
    desk.sell(10, 1000)
    desk.burn(3)


def used_up_in_thirds(desk: Desk) -> None:
    desk.sell(3, 100)
    for _ in range(3):
        desk.burn(1)


def promotional(desk: Desk) -> None:
    desk.give(10, source="PROMOTION")
    desk.burn(4)


def free_before_paid(desk: Desk) -> None:
    desk.give(10, source="PROMOTION", priority=10)
    desk.sell(10, 1000)
    desk.burn(12)


def expired(desk: Desk) -> None:
    desk.sell(10, 1000, expires_at=desk.now + DAY)
    desk.burn(4)
    desk.wait(DAY)


def voided(desk: Desk) -> None:
    desk.void(desk.sell(10, 1000))


def voided_while_held(desk: Desk) -> None:
    """What a hold keeps is deferred until it closes, and then ends like the rest."""
    grant = desk.sell(10, 1000)
    held = given.hold(desk.account, 4, now=desk.now)
    desk.void(grant)
    desk.tell()
    assert desk.sums() == {"sold": 1000, "breakage": 600, "deferred": 400}
    given.settle(desk.account, held, 1, now=desk.now)
    desk.tell()


def held_and_settled(desk: Desk) -> None:
    desk.sell(10, 1000)
    held = given.hold(desk.account, 5, now=desk.now)
    desk.tell()
    assert desk.sums() == {"sold": 1000, "deferred": 1000}, "a hold earns nothing"
    given.settle(desk.account, held, 3, now=desk.now)
    desk.tell()


def held_and_lapsed(desk: Desk) -> None:
    desk.sell(10, 1000)
    given.hold(desk.account, 5, now=desk.now)
    desk.wait(2 * HOUR)


def reversed_home(desk: Desk) -> None:
    desk.sell(10, 1000)
    desk.reverse(desk.burn(7), 2)


def reversed_after_expiry(desk: Desk) -> None:
    """To a new grant, with the money that was earned by what is given back."""
    desk.sell(10, 1001, expires_at=desk.now + DAY)
    burned = desk.burn(7)
    desk.wait(DAY)
    desk.reverse(burned, 3)
    assert [lot.paid for lot in desk.fold.lots.values()] == [1001, 300]


def overdraft_repaid_by_a_purchase(desk: Desk) -> None:
    desk.burn(4)
    desk.sell(10, 1000)


def overdraft_repaid_by_a_lapse(desk: Desk) -> None:
    desk.sell(10, 1000)
    given.hold(desk.account, 6, now=desk.now)
    desk.burn(8)
    assert desk.sums() == {"sold": 1000, "recognized": 400, "deferred": 600}
    desk.wait(2 * HOUR)


def extended(desk: Desk) -> None:
    """Money moves with the credits: nothing is lost for an instant, and no line is told."""
    grant = desk.sell(10, 1001, expires_at=desk.now + DAY)
    desk.burn(3)
    lines = len(desk.fold.lines)
    desk.extend(grant, desk.now + 9 * DAY)
    assert len(desk.fold.lines) == lines
    desk.wait(2 * DAY)
    desk.burn(7)


def extended_then_reversed(desk: Desk) -> None:
    """What had burned before goes to a new grant or home, with its own money."""
    grant = desk.sell(10, 1000, expires_at=desk.now + DAY)
    burned = desk.burn(4)
    desk.extend(grant, None)
    desk.reverse(burned)


def adjusted_down(desk: Desk) -> None:
    desk.adjust(desk.sell(10, 1000), -3)


def adjusted_down_and_up_again(desk: Desk) -> None:
    grant = desk.sell(10, 1000)
    desk.adjust(grant, -3)
    desk.adjust(grant, 3)


def adjusted_up(desk: Desk) -> None:
    """Credits for nothing: what was paid for is used first."""
    grant = desk.sell(10, 1000)
    desk.adjust(grant, 5)
    desk.burn(6)


def adjusted_up_when_used_up(desk: Desk) -> None:
    grant = desk.sell(10, 1000)
    desk.burn(10)
    desk.adjust(grant, 5)
    desk.burn(5)


def refunded_before_use(desk: Desk) -> None:
    desk.refund(desk.sell(10, 1000), 10, 1000)


def refunded_in_part(desk: Desk) -> None:
    """A third of the price, a third of the credits: rounded down to the scale."""
    desk.refund(desk.sell(10, 1000), 3, 333)


def refunded_after_use(desk: Desk) -> None:
    """What was earned already is returned; the credits that are gone are debt."""
    grant = desk.sell(10, 1000)
    desk.burn(8)
    desk.refund(grant, 10, 1000)


def refunded_then_topped_up(desk: Desk) -> None:
    """The next purchase pays what was used for nothing."""
    grant = desk.sell(10, 1000)
    desk.burn(8)
    desk.refund(grant, 10, 1000)
    desk.sell(10, 2000)


def clawed_back_for_nothing(desk: Desk) -> None:
    desk.claw_back(desk.sell(10, 1000), 4)


def charged_back_and_won(desk: Desk) -> None:
    grant = desk.sell(10, 1000)
    desk.burn(4)
    clawback = desk.refund(grant, 10, 1000, kind="CHARGEBACK")
    assert desk.sums() == {"sold": 1000, "refunded": 1000}
    desk.win(clawback, grant, 1000)


def charged_back_and_won_after_expiry(desk: Desk) -> None:
    """What was taken comes back as a new grant, with its share of the money."""
    grant = desk.sell(10, 1000, expires_at=desk.now + DAY)
    desk.burn(4)
    clawback = desk.refund(grant, 10, 1000, kind="CHARGEBACK")
    desk.wait(DAY)
    desk.win(clawback, grant, 1000)
    assert [(lot.number, lot.paid) for lot in desk.fold.lots.values()] == [(1, 1000), (2, 600)]


def charged_back_repaid_by_another_and_won(desk: Desk) -> None:
    """What the other grant had paid of the debt comes back to it."""
    grant = desk.sell(10, 1000)
    desk.burn(10)
    clawback = desk.refund(grant, 10, 1000, kind="CHARGEBACK")
    desk.sell(20, 4000)
    assert desk.sums() == {"sold": 5000, "recognized": 2000, "refunded": 1000, "deferred": 2000}
    desk.win(clawback, grant, 1000)


def clawed_back_for_nothing_and_undone(desk: Desk) -> None:
    clawback = desk.claw_back(desk.sell(10, 1000), 4)
    desk.reverse(clawback)


def late_usage_after_expiry(desk: Desk) -> None:
    """UNEXPIRE takes the breakage back, the late burn earns it."""
    desk.sell(10, 1000, expires_at=desk.now + DAY)
    then = desk.now + HOUR
    desk.wait(DAY + HOUR)
    assert desk.sums() == {"sold": 1000, "breakage": 1000}
    desk.burn_late(4, then)


def late_usage_moves_between_grants(desk: Desk) -> None:
    """The dear grant had begun by then and burns first: what the cheap one bore goes back to it."""
    desk.sell(10, 1000, priority=60)
    desk.wait(HOUR)
    early = desk.now
    desk.wait(HOUR)
    desk.sell(10, 3000, priority=10)
    desk.burn(10)
    assert desk.sums() == {"sold": 4000, "recognized": 3000, "deferred": 1000}
    desk.burn_late(5, early)


def scheduled_and_voided(desk: Desk) -> None:
    """It never began, so nothing was sold."""
    desk.void(desk.told_of(10_000_000, "1", effective_at=desk.now + DAY))


def scheduled(desk: Desk) -> None:
    desk.told_of(10_000_000, "1", effective_at=desk.now + DAY)
    assert desk.sums() == {}
    desk.wait(DAY)


def refund_without_a_price(desk: Desk) -> None:
    """Money paid back for what cost nothing is returned revenue."""
    desk.refund(desk.give(10), 5, 70)


CASES: dict[Callable[[Desk], None], dict[str, int]] = {
    sold: {"sold": 1000, "deferred": 1000},
    used: {"sold": 1000, "recognized": 300, "deferred": 700},
    used_up_in_thirds: {"sold": 100, "recognized": 100},
    promotional: {},
    free_before_paid: {"sold": 1000, "recognized": 200, "deferred": 800},
    expired: {"sold": 1000, "recognized": 400, "breakage": 600},
    voided: {"sold": 1000, "breakage": 1000},
    voided_while_held: {"sold": 1000, "recognized": 100, "breakage": 900},
    held_and_settled: {"sold": 1000, "recognized": 300, "deferred": 700},
    held_and_lapsed: {"sold": 1000, "deferred": 1000},
    reversed_home: {"sold": 1000, "recognized": 500, "deferred": 500},
    reversed_after_expiry: {"sold": 1001, "recognized": 401, "breakage": 300, "deferred": 300},
    overdraft_repaid_by_a_purchase: {"sold": 1000, "recognized": 400, "deferred": 600},
    overdraft_repaid_by_a_lapse: {"sold": 1000, "recognized": 800, "deferred": 200},
    extended: {"sold": 1001, "recognized": 1001},
    extended_then_reversed: {"sold": 1000, "deferred": 1000},
    adjusted_down: {"sold": 1000, "breakage": 300, "deferred": 700},
    adjusted_down_and_up_again: {"sold": 1000, "deferred": 1000},
    adjusted_up: {"sold": 1000, "recognized": 600, "deferred": 400},
    adjusted_up_when_used_up: {"sold": 1000, "recognized": 1000},
    refunded_before_use: {"sold": 1000, "refunded": 1000},
    refunded_in_part: {"sold": 1000, "recognized": -33, "refunded": 333, "deferred": 700},
    refunded_after_use: {"sold": 1000, "refunded": 1000},
    refunded_then_topped_up: {"sold": 3000, "recognized": 1600, "refunded": 1000, "deferred": 400},
    clawed_back_for_nothing: {"sold": 1000, "breakage": 400, "deferred": 600},
    charged_back_and_won: {"sold": 1000, "recognized": 400, "deferred": 600},
    charged_back_and_won_after_expiry: {"sold": 1000, "recognized": 400, "deferred": 600},
    charged_back_repaid_by_another_and_won: {"sold": 5000, "recognized": 1000, "deferred": 4000},
    clawed_back_for_nothing_and_undone: {"sold": 1000, "deferred": 1000},
    late_usage_after_expiry: {"sold": 1000, "recognized": 400, "breakage": 600},
    late_usage_moves_between_grants: {"sold": 4000, "recognized": 3500, "deferred": 500},
    scheduled_and_voided: {},
    scheduled: {"sold": 1000, "deferred": 1000},
    refund_without_a_price: {"recognized": -70, "refunded": 70},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.replace("_", " "))
def test_money_follows_the_credits(case: Callable[[Desk], None]):
    desk = Desk()
    case(desk)
    desk.tell()
    assert desk.sums() == CASES[case]
    desk.check()


def test_a_rollover_takes_its_money_along_and_what_is_not_rolled_on_is_breakage():
    desk = Desk()
    old = desk.sell(10, 1000, expires_at=desk.now + DAY)
    desk.burn(3)
    desk.wait(DAY)
    rolled = Grant(
        *(0, "ROLLOVER", "SCHEDULED", 5, 5, 50, desk.now, None, desk.now), cost_amount=Decimal(1), cost_currency="USD"
    )
    rolled.rolled_from = old.number
    grants.give(desk.account, rolled, desk.now)
    desk.tell()
    assert desk.sums() == {"sold": 1000, "recognized": 300, "breakage": 200, "deferred": 500}
    desk.burn_late(2, desk.now - HOUR)  # of what expired and did not roll on
    assert desk.sums() == {"sold": 1000, "recognized": 500, "deferred": 500}
    desk.check()


def test_each_currency_is_told_for_itself():
    desk = Desk()
    desk.sell(10, 1000)
    desk.sell(10, 5000, currency="JPY")
    desk.burn(15)
    assert desk.sums("USD") == {"sold": 1000, "recognized": 1000}
    assert desk.sums("JPY") == {"sold": 5000, "recognized": 2500, "deferred": 2500}
    (last,) = {line.sequence for line in desk.fold.lines[-2:]}
    assert last == desk.account.sequence, "one entry may have a line for each currency"
    desk.check()


def test_a_reversal_to_two_new_grants_shares_what_each_had_earned():
    desk = Desk()
    desk.sell(1, 100, expires_at=desk.now + DAY)
    desk.sell(1, 50, expires_at=desk.now + DAY)
    burned = desk.burn(2)
    desk.wait(DAY)
    desk.burn(1)  # in debt: one of the new grants pays it at once
    desk.reverse(burned)
    assert sorted(lot.paid for lot in desk.fold.lots.values()) == [50, 50, 100, 100]
    assert desk.sums()["sold"] == 150
    assert desk.sums()["recognized"] + desk.sums()["deferred"] == 150
    desk.check()


def test_what_was_reversed_to_a_new_grant_and_burned_again_comes_home_to_it():
    """A grant that continues another is new once: its credits do not bring the first one's money a second time."""
    desk = Desk()
    desk.sell(10, 1000, expires_at=desk.now + DAY)
    burned = desk.burn(10)
    desk.wait(DAY)
    desk.reverse(burned, 4)
    again = desk.burn(4)
    assert desk.sums() == {"sold": 1000, "recognized": 1000}
    desk.reverse(again)
    assert desk.sums() == {"sold": 1000, "recognized": 600, "deferred": 400}
    desk.check()


def test_a_free_grant_that_is_continued_stays_free():
    desk = Desk()
    grant = desk.give(10, expires_at=desk.now + DAY)
    burned = desk.burn(5)
    desk.extend(grant, None)
    desk.wait(DAY)
    desk.reverse(burned)
    assert desk.fold.lines == []
    assert desk.account.entries[-1].kind is Kind.REVERSE
