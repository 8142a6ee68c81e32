"""Holds: set aside, settled, released, lapsed; what they keep, and where it goes back to."""

from datetime import timedelta

import pytest

from credits.ledger import holds
from credits.ledger.account import Account, Hold
from credits.ledger.entries import OVERDRAFT
from tests.credits.ledger.given import (
    DAY,
    HOUR,
    NOON,
    US,
    an_account,
    check,
    give,
    hold,
    release,
    settle,
    spend,
    told,
)


def test_a_hold_moves_nothing_but_what_is_available():
    account = an_account()
    give(account, 10)
    kept = hold(account, 4)
    assert (account.balance, account.held, account.available, account.burned) == (10, 4, 6, 0)
    assert told(account)[-1] == ("HOLD", 0, 4, [(1, 4)])
    assert (kept.amount, kept.remaining, kept.parts) == (4, 4, [(1, 4)])
    check(account)


def test_a_hold_takes_from_grants_in_burn_order_and_beyond_them():
    account = an_account()
    give(account, 3, priority=90)
    give(account, 4, priority=10)
    kept = hold(account, 9)
    assert kept.parts == [(2, 4), (1, 3), (OVERDRAFT, 2)]
    assert (account.balance, account.held, account.available, account.overdraft) == (7, 9, -2, 0)
    check(account)


# Settling 4 of 10 and so on: amount → effects on balance and held, allocations, what stays available of 20.
@pytest.mark.parametrize(
    ("amount", "closes", "effects", "allocations", "available"),
    [
        (4, True, (-4, -10), [(1, 4)], 16),
        (4, False, (-4, -4), [(1, 4)], 10),
        (10, True, (-10, -10), [(1, 10)], 10),
        (10, False, (-10, -10), [(1, 10)], 10),
        (12, True, (-12, -10), [(1, 12)], 8),
        (12, False, (-12, -10), [(1, 12)], 8),
        (25, True, (-25, -10), [(1, 20), (OVERDRAFT, 5)], -5),
        (0, True, (0, -10), [], 20),
        (0, False, (0, 0), [], 10),
    ],
)
def test_settling(
    amount: int, closes: bool, effects: tuple[int, int], allocations: list[tuple[int, int]], available: int
):
    account = an_account()
    give(account, 20)
    kept = hold(account, 10)
    settle(account, kept, amount, closes=closes)
    assert told(account)[-1] == ("SETTLE", *effects, allocations)
    assert (account.available, kept.status, kept.settled) == (available, "SETTLED" if closes else "OPEN", amount)
    assert (kept.closed_at is None) is not closes
    check(account)


def test_settling_in_parts_uses_the_parts_in_the_order_they_were_drawn():
    account = an_account()
    give(account, 3)
    give(account, 3)
    kept = hold(account, 6)
    settle(account, kept, 2, closes=False)
    assert kept.parts == [(1, 1), (2, 3)]
    settle(account, kept, 2, closes=False)
    assert kept.parts == [(2, 2)]
    assert told(account)[-1] == ("SETTLE", -2, -2, [(1, 1), (2, 1)])
    settle(account, kept, 1)
    assert told(account)[-1] == ("SETTLE", -1, -2, [(2, 1)])
    assert account.available == 1
    check(account)


def test_the_excess_of_a_settlement_is_drawn_like_a_burn_and_merged_by_grant():
    account = an_account()
    give(account, 10, priority=90)
    kept = hold(account, 4)
    give(account, 3, priority=10)
    settle(account, kept, 9)
    assert told(account)[-1] == ("SETTLE", -9, -4, [(1, 6), (2, 3)]), "first what it keeps, then in burn order"
    check(account)


def test_what_no_grant_covered_is_drawn_from_what_came_since():
    account = an_account()
    kept = hold(account, 5)
    assert kept.parts == [(OVERDRAFT, 5)]
    give(account, 20)
    assert (account.available, account.overdraft) == (15, 0)
    settle(account, kept, 3, closes=False)
    assert told(account)[-1] == ("SETTLE", -3, -3, [(1, 3)])
    settle(account, kept, 4)
    assert told(account)[-1] == ("SETTLE", -4, -2, [(1, 4)])
    assert account.available == 13
    check(account)


def test_released_is_as_if_never_held():
    account, other = an_account(), an_account()
    for each in (account, other):
        give(each, 3, priority=10)
        give(each, 9)
    kept = hold(account, 7)
    release(account, kept)
    assert told(account)[-1] == ("RELEASE", 0, -7, [(1, 3), (2, 4)])
    assert list(spend(account, 5).allocations) == list(spend(other, 5).allocations) == [(1, 3), (2, 2)]
    check(account)


def test_what_goes_back_pays_debt_first_and_says_so():
    account = an_account()
    give(account, 10)
    kept = hold(account, 10)
    spend(account, 4)
    assert account.overdraft == 4
    release(account, kept)
    assert told(account)[-1] == ("RELEASE", 0, -10, [(1, 6), (-1, 4)])
    assert (account.balance, account.overdraft, account.available) == (6, 0, 6)
    check(account)


def test_the_rest_of_a_settled_hold_pays_debt_too():
    account = an_account()
    give(account, 10)
    kept = hold(account, 10)
    spend(account, 4)
    settle(account, kept, 3)
    assert told(account)[-1] == ("SETTLE", -3, -10, [(1, 3), (-1, 4)])
    assert (account.balance, account.overdraft) == (3, 0)
    check(account)


def test_debt_takes_all_that_goes_back_and_the_grant_is_depleted():
    account = an_account()
    grant = give(account, 4)
    kept = hold(account, 4)
    spend(account, 9)
    release(account, kept)
    assert told(account)[-1] == ("RELEASE", 0, -4, [(-1, 4)])
    assert (grant.state, account.overdraft, account.balance) == ("DEPLETED", 5, -5)
    check(account)


