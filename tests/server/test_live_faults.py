"""The broker goes away in every way it can; burns do not notice, and subscribers end up with the present state."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from live_harness import WAIT_S, OwnPostgres, hear, own_postgres, running, until

from server import live_postgres
from server.live import Hub, Signals
from server.live_changes import CHANGES_MAX

HEALED_S = 2.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
async def hubs(postgres: OwnPostgres) -> AsyncIterator[tuple[Hub, Hub]]:
    """Who publishes, and where somebody watches."""
    here, there = Hub(postgres.url, postgres.url), Hub(postgres.url, postgres.url)
    async with running(here, there):
        yield here, there


async def woken_to_read_everything(signals: Signals) -> None:
    async with asyncio.timeout(WAIT_S):
        while await signals.next(WAIT_S) == "changed":
            if signals.everything:
                return


@pytest.mark.parametrize("carrier", ["memory", "postgres"])
async def test_a_killed_listener_comes_back_within_two_seconds_and_everybody_reads_again(
    postgres: OwnPostgres, carrier: str
) -> None:
    watched = Hub("memory://" if carrier == "memory" else postgres.url, postgres.url)
    publishing = Hub.publisher("memory://", postgres.url)
    async with running(publishing, watched), watched.subscribe(1, 2, 3) as one, watched.subscribe_config() as other:
        began = time.monotonic()
        assert await postgres.kill("scrip live listener") == 1
        await woken_to_read_everything(one)
        await woken_to_read_everything(other)
        publishing.publish(1, 2, 3, 7)
        await hear(one, 3, 7)
        assert time.monotonic() - began < HEALED_S
        assert watched.state().connects == 2


async def test_a_killed_notifier_sends_the_newest_state_all_the_same(
    postgres: OwnPostgres, hubs: tuple[Hub, Hub]
) -> None:
    here, there = hubs
    async with there.subscribe(1, 2, 3) as signals:
        for version in range(1, 6):
            here.publish(1, 2, 3, version)
            await hear(signals, 3, version)
            await postgres.kill("scrip live notifier")


async def test_after_a_restart_of_postgres_both_directions_work_within_two_seconds(
    postgres: OwnPostgres, hubs: tuple[Hub, Hub]
) -> None:
    here, there = hubs
    async with here.subscribe(1, 2, 3) as at_home, there.subscribe(1, 2, 3) as far_away:
        await asyncio.to_thread(postgres.stop)
        here.publish(1, 2, 3, 7)
        assert await hear(at_home, 3, 7) == [7], "our own subscribers need no broker"
        await until(lambda: not here.state().listening and here.state().send_failures > 0)
        await asyncio.to_thread(postgres.start)
        began = time.monotonic()
        await woken_to_read_everything(at_home)
        await woken_to_read_everything(far_away)  # and so sees what was published meanwhile
        here.publish(1, 2, 3, 8)
        await hear(far_away, 3, 8)
        there.publish(1, 2, 3, 9)
        await hear(at_home, 3, 9)
        assert time.monotonic() - began < HEALED_S


async def test_a_hub_that_starts_before_its_broker_finds_it_later(postgres: OwnPostgres) -> None:
    await asyncio.to_thread(postgres.stop)
    here, there = Hub(postgres.url, postgres.url), Hub("memory://", postgres.url)
    try:
        await here.start()
        await there.start()
        assert not there.state().listening
        async with there.subscribe(1, 2, 3) as signals:
            here.publish(1, 2, 3, 7)
            there.publish(1, 2, 3, 6)
            await hear(signals, 3, 6)
            await asyncio.to_thread(postgres.start)
            await woken_to_read_everything(signals)
            here.publish(1, 2, 3, 8)
            await hear(signals, 3, 8)
    finally:
        await here.stop()
        await there.stop()


async def test_while_the_broker_is_away_publishing_neither_fails_nor_grows(postgres: OwnPostgres) -> None:
    here, there = Hub(postgres.url, postgres.url), Hub(postgres.url, postgres.url)
    async with running(here, there), there.subscribe(1, 2, 3) as signals:
        await asyncio.to_thread(postgres.stop)
        for customer in range(2 * CHANGES_MAX):
            here.publish(1, customer, 3, 1)
            if customer % 1_000 == 0:
                await asyncio.sleep(0)
                assert here.state().waiting <= CHANGES_MAX
        await until(lambda: not there.state().listening)
        await asyncio.to_thread(postgres.start)
        await woken_to_read_everything(signals)


async def test_stopping_without_a_broker_takes_two_seconds_at_most(postgres: OwnPostgres) -> None:
    hub = Hub(postgres.url, postgres.url)
    await hub.start()
    await asyncio.to_thread(postgres.stop)
    try:
        hub.publish(1, 2, 3, 1)
        began = time.monotonic()
        await hub.stop()
        assert time.monotonic() - began < live_postgres.FLUSH_S + 1
    finally:
        await asyncio.to_thread(postgres.start)


class SwallowingProxy:
    """TCP to the server's socket; once `swallow` is set it takes everything and delivers nothing, like a dead network."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self.swallow = False
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket_path)
        doomed = not self.swallow  # connections made after the cut pass
        await asyncio.gather(self._pass(reader, far_writer, doomed), self._pass(far_reader, writer, doomed))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if not (self.swallow and doomed):
                    writer.write(data)
        writer.close()


