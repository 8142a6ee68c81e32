"""Stripe's own list of events: read from where it was left, by one of all processes, whatever breaks off in between."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from credits.errors import Unavailable
from credits.recharge.provider import ProviderUnavailable
from credits.recharge.told import claim_list, count_open, keep_told, told_before
from credits.recharge.top_ups import public_id
from credits.workspaces import ensure_workspace
from server.stripe_gateway.listing import FIRST
from tests.server.stripe_gateway.listed import EVERY, KilledError, Pages

NOW = datetime.now(UTC)


@pytest.fixture
def pages_of_ten(monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 10)
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 10)


async def test_each_event_is_acted_upon_once_and_each_order_looked_at_once_a_round(shop):
    await shop.pay("top_1_1")
    intent = await shop.pay("top_1_2")
    shop.fake.refund(intent.latest_charge, 100)
    shop.fake.dispute(intent.latest_charge, 100)
    assert await shop.events.read() == 4
    assert shop.looking.looked == [(1, 2), (1, 1)]
    assert await shop.read_later() == 0
    await shop.pay("top_1_3")
    assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, 2), (1, 1), (1, 3)]


async def test_a_workspace_begins_three_days_ago(shop):
    await shop.pay("top_1_1")
    shop.fake.advance(4 * 86400)
    shop.now += timedelta(days=4)
    await shop.pay("top_1_2")
    assert await shop.events.read() == 1
    assert shop.looking.looked == [(1, 2)]
    assert timedelta(days=3) == FIRST


async def test_days_of_being_away_are_read_in_order_slice_by_slice(shop):
    await shop.events.read()
    for number in range(1, 6):
        await shop.pay(f"top_1_{number}")
        shop.fake.advance(5 * 3600)
        shop.now += timedelta(hours=5)
    assert await shop.events.read() == 5
    assert shop.looking.looked == [(1, number) for number in range(1, 6)]


async def test_more_than_a_page_is_read_to_its_end(shop, pages_of_ten):
    for number in range(1, 16):
        await shop.pay("top_1_1" if number < 15 else "top_1_2")
    assert await shop.events.read() == 15
    assert shop.looking.looked == [(1, 2), (1, 1)]


async def test_an_order_of_many_slices_is_looked_at_once_for_all_that_had_happened_by_then(shop):
    await shop.events.read()
    for _ in range(5):
        await shop.pay("top_1_1")
        shop.fake.advance(5 * 3600)
        shop.now += timedelta(hours=5)
    assert await shop.read_later() == 5
    assert shop.looking.looked == [(1, 1)]


@pytest.mark.parametrize("seconds", [0, 5, 50])
async def test_what_happens_to_an_order_while_it_is_looked_at_is_looked_at_in_a_later_slice(shop, seconds):
    await shop.events.read()
    await shop.pay("top_1_1")
    shop.fake.advance(5 * 3600)
    shop.now += timedelta(hours=5)

    async def meanwhile() -> None:
        shop.looking.takes = lambda: asyncio.sleep(0)
        shop.fake.advance(-seconds)  # the clocks of Stripe's machines are not one
        await shop.pay("top_1_1")
        shop.fake.advance(seconds)

    shop.looking.takes = meanwhile
    assert await shop.read_later() == 2
    assert shop.looking.looked == [(1, 1), (1, 1)]


async def test_who_dies_over_a_long_list_has_done_its_pages_for_good(shop, pages_of_ten):
    """Otherwise whoever is killed more often than a long list takes to read would never come to its end."""
    for number in range(1, 23):
        await shop.pay(public_id((1, number)))
    shop.looking.stops_at = (1, 5)
    reading = asyncio.create_task(shop.events.read())
    await shop.looking.stopped.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    newest = {(1, number) for number in range(13, 23)}
    assert newest <= set(shop.looking.looked)
    shop.looking.looked, shop.looking.stops_at = [], None
    assert await shop.read_later() <= 12
    assert (1, 5) in shop.looking.looked
    assert not newest & set(shop.looking.looked)
    assert await shop.read_later() == 0


async def test_where_stripe_is_down_the_rest_of_a_long_list_is_left_for_later(shop, pages_of_ten, monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.listing._UNANSWERED", 3)
    shop.turn = asyncio.Semaphore(2)
    shop.restart()
    for number in range(1, 13):
        await shop.pay(public_id((1, number)))
        shop.looking.fails[(1, number)] = ProviderUnavailable("not now")
    pages = Pages(shop)
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert 3 <= shop.looking.asked <= 4
    assert len([asked for asked in pages.asked if "lt" not in asked]) == 1
    shop.looking.fails.clear()
    assert await shop.read_later() == 12


async def test_a_list_much_longer_than_any_process_lives_is_read_to_its_end_oldest_first(shop, monkeypatch):
    """Of a hundred minutes each process reads three pages."""
    await shop.events.read()
    monkeypatch.setattr("server.stripe_gateway.listing.FULL", 1)
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 5)
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 5)
    for number in range(1, 101):
        await shop.pay(public_id((1, number)))
        shop.fake.advance(60)
        shop.now += timedelta(minutes=1)
    pages, lives = Pages(shop), 0
    while len(shop.looking.looked) < 100 and lives < 60:
        lives, pages.left = lives + 1, 3
        shop.restart()
        with contextlib.suppress(KilledError):
            await shop.read_later()
    assert set(shop.looking.looked) == {(1, number) for number in range(1, 101)}
    assert len(shop.looking.looked) == 100
    assert lives < 60


async def test_an_order_that_stripe_does_not_answer_for_keeps_none_of_the_later_hours_waiting(shop):
    await shop.events.read()
    for number in range(1, 6):
        await shop.pay(f"top_1_{number}")
        shop.fake.advance(5 * 3600)
        shop.now += timedelta(hours=5)
    shop.looking.fails[(1, 2)] = ProviderUnavailable("not now")
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await shop.read_later()
        assert shop.looking.looked == [(1, 1), (1, 3), (1, 4), (1, 5)]
    shop.looking.fails.clear()
    shop.restart()
    assert await shop.read_later() == 1
    assert shop.looking.looked[-1] == (1, 2)


async def test_an_order_whose_events_fill_pages_is_looked_at_again_where_its_first_look_failed(shop, pages_of_ten):
    """None of its events may be kept as told by a look that there was none of."""
    for _ in range(15):
        await shop.pay("top_1_1")
    shop.looking.fails[(1, 1)] = ProviderUnavailable("not now")
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert (shop.looking.asked, shop.looking.looked) == (2, [])
    shop.looking.fails.clear()
    assert await shop.read_later() == 15
    assert shop.looking.looked == [(1, 1)]


async def test_what_stripe_does_not_answer_is_read_again_and_the_rest_is_done(shop):
    for number in (1, 2, 3):
        await shop.pay(f"top_1_{number}")
    shop.looking.fails[(1, 2)] = ProviderUnavailable("not now")
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert sorted(shop.looking.looked) == [(1, 1), (1, 3)]
    shop.looking.fails.clear()
    assert await shop.read_later() == 1
    assert sorted(shop.looking.looked) == [(1, 1), (1, 2), (1, 3)]


async def test_an_order_that_cannot_be_settled_keeps_no_other_from_its_own(shop):
    for number in (1, 2):
        await shop.pay(f"top_1_{number}")
    shop.looking.fails[(1, 1)] = ZeroDivisionError()
    await shop.events.read()
    assert (shop.looking.looked, shop.looking.reported) == ([(1, 2)], ["EVENT_FAILED"])
    assert await shop.read_later() == 0


async def test_what_is_nobodys_here_is_passed_over(shop):
    await shop.pay("top_1_1", scrip_workspace="9999")
    intent = await shop.pay("top_1_2", scrip_workspace="", scrip_top_up="")
    shop.fake.refund(intent.latest_charge, 100)
    assert await shop.events.read() == 0
    calls = shop.fake.counters()["calls"]["payment_intents.retrieve"]
    await shop.read_later()
    assert shop.fake.counters()["calls"]["payment_intents.retrieve"] == calls  # it is remembered


async def test_an_event_is_told_once_for_ever_and_by_workspace(database, workspace):
    other = (await ensure_workspace(database, "other", test_mode=True, now=NOW)).id
    await keep_told(database, workspace, "stripe", [("evt_1", "a"), ("evt_2", "b")], NOW)
    await keep_told(database, workspace, "stripe", [("evt_1", "again")], NOW)
    assert await told_before(database, workspace, "stripe", ["evt_1", "evt_3"]) == {"evt_1"}
    assert await told_before(database, other, "stripe", ["evt_1"]) == set()
    assert await told_before(database, workspace, "stripe", []) == set()
    assert await count_open(database, workspace) == 0


async def test_what_a_database_that_was_set_back_has_lost_is_acted_upon_again(shop, database_url):
    """A standby that lacked the last seconds has taken over; whoever was told of a refund has lost it, and runs on."""
    await shop.pay("top_1_1")
    assert await shop.events.read() == 1
    assert await shop.read_later() == 0
    connection = await asyncpg.connect(database_url)
    await connection.execute("DELETE FROM payment_events")
    await connection.close()
    assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, 1), (1, 1)]


async def test_what_comes_slowly_is_acted_upon_before_there_is_much_of_it(shop, pages_of_ten, monkeypatch):
    """Whoever dies over slow pages has done some of them."""
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 1_000)
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER_S", 0.05)
    await shop.events.read()
    for number in range(1, 31):
        await shop.pay(f"top_1_{number}")
    pages = Pages(shop)
    events, pages.left = shop.asker.events, 2

    async def slowly(asked: Any) -> Any:
        await asyncio.sleep(0.1)
        return await events(asked)

    shop.asker.events = slowly
    with pytest.raises(KilledError):
        await shop.read_later()
    assert len(shop.looking.looked) >= 10


async def test_workspaces_that_were_read_up_to_different_instants_each_get_all_of_theirs(shop, database):
    """One is claimed by another process, one has been read less far, one is made later."""
    second = (await ensure_workspace(database, "second", test_mode=True, now=NOW)).id
    await shop.pay("top_1_1")
    await claim_list(database, second, "stripe", shop.now, every=EVERY, first=str(int(shop.now.timestamp()) - 86400))
    await shop.pay("top_2_1", scrip_workspace=str(second))
    third = second + 1
    await shop.pay("top_3_1", scrip_workspace=str(third))
    assert await shop.events.read() == 1
    assert shop.looking.looked == [(1, 1)]
    shop.fake.advance(3600)
    shop.now += timedelta(hours=1)
    await shop.pay("top_1_2")
    assert await shop.read_later() == 2
    assert shop.looking.looked == [(1, 1), (2, 1), (1, 2)]
    assert (await ensure_workspace(database, "third", test_mode=True, now=NOW)).id == third
    assert await shop.read_later() == 1
    assert shop.looking.looked[-1] == (3, 1)


async def test_a_store_that_is_away_while_an_event_is_kept_has_it_acted_upon_again(shop, monkeypatch):
    await shop.pay("top_1_1")

    async def away(*_: Any) -> None:
        raise Unavailable("not now")

    with monkeypatch.context() as patch:
        patch.setattr("server.stripe_gateway.listing.keep_told", away)
        with pytest.raises(Unavailable):
            await shop.events.read()
    shop.fake.advance(3600)
    shop.now += timedelta(hours=1)
    assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, 1), (1, 1)]


async def test_what_nobody_could_be_asked_about_is_asked_again_however_much_later(shop):
    """A refund names its payment alone; whose that is, Stripe did not say."""
    intent = await shop.pay("top_1_1")
    await shop.events.read()
    shop.fake.refund(intent.latest_charge, 100)
    shop.fake.turn("reset", only="payment_intents.retrieve")
    with pytest.raises(ProviderUnavailable):
        await shop.read_later()
    shop.fake.off()
    shop.fake.advance(7200)
    shop.now += timedelta(hours=2)
    assert await shop.read_later() == 1
    assert shop.looking.looked == [(1, 1), (1, 1)]


async def test_a_long_slice_that_is_cut_after_a_failure_does_not_leave_it_behind(shop, monkeypatch):
    await shop.events.read()
    monkeypatch.setattr("server.stripe_gateway.listing.FULL", 1)
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 2)
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 2)
    for number in range(1, 7):
        await shop.pay(public_id((1, number)))
        shop.fake.advance(20)
        shop.now += timedelta(seconds=20)
    shop.fake.advance(600)
    shop.now += timedelta(minutes=10)
    shop.looking.fails[(1, 6)] = ProviderUnavailable("not now")
    with pytest.raises(ProviderUnavailable):
        await shop.read_later()
    assert len(shop.looking.looked) == 5
    shop.looking.fails.clear()
    shop.restart()
    assert await shop.read_later() == 1


async def test_where_stripe_limits_us_for_long_what_was_read_is_kept_and_the_rest_is_read_later(shop, monkeypatch):
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 2)
    monkeypatch.setattr("server.stripe_gateway.asking._PAGE", 2)
    monkeypatch.setattr("server.stripe_gateway.asking._LIMITED_S", 0.01)
    for number in range(1, 6):
        await shop.pay(f"top_1_{number}")
    shop.looking.takes = lambda: asyncio.to_thread(lambda: shop.fake.turn("rate_limited", only="events.list"))
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert sorted(shop.looking.looked) == [(1, 4), (1, 5)]
    shop.looking.takes = lambda: asyncio.sleep(0)
    shop.fake.off()
    assert await shop.read_later() == 3
