"""How long credits last: the burn rate, the burning down, what expires unused, and which bundle helps."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from credits.catalog.values import Bundle
from credits.ledger.account import Account
from credits.ledger.entries import Kind
from credits.ledger.runway import DAYS, forecast, midnights, rate_of, suggested
from credits.ledger.standing import Effect, Standing, replay
from tests.credits.ledger.given import DAY, HOUR, NOON, US, an_account, give, hold, spend


def days_of(*burned: int | None, reversed_on: dict[int, int] | None = None) -> list[Standing]:
    """How an account stood at each of its midnights; None: a day without usage."""
    standing = Standing()
    standings = [standing.copy()]
    for number, amount in enumerate(burned):
        if amount is not None:
            replay(standing, Effect(Kind.BURN if number % 2 else Kind.SETTLE, -amount, 0, [(0, amount)]))
        if back := (reversed_on or {}).get(number):
            replay(standing, Effect(Kind.REVERSE, back, 0, [(0, back)]))
        standings.append(standing.copy())
    return standings


# ─── the rate ──────────────────────────────────────────────────────────────────────────────────────
def test_the_rate_is_the_mean_of_the_days_with_usage():
    rate = rate_of(days_of(None, 10, None, 20, None, None, 60))
    assert (rate.per_day, rate.days) == (30, 3)
    assert rate.basis == "mean of the 3 days with usage in the last 28"


def test_a_customer_of_one_day_has_a_rate_and_one_without_usage_has_none():
    assert (rate_of(days_of(7)).per_day, rate_of(days_of(7)).basis) == (
        7,
        "mean of the 1 day with usage in the last 28",
    )
    assert (rate_of(days_of(None)).per_day, rate_of(days_of(None)).basis) == (0, "no usage in the last 28 days")


def test_usage_on_every_day_is_said_once():
    assert rate_of(days_of(*[5] * DAYS)).basis == "mean of the last 28 days"


def test_what_was_given_back_was_not_burned():
    assert rate_of(days_of(10, 20, None, reversed_on={2: 20})).per_day == 5, "also on a day without usage"
    assert rate_of(days_of(10, 20, reversed_on={1: 20})).per_day == 5
    assert rate_of(days_of(10, reversed_on={0: 30})).per_day == 0, "more than that day burned: nothing, not less"


def test_a_day_is_the_customers_own_also_where_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    borders = midnights(datetime(2026, 3, 30, 9, tzinfo=UTC), berlin)
    assert len(borders) == DAYS + 1
    assert borders[-1] == datetime(2026, 3, 30, 9, tzinfo=UTC)
    assert borders[-3:-1] == [datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)]
    kathmandu = midnights(NOON, ZoneInfo("Asia/Kathmandu"))
    assert kathmandu[-2] == datetime(2026, 2, 28, 18, 15, tzinfo=UTC)
    beirut = midnights(datetime(2022, 3, 27, 12, tzinfo=UTC), ZoneInfo("Asia/Beirut"))
    assert beirut[-2] == datetime(2022, 3, 26, 22, tzinfo=UTC), (
        "midnight did not exist: the first instant after the gap"
    )


# ─── burning down ──────────────────────────────────────────────────────────────────────────────────
def lost(account: Account, per_day: int) -> list[int]:
    told = forecast(account, NOON, per_day).lost
    return [told.get(number, 0) for number in sorted(account.grants)]


def test_credits_that_never_expire_last_for_what_there_is_by_the_rate():
    account = an_account()
    give(account, 100)
    assert forecast(account, NOON, 25).runs_out_at == NOON + 4 * DAY
    assert forecast(account, NOON, 48).runs_out_at == NOON + 50 * HOUR
    assert forecast(account, NOON, 0).runs_out_at is None
    assert lost(account, 25) == [0]


def test_an_expiry_on_the_way_takes_what_is_not_burned_by_then():
    account = an_account()
    give(account, 100, expires_at=NOON + 3 * DAY)
    give(account, 20)
    assert forecast(account, NOON, 10).runs_out_at == NOON + 5 * DAY
    assert lost(account, 10) == [70, 0]


def test_credits_that_nobody_burns_run_out_when_the_last_expires():
    account = an_account()
    give(account, 10, expires_at=NOON + DAY)
    give(account, 10, expires_at=NOON + 2 * DAY)
    assert forecast(account, NOON, 0).runs_out_at == NOON + 2 * DAY
    assert lost(account, 0) == [10, 10]


def test_a_grant_that_begins_as_another_ends_carries_on():
    account = an_account()
    give(account, 10, expires_at=NOON + DAY)
    give(account, 10, effective_at=NOON + DAY)
    told = forecast(account, NOON, 5)
    assert (told.runs_out_at, told.lost) == (NOON + 3 * DAY, {1: 5})


def test_after_running_out_what_comes_later_is_burned_from_then_on():
    account = an_account()
    give(account, 10)
    give(account, 100, effective_at=NOON + 5 * DAY, expires_at=NOON + 7 * DAY)
    told = forecast(account, NOON, 10)
    assert (told.runs_out_at, told.lost) == (NOON + DAY, {2: 80})


def test_burning_follows_the_burn_order():
    account = an_account()
    give(account, 30, priority=10)
    give(account, 30, expires_at=NOON + 2 * DAY)
    assert lost(account, 10) == [0, 30], "by priority the other one burns first"
    soonest = an_account("EXPIRY_FIRST")
    give(soonest, 30, priority=10)
    give(soonest, 30, expires_at=NOON + 2 * DAY)
    assert lost(soonest, 10) == [0, 10]


def test_what_open_holds_keep_counts_as_spent():
    account = an_account()
    give(account, 100, expires_at=NOON + 2 * DAY)
    hold(account, 40)
    told = forecast(account, NOON, 10)
    assert (told.runs_out_at, told.lost) == (NOON + 2 * DAY, {1: 40})


def test_an_account_in_overdraft_has_run_out_and_its_next_grant_pays_first():
    account = an_account()
    spend(account, 30)
    give(account, 100, effective_at=NOON + DAY, expires_at=NOON + 2 * DAY)
    told = forecast(account, NOON, 10)
    assert (told.runs_out_at, told.lost) == (NOON, {2 if 2 in account.grants else 1: 60})


def test_an_account_that_never_had_anything_does_not_run_out_unless_something_burns():
    assert forecast(an_account(), NOON, 0).runs_out_at is None
    assert forecast(an_account(), NOON, 1).runs_out_at == NOON


def test_beyond_the_calendar_is_never():
    account = an_account()
    give(account, 2**62)
    assert forecast(account, NOON, 1).runs_out_at is None
    give(account, 1, expires_at=datetime.max.replace(tzinfo=UTC))
    assert forecast(account, NOON, 1).lost == {}


def test_the_rate_is_burned_to_the_last_credit_and_not_beyond():
    """What is lost and what is burned add up to what there was."""
    account = an_account()
    for number in range(1, 9):
        give(account, 7 * number, expires_at=NOON + number * 7 * HOUR + number * US)
    total = sum(grant.amount for grant in account.grants.values())
    for per_day in (1, 7, 24, 100, 1_000):
        told = forecast(account, NOON, per_day)
        assert told.runs_out_at is not None
        wanted = (told.runs_out_at - NOON) // US * per_day // (DAY // US)
        assert total - sum(told.lost.values()) <= wanted + per_day
        assert sum(told.lost.values()) <= total


# ─── the bundle ────────────────────────────────────────────────────────────────────────────────────
def bundle(number: int, amount: int, bonus: int = 0) -> Bundle:
    return Bundle(number, f"b{number}", "B", 3, amount, bonus, Decimal(number), "USD", None, 50, False)


@pytest.mark.parametrize(
    ("per_day", "expected"),
    [(0, None), (1, 1), (35, 1), (36, 2), (100, 3), (1_000, 3)],
    ids=[
        "no usage",
        "the smallest lasts",
        "exactly 28 days",
        "a little more",
        "the bonus counts",
        "none is enough: the largest",
    ],
)
def test_the_smallest_bundle_that_lasts_about_a_month_is_suggested(per_day: int, expected: int | None):
    found = suggested([bundle(3, 2_500, 500), bundle(1, 980), bundle(2, 2_000)], per_day)
    assert (found.id if found else None) == expected
    assert suggested([], per_day) is None


def test_time_is_counted_in_whole_microseconds():
    account = an_account()
    give(account, 1)
    assert forecast(account, NOON, 3).runs_out_at == NOON + timedelta(hours=8)