async def test_a_dead_network_is_noticed_by_the_heartbeat(
    postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_postgres, "COMMAND_TIMEOUT_S", 0.3)
    proxy = SwallowingProxy(Path(postgres.url.partition("host=")[2]) / ".s.PGSQL.5432")
    async with proxy.running():
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?sslmode=disable"
        watched, publishing = Hub(url, url, heartbeat_s=0.3), Hub.publisher(url, url)
        async with running(watched, publishing), watched.subscribe(1, 2, 3) as signals:
            publishing.publish(1, 2, 3, 1)
            await hear(signals, 3, 1)
            proxy.swallow = True
            publishing.publish(1, 2, 3, 2)
            began = time.monotonic()
            await woken_to_read_everything(signals)
            publishing.publish(1, 2, 3, 3)
            await hear(signals, 3, 3)
            assert time.monotonic() - began < HEALED_S


async def test_a_full_notification_queue_stops_no_commit_and_the_news_arrive_later(
    postgres: OwnPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    await postgres.run("ALTER SYSTEM SET max_notify_queue_pages = 64")
    await postgres.run("CREATE TABLE IF NOT EXISTS burned (version int)")
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    here, there = Hub(postgres.url, postgres.url, heartbeat_s=0.05), Hub(postgres.url, postgres.url)
    stuck = await asyncpg.connect(postgres.url)
    async with running(here, there), there.subscribe(1, 2, 3) as signals:
        await stuck.add_listener("elsewhere", lambda *_: None)
        stuck_in = stuck.transaction()
        await stuck_in.start()
        await stuck.execute("SELECT 1")
        with caplog.at_level(logging.WARNING, "server.live_postgres"):
            customers = itertools.count(1_000_000)
            async with asyncio.timeout(WAIT_S):
                while here.state().send_failures == 0:
                    for customer in itertools.islice(customers, 1_000):
                        here.publish(1, customer, 3, 1)
                    await asyncio.sleep(0.01)
        assert "too many notifications" in caplog.text
        await postgres.run("INSERT INTO burned VALUES (7)")
        assert await postgres.run("SELECT max(version) FROM burned") == 7

        failures = here.state().send_failures
        here.publish(1, 2, 3, 7)
        await until(lambda: here.state().send_failures >= failures + 2)  # the second of them is surely this one's
        await until(lambda: "notification queue is" in caplog.text)
        await stuck_in.rollback()
        await hear(signals, 3, 7)
    await stuck.close()


@pytest.mark.parametrize("payload", ["", "hello", '{"from":"newer release","accounts":"packed"}', "x" * 7_999])
async def test_a_message_nobody_can_read_makes_everybody_read_again(
    postgres: OwnPostgres, hubs: tuple[Hub, Hub], payload: str
) -> None:
    here, there = hubs
    async with there.subscribe(1, 2, 3) as signals:
        await postgres.run("SELECT pg_notify($1, $2)", live_postgres.CHANNEL, payload)
        await woken_to_read_everything(signals)
        here.publish(1, 2, 3, 1)
        await hear(signals, 3, 1)
