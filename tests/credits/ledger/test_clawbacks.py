"""What a clawback takes of grants, and what its reversal gives back; and what their entries say."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from credits.ledger import corrections, late
from credits.ledger.account import Account, Grant
from tests.credits.ledger.given import (
    DAY,
    HOUR,
    NOBODY,
    NOON,
    US,
    an_account,
    check,
    claw_back,
    give,
    hold,
    release,
    reverse,
    spend,
    told,
    void,
)


def test_a_clawback_takes_what_is_free_of_its_grant_and_the_rest_is_overdraft():
    account = an_account()
    grant = give(account, 100)
    spend(account, 60)
    claw_back(account, grant, 100)
    assert told(account)[-1] == ("CLAWBACK", -100, 0, [(1, 40), (0, 60)])
    assert (account.balance, account.overdraft, account.clawed_back, grant.clawed_back) == (-60, 60, 100, 40)
    assert grant.state == "DEPLETED"
    check(account)


def test_debt_made_by_a_clawback_is_paid_by_other_grants_at_once():
    account = an_account()
    grant = give(account, 10)
    give(account, 50)
    spend(account, 10)
    claw_back(account, grant, 10)
    assert told(account)[-1] == ("CLAWBACK", -10, 0, [(1, 0), (0, 10), (-2, 10)])
    assert (account.overdraft, account.balance) == (0, 40)
    check(account)


def test_held_parts_stay_until_their_hold_closes_and_then_pay_the_debt():
    account = an_account()
    grant = give(account, 10)
    taken = hold(account, 8)
    claw_back(account, grant, 10)
    assert told(account)[-1] == ("CLAWBACK", -10, 0, [(1, 2), (0, 8)])
    release(account, taken)
    assert told(account)[-1] == ("RELEASE", 0, -8, [(-1, 8)])
    assert (account.balance, account.available) == (0, 0)
    check(account)


def test_a_grant_that_has_ended_has_nothing_left_to_claw_back():
    account = an_account()
    grant = give(account, 10, expires_at=NOON + HOUR)
    claw_back(account, grant, 4, now=NOON + HOUR)
    assert told(account)[-1] == ("CLAWBACK", -4, 0, [(1, 0), (0, 4)])
    check(account)


@dataclass(frozen=True)
class Clawed:
    """A grant of 10 in some state, a clawback of `amount`, what it says and leaves: allocations, overdraft, and the
    grant's remaining, clawed back, state."""

    amount: int
    says: list[tuple[int, int]]
    overdraft: int
    grant: tuple[int, int, str]


def _used_up(account: Account, grant: Grant) -> None:
    spend(account, 10)


def _voided(account: Account, grant: Grant) -> None:
    void(account, grant)


def _partly_held(account: Account, grant: Grant) -> None:
    hold(account, 7)


def _wholly_held(account: Account, grant: Grant) -> None:
    hold(account, 10)


def _in_debt(account: Account, grant: Grant) -> None:
    spend(account, 14)


def _voided_and_held(account: Account, grant: Grant) -> None:
    hold(account, 7)
    void(account, grant)


def _clawed_back_before(account: Account, grant: Grant) -> None:
    claw_back(account, grant, 6)


def _nothing(account: Account, grant: Grant) -> None:
    return


@pytest.mark.parametrize(
    ("before", "clawed"),
    [
        (_nothing, Clawed(4, [(1, 4)], 0, (6, 4, "ACTIVE"))),
        (_nothing, Clawed(10, [(1, 10)], 0, (0, 10, "DEPLETED"))),
        (_nothing, Clawed(25, [(1, 10), (0, 15)], 15, (0, 10, "DEPLETED"))),
        (_used_up, Clawed(4, [(1, 0), (0, 4)], 4, (0, 0, "DEPLETED"))),
        (_voided, Clawed(4, [(1, 0), (0, 4)], 4, (0, 0, "VOIDED"))),
        (_voided_and_held, Clawed(4, [(1, 0), (0, 4)], 4, (7, 0, "VOIDED"))),
        (_partly_held, Clawed(3, [(1, 3)], 0, (7, 3, "ACTIVE"))),
        (_partly_held, Clawed(4, [(1, 3), (0, 1)], 1, (7, 3, "ACTIVE"))),
        (_wholly_held, Clawed(4, [(1, 0), (0, 4)], 4, (10, 0, "ACTIVE"))),
        (_in_debt, Clawed(4, [(1, 0), (0, 4)], 8, (0, 0, "DEPLETED"))),
        (_clawed_back_before, Clawed(4, [(1, 4)], 0, (0, 10, "DEPLETED"))),
        (_clawed_back_before, Clawed(5, [(1, 4), (0, 1)], 1, (0, 10, "DEPLETED"))),
    ],
)
def test_a_clawback_of_a_grant_in_any_state_and_back_again(before: Callable[[Account, Grant], None], clawed: Clawed):
    """What it says, what it leaves; and given back, the account stands as before, whatever the state."""
    account = an_account()
    grant = give(account, 10)
    before(account, grant)
    was = (account.balance, account.overdraft, grant.remaining, grant.state)
    entry = claw_back(account, grant, clawed.amount)
    assert (list(entry.allocations), account.overdraft) == (clawed.says, clawed.overdraft)
    assert (grant.remaining, grant.clawed_back, grant.state) == clawed.grant
    check(account)
    half = clawed.amount // 2
    reverse(account, entry, half)
    check(account)
    reverse(account, entry)
    assert (account.balance, account.overdraft, grant.remaining, grant.state) == was
    assert (account.given_back, grant.given_back) == (clawed.amount, clawed.says[0][1])
    assert (grant.clawed_back, grant.reversed) == (clawed.grant[1], 0), "nothing was burned that came back"
    assert corrections.left_of(entry, account.entries[entry.sequence :]) == 0
    check(account)


