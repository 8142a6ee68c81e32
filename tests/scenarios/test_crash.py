"""Killed under load, again and again: every acknowledged write is there exactly once (faults.md K1, K2, K4 to K6, E3).

Sixteen clients go on while the server, or its PostgreSQL, is killed. Afterwards each unknown operation is asked again
under its own key, the whole history is replayed through the reference model, and the hash chains are verified.
`SCRIP_KILLS` and `SCRIP_DATABASE_KILLS` set the number of kills, `SCRIP_SEED` the draws.
"""

import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from tests.harness.client import EVENT_TYPES, Client, Json, QueryFailed, Reply
from tests.harness.documents import BALANCE_UPDATED
from tests.harness.history import History
from tests.harness.order import check_real_time_order
from tests.harness.replay import compare_state, read_accounts, replay
from tests.harness.server import Server
from tests.harness.traffic import Traffic
from tests.harness.wire import Lost, Refused, Response
from tests.harness.world import TYPES, build_world, give
from tests.model.rating import micro

CLIENTS = 16
KILLS = int(os.environ.get("SCRIP_KILLS", "25"))
DATABASE_KILLS = int(os.environ.get("SCRIP_DATABASE_KILLS", "10"))
SEED = int(os.environ.get("SCRIP_SEED", "20260303"))
LOAD_S = (0.25, 0.9)  # how long each life lasts under load
FELT_AFTER_S = 0.1  # what is asked later than this after a kill meets it
BACK_WITHIN_S = 60.0  # a machine may be busy; alone it takes two
CUSTOMERS = ("crash-a", "crash-b", "crash-c")
ENDLESS = 10**9


@pytest.fixture(scope="module")
async def victim() -> AsyncIterator[Server]:
    """The server that these tests kill and start again, with its embedded database; each takes a workspace of its own."""
    # Not under pytest's own folder: each pytest that starts beside us locks the database's OS user out of it.
    with tempfile.TemporaryDirectory(prefix="scrip-tests-") as folder:
        server = Server(Path(folder) / "data")
        await server.start()
        yield server
        await server.close()


class Load:
    """Clients that never stop asking; an unanswered operation stays unknown and they go on."""

    def __init__(self, seed: int) -> None:
        accounts = [(customer, kind) for customer in CUSTOMERS for kind in ("ai", "soonest")]
        self.traffic = Traffic(seed, accounts, begins_in_s=())  # what a kill made unknown is asked again much later
        self.clients: list[Client] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def fund(self, client: Client) -> None:
        for customer, credit_type in self.traffic.accounts:
            fields = {"customer": customer, "creditType": credit_type, "amount": "5000"}
            key = f"fund.{credit_type}"
            await self.traffic.history.perform(
                client, customer, credit_type, "grantCredits", **fields, idempotencyKey=key
            )

    async def begin(self, url: str, secret: str) -> None:
        self.clients = [_Patient(url, secret, timeout_s=15.0) for _ in range(CLIENTS)]
        self.tasks = [
            asyncio.create_task(self.traffic.run(client, number, ENDLESS)) for number, client in enumerate(self.clients)
        ]

    async def until_written(self, count: int, *, since: float = 0.0) -> None:
        """Waits until `count` more operations (asked after `since`) are acknowledged; fails where nothing comes back."""
        until = time.monotonic() + BACK_WITHIN_S
        target = self.acknowledged(since) + count
        while self.acknowledged(since) < target:
            for task in self.tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < until, f"nothing acknowledged for {BACK_WITHIN_S} s"
            await asyncio.sleep(0.02)

    def acknowledged(self, since: float = 0.0) -> int:
        return sum(operation.reply.ok and operation.began >= since for operation in self.traffic.history)

    async def end(self) -> None:
        self.traffic.stopping.set()
        await asyncio.gather(*self.tasks)
        for client in self.clients:
            client.wire.drop()


