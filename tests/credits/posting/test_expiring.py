"""Grants near their end are told of 30, 7 and 1 days before, each once, whoever looks and however the clock goes."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from credits import bounds
from credits.posting.expiring import tell_expiring
from tests.credits.posting.till import Till
from tests.credits.webhooks.conftest import Desk, desk

__all__ = ["desk"]
DAY = timedelta(days=1)


async def look(till: Till) -> int:
    return await tell_expiring(till.database, till.workspace_id)


async def days_told(desk: Desk) -> list[int]:
    return [each["data"]["days"] for each in await desk.told("grant.expiring")]


async def test_a_grant_is_told_of_at_each_distance_once(till: Till, desk: Desk):
    await desk.endpoint("grant.expiring")
    await look(till)
    ends_at = await till.now() + 40 * DAY
    granted = await till.must(till.grant("100", expires_at=ends_at))
    await till.must(till.burn("40"))
    expected: list[int] = []
    for ahead, days in ((9, None), (2, 30), (10, None), (13, 7), (4, None), (1.5, 1), (0.1, None)):
        await till.advance(ahead * DAY)
        for _ in range(3):
            await look(till)
        expected += [] if days is None else [days]
        assert await days_told(desk) == expected, ahead
    told = (await desk.told())[0]
    assert {"customer": "acme", "creditType": "ai", "remaining": "60", "days": 30}.items() <= told["data"].items()
    assert told["data"]["grant"].endswith(f"_{granted.grant.number}")
    stamp = (ends_at - 30 * DAY).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert told["timestamp"] == stamp, "when it came so near, whenever we look"


async def test_a_jump_over_several_distances_tells_each(till: Till, desk: Desk):
    await desk.endpoint("grant.expiring")
    await look(till)
    await till.must(till.grant("1", expires_at=await till.now() + 40 * DAY))
    await till.jump(39.5 * DAY)
    await look(till)
    assert await days_told(desk) == [30, 7, 1]


async def test_what_ends_on_the_way_is_told_as_expired_alone(till: Till, desk: Desk):
    await desk.endpoint("grant.expiring", "grant.expired")
    await look(till)
    await till.must(till.grant("1", expires_at=await till.now() + 40 * DAY))
    await till.advance(60 * DAY)
    await look(till)
    assert await desk.types() == ["grant.expired"]


async def test_a_grant_that_never_was_so_far_from_its_end_is_not_told_of_at_that_distance(till: Till, desk: Desk):
    await desk.endpoint("grant.expiring")
    await look(till)
    await till.must(till.grant("1", expires_at=await till.now() + 10 * DAY))
    await till.must(till.grant("1", expires_at=await till.now() + 100 * DAY))
    await look(till)
    assert await days_told(desk) == []
    await till.advance(4 * DAY)
    await look(till)
    assert await days_told(desk) == [7]


async def test_what_is_used_up_or_voided_is_not_told_of(till: Till, desk: Desk):
    await desk.endpoint("grant.expiring")
    await look(till)
    ends_at = await till.now() + 40 * DAY
    await till.must(till.grant("5", expires_at=ends_at))
    await till.must(till.burn("5"))
    await till.must(till.void(await till.must(till.grant("5", expires_at=ends_at))))
    await till.advance(11 * DAY)
    assert await look(till) == 0


async def test_what_came_near_while_nobody_wanted_to_know_is_nobodys_to_hear(till: Till, desk: Desk):
    await desk.endpoint("grant.created")
    await till.must(till.grant("1", expires_at=await till.now() + 20 * DAY))
    await look(till)
    await desk.endpoint("grant.expiring")
    await look(till)
    rows = await till.rows("SELECT 1 AS one FROM webhook_messages WHERE type = 'grant.expiring'")
    assert rows == []
    await till.advance(14 * DAY)
    await look(till)
    rows = await till.rows("SELECT 1 AS one FROM webhook_messages WHERE type = 'grant.expiring'")
    assert len(rows) == 1


async def test_many_that_end_at_one_instant_are_each_told_once_by_several_who_look(
    till: Till, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bounds, "EXPIRING_AT_ONCE", 7)
    await desk.endpoint("grant.expiring")
    await look(till)
    ends_at = await till.now() + 35 * DAY
    await till.many(
        *(till.grant("1", customer, expires_at=ends_at) for customer in ("acme", "other") for _ in range(25))
    )
    await till.advance(6 * DAY)
    counts = await asyncio.gather(*(look(till) for _ in range(5)))
    while True:  # whoever found the horizon locked left it to the others
        more = await look(till)
        counts.append(more)
        if not more:
            break
    assert sum(counts) == 50
    times = Counter(each["data"]["grant"] for each in await desk.told())
    assert len(times) == 50
    assert set(times.values()) == {1}
