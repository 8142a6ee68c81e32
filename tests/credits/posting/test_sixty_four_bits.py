"""What would leave 64 bits is refused, with nothing changed; what just fits is exact."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.amount import INT64_MAX, from_micro
from credits.disputes.resolve import resolving
from credits.errors import InsufficientCredits, InvalidInput
from credits.posting.commands import HoldId
from credits.posting.outcomes import EventOutcome
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import CATALOG, Till

ALL = str(from_micro(INT64_MAX))
HALF = str(from_micro(INT64_MAX // 2))
DAY = timedelta(days=1)


async def refused(till: Till, command: Any, field: str) -> None:
    before = await till.state()
    answer = await till.post(command)
    assert isinstance(answer, InvalidInput), answer
    assert answer.field == field
    assert await till.state() == before


async def test_the_whole_range_can_be_granted_held_settled_and_burned(till: Till):
    await till.must(till.grant(ALL))
    assert (await till.balance()).available == INT64_MAX
    await refused(till, till.grant("0.000001"), "amount")
    taken = await till.must(till.hold(HALF))
    hold = HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number)
    await till.must(till.settle(hold, HALF))
    rest = str(from_micro(INT64_MAX - INT64_MAX // 2))
    await till.must(till.burn(rest))
    assert (await till.balance()).available == 0
    assert isinstance(await till.post(till.burn("0.000001")), InsufficientCredits)
    await till.check()


async def test_what_is_scheduled_counts_so_that_the_clock_never_fails_to_book_it(till: Till):
    now = await till.now()
    await till.must(till.grant(HALF, effective_at=now + DAY))
    await till.must(till.grant(HALF, effective_at=now + 2 * DAY))
    await refused(till, till.grant("0.000002"), "amount")
    await till.must(till.grant("0.000001"))
    await till.jump(3 * DAY)
    assert (await till.balance()).available == INT64_MAX
    await till.sweep()
    await till.check()


async def test_lifetime_totals_are_bounded_not_only_what_is_there(till: Till):
    await till.must(till.grant(ALL))
    await till.must(till.burn(ALL))
    await refused(till, till.grant("1"), "amount")
    await till.policy("SOFT")
    await refused(till, till.burn("0.000001"), "amount")
    await refused(till, till.hold("0.000001"), "amount")
    await till.check()


async def test_overdraft_reaches_to_the_end_and_no_further(till: Till):
    await till.policy("OFF")
    await till.must(till.burn(ALL))
    balance = await till.balance()
    assert (balance.balance, balance.available) == (-INT64_MAX, -INT64_MAX)
    await refused(till, till.burn("0.000001"), "amount")
    await refused(till, till.hold("0.000001"), "amount")
    await till.must(till.grant(ALL))
    assert (await till.balance()).available == 0
    await till.check()


async def test_open_holds_count_so_that_settling_them_always_fits(till: Till):
    await till.policy("OFF")
    first, second = await till.open_hold(HALF), await till.open_hold(HALF)
    await refused(till, till.burn("0.000002"), "amount")
    await refused(till, till.hold("0.000002"), "amount")
    await refused(till, till.settle(first, ALL), "amount")
    await refused(till, till.settle(first, from_micro(INT64_MAX // 2 + 2).to_eng_string()), "amount")
    await till.must(till.settle(first, HALF))
    await till.must(till.settle(second, HALF))
    assert (await till.balance()).balance == -(INT64_MAX - 1)
    await till.check()


async def test_an_event_that_would_leave_the_range_is_a_dead_letter(till: Till):
    await till.policy("OFF")
    await till.must(till.burn(HALF))
    big = from_attributes("big", "tests", "twice", "acme", None, {"n": str(Decimal(HALF).quantize(Decimal(1)))})
    small = from_attributes("small", "tests", "twice", "acme", None, {"n": 1})
    answers = await till.many(big, small)
    assert [answer.outcome for answer in answers] == [EventOutcome.INVALID, EventOutcome.BURNED]  # type: ignore[union-attr]
    await till.check()


async def test_what_a_grant_gets_back_counts_with_its_amount_and_beyond_the_range_it_is_refused(till: Till):
    await till.must(till.grant(ALL))
    burned = (await till.must(till.burn(ALL))).entry
    await refused(till, till.reverse(burned), "amount")
    await refused(till, till.reverse(burned, "0.000001"), "amount")
    dispute = await till.contest(burned)
    answer = await till.post(resolving(dispute, upheld=True, amount=None, resolution="yes", key="r", actor_id=None))
    assert isinstance(answer, InvalidInput), answer
    await till.check()


async def test_half_the_range_is_burned_and_given_back_and_burned_again(till: Till):
    await till.must(till.grant(HALF))
    await till.must(till.reverse((await till.must(till.burn(HALF))).entry))
    again = (await till.must(till.burn(HALF))).entry
    await refused(till, till.reverse(again), "amount")
    await till.check()


async def test_an_event_beyond_what_was_clawed_back_is_a_dead_letter(till: Till):
    granted = await till.must(till.grant("1"))
    await till.must(till.claw_back(granted, HALF))
    await till.must(till.claw_back(granted, str(from_micro(INT64_MAX // 2 - 4_000_000))))
    big = from_attributes("big", "tests", "twice", "acme", None, {"n": 9})
    small = from_attributes("small", "tests", "twice", "acme", None, {"n": 1})
    answers = await till.many(big, small)
    assert [answer.outcome for answer in answers] == [EventOutcome.INVALID, EventOutcome.BURNED]  # type: ignore[union-attr]
    assert "64 bits" in str(answers[0].message)  # type: ignore[union-attr]
    await till.check()


async def test_an_overdraft_limit_of_the_whole_range_overflows_nothing(till: Till):
    await till.policy("ENFORCE", overdraft_limit_micro=INT64_MAX)
    await till.must(till.grant("5"))
    await till.must(till.burn(HALF))
    answer = await till.post(till.burn(ALL))
    assert isinstance(answer, InsufficientCredits)
    assert answer.shortfall_micro == answer.needed_micro - 5_000_000 - (INT64_MAX - INT64_MAX // 2)
    assert (await till.balance()).overdraft_left == INT64_MAX - INT64_MAX // 2 + 5_000_000
    await till.check()


@pytest.mark.parametrize(
    ("effective", "expires", "field"),
    [
        (None, datetime.max.replace(tzinfo=UTC), None),
        (datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1), datetime.max.replace(tzinfo=UTC), None),
        (datetime.max.replace(tzinfo=UTC) - DAY, None, "expiresAt"),  # the type's own 30 days reach beyond the calendar
        (datetime.min.replace(tzinfo=UTC), None, "effectiveAt"),
        (None, datetime.min.replace(tzinfo=UTC), "expiresAt"),
    ],
)
async def test_instants_at_the_ends_of_the_calendar_are_exact_or_refused(
    till: Till, effective: datetime | None, expires: datetime | None, field: str | None
):
    """T6."""
    kinds = [{**kind, "defaultExpiry": "P30D"} for kind in CATALOG["creditTypes"]]
    await till.apply({**CATALOG, "creditTypes": kinds})
    command = till.grant("1", effective_at=effective, expires_at=expires)
    if field is not None:
        await refused(till, command, field)
        return
    granted = await till.must(command)
    (row,) = await till.rows("SELECT effective_at, expires_at FROM grants")
    assert (row["effective_at"], row["expires_at"]) == (granted.grant.effective_at, expires)
    assert (await till.must(command)).replayed
    await till.check()