class _Patient(Client):
    """A caller with sense: where nothing listens it knocks again before it asks, where nothing answers it waits a little."""

    async def act(self, verb: str, **variables: object) -> Reply:
        reply = await super().act(verb, **variables)
        if reply.outcome == "unknown":
            await asyncio.sleep(0.1)
        return reply

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> Response:
        while True:
            try:
                return await super().post(path, body, content_type)
            except Refused:  # it was never sent
                await asyncio.sleep(0.1)


async def check_history(server: Server, history: History, secret: str, *, lost_at_least: int) -> None:
    """Exactly once, by the model; then the hash chains, by the command line."""
    client = Client(server.url, secret)
    lost = await history.resolve([client, *(Client(server.url, secret) for _ in range(CLIENTS))])
    print(f"{len(history.operations)} operations, {lost} of them unknown at first: {history.tally()}")
    assert lost >= lost_at_least, "the kills hit nothing"
    for (customer, credit_type), pages in (await read_accounts(client, history.accounts())).items():
        result = replay(pages, history, customer, credit_type, order=TYPES[credit_type], floor=0)
        compare_state(pages, result.model)
        check_real_time_order(result.made)
    client.wire.drop()
    verified = await server.command("audit", "verify")
    assert verified.returncode == 0, verified


async def under_kills(
    server: Server, workspace: str, seed: int, kills: int, kill: Callable[[random.Random], Awaitable[None]]
) -> None:
    secret = await server.create_key(workspace, "ADMIN")
    client = Client(server.url, secret)
    await build_world(client, CUSTOMERS)
    load, draw = Load(seed), random.Random(seed)
    await load.fund(client)
    client.wire.drop()
    await load.begin(server.url, secret)
    for _ in range(kills):
        await load.until_written(30)
        await asyncio.sleep(draw.uniform(*LOAD_S))
        began = time.time()
        await kill(draw)
        await load.until_written(1, since=began + FELT_AFTER_S)
        print(f"killed; back after {time.time() - began:.2f} s, {load.acknowledged()} acknowledged")
    await load.until_written(30)
    await load.end()
    await check_history(server, load.traffic.history, secret, lost_at_least=kills // 2)


@pytest.mark.timeout(900)
async def test_kill_9_of_the_server_loses_and_doubles_nothing(victim):
    async def kill(_: random.Random) -> None:
        await victim.kill()
        await victim.start()

    await under_kills(victim, "server-kills", SEED, KILLS, kill)


def postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((data_dir / "pg" / "postmaster.pid").read_text().split()[0]))


@pytest.mark.timeout(900)
async def test_kill_9_of_postgresql_loses_and_doubles_nothing(victim):
    async def kill(draw: random.Random) -> None:
        try:
            main = postmaster(victim.data_dir)
            backends = [
                child for child in main.children() if "scrip" in " ".join(child.cmdline()) or child.is_running()
            ]
            process = main if draw.random() < 0.5 or not backends else draw.choice(backends)
            process.send_signal(signal.SIGKILL)
        except (psutil.NoSuchProcess, OSError, ValueError):
            pass  # it is just coming back: the next one hits

    await under_kills(victim, "database-kills", SEED + 1, DATABASE_KILLS, kill)


async def test_sigterm_under_load_finishes_or_refuses_and_closes_the_sockets(victim):
    secret = await victim.create_key("drain", "ADMIN")
    client = Client(victim.url, secret)
    await build_world(client, CUSTOMERS)
    closed: list[int] = []

    async def watch() -> None:
        try:
            async with client.subscribe(BALANCE_UPDATED, customer=CUSTOMERS[0], type="ai") as updates:
                async for _ in updates:
                    watching.set()
        except ConnectionClosed as error:
            closed.append(error.rcvd.code if error.rcvd else 1006)
        except QueryFailed:
            closed.append(0)
        else:
            closed.append(1000)

    watching = asyncio.Event()
    watchers = [asyncio.create_task(watch()) for _ in range(3)]
    await asyncio.wait_for(watching.wait(), 10)
    load = Load(SEED + 2)
    await load.fund(client)
    await load.begin(victim.url, secret)
    await load.until_written(100)
    began = time.monotonic()
    code = await victim.terminate()
    assert code == 0, f"exit {code} after SIGTERM"
    assert time.monotonic() - began < 15, "the drain took too long"
    await asyncio.wait_for(asyncio.gather(*watchers), 10)
    # 1001 going away, 1012 service restart, or one of our own: never 1006, which says that nobody said goodbye.
    assert all(each in (1001, 1012) or 4000 <= each < 5000 for each in closed), closed
    assert not (victim.data_dir / "pg" / "postmaster.pid").exists(), "the embedded database was left running"
    await victim.start()
    await load.until_written(10)
    await load.end()
    await check_history(victim, load.traffic.history, secret, lost_at_least=0)


