"""A receiver of webhooks: a real HTTP server of its own, told how to answer, keeping all that it was sent."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

Answer = int | tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Received:
    """One request, and when it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.told["type"])

    @property
    def data(self) -> Any:
        return self.told["data"]

    def verify(self, secret: str) -> Any:
        """Its content, by the library that a receiver would use. Raises `WebhookVerificationError`."""
        return Webhook(secret).verify(self.body, dict(self.headers))


async def _fine(_: Received) -> Answer:
    return 204


@dataclass
class Receiver:
    """`answer` says what to answer; it may take its time, or never come back."""

    answer: Callable[[Received], Awaitable[Answer]] = _fine
    received: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)  # of them those that were answered with 2xx
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    async def until(self, count: int, within_s: float = 30.0, *, taken: bool = True) -> list[Received]:
        """Once that many have been taken (or have come)."""
        end = time.monotonic() + within_s
        where = self.taken if taken else self.received
        while len(where) < count:
            assert time.monotonic() < end, f"{len(where)} of {count} came: {[each.type for each in where]}"
            await asyncio.sleep(0.02)
        return list(where)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await _head(reader):
                line, headers = head
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Received(line.split(" ")[1], headers, body, time.monotonic())
                self.received.append(request)
                given = await self.answer(request)
                status, more, text = given if isinstance(given, tuple) else (given, {}, b"")
                if 200 <= status < 300:
                    self.taken.append(request)
                shown = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{shown}\r\n".encode() + text)
                await writer.drain()
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    """The request line and the headers; None where the other side is done."""
    line = (await reader.readline()).decode().strip()
    if not line:
        return None
    headers = {}
    while text := (await reader.readline()).decode().strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return line, headers


@asynccontextmanager
async def receiving(
    answer: Callable[[Received], Awaitable[Answer]] = _fine, *, context: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own, or on that one."""
    receiver = Receiver(answer)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):  # the end of the test: nobody is to be told
            await receiver.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
