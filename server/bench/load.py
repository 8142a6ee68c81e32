"""The load generator: a process of its own with raw sockets, so that little of the machine goes to asking.

Closed loop: a connection sends its next request when the answer to the last one is there. Paced: requests leave at a
fixed rate, whatever the answers do, and their time counts from when they should have left.
"""

import asyncio
import contextlib
import multiprocessing
import resource
import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol, cast

from server.operator_error import OperatorError

_spawn = multiprocessing.get_context("spawn")  # fork would copy the threads' locks
_SILENT_S = 60.0  # an answer that takes longer never comes
_LENGTH = b"content-length: "


class LoadFailed(OperatorError):
    """A request was not answered as it should be: what was measured means nothing."""


class Source(Protocol):
    """What the connections of a stream send."""

    def next(self) -> bytes:
        """One whole HTTP request."""

    def take(self, answer: bytes) -> int:
        """What the answer is worth, 1 for a plain request. Raises `LoadFailed` for any answer but the right one."""


class Spec(Protocol):
    """A source before it travels to the load generator, where it is made."""

    def source(self) -> Source: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """`clients` connections for `seconds`, or until `count` is taken; `rate` requests a second in all, None: closed
    loop."""

    spec: Spec
    clients: int
    seconds: float
    rate: float | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`taken` is the sum of what the answers were worth; `latencies_s` sorted."""

    taken: int
    answers: int
    seconds: float
    latencies_s: list[float]

    @property
    def per_second(self) -> float:
        return self.taken / self.seconds

    def percentile_s(self, percent: float) -> float:
        """The latency that this many percent of the requests did not exceed."""
        return self.latencies_s[min(len(self.latencies_s) - 1, int(len(self.latencies_s) * percent / 100))]


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of streams side by side gave, and what the load generator itself took."""

    outcomes: list[Outcome]
    cpu_s: float


class Load:
    """The load generator's process, against one server."""

    def __init__(self, port: int) -> None:
        self._pipe, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_serve, args=(port, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, *streams: Stream) -> Ran:
        """Runs the streams side by side, to their end. Raises `LoadFailed`."""
        self._pipe.send(streams)
        try:
            ran = self._pipe.recv()
        except EOFError:
            raise LoadFailed("the load generator ended") from None
        if isinstance(ran, str):
            raise LoadFailed(ran)
        assert isinstance(ran, Ran)  # noqa: S101 -- what `_serve` sends
        return ran

    def close(self) -> None:
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()


# ─── in the load generator's process ───────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class _Running:
    """One stream under way. `due` is when each request that has not left yet should have."""

    source: Source
    seconds: float
    count: int | None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    began_at: float = 0.0
    ended_at: float = 0.0
    taken: int = 0
    busy: int = 0
    latencies: list[float] = field(default_factory=list)
    failure: str | None = None
    paced: bool = False
    due: deque[float] = field(default_factory=deque)
    free: "list[_Connection]" = field(default_factory=list)

    def is_over(self, now: float) -> bool:
        enough = self.count is not None and self.taken >= self.count
        return enough or self.failure is not None or now - self.began_at >= self.seconds

    def fail(self, why: str) -> None:
        self.failure = self.failure or why
        self.done.set()

    def answered(self, connection: "_Connection", answer: bytes) -> None:
        """Counts it, and sends the connection on."""
        self.ended_at = now = time.perf_counter()
        self.latencies.append(now - connection.sent_at)
        try:
            self.taken += self.source.take(answer)
        except LoadFailed as failure:
            self.fail(str(failure))
        self.busy -= 1
        if not self.paced:
            if not self.is_over(now):
                connection.send(now)
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.free.append(connection)
        if self.busy == 0 and self.is_over(now):
            self.done.set()

    async def pace(self, rate: float) -> None:
        """Requests leave at their time; where no connection is free they wait for one, and the wait counts."""
        for number in range(int(rate * self.seconds)):
            at = self.began_at + number / rate
            if (left := at - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            if self.free:
                self.free.pop().send(at)
            else:
                self.due.append(at)
        self.seconds = 0.0  # over, once what is under way is answered
        if self.busy == 0:
            self.done.set()


class _Connection(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, running: _Running) -> None:
        self.running = running
        self.sent_at = 0.0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, and does not say so

    def send(self, at: float) -> None:
        """Sends the next request; its time counts from `at`."""
        assert self._transport is not None  # noqa: S101 -- connected before anything is sent
        self.running.busy += 1
        self.sent_at = at
        self._transport.write(self.running.source.next())

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        head = data.find(b"\r\n\r\n")
        start = data.find(_LENGTH, 0, head) + len(_LENGTH)
        if head < 0 or len(data) < head + 4 + int(data[start : data.find(b"\r", start)]):
            self._received = data
            return
        self._received = b""
        self.running.answered(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.running.fail(f"the server closed a connection: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _serve(port: int, pipe: Connection) -> None:
    """The whole life of the process: streams in, what they gave out, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    with asyncio.Runner(loop_factory=_loop_factory()) as runner, contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            streams: Sequence[Stream] = pipe.recv()
            try:
                pipe.send(runner.run(_run(port, streams)))
            except (LoadFailed, OSError, TimeoutError) as error:
                pipe.send(f"{error or type(error).__name__}")


async def _run(port: int, streams: Sequence[Stream]) -> Ran:
    running = [_Running(stream.spec.source(), stream.seconds, stream.count) for stream in streams]
    connections = [await _connect(port, one, stream.clients) for one, stream in zip(running, streams, strict=True)]
    cpu_s = _cpu_s()
    pacers = []
    for one, stream, callers in zip(running, streams, connections, strict=True):
        one.began_at = time.perf_counter()
        if stream.rate is not None:
            one.paced, one.free = True, list(callers)
            pacers.append(asyncio.create_task(one.pace(stream.rate)))
            continue
        for caller in callers:
            caller.send(time.perf_counter())
    patience_s = max(stream.seconds for stream in streams) + _SILENT_S
    try:
        async with asyncio.timeout(patience_s):
            for one in running:
                await one.done.wait()
    except TimeoutError:
        raise LoadFailed(f"no answer within {_SILENT_S:.0f} s") from None
    finally:
        for pacer in pacers:
            pacer.cancel()
        failures = [one.failure for one in running if one.failure]
        for caller in [caller for callers in connections for caller in callers]:
            caller.close()
    if failures:
        raise LoadFailed(failures[0])
    return Ran([_outcome(one) for one in running], _cpu_s() - cpu_s)


async def _connect(port: int, running: _Running, clients: int) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(running), "127.0.0.1", port) for _ in range(clients)]
    return [connection for _, connection in made]


def _outcome(one: _Running) -> Outcome:
    return Outcome(one.taken, len(one.latencies), one.ended_at - one.began_at, sorted(one.latencies))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """The faster loop where it is installed, as the server's own."""
    try:
        import uvloop  # noqa: PLC0415 -- not on every platform
    except ImportError:
        return None
    return uvloop.Loop
