"""The process: comes up in order, drains at SIGTERM, leaves nothing behind, whatever is killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import orjson
import psutil
import pytest
import websockets
from bare import PROGRAM

from tests.harness.databases import execute
from tests.harness.server import NotReady, Server

WORKERS = (1, 2)
DRAINED_S = 20.0  # ten by rights; a busy machine gets as much again, and work without end would take ten minutes


@pytest.fixture
async def bare(scratch: Path) -> AsyncIterator[Callable[..., Server]]:
    """Makes bare servers, each on a data folder of its own unless told otherwise; closes them."""
    made: list[Server] = []

    def make(data_dir: Path | None = None, **options: object) -> Server:
        made.append(Server(data_dir or scratch / f"data{len(made)}", program=PROGRAM, **options))
        return made[-1]

    yield make
    for server in made:
        await server.close()


async def ask(server: Server, path: str = "/healthz") -> dict[str, str]:
    def fetch() -> bytes:
        with urlopen(server.url + path, timeout=30) as answer:
            return answer.read()

    return orjson.loads(await asyncio.to_thread(fetch))


def postmaster(server: Server) -> psutil.Process:
    return psutil.Process(int((server.data_dir / "pg" / "postmaster.pid").read_text().split()[0]))


def left_behind(server: Server) -> list[psutil.Process]:
    """What still runs in the folder of the server, or as its worker."""
    folder = str(server.data_dir)
    processes = (process for process in psutil.process_iter(["cmdline"]) if process.pid != os.getpid())
    return [process for process in processes if any(folder in part for part in process.info["cmdline"] or [])]


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("workers", WORKERS)
async def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new(bare, tmp_path, workers):
    server = bare(workers=workers)
    await server.start()
    answer = await ask(server)
    assert answer["embedded"] == "True"
    assert answer["broadcast"] == ("memory://" if workers == 1 else answer["database"])
    assert (answer["pid"] == str(server.pid)) == (workers == 1)
    gate = tmp_path / "gate"
    under_way = [asyncio.create_task(ask(server, f"/until?gate={gate}")) for _ in range(3)]
    await until(lambda: len(list(tmp_path.iterdir())) == 3)
    began = time.monotonic()
    ended = asyncio.create_task(server.terminate())
    await until(lambda: not listens(server.port))
    assert not any(each.done() for each in under_way), "it stopped listening only after the work was done"
    gate.touch()
    assert await asyncio.gather(*under_way) == ["done"] * 3
    assert await ended == 0
    assert time.monotonic() - began < DRAINED_S
    assert left_behind(server) == []


def listens(port: int) -> bool:
    """Asked of the kernel: a connection attempt would itself be queued."""
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


async def test_work_without_end_and_open_sockets_do_not_hold_up_the_end(bare):
    server = bare()
    await server.start()
    endless = asyncio.create_task(ask(server, "/slow?seconds=600"))
    async with websockets.connect(server.url.replace("http", "ws") + "/socket") as socket:
        began = time.monotonic()
        assert await server.terminate() == 0
        assert time.monotonic() - began < DRAINED_S
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1012
    with pytest.raises((ConnectionError, HTTPError)):
        await endless
    assert left_behind(server) == []


async def test_ctrl_c_ends_all_of_it_in_order(bare):
    """A terminal sends SIGINT to the whole group: server and workers, but PostgreSQL is not in it."""
    server = bare(workers=2)
    await server.start()
    assert os.getpgid(postmaster(server).pid) != os.getpgid(server.pid)
    os.killpg(server.pid, signal.SIGINT)
    assert await server.wait() == 0
    assert "Traceback" not in server.logs
    assert "database died" not in server.logs
    assert left_behind(server) == []


@pytest.mark.parametrize("seen", ["pg.new", "pg"])
async def test_sigterm_in_the_middle_of_the_start_leaves_nothing_behind(bare, seen):
    server = bare()
    server.spawn()
    await until((server.data_dir / seen).exists)
    assert await server.terminate() == 0
    assert "Traceback" not in server.logs
    assert left_behind(server) == []


async def test_after_kill_9_of_the_server_the_next_start_adopts_its_postgresql(bare):
    server = bare(workers=2)
    await server.start()
    first = postmaster(server)
    await server.kill()
    assert first.is_running()
    await server.start()
    assert postmaster(server) == first
    assert await server.terminate() == 0
    assert left_behind(server) == []


async def test_a_worker_that_dies_is_replaced_and_none_outlives_its_parent(bare):
    server = bare(workers=2)
    await server.start()
    first = int((await ask(server))["pid"])
    os.kill(first, signal.SIGKILL)
    await until(lambda: f"worker {first} ended" in server.logs and len(children_serving(server)) == 2)
    assert first not in [worker.pid for worker in children_serving(server)]
    os.kill(server.pid, signal.SIGKILL)  # the parent alone
    await server.wait()
    await until(lambda: not listens(server.port))
    await server.start()


def children_serving(server: Server) -> list[psutil.Process]:
    """The workers: children of the one that they are forked from."""
    return [child for direct in psutil.Process(server.pid).children() for child in direct.children() if forked(child)]


def forked(process: psutil.Process) -> bool:
    return "multiprocessing.forkserver" in " ".join(process.cmdline())


async def test_postgresql_comes_back_within_seconds_of_its_death(bare):
    server = bare()
    await server.start()
    for times in range(1, 4):
        before = postmaster(server)
        before.kill()
        await until(lambda: server.logs.count("the database is back") == times, 20.0)  # noqa: B023 -- awaited here
        assert postmaster(server) != before
    assert await server.terminate() == 0
    assert left_behind(server) == []


async def test_a_taken_port_is_one_line(bare):
    server = bare()
    await server.start()
    second = bare()
    second.port = server.port
    with pytest.raises(NotReady):
        await second.start()
    assert (
        second.logs.strip() == f"scrip: port {server.port} is in use; stop what uses it, or choose another with --port"
    )
    assert not (second.data_dir / "pg").exists(), "it found out before it made a database"


@pytest.mark.parametrize("workers", WORKERS)
async def test_an_application_that_does_not_start_stops_everything(bare, workers, monkeypatch):
    monkeypatch.setenv("BARE_FAILS", "1")
    server = bare(workers=workers)
    with pytest.raises(NotReady):
        await server.start()
    assert "told to fail" in server.logs
    assert await server.wait() == 1
    assert left_behind(server) == []


async def test_two_servers_share_one_data_folder(bare):
    first = bare()
    await first.start()
    second = bare(first.data_dir)
    await second.start()
    assert await first.terminate() == 0
    assert (await ask(second))["database"], "the first to leave took PostgreSQL along"
    assert postmaster(second).is_running()
    assert await second.terminate() == 0
    assert left_behind(second) == []


async def test_a_given_database_is_waited_for_but_never_migrated(bare, postgres, scratch):
    server = bare(database_url=postgres)
    with pytest.raises(NotReady):
        await server.start()
    assert server.logs.strip() == "scrip: the database has no Scrip schema yet; run: scrip migrate"
    unreachable = bare(database_url="postgresql://nobody@127.0.0.1:1/nothing")
    unreachable.spawn()
    await until(lambda: "waiting for the database of SCRIP_DATABASE_URL" in unreachable.logs)
    assert not listens(unreachable.port), "not ready is refused, not left hanging"
    assert await unreachable.terminate() == 0


async def test_a_given_database_with_the_present_schema_is_served(bare, database_url):
    server = bare(database_url=database_url)
    await server.start()
    answer = await ask(server)
    assert (answer["database"], answer["embedded"]) == (database_url, "False")
    assert not server.data_dir.exists(), "nothing is kept in a data folder that is not used"


async def test_a_newer_schema_is_refused(bare, database_url):
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    server = bare(database_url=database_url)
    with pytest.raises(NotReady):
        await server.start()
    assert server.logs.startswith("scrip: the database has schema 9999, newer than this Scrip")


async def test_several_workers_with_memory_as_broadcaster_are_refused(bare):
    server = bare(workers=2, broadcast_url="memory://")
    with pytest.raises(NotReady):
        await server.start()
    assert server.logs.startswith("scrip: SCRIP_BROADCAST_URL: memory:// reaches one process, not 2 workers")
    assert server.logs.count("\n") == 1
