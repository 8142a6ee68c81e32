"""Usage over time: exact at every instant and in every timezone, whatever of it is rolled up already."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from credits import bounds
from credits.db import Database
from credits.usage import rollups
from credits.usage.series import read_member_burned
from tests.credits.posting.till import Till
from tests.credits.usage.asking import DAY, HOUR, differences, place, reverse, roll_up, send, series, till

__all__ = ["till"]


# ─── borders ───────────────────────────────────────────────────────────────────────────────────────
async def test_days_begin_at_the_customers_midnight_also_at_a_quarter_past(till: Till):
    now = (await till.now()).replace(hour=18, minute=15, second=0, microsecond=0) - DAY  # midnight in Kathmandu
    await till.must(till.grant("100"))
    await till.must(till.burn("1", occurred_at=now - timedelta(microseconds=1)))
    await till.must(till.burn("2", occurred_at=now))
    for rolled in (False, True):
        found = await series(till, now - DAY, now + DAY, timezone="Asia/Kathmandu")
        assert [(point.start, point.amount_micro) for point in found.points] == [
            (now - DAY, 1_000_000),
            (now, 2_000_000),
        ]
        assert rolled or await roll_up(till) > 0


async def test_points_bear_whole_borders_and_count_what_was_asked_for(till: Till):
    noon = (await till.now()).replace(hour=12, minute=0, second=0, microsecond=0) - DAY
    await till.must(till.grant("100"))
    for hours in (-13, -1, 0, 5, 11, 12):
        await till.must(till.burn("1", occurred_at=noon + hours * HOUR))
    found = await series(till, noon, noon + 12 * HOUR)
    (point,) = found.points
    assert (point.start, point.end) == (noon - 12 * HOUR, noon + 12 * HOUR)
    assert (point.amount_micro, found.total_micro, point.events) == (3_000_000, 3_000_000, 3), "half-open"


async def test_a_day_of_25_hours_has_25_points_of_hours(till: Till):
    since, until = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    found = await series(till, since, until, interval="HOUR", timezone="Europe/Berlin")
    assert len(found.points) == 25
    assert len((await series(till, since, until, timezone="Europe/Berlin")).points) == 1


# ─── what is counted ───────────────────────────────────────────────────────────────────────────────
async def test_an_event_of_two_features_is_one_event_and_one_of_each_feature(till: Till):
    await send(till, "e1", "twice", n=3)
    await till.must(till.grant("100"))
    await till.must(till.burn("4"))
    since, until = await till.now() - HOUR, await till.now() + HOUR
    (point,) = [point for point in (await series(till, since, until, interval="MONTH")).points if point.events]
    assert (point.amount_micro, point.quantity, point.events) == (10_000_000, 6, 2)
    by_feature = (await series(till, since, until, interval="MONTH", group_by="FEATURE")).points
    assert [(point.amount_micro, point.events) for point in by_feature] == [
        (4_000_000, 1),
        (3_000_000, 1),
        (3_000_000, 1),
    ]
    by_source = (await series(till, since, until, interval="MONTH", group_by="SOURCE")).points
    assert [(point.label, point.events) for point in by_source] == [(None, 1), ("tests", 1)]


async def test_a_reversal_counts_where_its_burn_was(till: Till):
    await till.must(till.grant("100"))
    yesterday = await till.now() - DAY
    burned = await till.must(till.burn("10", occurred_at=yesterday))
    await reverse(till, burned.entry.sequence, Decimal(4))
    for rolled in (False, True):
        found = await series(till, yesterday - DAY, await till.now() + DAY)
        assert [point.amount_micro for point in found.points if point.events] == [6_000_000]
        assert found.total_micro == 6_000_000
        assert rolled or await roll_up(till) > 0


async def test_what_a_member_burned_is_its_own(till: Till):
    await till.must(till.grant("100"))
    since = await till.now() - HOUR
    for who, amount in (("ann", "3"), ("bob", "4"), ("ann", "5")):
        command = till.burn(amount)
        command.spend.member = who
        await till.must(command)
    customer, kind = await place(till)
    for _ in range(2):
        async with till.reader.page(till.workspace_id) as page:
            asked = {"credit_type_id": kind, "since": since, "until": page.workspace.now}
            of = [
                await read_member_burned(page.connection, till.workspace_id, customer, who, **asked)
                for who in ("ann", "bob", "cyd")
            ]
        assert of == [8_000_000, 4_000_000, 0]
        await roll_up(till)


# ─── roll-ups ──────────────────────────────────────────────────────────────────────────────────────
async def test_a_burn_writes_nothing_to_the_roll_ups(till: Till):
    await till.must(till.grant("100"))
    await till.must(till.burn("1"))
    assert await till.rows("SELECT * FROM usage_rollups") == []
    assert await till.rows("SELECT * FROM usage_watermarks") == []


async def test_only_accounts_that_are_far_enough_behind_are_rolled_up(till: Till):
    await till.must(till.grant("100"))
    await till.many(*(till.burn("1") for _ in range(9)))
    assert await roll_up(till, behind=11) == 0
    assert await roll_up(till, behind=10) == 10
    assert await roll_up(till) == 0


async def test_several_processes_roll_up_an_account_once(till: Till, owner_url: str):
    await till.must(till.grant("10000"))
    await till.many(*(till.burn("1") for _ in range(300)))
    others = [await Database.connect(owner_url, size=2) for _ in range(3)]
    taken = await asyncio.gather(
        *(rollups.roll_up(database, till.workspace_id, behind=1) for database in [till.database, *others])
    )
    for database in others:
        await database.close()
    assert sum(taken) == 301
    assert await differences(till) == []


async def test_usage_that_arrives_late_is_found_in_its_quarter_beside_what_was_rolled_up(till: Till):
    await till.must(till.grant("100"))
    at = (await till.now()).replace(minute=7, second=0, microsecond=0) - 2 * HOUR
    await till.must(till.burn("1", occurred_at=at))
    await roll_up(till)
    await till.jump(HOUR)
    await till.must(till.burn("2", occurred_at=at))
    for _ in range(2):
        found = await series(till, at - timedelta(minutes=7), at + timedelta(microseconds=1), interval="HOUR")
        assert found.total_micro == 3_000_000
        assert (await series(till, at + timedelta(microseconds=1), at + HOUR, interval="HOUR")).total_micro == 0
        await roll_up(till)


async def test_a_roll_up_that_was_tampered_with_is_found_and_made_anew(till: Till):
    await till.must(till.grant("100"))
    await till.many(*(till.burn("1") for _ in range(5)))
    await roll_up(till)
    owner: asyncpg.Connection = await till.as_owner()
    customer, kind = await place(till)
    await owner.execute("UPDATE usage_rollups SET amount = amount + 1 WHERE customer_id = $1", customer)
    (wrong,) = await differences(till)
    assert (wrong.wanted_micro, wrong.found_micro) == (5_000_000, 5_000_001)
    await owner.execute("DELETE FROM usage_rollups WHERE customer_id = $1", customer)
    await owner.close()
    (missing,) = await differences(till)
    assert (missing.wanted_micro, missing.found_micro) == (5_000_000, None)
    await rollups.rebuild_rollups(till.database, till.workspace_id, customer, kind)
    assert await differences(till) == []
    now = await till.now()
    assert (await series(till, now - HOUR, now + HOUR)).total_micro == 5_000_000


# ─── what cannot be asked ──────────────────────────────────────────────────────────────────────────
async def test_what_cannot_be_answered_is_refused_by_name(till: Till):
    now = await till.now()
    with pytest.raises(ValueError, match="timezone: 'Mars' is no IANA timezone"):
        await series(till, now, now + DAY, timezone="Mars")
    with pytest.raises(ValueError, match="interval: would be more than"):
        await series(till, now, now + (bounds.USAGE_POINTS_MAX + 1) * HOUR, interval="HOUR")
    with pytest.raises(ValueError, match="interval: reaches beyond the calendar"):
        await series(till, datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC))
    assert (await series(till, now, now)).points == []
    assert (await series(till, now, now - DAY)).points == []
