"""Giving and burning: what each leaves behind, to the last micro-credit."""

from datetime import datetime

import pytest

from credits.ledger.balance import Bucket, balance_of
from credits.ledger.entries import OVERDRAFT, Kind
from tests.credits.ledger.given import DAY, NOON, US, an_account, check, give, hold, spend, told


def test_a_grant_that_is_effective_now_or_before_begins_now_with_its_own_instant():
    account = an_account()
    give(account, 5)
    give(account, 7, effective_at=NOON - DAY)
    assert told(account) == [("GRANT", 5, 0, [(1, 5)]), ("GRANT", 7, 0, [(2, 7)])]
    assert [entry.occurred_at for entry in account.entries] == [NOON, NOON - DAY]
    assert [entry.recorded_at for entry in account.entries] == [NOON, NOON]
    check(account)


def test_a_grant_effective_a_microsecond_from_now_is_scheduled_and_has_no_entry():
    account = an_account()
    grant = give(account, 5, effective_at=NOON + US)
    assert grant.state == "SCHEDULED"
    assert (account.entries, account.balance, account.granted) == ([], 0, 0)
    assert account.due_at == NOON + US
    spend(account, 0, now=NOON)
    assert grant.state == "SCHEDULED"
    spend(account, 0, now=NOON + US)
    assert (grant.state, account.balance) == ("ACTIVE", 5)
    check(account)


def test_burning_exactly_what_is_there_depletes_and_one_more_is_overdraft():
    account = an_account()
    grant = give(account, 5)
    assert list(spend(account, 5).allocations) == [(1, 5)]
    assert grant.state == "DEPLETED"
    assert not grant.open
    assert list(spend(account, 1).allocations) == [(OVERDRAFT, 1)]
    assert (account.balance, account.overdraft) == (-1, 1)
    check(account)


def test_burning_nothing_is_an_entry_without_allocations():
    account = an_account()
    give(account, 5)
    entry = spend(account, 0)
    assert (entry.kind, entry.amount, list(entry.allocations)) == (Kind.BURN, 0, [])
    check(account)


def test_a_burn_over_several_grants_and_into_overdraft_names_each_once():
    account = an_account()
    for amount in (3, 4, 5):
        give(account, amount)
    assert list(spend(account, 20).allocations) == [(1, 3), (2, 4), (3, 5), (OVERDRAFT, 8)]
    check(account)


@pytest.mark.parametrize(
    ("debt", "amount", "allocations", "state", "left"),
    [
        (0, 10, [(1, 10)], "ACTIVE", 10),
        (4, 10, [(1, 6), (-1, 4)], "ACTIVE", 6),
        (10, 10, [(-1, 10)], "DEPLETED", 0),
        (15, 10, [(-1, 10)], "DEPLETED", 0),
    ],
)
def test_debt_is_paid_first(debt: int, amount: int, allocations: list[tuple[int, int]], state: str, left: int):
    account = an_account()
    if debt:
        spend(account, debt)
    grant = give(account, amount)
    assert list(account.entries[-1].allocations) == allocations
    assert account.entries[-1].amount == amount, "the entry says what was given"
    assert (grant.state, grant.remaining, grant.burned) == (state, left, min(debt, amount))
    assert account.overdraft == max(0, debt - amount)
    assert account.burned == debt, "debt was burned when it was made"
    check(account)


def test_a_grant_that_debt_eats_up_never_falls_due():
    account = an_account()
    spend(account, 50)
    give(account, 10, expires_at=NOON + DAY)
    assert account.due_at is None
    spend(account, 0, now=NOON + 2 * DAY)
    assert [entry.kind for entry in account.entries] == [Kind.BURN, Kind.GRANT, Kind.BURN]
    check(account)


def test_what_is_held_is_not_burned():
    account = an_account()
    give(account, 10)
    hold(account, 7)
    assert list(spend(account, 5).allocations) == [(1, 3), (OVERDRAFT, 2)]
    assert (account.balance, account.held, account.available) == (5, 7, -2)
    check(account)


@pytest.mark.parametrize(
    ("at", "there"), [(NOON - US, 0), (NOON, 9), (NOON + DAY - US, 9), (NOON + DAY, 0), (NOON + DAY + US, 0)]
)
def test_a_grant_is_live_in_a_half_open_interval(at: datetime, there: int):
    account = an_account()
    give(account, 9, now=NOON - DAY, effective_at=NOON, expires_at=NOON + DAY)
    spend(account, 0, now=at)
    assert account.available == there
    check(account)


# ─── the balance ───────────────────────────────────────────────────────────────────────────────────
def test_buckets_are_by_source_and_expiry_soonest_first_never_last():
    account = an_account()
    give(account, 3, source="PLAN", expires_at=NOON + 2 * DAY)
    give(account, 4, source="PURCHASE")
    give(account, 5, source="PLAN", expires_at=NOON + DAY)
    give(account, 6, source="PLAN", expires_at=NOON + DAY, priority=1)
    give(account, 9, source="PLAN", effective_at=NOON + DAY)
    balance = balance_of(account, NOON, 0)
    assert balance.buckets == [
        Bucket(11, "PLAN", NOON + DAY),
        Bucket(3, "PLAN", NOON + 2 * DAY),
        Bucket(4, "PURCHASE", None),
    ]
    assert sum(bucket.amount for bucket in balance.buckets) == balance.balance == 18


@pytest.mark.parametrize(
    ("granted", "burned", "held", "limit", "left"),
    [(10, 0, 0, 5, 5), (10, 10, 0, 5, 5), (10, 12, 0, 5, 3), (10, 5, 8, 5, 2), (0, 9, 0, 5, -4), (0, 0, 0, 0, 0)],
)
def test_what_is_left_of_the_overdraft(granted: int, burned: int, held: int, limit: int, left: int):
    account = an_account()
    if granted:
        give(account, granted)
    spend(account, burned)
    if held:
        hold(account, held)
    balance = balance_of(account, NOON, limit)
    assert balance.available == granted - burned - held
    assert balance.overdraft_left == left
    check(account)