async def test_what_was_committed_but_never_answered_is_told_on_retry(victim):
    """K2: the caller is gone before the answer; the same key later gets the stored entry, and it happened once."""
    secret = await victim.create_key("unheard", "ADMIN")
    client = Client(victim.url, secret)
    await build_world(client, ["unheard"])
    await give(client, "unheard", "1000", "g")
    heard = 0
    for step in range(60):
        caller = Client(victim.url, secret)
        request = {"customer": "unheard", "creditType": "ai", "amount": "1", "idempotencyKey": f"u{step}"}
        asking = asyncio.create_task(caller.put("burn", **request))
        await asyncio.sleep(0.0005 * (step % 12))
        asking.cancel()
        caller.wire.drop()
        reply = await client.must("burn", **request)
        heard += bool(reply["replayed"])
    assert micro((await client.balance("unheard"))["burned"]) == micro("60")
    assert heard > 0, "no burn was ever committed unheard: the test proved nothing"


@pytest.mark.timeout(600)
async def test_events_answered_as_taken_burn_exactly_once_across_kills(victim):
    """E3: the key of an event and its burns commit together; whatever was not answered is sent again."""
    secret = await victim.create_key("event-crash", "ADMIN")
    await build_world(Client(victim.url, secret), ["meter"])
    sent: list[Json] = []
    draw = random.Random(SEED)
    stopping = asyncio.Event()

    async def send(number: int) -> None:
        client, batch = Client(victim.url, secret, timeout_s=15.0), 0
        while not stopping.is_set():
            batch += 1
            events = [
                {
                    "specversion": "1.0",
                    "source": f"s{number}",
                    "type": "llm.tokens",
                    "subject": "meter",
                    "id": f"{batch}.{each}",
                    "data": {"input_tokens": draw.randint(1, 500), "output_tokens": 1},
                }
                for each in range(draw.choice((1, 20, 200)))
            ]
            while True:
                try:
                    response = await client.send_events(events, draw.choice(("batch", "lines")))
                except Lost:
                    response = None
                if response is not None and response.status == 202:
                    break
                assert response is None or response.status in (429, 503), response
                await asyncio.sleep(0.05)
            sent.extend(events)

    senders = [asyncio.create_task(send(number)) for number in range(4)]
    for _ in range(max(3, KILLS // 5)):
        count = len(sent)
        while len(sent) <= count + 200:
            assert not any(task.done() for task in senders), [task.result() for task in senders if task.done()]
            await asyncio.sleep(0.02)
        await asyncio.sleep(draw.uniform(0, 0.3))
        await victim.kill()
        await victim.start()
    stopping.set()
    await asyncio.gather(*senders)
    expected = sum(1_000 * event["data"]["input_tokens"] + 2_000 for event in sent)
    client = Client(victim.url, secret)
    until = time.monotonic() + 30
    while (found := micro((await client.balance("meter"))["burned"])) < expected:
        assert time.monotonic() < until, f"{found} burned of {expected}"
        await asyncio.sleep(0.1)
    assert found == expected, "burned twice"
    body = "\n".join(json.dumps(event) for event in sent[:2_000]).encode()
    again = await client.post("/v1/events", body, EVENT_TYPES["lines"])
    assert b'"accepted":0' in again.body.replace(b" ", b"")
    verified = await victim.command("audit", "verify")
    assert verified.returncode == 0, verified
