"""One persistent HTTP/1.1 connection, small and fast: the load of the tests must not be the client's.

Whatever leaves the caller in doubt whether the server acted (connection lost, time out) is `Lost`.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_S = 30.0


class Lost(Exception):
    """No answer came: nobody knows whether the request took effect."""


class Refused(Lost):
    """Nothing listens there: the request was never sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection to one server. It opens when first used and opens again after it was lost."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Response:
        """Sends one request and reads its answer. Raises `Lost`."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        try:
            async with asyncio.timeout(self.timeout_s):
                reader, writer = await self._open()
                writer.write(head.encode("latin-1") + b"\r\n" + body)
                await writer.drain()
                return await self._read(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.drop()
            raise Lost(repr(error)) from error
        except BaseException:
            self.drop()  # half an answer may be left in it
            raise

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and not self._streams[0].at_eof():
            return self._streams
        self.drop()
        try:
            self._streams = await asyncio.open_connection(self.host, self.port, limit=2**20)
        except OSError as error:
            raise Refused(repr(error)) from error
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> Response:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await _read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.drop()
        return Response(status, headers, body)

    def drop(self) -> None:
        """Ends the connection at once; the next request opens another."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(chunks)