def test_a_clawback_given_back_takes_debt_first_and_goes_home_last():
    account = an_account()
    grant = give(account, 10)
    entry = claw_back(account, grant, 14)
    reverse(account, entry, 3)
    reverse(account, entry, 5)
    assert told(account)[-2:] == [
        ("REVERSE", 3, 0, [(1, 0), (0, 3)]),
        ("REVERSE", 5, 0, [(1, 0), (0, 1), (1, 4)]),
    ]
    assert (account.overdraft, grant.remaining, grant.clawed_back, grant.given_back) == (0, 4, 10, 4)
    check(account)


def test_what_a_later_grant_has_repaid_of_a_clawback_goes_back_to_that_grant():
    account = an_account()
    grant = give(account, 10)
    spend(account, 10)
    entry = claw_back(account, grant, 10)
    later = give(account, 6)
    assert (account.overdraft, later.remaining, later.burned) == (4, 0, 6)
    reverse(account, entry)
    assert told(account)[-1] == ("REVERSE", 10, 0, [(1, 0), (0, 4), (2, 6)])
    assert (later.remaining, later.given_back, later.reversed, grant.given_back) == (6, 6, 6, 0)
    check(account)


def test_a_clawback_given_back_while_there_is_other_debt_pays_that_first():
    account = an_account()
    grant = give(account, 10)
    entry = claw_back(account, grant, 10)
    spend(account, 7)
    reverse(account, entry)
    assert told(account)[-1] == ("REVERSE", 10, 0, [(1, 0), (1, 3), (-1, 7)])
    assert (account.overdraft, grant.remaining, grant.burned, grant.reversed) == (0, 3, 7, 0)
    check(account)


def test_a_clawback_of_a_grant_that_has_ended_since_is_given_back_as_a_refund():
    account = an_account()
    cost = {"source": "PURCHASE", "cost_amount": Decimal("0.02"), "cost_currency": "EUR", "priority": 7}
    grant = give(account, 10, expires_at=NOON + HOUR, **cost)
    entry = claw_back(account, grant, 8)
    reverse(account, entry, 3)
    reverse(account, entry, now=NOON + HOUR)
    refund = account.grants[2]
    assert told(account)[-2:] == [("EXPIRE", -5, 0, [(1, 5)]), ("REVERSE", 5, 0, [(1, 0), (2, 5)])]
    assert (refund.source, refund.amount, refund.rolled_from, refund.priority) == ("REFUND", 5, 1, 7)
    assert (refund.cost_amount, refund.cost_currency) == (Decimal("0.02"), "EUR")
    assert refund.expires_at == NOON + HOUR + 30 * DAY
    assert (grant.clawed_back, grant.given_back, grant.state) == (8, 3, "EXPIRED")
    check(account)


def test_a_grant_that_was_voided_since_gets_its_clawback_as_a_refund_too():
    account = an_account()
    grant = give(account, 10)
    entry = claw_back(account, grant, 4)
    void(account, grant)
    reverse(account, entry)
    assert told(account)[-1] == ("REVERSE", 4, 0, [(1, 0), (2, 4)])
    assert (account.balance, account.grants[2].source) == (4, "REFUND")
    check(account)


def test_a_burn_told_of_late_draws_on_what_was_clawed_back_and_given_back_only_since_then():
    account = an_account()
    grant = give(account, 10, now=NOON - 3 * HOUR)
    entry = claw_back(account, grant, 10, now=NOON - 2 * HOUR)
    burned = late.LateBurn(4, NOON - 2 * HOUR - US, NOBODY)
    reverse(account, entry, now=NOON - HOUR)
    late.place(account, [burned], NOON)
    # At its time nothing was free that the clawback did not take; it is owed until the grant had something again.
    assert burned.parts == [(0, 4)]
    assert (grant.remaining, grant.burned, grant.clawed_back, account.overdraft) == (6, 4, 10, 0)
    check(account)
