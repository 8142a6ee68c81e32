"""Stripe's list is read by one process of all, as long as that lives."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from credits.recharge.told import advance_list, claim_list
from tests.server.stripe_gateway.listed import EVERY, Pages

NOW = datetime.now(UTC)


async def test_one_process_reads_at_a_time_and_another_goes_on_where_it_died(database, workspace):
    first = await claim_list(database, workspace, "stripe", NOW, every=EVERY, first="100")
    assert first == "100"
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=19), every=EVERY, first="0") is None
    await advance_list(database, workspace, "stripe", "200", NOW + timedelta(seconds=10))
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=29), every=EVERY, first="0") is None
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=30), every=EVERY, first="0") == "200"
    # A clock that was an hour ahead, and has been put right, stops nobody.
    assert await claim_list(database, workspace, "stripe", NOW - timedelta(hours=1), every=EVERY, first="0") == "200"


async def test_nobody_else_begins_while_looks_take_long(shop):
    shop.turn = asyncio.Semaphore(1)
    shop.restart()
    for number in range(1, 6):
        await shop.pay(f"top_1_{number}")
    other, begun = shop.another(), []

    async def meanwhile() -> None:
        shop.now += EVERY / 2
        begun.append(await other.read())

    shop.looking.takes = meanwhile
    assert await shop.events.read() == 5
    assert begun == [0] * 5
    assert shop.looking.asked == 5


async def test_nobody_else_begins_while_it_takes_long_to_learn_whose_events_are(shop, monkeypatch):
    shop.turn = asyncio.Semaphore(1)
    shop.restart()
    for number in range(1, 6):
        await shop.pay(f"top_1_{number}")
    whose, other, begun = shop.teller.whose, shop.another(), []

    async def slowly(event: Any) -> Any:
        shop.now += EVERY / 2
        begun.append(await other.read())
        return await whose(event)

    monkeypatch.setattr(shop.teller, "whose", slowly)
    assert await shop.events.read() == 5
    assert begun == [0] * 5


async def test_nobody_else_begins_while_pages_are_read_of_which_nothing_is_new(shop, monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 2)
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 2)
    for number in range(1, 7):
        await shop.pay(f"top_1_{number}")
    await shop.events.read()
    shop.now += EVERY
    pages, events, other = Pages(shop), shop.asker.events, shop.another()

    async def slowly(asked: Any) -> Any:
        shop.now += EVERY / 2
        if len(pages.asked) < 3:
            assert await other.read() == 0
        return await events(asked)

    shop.asker.events = slowly
    assert await shop.events.read() == 0
    assert len(pages.asked) == 3


async def test_a_slower_process_with_an_older_beginning_makes_nobody_miss_anything(shop):
    """Both have the list, because the first was so slow that its claim has lapsed."""
    await shop.events.read()
    shop.fake.advance(3600)
    shop.now += timedelta(hours=1)
    await shop.pay("top_1_1")
    shop.looking.stops_at, slow = (1, 1), shop.another()
    reading = asyncio.create_task(slow.read())
    await shop.looking.stopped.wait()
    shop.looking.stops_at = None
    shop.fake.advance(3600)
    shop.now += timedelta(hours=1)
    await shop.pay("top_1_2")
    assert await shop.events.read() == 2
    shop.looking.goes_on.set()
    await reading
    await shop.pay("top_1_3")
    assert await shop.read_later() == 1
    assert await shop.read_later() == 0
    assert shop.looking.looked == [(1, 1), (1, 2), (1, 1), (1, 3)]