def test_what_no_grant_covered_goes_back_nowhere():
    account = an_account()
    give(account, 2)
    kept = hold(account, 5)
    release(account, kept)
    assert told(account)[-1] == ("RELEASE", 0, -5, [(1, 2), (OVERDRAFT, 3)])
    assert account.available == 2
    check(account)


# ─── beyond the end of its grant ───────────────────────────────────────────────────────────────────
def past_its_grant(*, keeps: int = 6) -> tuple[Account, Hold]:
    """Ten credits that ended an hour ago, `keeps` of them held."""
    account = an_account()
    give(account, 10, expires_at=NOON + HOUR)
    kept = hold(account, keeps, lasts=3 * DAY)
    spend(account, 0, now=NOON + 2 * HOUR)
    return account, kept


def test_a_hold_keeps_its_grant_past_its_end():
    account, _ = past_its_grant()
    assert [line[:3] for line in told(account)[2:3]] == [("EXPIRE", -4, 0)]
    assert account.entries[2].recorded_at == NOON + HOUR
    assert (account.grants[1].state, account.grants[1].remaining, account.available) == ("EXPIRED", 6, 0)
    assert list(spend(account, 1, now=NOON + 2 * HOUR).allocations) == [(OVERDRAFT, 1)], "nobody else burns it"
    check(account)


@pytest.mark.parametrize(
    ("amount", "closes", "lines"),
    [
        (6, True, [("SETTLE", -6, -6, [(1, 6)])]),
        (2, True, [("SETTLE", -2, -6, [(1, 2)]), ("EXPIRE", -4, 0, [(1, 4)])]),
        (2, False, [("SETTLE", -2, -2, [(1, 2)])]),
        (8, True, [("SETTLE", -8, -6, [(1, 6), (OVERDRAFT, 2)])]),
    ],
)
def test_settling_past_the_end_burns_what_was_kept_and_the_rest_expires_at_once(
    amount: int, closes: bool, lines: list[tuple[str, int, int, list[tuple[int, int]]]]
):
    account, kept = past_its_grant()
    since = len(account.entries)
    settle(account, kept, amount, now=NOON + 2 * HOUR, closes=closes)
    assert told(account, since) == lines
    check(account)


def test_released_past_the_end_expires_at_once_whatever_debt_there_is():
    """The credits ended before the debt could be paid with them."""
    account, kept = past_its_grant()
    spend(account, 5, now=NOON + 2 * HOUR)
    since = len(account.entries)
    release(account, kept, now=NOON + 2 * HOUR)
    assert told(account, since) == [("RELEASE", 0, -6, [(1, 6)]), ("EXPIRE", -6, 0, [(1, 6)])]
    assert (account.balance, account.overdraft) == (-5, 5)
    check(account)


def test_a_grant_that_is_held_in_full_ends_without_an_entry():
    account, kept = past_its_grant(keeps=10)
    assert [line[0] for line in told(account)] == ["GRANT", "HOLD", "BURN"]
    assert account.grants[1].state == "EXPIRED"
    settle(account, kept, 10, now=NOON + 2 * HOUR)
    assert account.expired == 0
    check(account)


def test_two_grants_of_which_one_has_ended_go_back_each_its_own_way():
    account = an_account()
    give(account, 3, expires_at=NOON + HOUR)
    give(account, 3)
    kept = hold(account, 6, lasts=DAY)
    spend(account, 0, now=NOON + DAY - US)
    since = len(account.entries)
    release(account, kept, now=NOON + DAY - US)
    assert told(account, since) == [("RELEASE", 0, -6, [(1, 3), (2, 3)]), ("EXPIRE", -3, 0, [(1, 3)])]
    assert account.available == 3
    check(account)


# ─── the clock ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("after", "status"), [(HOUR - US, "OPEN"), (HOUR, "LAPSED"), (HOUR + US, "LAPSED"), (9 * DAY, "LAPSED")]
)
def test_a_hold_lapses_at_its_end_and_not_before(after: timedelta, status: str):
    account = an_account()
    give(account, 10)
    kept = hold(account, 4)
    spend(account, 0, now=NOON + after)
    assert kept.status == status
    assert account.available == (10 if status == "LAPSED" else 6)
    if status == "LAPSED":
        assert kept.closed_at == NOON + HOUR
        assert told(account)[2] == ("LAPSE", 0, -4, [(1, 4)])
        assert account.entries[2].recorded_at == NOON + HOUR
    check(account)


def test_an_extension_counts_and_a_shorter_one_too():
    account = an_account()
    give(account, 10)
    longer, shorter = hold(account, 1), hold(account, 1)
    holds.extend(account, longer, NOON + 2 * HOUR, now=NOON)
    holds.extend(account, shorter, NOON + HOUR / 2, now=NOON)
    assert account.due_at == NOON + HOUR / 2
    spend(account, 0, now=NOON + HOUR)
    assert (longer.status, shorter.status) == ("OPEN", "LAPSED")
    assert account.due_at == NOON + 2 * HOUR
    spend(account, 0, now=NOON + 2 * HOUR)
    assert longer.status == "LAPSED"
    assert account.due_at is None
    check(account)


def test_a_hold_of_nothing_opens_and_closes():
    account = an_account()
    give(account, 5)
    kept = hold(account, 0)
    assert told(account)[-1] == ("HOLD", 0, 0, [])
    settle(account, kept, 3)
    assert told(account)[-1] == ("SETTLE", -3, 0, [(1, 3)])
    check(account)
