"""Several hubs in one test act as several processes; real processes where that could make the difference."""

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from live_harness import WAIT_S, OwnPostgres, hear, other_process, own_postgres, running, until

from server import live
from server.live import DIRTY_MAX, Hub, Signals


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


HUBS: dict[str, Callable[[str], tuple[Hub, Hub]]] = {
    "memory, one process": lambda url: (hub := Hub("memory://", url), hub),
    "postgres, one process": lambda url: (hub := Hub(url, url), hub),
    "postgres, two processes": lambda url: (Hub(url, url), Hub(url, url)),
    "memory, with the command line": lambda url: (Hub.publisher("memory://", url), Hub("memory://", url)),
    "postgres, with the command line": lambda url: (Hub.publisher(url, url), Hub(url, url)),
}


@pytest.fixture(params=HUBS)
async def hubs(request: pytest.FixtureRequest, postgres: OwnPostgres):
    """Who publishes, and where somebody watches."""
    publishing, watched = HUBS[request.param](postgres.url)
    async with running(*{publishing, watched}):
        yield publishing, watched


async def test_of_200_publishes_in_order_the_last_arrives_and_none_goes_back(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    async with watched.subscribe(1, 2, 3) as signals:
        listening = asyncio.create_task(hear(signals, 3, 200))
        for version in range(1, 201):
            publishing.publish(1, 2, 3, version)
            await asyncio.sleep(0.001)
        heard = await listening
    assert heard == sorted(set(heard))
    assert len(heard) < 100, "coalesced"


async def test_a_dispute_is_told_to_who_watches_that_customers_or_everybodys(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    async with (
        watched.subscribe_disputes(1, 2) as own,
        watched.subscribe_disputes(1, None) as everybodys,
        watched.subscribe_disputes(1, 3) as others,
        watched.subscribe_disputes(9, None) as elsewhere,
        watched.subscribe(1, 2, 3) as account,
    ):
        for signals in (own, everybodys, others, elsewhere, account):
            await signals.next(0.1)  # what connecting may have missed
        publishing.publish_dispute(1, 2, 77)
        for signals in (own, everybodys):
            assert await signals.next(WAIT_S) == "changed"
        for signals in (others, elsewhere, account):
            assert await signals.next(0.2) == "timeout"


async def test_50_concurrent_publishers_are_all_heard(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs

    async def publish(credit_type: int) -> None:
        await asyncio.sleep(0)
        publishing.publish(1, 2, credit_type, credit_type * 10)

    async with watched.subscribe(1, 2) as signals:
        heard: dict[int, int] = {}
        await asyncio.gather(*(publish(credit_type) for credit_type in range(50)))
        async with asyncio.timeout(WAIT_S):
            while len(heard) < 50:
                assert await signals.next(WAIT_S) == "changed"
                heard |= signals.versions
    assert heard == {credit_type: credit_type * 10 for credit_type in range(50)}


async def test_10_concurrent_first_subscribers_all_wake(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    here = asyncio.Barrier(11)

    async def watch() -> list[int]:
        async with watched.subscribe(1, 2, 3) as signals:
            await here.wait()
            return await hear(signals, 3, 7)

    watching = [asyncio.create_task(watch()) for _ in range(10)]
    await here.wait()
    publishing.publish(1, 2, 3, 7)
    assert await asyncio.gather(*watching) == [[7]] * 10


async def test_who_joins_while_the_last_one_leaves_is_heard_100_times(
    hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing, watched = hubs
    monkeypatch.setattr(live, "WINDOW_S", 0.001)  # the rounds are about joining and leaving, not about the window
    joined: asyncio.Queue[None] = asyncio.Queue()

    async def watch(version: int) -> None:
        async with watched.subscribe(1, 2, 3) as signals:
            joined.put_nowait(None)
            await hear(signals, 3, version)

    leaving = None
    for version in range(1, 101):
        joining = asyncio.create_task(watch(version))
        await joined.get()
        publishing.publish(1, 2, 3, version)
        if leaving is not None:
            await leaving
        leaving = joining
        if version % 10 == 0:
            await leaving  # now and then nobody is left at all
    await joining
    assert watched.state().subscribers == 0
    assert watched._by_account == {}, "who left leaves nothing behind"


async def test_only_who_watches_it_is_woken(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    async with (
        watched.subscribe(1, 2, 3) as its_own,
        watched.subscribe(1, 2) as whole_customer,
        watched.subscribe(1, 2, 4) as other_credit_type,
        watched.subscribe(1, 3, 3) as other_customer,
        watched.subscribe(2, 2, 3) as other_workspace,
        watched.subscribe_config(1) as configuration,
    ):
        publishing.publish(1, 2, 3, 1)
        assert await hear(its_own, 3, 1) == [1]
        # One message reaches everybody in one step: who was to be woken, is.
        assert await whole_customer.next(0) == "changed"
        assert whole_customer.versions == {3: 1}
        for signals in (other_credit_type, other_customer, other_workspace, configuration):
            assert await signals.next(0) == "timeout"


async def test_a_configuration_wakes_who_watches_that_workspace_or_all(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    async with (
        watched.subscribe_config(1) as one,
        watched.subscribe_config(2) as other,
        watched.subscribe_config() as every,
        watched.subscribe(1, 2) as account,
    ):
        publishing.publish_config(1, 5)
        assert await hear(one, 1, 5) == [5]
        assert await hear(every, 1, 5) == [5]
        assert await other.next(0) == "timeout"
        assert await account.next(0) == "timeout"


async def test_a_flood_of_accounts_is_split_and_arrives_whole(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    customers = range(1_000_000, 1_005_000)
    async with watched.subscribe(1, customers[0]) as first, watched.subscribe(1, customers[-1]) as last:
        for customer in customers:
            publishing.publish(1, customer, 3, customer)
        assert await hear(first, 3, customers[0])
        assert await hear(last, 3, customers[-1])


async def test_a_subscriber_who_never_looks_takes_no_room_and_misses_nothing(hubs: tuple[Hub, Hub]) -> None:
    publishing, watched = hubs
    async with (
        watched.subscribe(1, 2) as slow,
        watched.subscribe(1, 2, 0) as slow_on_one,
        watched.subscribe(1, 3) as end,
    ):
        tracemalloc.start()
        for version in range(1, 20_001):
            publishing.publish(1, 2, version % 1_000, version)
            if version % 100 == 0:
                await asyncio.sleep(0.001)
        publishing.publish(1, 3, 1, 1)
        await hear(end, 1, 1)
        assert len(await hear(slow_on_one, 0, 20_000)) <= 2, "what it had not looked at is one version, and one window"
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()

        assert size < 1_000_000
        assert len(slow._dirty) <= DIRTY_MAX
        assert await slow.next(0) == "changed"
        assert slow.everything, "too much to list: it reads all"


async def test_nobody_hears_his_own_news_again_from_the_database(postgres: OwnPostgres) -> None:
    here, there = Hub(postgres.url, postgres.url), Hub(postgres.url, postgres.url)
    async with running(here, there), here.subscribe(1, 2) as signals:
        here.publish(1, 2, 3, 1)
        await hear(signals, 3, 1)
        await until(lambda: here.state().sent == 1)
        # The database delivers in order of commit: an echo would be here before what comes next.
        there.publish(1, 2, 4, 1)
        assert await signals.next(WAIT_S) == "changed"
        assert (signals.versions, signals.everything) == ({4: 1}, False)


async def test_under_memory_nothing_of_ours_goes_to_the_database(postgres: OwnPostgres) -> None:
    memory, other = Hub("memory://", postgres.url), Hub(postgres.url, postgres.url)
    async with running(memory, other), memory.subscribe(1, 2) as ours, other.subscribe(1, 2) as theirs:
        memory.publish(1, 2, 3, 1)
        await hear(ours, 3, 1)
        other.publish(1, 2, 4, 1)
        await hear(ours, 4, 1)
        assert await theirs.next(WAIT_S) == "changed"
        assert theirs.versions == {4: 1}


async def test_the_heartbeat_comes_where_nothing_happens(postgres: OwnPostgres) -> None:
    hub = Hub("memory://", postgres.url)
    async with running(hub), hub.subscribe(1, 2, 3) as signals:
        assert await signals.next(0.01) == "timeout"
        assert await signals.next(0) == "timeout"


async def test_stopping_ends_every_subscription_and_publishing_stays_silent(postgres: OwnPostgres) -> None:
    hub = Hub(postgres.url, postgres.url)
    async with hub.subscribe(1, 2) as early:
        hub.publish(1, 2, 3, 1)  # before the start: kept
        await hub.start()
        await hear(early, 3, 1)
        waiting = asyncio.create_task(early.next(WAIT_S))
        await asyncio.sleep(0)
        await hub.stop()
        assert await waiting == "stopped"
        assert await early.next(WAIT_S) == "stopped"
    async with hub.subscribe(1, 2) as late:
        assert await late.next(WAIT_S) == "stopped"
    hub.publish(1, 2, 3, 2)
    hub.publish_config(1, 1)


async def test_who_subscribed_before_the_start_reads_again_after_it(postgres: OwnPostgres) -> None:
    hub = Hub(postgres.url, postgres.url)
    async with hub.subscribe(1, 2) as signals, running(hub):
        assert await signals.next(WAIT_S) == "changed"
        assert signals.everything


async def test_stopping_sends_what_came_while_a_message_was_on_its_way(postgres: OwnPostgres) -> None:
    watched, publishing = Hub("memory://", postgres.url), Hub.publisher("memory://", postgres.url)
    async with running(watched), watched.subscribe(1, 2) as signals:
        await publishing.start()
        publishing.publish(1, 2, 3, 1)
        for _ in range(5):  # steps of the loop: the first message now waits for its connection
            await asyncio.sleep(0)
        publishing.publish(1, 2, 4, 1)
        await publishing.stop()
        heard: dict[int, int] = {}
        async with asyncio.timeout(WAIT_S):
            while heard != {3: 1, 4: 1}:
                assert await signals.next(WAIT_S) == "changed"
                heard |= signals.versions


async def test_a_hub_that_never_started_stops(postgres: OwnPostgres) -> None:
    for hub in (Hub("memory://", postgres.url), Hub.publisher("memory://", postgres.url)):
        hub.publish(1, 2, 3, 1)
        await hub.stop()


@pytest.mark.parametrize("url", ["redis://localhost", "kafka://localhost", "", "memory"])
def test_what_cannot_carry_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="cannot broadcast"):
        Hub(url, "postgresql://localhost/scrip")


PUBLISH_200_AND_END = """
    hub = Hub.publisher(*arguments)
    await hub.start()
    for version in range(1, 201):
        hub.publish(1, 2, 3, version)
        await asyncio.sleep(0.001)
    hub.publish_config(1, 9)
    await hub.stop()
"""


@pytest.mark.parametrize("carrier", ["memory", "postgres"])
async def test_the_command_line_imports_while_a_server_is_watched(postgres: OwnPostgres, carrier: str) -> None:
    url = "memory://" if carrier == "memory" else postgres.url
    hub = Hub(url, postgres.url)
    async with running(hub), hub.subscribe(1, 2, 3) as signals, hub.subscribe_config(1) as configuration:
        with other_process(PUBLISH_200_AND_END, url, postgres.url):
            heard = await hear(signals, 3, 200)
            await hear(configuration, 1, 9)
    assert heard == sorted(set(heard))


ANSWER_EACH_VERSION = """
    hub = Hub(*arguments)
    await hub.start()
    async with hub.subscribe(1, 2, 3) as signals:
        print("ready", flush=True)
        version = 0
        while version < 20:
            assert await signals.next(30) == "changed"
            version = signals.versions.get(3, version)
            hub.publish(1, 2, 4, version)
    await hub.stop()
"""


async def test_two_server_processes_answer_each_other(postgres: OwnPostgres) -> None:
    hub = Hub(postgres.url, postgres.url)
    with other_process(ANSWER_EACH_VERSION, postgres.url, postgres.url) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        async with running(hub), hub.subscribe(1, 2, 4) as signals:
            for version in range(1, 21):
                hub.publish(1, 2, 3, version)
                assert await hear(signals, 4, version) == [version]


def test_a_signal_is_taken_once_and_the_newest_wins() -> None:
    async def run() -> None:
        signals = Signals()
        for version in (1, 3, 2):
            signals.mark(7, version)
        assert await signals.next(0) == "changed"
        assert (signals.versions, signals.everything) == ({7: 3}, False)
        assert await signals.next(0) == "timeout"
        signals.mark_everything()
        assert await signals.next(0) == "changed"
        assert (signals.versions, signals.everything) == ({}, True)

    asyncio.run(run())
