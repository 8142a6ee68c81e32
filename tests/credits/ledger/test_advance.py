"""The clock first: what falls due, in which order, at which instant, and that looking twice changes nothing."""

import time
from datetime import datetime

import pytest

from credits.ledger.advance import advance
from credits.ledger.entries import Kind
from tests.credits.ledger.given import DAY, HOUR, NOON, US, an_account, check, give, hold, release, spend, told


def kinds(*, among: list[str] | None = None, of: object = None) -> list[str]:
    lines = [line[0] for line in told(of)]  # type: ignore[arg-type]
    return lines if among is None else [line for line in lines if line in among]


def test_at_one_instant_expiries_come_first_then_lapses_then_grants_each_by_number():
    account = an_account()
    at = NOON + DAY
    give(account, 2, effective_at=at)
    give(account, 3, effective_at=at)
    give(account, 4, expires_at=at, priority=90)
    give(account, 5, expires_at=at, priority=91)
    give(account, 6)
    first, second = hold(account, 1, lasts=DAY), hold(account, 1, lasts=DAY)
    assert (first.parts, second.parts) == ([(5, 1)], [(5, 1)])
    since = len(account.entries)
    advance(account, at)
    lines = [(line[0], account.entries[since + n].allocations[0][0]) for n, line in enumerate(told(account, since))]
    assert lines == [("EXPIRE", 3), ("EXPIRE", 4), ("LAPSE", 5), ("LAPSE", 5), ("GRANT", 1), ("GRANT", 2)]
    assert {entry.recorded_at for entry in account.entries[since:]} == {at}
    assert {entry.occurred_at for entry in account.entries[since:]} == {at}
    check(account)


def test_a_lapse_at_the_instant_its_grant_ends_finds_it_ended():
    account = an_account()
    give(account, 5, expires_at=NOON + HOUR)
    hold(account, 2)
    advance(account, NOON + HOUR)
    assert told(account)[2:] == [
        ("EXPIRE", -3, 0, [(1, 3)]),
        ("LAPSE", 0, -2, [(1, 2)]),
        ("EXPIRE", -2, 0, [(1, 2)]),
    ]
    check(account)


def test_a_grant_that_begins_where_another_ends_leaves_no_gap_and_no_overlap():
    """T5."""
    account = an_account()
    reset = NOON + DAY
    give(account, 5, expires_at=reset)
    give(account, 7, effective_at=reset, expires_at=reset + DAY)
    for at, there in ((reset - US, 5), (reset, 7), (reset + DAY - US, 7), (reset + DAY, 0)):
        advance(account, at)
        assert account.available == there
    assert kinds(of=account) == ["GRANT", "EXPIRE", "GRANT", "EXPIRE"]
    check(account)


def test_three_periods_that_nobody_looked_at_are_caught_up_in_order():
    """T8."""
    account = an_account()
    for n in range(3):
        give(account, 10 + n, effective_at=NOON + n * DAY + US, expires_at=NOON + (n + 1) * DAY + US)
    advance(account, NOON + 30 * DAY)
    assert [(line[0], line[1]) for line in told(account)] == [
        ("GRANT", 10),
        ("EXPIRE", -10),
        ("GRANT", 11),
        ("EXPIRE", -11),
        ("GRANT", 12),
        ("EXPIRE", -12),
    ]
    assert account.due_at is None
    check(account)


def test_debt_made_before_is_paid_by_each_grant_as_it_begins():
    account = an_account()
    spend(account, 25)
    for n in range(1, 4):
        give(account, 10, effective_at=NOON + n * DAY, expires_at=NOON + n * DAY + HOUR)
    advance(account, NOON + 9 * DAY)
    assert [(line[0], line[1]) for line in told(account)] == [
        ("BURN", -25),
        ("GRANT", 10),
        ("GRANT", 10),
        ("GRANT", 10),
        ("EXPIRE", -5),
    ]
    assert (account.overdraft, account.balance) == (0, 0)
    check(account)


def test_a_lapse_that_pays_debt_may_leave_nothing_to_expire():
    account = an_account()
    give(account, 5, expires_at=NOON + DAY)
    hold(account, 5)
    spend(account, 9)
    advance(account, NOON + 2 * DAY)
    assert told(account)[2:] == [("BURN", -9, 0, [(0, 9)]), ("LAPSE", 0, -5, [(-1, 5)])]
    assert account.due_at is None
    check(account)


def test_looking_again_at_the_same_instant_changes_nothing():
    account = an_account()
    give(account, 5, expires_at=NOON + DAY)
    hold(account, 2)
    give(account, 5, effective_at=NOON + DAY)
    advance(account, NOON + DAY)
    before = (len(account.entries), account.head, account.due_at)
    advance(account, NOON + DAY)
    advance(account, NOON + DAY - US)
    advance(account, NOON)
    assert (len(account.entries), account.head, account.due_at) == before


def test_the_due_instant_is_exact_after_it_has_been_passed_and_a_lower_bound_before():
    account = an_account()
    give(account, 5, expires_at=NOON + DAY)
    kept = hold(account, 2)
    assert account.due_at == NOON + HOUR
    release(account, kept)
    assert account.due_at == NOON + HOUR, "too early is allowed, too late is not"
    advance(account, NOON + HOUR)
    assert account.due_at == NOON + DAY
    account.later_hold_at = NOON + 2 * HOUR  # an open hold that was not loaded
    account.due_at = NOON + HOUR
    advance(account, NOON + HOUR)
    assert account.due_at == NOON + 2 * HOUR


def test_a_clock_that_goes_back_never_takes_the_book_with_it():
    """T3. An entry is recorded no earlier than the one before it; nothing is undone."""
    account = an_account()
    give(account, 10, now=NOON, expires_at=NOON + DAY)
    advance(account, NOON + DAY)
    for back in (HOUR, DAY, 9 * DAY):
        spend(account, 1, now=NOON + DAY - back)
    assert [entry.recorded_at for entry in account.entries[1:]] == [NOON + DAY] * 4
    assert account.entries[-1].occurred_at == NOON - 8 * DAY
    assert account.grants[1].state == "EXPIRED"
    check(account)


def test_what_was_set_aside_while_the_clock_was_ahead_lapses_when_it_says():
    account = an_account()
    give(account, 10)
    kept = hold(account, 4, now=NOON + DAY, lasts=HOUR)
    spend(account, 1, now=NOON)
    assert kept.status == "OPEN"
    advance(account, NOON + DAY + HOUR)
    assert kept.status == "LAPSED"
    assert account.entries[-1].kind is Kind.LAPSE
    check(account)


@pytest.mark.parametrize("what", ["grants that end", "grants that begin and end", "holds"])
def test_thousands_of_things_that_fall_due_are_booked_in_less_than_two_seconds(what: str):
    account = an_account()
    give(account, 10_000)
    for n in range(5_000):
        end: datetime = NOON + (1 + n % 97) * HOUR
        if what == "holds":
            hold(account, 1, lasts=(1 + n % 97) * HOUR)
        else:
            give(account, 1, expires_at=end + HOUR, effective_at=end if "begin" in what else NOON)
    began = time.monotonic()
    advance(account, NOON + 100 * HOUR)
    took_s = time.monotonic() - began
    assert took_s < 2, f"{took_s:.1f} s"
    assert account.available == 10_000
    recorded = [entry.recorded_at for entry in account.entries]
    assert recorded == sorted(recorded)
