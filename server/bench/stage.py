"""The stage: PostgreSQL in a folder of its own, one server process, one load generator, and who of them worked how long."""

import asyncio
import contextlib
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import psutil

from server import migrate, worker
from server.bench.load import Load, Outcome, Stream
from server.bench.world import World, build
from server.embedded import EmbeddedPostgres
from server.operator_error import OperatorError
from server.settings import Settings

APPLICATION = "server.bench.app:create_app"
START_S = 60.0

_spawn = multiprocessing.get_context("spawn")


class StageFailed(OperatorError):
    """What is to be measured did not come up."""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of each side, `others_s` of whatever else ran on the machine, and how much was asked for."""

    server_s: float = 0.0
    postgres_s: float = 0.0
    client_s: float = 0.0
    others_s: float = 0.0
    seconds: float = 0.0
    answers: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


class Stage:
    """Everything up, on a database that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.spent: dict[str, Spent] = {}
        """What everything that ran so far took, by the name of the phase."""

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        settings = Settings(database_url="", broadcast_url="", data_dir=self._folder).with_secret_key()
        self.url = self._stack.enter_context(EmbeddedPostgres(self._folder))
        self.settings = settings.running_on(self.url, "memory://")
        asyncio.run(migrate.upgrade(self.url))
        self.world: World = build(self.settings)
        self._postmaster = psutil.Process(int((self._folder / "pg" / "postmaster.pid").read_text().split()[0]))
        self.port, self._server = self._stack.enter_context(_serving(self.settings))
        self._load = Load(self.port)
        self._stack.callback(self._load.close)

    def run(self, phase: str, *streams: Stream) -> list[Outcome]:
        """Runs the streams side by side, to their end. Raises `LoadFailed`."""
        began_at, busy_s = time.perf_counter(), _busy_s()
        server_s, postgres_s = _used_s(self._server), self._postgres_s()
        ran = self._load.run(*streams)
        server_s, postgres_s = _used_s(self._server) - server_s, self._postgres_s() - postgres_s
        spent = Spent(
            server_s,
            postgres_s,
            ran.cpu_s,
            others_s=max(0.0, _busy_s() - busy_s - server_s - postgres_s - ran.cpu_s),
            seconds=time.perf_counter() - began_at,
            answers=sum(outcome.answers for outcome in ran.outcomes),
        )
        self.spent[phase] = self.spent.get(phase, Spent()) + spent
        return ran.outcomes

    def server_memory_bytes(self) -> int:
        """What the server process holds in memory now."""
        return int(self._server.memory_info().rss)

    def _postgres_s(self) -> float:
        return sum(map(_used_s, [self._postmaster, *self._postmaster.children()]))


@contextlib.contextmanager
def temporary_folder(within: Path | None) -> Iterator[Path]:
    """A folder for the stage, gone at the end; `within` None: where the system keeps such."""
    if within is not None:
        within.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scrip-bench-", dir=within) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _serving(settings: Settings) -> Iterator[tuple[int, psutil.Process]]:
    """A server process as `scrip serve` runs them: its port, and itself."""
    ready, its_ready = _spawn.Pipe(duplex=False)
    its_life, life = _spawn.Pipe(duplex=False)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        process = _spawn.Process(
            target=worker.run_in_process, args=(settings, listener, APPLICATION, its_ready, its_life)
        )
        process.start()
        its_ready.close()
        try:
            if not _said_ready(ready):
                raise StageFailed("the server did not start; it has said why")
            yield int(listener.getsockname()[1]), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.join(worker.DRAIN_S + 3)
            if process.is_alive():
                process.kill()
                process.join()
            life.close()


def _said_ready(ready: Connection) -> bool:
    with contextlib.suppress(EOFError):
        return ready.poll(START_S) and ready.recv() == "ready"
    return False


def _used_s(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:  # a connection that has ended
        return 0.0
    return float(used.user + used.system)


def _busy_s() -> float:
    """CPU seconds that the whole machine has worked."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)
