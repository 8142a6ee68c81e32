"""Which of what waits goes next."""

import asyncio
import random
from uuid import uuid4

import pytest

from credits import bounds
from credits.posting.commands import Advance, TakeEvent
from credits.posting.lanes import Asked, Lane, Lanes, Waiting


def waiting(whose: str, *, number: int = 0) -> Waiting:
    return Waiting(Advance(number), whose, Asked(1))


@pytest.fixture
def lane() -> Lane:
    return Lane(1, batch_max=100, batches_max=2)


async def test_who_comes_alone_goes_alone_and_at_once(lane: Lane):
    lane.waiting.append(waiting("a"))
    assert [item.whose for item in await lane.gather()] == ["a"]


async def test_who_is_at_the_door_is_let_in(lane: Lane):
    async def arrive() -> None:
        for _ in range(4):
            lane.waiting.append(waiting("b"))
            await asyncio.sleep(0)

    lane.waiting.append(waiting("a"))
    arriving = asyncio.create_task(arrive())
    assert len(await lane.gather()) > 1
    await arriving


async def test_a_customer_is_in_one_batch_at_a_time_and_its_commands_stay_in_order(lane: Lane):
    first = [waiting(whose) for whose in "abcabcabc"]
    lane.waiting.extend(first)
    one = await lane.gather()
    assert one == first[:8], "half would do; fewer than eight are not worth two batches"
    lane.waiting.extend(later := [waiting("a"), waiting("x"), waiting("a"), waiting("y")])
    two = await lane.gather()
    assert [item.whose for item in two] == ["x", "y"]
    assert list(lane.waiting) == [first[8], later[0], later[2]]
    lane.leave(two)
    assert await lane.gather() == [], "whoever is left waits for the batch that has its customer"
    lane.leave(one)
    assert await lane.gather() == [first[8], later[0], later[2]]


async def test_many_who_come_together_go_in_two_halves(lane: Lane):
    lane.waiting.extend(waiting(str(number)) for number in range(40))
    assert len(await lane.gather()) == 20
    assert len(await lane.gather()) == 20


async def test_a_batch_is_bounded():
    lane = Lane(1, bounds.BATCH_EVENTS_MAX, batches_max=1)
    lane.waiting.extend(waiting(str(number)) for number in range(3 * bounds.BATCH_EVENTS_MAX))
    assert len(await lane.gather()) == bounds.BATCH_EVENTS_MAX


async def test_who_is_set_aside_stays_busy_until_it_is_readmitted(lane: Lane):
    lane.waiting.extend([waiting("locked"), waiting("free")])
    batch = await lane.gather()
    lane.set_aside({"locked"})
    lane.leave(batch)
    lane.waiting.extend(later := [waiting("locked"), waiting("free"), waiting("locked")])
    assert await lane.gather() == [later[1]]
    assert lane.drop({"locked"}) == [later[0], later[2]]
    lane.readmit({"locked"})
    lane.waiting.append(again := waiting("locked"))
    assert await lane.gather() == [again]


def an_event(subject: str) -> TakeEvent:
    return TakeEvent(uuid4(), 0, "s", "e", "t", subject, None, {}, "{}")


async def test_few_customers_that_make_most_of_the_usage_are_spread_over_the_lanes_and_keep_them():
    lanes = Lanes(1)
    sent = [f"c{number % size}" for size in (1, 2, 4, 8, 16, 32, 64, 128) for number in range(1_000)]
    random.Random(1).shuffle(sent)
    homes: dict[str, set[int]] = {}
    for name in sent:
        lane = lanes.of(an_event(name), name)
        lane.waiting.append(waiting(name))
        homes.setdefault(name, set()).add(lanes.all.index(lane))
    assert {len(home) for home in homes.values()} == {1}, "what one customer is asked for stays in order"
    assert not lanes.commands.waiting
    assert max(len(lane.waiting) for lane in lanes.events) < 0.4 * len(sent)
    assert lanes.of(Advance(1), "c0") is lanes.commands


async def test_who_comes_after_all_homes_are_given_keeps_a_lane_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "LANE_CUSTOMERS_MAX", 1)
    lanes = Lanes(1)
    for name in ("first", "second", "third") * 2:
        assert lanes.of(an_event(name), name) is lanes.of(an_event(name), name)
