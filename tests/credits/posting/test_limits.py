"""Spend limits: what they let through, what counts towards them, and when."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from credits.enforcement.counting import forget_windows
from credits.enforcement.spend_limits import open_limits, set_limit
from credits.enforcement.values import LimitReached, Metered
from credits.posting.corrections import EntryId
from credits.posting.outcomes import Burned, EventOutcome, EventTaken, Settled
from credits.usage.envelope import from_attributes
from tests.credits.posting.limiting import (
    DAY,
    HOUR,
    burn,
    check_windows,
    event,
    limit,
    live_in,
    member,
    metered,
    rich,
    spend,
    timedelta,
    unlimit,
    used,
)
from tests.credits.posting.till import Till

__all__ = ["rich"]


async def test_a_limit_lets_through_exactly_its_amount(rich: Till):
    made = await limit(rich, "10", "DAY")
    assert isinstance(await burn(rich, "4"), Burned)
    answer = await burn(rich, "6.000001")
    assert isinstance(answer, LimitReached)
    assert answer.metered == Metered(made, 4_000_000, answer.metered.resets_at)
    assert answer.metered.resets_at == (await rich.now()).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    assert answer.message == "would go beyond the limit of 10 per day"
    assert isinstance(await burn(rich, "6"), Burned)
    assert isinstance(await burn(rich, "0.000001"), LimitReached)
    await rich.jump(DAY)
    assert isinstance(await burn(rich, "10"), Burned)
    assert await used(rich) == [10]
    await rich.check()


async def test_a_limit_comes_before_the_credits_and_after_the_mode(till: Till):
    await limit(till, "5")
    assert isinstance(await burn(till, "6"), LimitReached), "there are no credits either"
    assert getattr(await burn(till, "5"), "code", None) == "INSUFFICIENT_CREDITS"
    await till.policy("OFF")
    answer = await burn(till, "6")
    assert isinstance(answer, Burned)
    assert (answer.decision.would_block, answer.decision.reason) == (False, None), "off decides nothing"
    for mode in ("SOFT", "SHADOW"):
        await till.policy(mode)
        answer = await burn(till, "1")
        assert isinstance(answer, Burned)
        assert answer.decision.would_block
        assert isinstance(answer.decision.reason, LimitReached)
    assert await used(till) == [8], "in every mode usage counts"


async def test_a_refusal_by_a_limit_leaves_everything_as_it_was(rich: Till):
    await limit(rich, "5")
    before = await rich.state(), await rich.rows("SELECT * FROM limit_windows")
    for _ in range(3):
        assert isinstance(await burn(rich, "6"), LimitReached)
        assert isinstance(await rich.post(rich.hold("6")), LimitReached)
    assert (await rich.state(), await rich.rows("SELECT * FROM limit_windows")) == before


async def test_holds_count_from_their_opening_until_they_are_freed(rich: Till):
    await limit(rich, "10")
    first = await rich.open_hold("6")
    assert isinstance(await burn(rich, "5"), LimitReached)
    await rich.must(rich.settle(first, "1", partial=True))
    assert await used(rich) == [6], "one burned, five still kept"
    await rich.must(rich.settle(first, "2"))
    assert await used(rich) == [3], "the rest is released"
    second = await rich.open_hold("7")
    await rich.must(rich.release(second))
    assert await used(rich) == [3]
    await rich.open_hold("7", ttl="PT1M")
    assert await used(rich) == [10]
    await rich.jump(timedelta(minutes=2))
    assert await used(rich) == [3], "it has lapsed, booked or not"
    assert isinstance(await burn(rich, "7"), Burned)


async def test_a_hold_counts_where_it_was_opened_also_what_it_burns_later(rich: Till):
    await limit(rich, "10", "HOUR")
    held = await rich.open_hold("8", ttl="PT3H")
    await rich.jump(HOUR)
    assert await used(rich) == [0]
    settled = await rich.must(rich.settle(held, "9"))
    assert isinstance(settled, Settled)
    assert await used(rich) == [0]
    late = await burn(rich, "1.000001", occurred_at=await rich.now() - HOUR)
    assert isinstance(late, LimitReached), "that hour has 9 of 10"


async def test_late_usage_counts_in_the_window_of_its_occurrence_also_from_before_the_limit_was_set(rich: Till):
    now = await rich.now()
    await burn(rich, "4", occurred_at=now - DAY)
    await burn(rich, "3")
    await limit(rich, "10")
    assert await used(rich) == [3], "set in the middle of a window, a limit knows what came before"
    assert isinstance(await burn(rich, "7", occurred_at=now - DAY), LimitReached)
    assert isinstance(await burn(rich, "6", occurred_at=now - DAY), Burned)
    assert isinstance(await burn(rich, "1", occurred_at=now - DAY), LimitReached)
    assert await used(rich) == [3]


async def test_events_burn_beyond_any_limit_and_count(rich: Till):
    await limit(rich, "10", feature="chat")
    await event(rich, "big", 40)
    assert await used(rich) == [20]
    refused = await rich.post(rich.chat("1"))
    assert isinstance(refused, LimitReached)
    assert refused.metered.used_micro == 20_000_000
    assert isinstance(await burn(rich, "1"), Burned), "credits as they are name no feature"


async def test_members_and_groups_have_limits_of_their_own_and_combinations(rich: Till):
    await member(rich, "ann", group="red")
    await member(rich, "bob", group="red")
    await limit(rich, "10", member="ann")
    await limit(rich, "15", group="red")
    await limit(rich, "2", group="red", member="bob", feature="chat")
    assert isinstance(await burn(rich, "11", "ann"), LimitReached)
    assert isinstance(await burn(rich, "10", "ann"), Burned)
    assert isinstance(await burn(rich, "6", "bob"), LimitReached), "red has 10 of 15"
    assert isinstance(await burn(rich, "3", "bob"), Burned)
    assert isinstance(await rich.post(rich.burn(spend=spend("2.5", "bob", "chat"))), LimitReached)
    assert isinstance(await rich.post(rich.burn(spend=spend("2", "bob", "chat"))), Burned)
    assert isinstance(await burn(rich, "500", "cyd"), Burned)
    assert isinstance(await burn(rich, "500"), Burned), "no member, no group: none of them applies"
    assert await used(rich) == [10, 15, 2]


async def test_what_a_member_used_goes_with_it_to_another_group(rich: Till):
    await member(rich, "ann", group="red")
    await limit(rich, "10", group="red")
    await limit(rich, "10", group="blue")
    await burn(rich, "8", "ann")
    await member(rich, "ann", group="blue")
    assert await used(rich) == [0, 8]
    assert isinstance(await burn(rich, "3", "ann"), LimitReached)
    await member(rich, "ann", group=None)
    assert await used(rich) == [0, 0]


async def test_of_several_reached_limits_the_one_that_holds_longest_is_named(rich: Till):
    await limit(rich, "1", "HOUR")
    month = await limit(rich, "3", "MONTH")
    await limit(rich, "2", "DAY")
    answer = await burn(rich, "4")
    assert isinstance(answer, LimitReached)
    assert answer.metered.limit.id == month.id
    assert isinstance(await burn(rich, "1"), Burned)


async def test_the_same_scope_again_changes_the_amount_and_removing_ends_it(rich: Till):
    first = await limit(rich, "10", member="ann")
    await burn(rich, "4", "ann")
    second = await limit(rich, "5", member="ann")
    assert second.id == first.id
    assert await used(rich) == [4]
    assert isinstance(await burn(rich, "2", "ann"), LimitReached)
    assert (await unlimit(rich, first.id)).amount_micro == 5_000_000
    assert isinstance(await burn(rich, "20", "ann"), Burned)
    assert await rich.rows("SELECT * FROM limit_windows") == []
    assert (await rich.customer()).limited is False
    for unknown in (first.id, "lim_1_1", "lim_zzzzzzzzzzzz_zzzzzz", "lim_1_zzzzzzzz", "x", ""):
        assert (await unlimit(rich, unknown)).message == f"no limit {unknown!r}"


async def test_what_cannot_be_a_limit_is_refused_by_name(rich: Till):
    found = await rich.customer()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("9223372036854.775808")}, "amount"),
        ({"interval": "YEAR"}, "window"),
        ({"member": ""}, "member"),
        ({"group": "a\0b"}, "group"),
        ({"credit_type": "none"}, "no credit type 'none' in the catalog"),
        ({"feature": "none"}, "no feature 'none' in the catalog"),
    ]
    for given, named in cases:
        async with rich.reader.changing(rich.workspace_id) as page:
            fields = {"credit_type": "ai", "amount": Decimal(1), "interval": "DAY", "now": page.workspace.now, **given}
            made = await set_limit(page.connection, rich.workspace_id, found, page.catalog, **fields)
        assert named in (getattr(made, "field", None), made.message), made  # type: ignore[union-attr]


async def test_another_timezone_has_other_windows(rich: Till):
    """The day has begun at 18:15 UTC in Kathmandu."""
    await limit(rich, "10")
    await rich.jump(9 * HOUR)  # 19:00 UTC
    await burn(rich, "4", occurred_at=await rich.now() - 2 * HOUR)
    await burn(rich, "3")
    assert await used(rich) == [7]
    await live_in(rich, "Asia/Kathmandu")
    assert await used(rich) == [3]
    ((_, resets_at),) = [(each, each.resets_at) for each in await metered(rich)]
    assert (resets_at.hour, resets_at.minute) == (18, 15)


async def test_customers_without_limits_leave_no_trace_in_the_tables_of_limits(rich: Till):
    await limit(rich, "10", customer="other")
    await burn(rich, "5")
    await event(rich, "e", 3)
    assert await rich.rows("SELECT used FROM limit_windows") == [{"used": 0}]


async def test_windows_that_are_long_past_are_forgotten_and_counted_again_when_asked_for(rich: Till):
    hourly = await limit(rich, "10", "HOUR")
    await limit(rich, "100", "MONTH")
    await burn(rich, "4")
    await rich.jump(20 * DAY)
    await burn(rich, "3")
    for days, hours in ((20, 2), (70, 0)):
        await rich.jump(days * DAY)
        async with rich.database.hot(rich.workspace_id) as connection:
            await forget_windows(connection, rich.workspace_id)
        rows = await rich.rows("SELECT * FROM limit_windows")
        assert len([row for row in rows if row["number"] == hourly.number]) == hours
    assert await used(rich) == [0, 0]
    at = await rich.now() - 110 * DAY
    async with rich.reader.page(rich.workspace_id) as page:
        limits = await open_limits(page.connection, await rich.customer(), at)
        (found, *_) = [limits.metered(each, at) for each in limits.all if each.id == hourly.id]
    assert found.used_micro == 4_000_000


async def test_a_reversal_counts_in_the_window_of_its_burn_and_of_a_settlement_in_that_of_its_hold(rich: Till):
    await limit(rich, "100", "HOUR", member="ann")
    await burn(rich, "1", "ann")
    held = await rich.open_hold(spend=spend("10", "ann"), ttl="PT3H")
    burned = await burn(rich, "8", "ann")
    await rich.jump(HOUR)
    settled = await rich.must(rich.settle(held, "6"))
    for entry, amount in ((burned.entry, "3"), (settled.entry, "2"), (burned.entry, None)):
        await rich.must(rich.reverse(entry, amount))
    assert await used(rich) == [0], "nothing of it was in this hour"
    assert isinstance(await burn(rich, "95.000001", "ann", occurred_at=burned.entry.occurred_at), LimitReached)
    assert isinstance(await burn(rich, "95", "ann", occurred_at=burned.entry.occurred_at), Burned)
    await check_windows(rich)
    await rich.check()


async def test_a_burn_and_its_reversal_in_one_batch_leave_nothing(rich: Till):
    await limit(rich, "10")
    before = await burn(rich, "4")
    last = before.entry.sequence
    place = (before.entry.customer_id, before.entry.credit_type_id)
    answers = await rich.many(
        rich.burn("6"), rich.reverse_by_place(EntryId(*place, last + 1)), rich.burn("6"), rich.burn("1")
    )
    assert [getattr(answer, "code", "ok") for answer in answers] == ["ok", "ok", "ok", "LIMIT_REACHED"]
    assert await used(rich) == [10]


async def test_late_usage_at_the_end_of_the_calendar_burns_and_is_in_no_window(rich: Till):
    """Its month would begin before the first year, where clocks are behind UTC."""
    await live_in(rich, "America/New_York")
    await limit(rich, "50", "MONTH")
    at = datetime.min.replace(tzinfo=UTC)
    (told,) = await rich.many(from_attributes("old", "tests", "chat", "acme", at, {"tokens": 2}, accept_late=True))
    assert isinstance(told, EventTaken)
    assert told.outcome is EventOutcome.BURNED, told
    await rich.check()
