"""How far Stripe's list has been read: whatever our clock says, or Stripe's, no event is missed."""

import time
from datetime import timedelta
from typing import Any

import pytest

from credits.recharge.told import advance_list, claim_list
from credits.recharge.top_ups import public_id
from tests.server.stripe_gateway.listed import EVERY, Pages


async def test_a_clock_that_was_ahead_and_has_been_put_right_makes_nobody_miss_anything(shop):
    shop.now += timedelta(days=1)
    await shop.events.read()
    shop.now -= timedelta(days=1)
    await shop.pay("top_1_1")
    assert await shop.read_later() == 1


@pytest.mark.parametrize("skew", [timedelta(hours=2), timedelta(hours=-2)])
async def test_how_far_the_list_was_read_is_said_by_stripes_clock_not_by_ours(shop, skew):
    shop.now += skew
    await shop.events.read()
    await shop.pay("top_1_1")
    assert await shop.read_later() == 1
    for number in range(2, 5):
        shop.fake.advance(3600)
        shop.now += timedelta(hours=1)
        await shop.pay(f"top_1_{number}")
        assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, number) for number in range(1, 5)]


async def test_an_event_that_is_listed_minutes_after_the_instant_that_it_bears_is_not_missed(shop):
    await shop.pay("top_1_1")
    await shop.events.read()
    shop.fake.advance(-280)
    await shop.pay("top_1_2")
    shop.fake.advance(280)
    assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, 1), (1, 2)]


async def test_slices_are_long_where_little_happened_and_short_where_much_did(shop, monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.listing.FULL", 8)
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 2)
    await shop.events.read()
    shop.fake.advance(20 * 3600)
    shop.now += timedelta(hours=20)
    for number in range(1, 61):
        await shop.pay(public_id((1, number)))
        shop.fake.advance(60)
        shop.now += timedelta(minutes=1)
    shop.fake.advance(20 * 3600)
    shop.now += timedelta(hours=20)
    pages = Pages(shop)
    assert await shop.read_later() == 60
    lengths = [asked["lt"] - asked["gte"] for asked in pages.asked if "lt" in asked]
    assert lengths[:7] == [60, 120, 240, 480, 960, 1920, 3600]
    cut, grown = lengths.index(450), lengths.index(900)
    assert set(lengths[cut:grown]) == {450}
    assert lengths[grown:][:4] == [900, 1800, 3600, 3600]
    assert len(pages.asked) < 100


async def test_where_an_answer_bears_no_date_the_list_is_read_with_more_overlap(shop):
    events = shop.asker.events

    async def undated(asked: Any) -> Any:
        answer = await events(asked)
        answer.headers = {}
        return answer

    shop.asker.events = undated
    for number in range(1, 4):
        await shop.pay(f"top_1_{number}")
        assert await shop.read_later() == 1
        shop.fake.advance(3600)
        shop.now += timedelta(hours=1)
        shop.restart()
    shop.now += timedelta(minutes=9)  # ours is ahead
    await shop.read_later()
    await shop.pay("top_1_4")
    assert await shop.read_later() == 1


@pytest.fixture
def in_the_west(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "WEST+8")
        time.tzset()
        yield
    time.tzset()


DATES = {
    "none of its own time zone": "%a %b %d %H:%M:%S %Y",
    "of another zone": "%a, %d %b %Y %H:%M:%S +0000",
    "of another kind": "%Y-%m-%dT%H:%M:%SZ",
    "years ahead": "Fri, 31 Dec 9999 23:30:00 -0100",
    "an hour ahead": "%a, %d %b %Y %H:%M:%S -0100",
}


@pytest.mark.parametrize("date", DATES.values(), ids=DATES)
async def test_a_date_that_is_not_as_it_should_be_moves_the_list_no_further_than_our_own_clock(shop, date, in_the_west):
    events = shop.asker.events

    async def dated(asked: Any) -> Any:
        answer = await events(asked)
        answer.headers = {"Date": shop.now.strftime(date)}
        return answer

    shop.asker.events = dated
    for number in range(1, 4):
        await shop.read_later()
        await shop.pay(f"top_1_{number}")
        shop.fake.advance(3600)  # nobody is there
        shop.now += timedelta(hours=1)
        assert await shop.read_later() == 1


async def test_where_our_clock_begins_days_ahead_the_list_is_read_from_stripes_present_on(shop):
    shop.now += timedelta(days=5)
    await shop.events.read()
    await shop.pay("top_1_1")
    assert await shop.read_later() == 1
    shop.restart()
    shop.now -= timedelta(days=5)
    shop.fake.advance(3600)
    await shop.pay("top_1_2")
    shop.now += timedelta(hours=1)
    assert await shop.read_later() == 1


async def test_what_was_left_far_ahead_of_stripes_clock_is_put_right_by_it(shop, database, workspace):
    await claim_list(database, workspace, "stripe", shop.now - EVERY, every=EVERY, first="0")
    ahead = str(int((shop.now + timedelta(hours=20)).timestamp()))
    await advance_list(database, workspace, "stripe", ahead, shop.now - EVERY)
    shop.now += timedelta(days=1)
    await shop.events.read()
    await shop.pay("top_1_1")
    shop.fake.advance(3600)  # nobody is there
    shop.now += timedelta(hours=1)
    assert await shop.read_later() == 1


@pytest.mark.parametrize("before_s", [0, 59, 60, 179, 180], ids="{} s into slices of 60 and 120".format)
async def test_the_first_and_the_last_second_of_a_slice_are_read(shop, database, workspace, before_s):
    intent = await shop.pay("top_1_1")
    shop.fake.advance(3600)
    shop.now += timedelta(hours=1)
    cursor = str(intent.created - before_s)
    await claim_list(database, workspace, "stripe", shop.now - EVERY, every=EVERY, first=cursor)
    assert await shop.events.read() == 1


async def test_what_happens_while_pages_are_read_is_not_taken_for_read(shop, monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 2)
    for number in range(1, 4):
        await shop.pay(f"top_1_{number}")
    events = shop.asker.events

    async def slowly(asked: Any) -> Any:
        if "starting_after" in asked:
            await shop.pay("top_1_4")
            shop.fake.advance(600)
            shop.now += timedelta(minutes=10)
        return await events(asked)

    shop.asker.events = slowly
    assert await shop.events.read() == 3
    shop.asker.events = events
    assert await shop.read_later() == 1
