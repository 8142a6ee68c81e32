"""Stripe's own list of events: read from where it was left, by one of all processes, whatever breaks off in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits.db import Database
from credits.recharge.provider import ProviderUnavailable
from credits.recharge.told import advance_list, claim_list, count_open, keep_told, told_before
from credits.recharge.top_ups import public_id
from credits.workspaces import ensure_workspace
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.listing import FIRST, EventList
from server.stripe_gateway.telling import Teller
from tests.harness.stripe.handle import TEST_KEY

NOW = datetime.now(UTC)
EVERY = timedelta(seconds=20)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(database: Database) -> int:
    return (await ensure_workspace(database, "shop", test_mode=True, now=NOW)).id


class Looking:
    """Who is asked to look; `fails` says at whom it fails, and how, `stops_at` at whom it waits for ever."""

    def __init__(self) -> None:
        self.looked: list[Any] = []
        self.reported: list[Any] = []
        self.fails: dict[Any, Exception] = {}
        self.asked = 0
        self.stops_at: Any = None
        self.stopped = asyncio.Event()

    async def look(self, workspace_id: int, place: Any) -> Any:
        self.asked += 1
        if place == self.stops_at:
            self.stopped.set()
            await asyncio.Event().wait()
        if place in self.fails:
            raise self.fails[place]
        self.looked.append(place)
        return object()

    async def report(self, workspace_id: int, issue: Any, place: Any = None) -> None:
        self.reported.append(issue.kind)

    async def refresh(self, workspace_id: int, customer_id: int) -> None:
        self.looked.append(customer_id)


class Shop:
    """An event list upon the fake, at a clock that tests move."""

    def __init__(self, database: Database, fake: Any, workspace_id: int) -> None:
        self.fake, self.workspace_id = fake, workspace_id
        self.now = datetime.now(UTC)
        self.looking = Looking()
        self.asker = Asker(TEST_KEY, fake.url, patience_s=3.0)
        self.teller = Teller(
            database,
            self.looking,
            self.asker,
            refresh=self.looking.refresh,
            live=False,
            real_now=lambda: self.now,  # type: ignore[arg-type]
        )
        self.database = database
        self.restart()

    def restart(self) -> None:
        """Another process, which remembers nothing."""
        self.events = EventList(self.database, self.asker, self.teller, every=EVERY, real_now=lambda: self.now)

    async def pay(self, order: str, **metadata: str) -> Any:
        named = {
            "scrip_workspace": str(self.workspace_id),
            "scrip_top_up": order,
            "scrip_customer": "cus_1",
            **metadata,
        }
        asked = {"amount": 700, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", "metadata": named}
        return await self.fake.client().v1.payment_intents.create_async(asked)

    async def read_later(self) -> int:
        """A round later."""
        self.now += EVERY
        return await self.events.read()


@pytest.fixture
async def shop(database: Database, own_fake: Any, workspace: int) -> AsyncIterator[Shop]:
    opened = Shop(database, own_fake, workspace)
    yield opened
    await opened.asker.close()


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


async def test_more_than_a_page_is_read_to_its_end(shop):
    for number in range(1, 106):
        await shop.pay("top_1_1" if number < 105 else "top_1_2")
    assert await shop.events.read() == 105
    assert shop.looking.looked == [(1, 2), (1, 1)]


async def test_who_dies_over_a_long_list_has_done_its_pages_for_good(shop):
    """Otherwise whoever is killed more often than a long list takes to read would never come to its end."""
    for number in range(1, 121):
        await shop.pay(public_id((1, number)))
    shop.looking.stops_at = (1, 5)
    reading = asyncio.create_task(shop.events.read())
    await shop.looking.stopped.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    newest = {(1, number) for number in range(21, 121)}
    assert newest <= set(shop.looking.looked)
    shop.looking.looked, shop.looking.stops_at = [], None
    assert await shop.read_later() <= 20
    assert (1, 5) in shop.looking.looked
    assert not newest & set(shop.looking.looked)
    assert await shop.read_later() == 0


async def test_where_stripe_is_down_the_rest_of_a_long_list_is_left_for_later(shop):
    for number in range(1, 121):
        await shop.pay(public_id((1, number)))
        shop.looking.fails[(1, number)] = ProviderUnavailable("not now")
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert shop.looking.asked == 100
    shop.looking.fails.clear()
    assert await shop.read_later() == 120


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


class Pages:
    """Counts the pages that are asked for; whoever asks for more than `left` dies."""

    def __init__(self, shop: Shop) -> None:
        self.asked: list[dict[str, int]] = []
        self.left = 1_000_000
        self._events = shop.asker.events
        shop.asker.events = self.page  # type: ignore[method-assign]

    async def page(self, asked: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KilledError
        self.asked.append(asked["created"])
        return await self._events(asked)


class KilledError(BaseException):
    pass


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


async def test_an_order_whose_events_fill_pages_is_looked_at_again_where_its_first_look_failed(shop):
    """None of its events may be kept as told by a look that there was none of."""
    for _ in range(105):
        await shop.pay("top_1_1")
    shop.looking.fails[(1, 1)] = ProviderUnavailable("not now")
    with pytest.raises(ProviderUnavailable):
        await shop.events.read()
    assert (shop.looking.asked, shop.looking.looked) == (2, [])
    shop.looking.fails.clear()
    assert await shop.read_later() == 105
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


async def test_one_process_reads_at_a_time_and_another_goes_on_where_it_died(database, workspace):
    first = await claim_list(database, workspace, "stripe", NOW, every=EVERY, first="100")
    assert first == "100"
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=19), every=EVERY, first="0") is None
    await advance_list(database, workspace, "stripe", "200", NOW + timedelta(seconds=10))
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=29), every=EVERY, first="0") is None
    assert await claim_list(database, workspace, "stripe", NOW + timedelta(seconds=30), every=EVERY, first="0") == "200"
    # A clock that was an hour ahead, and has been put right, stops nobody.
    assert await claim_list(database, workspace, "stripe", NOW - timedelta(hours=1), every=EVERY, first="0") == "200"


async def test_an_event_is_told_once_for_ever_and_by_workspace(database, workspace):
    other = (await ensure_workspace(database, "other", test_mode=True, now=NOW)).id
    await keep_told(database, workspace, "stripe", [("evt_1", "a"), ("evt_2", "b")], NOW)
    await keep_told(database, workspace, "stripe", [("evt_1", "again")], NOW)
    assert await told_before(database, workspace, "stripe", ["evt_1", "evt_3"]) == {"evt_1"}
    assert await told_before(database, other, "stripe", ["evt_1"]) == set()
    assert await told_before(database, workspace, "stripe", []) == set()
    assert await count_open(database, workspace) == 0
