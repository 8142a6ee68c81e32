"""`POST /v1/events`: usage over HTTP, as CloudEvents 1.0. Durable before it answers.

    202  {"accepted", "duplicates", "rejected": [{"index", "id", "outcome", "message"}]}
    400 no body of events · 401 · 403 · 405 · 408 too slow · 413 too large · 415 another content type
    429 too much is waiting · 503 nothing could be stored — both with Retry-After

An error's body is {"error": {"code", "message"}}. After a 5xx, or without an answer, the same request is sent again:
what had been taken is a duplicate then.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from credits import bounds
from credits.errors import Busy, Unavailable
from credits.usage.ingest import Ingested, ingest, read_events
from credits.usage.parse import Form, Malformed, TooManyEvents, parse_body
from schema.context import Caller
from schema.errors import Problem, forbidden
from server.auth import Authenticator, Presented, http_status

_log = logging.getLogger(__name__)

ROLES = frozenset({"INGEST", "BACKEND", "ADMIN"})
FORMS = {
    "application/cloudevents+json": Form.ONE,
    "application/cloudevents-batch+json": Form.BATCH,
    "application/x-ndjson": Form.LINES,
    "application/json": Form.EITHER,  # what clients without CloudEvents' media types send
}
READ_S = 30.0  # a body that takes longer is a connection that hangs
WAITING_BYTES_MAX = 64 * 1024 * 1024  # bodies in memory, read or being read: the process stays within its 300 MB
LARGE_BYTES = 256 * 1024
LARGE_AT_ONCE = 3  # large bodies taken apart at once: one is read, one decided, one written
LARGE_BYTES_AT_ONCE = 2 * bounds.BODY_BYTES_MAX  # and of the largest only two: each is ten times as much in memory
RETRY_AFTER_S = 1

_TOO_LARGE = f"at most {bounds.EVENTS_PER_REQUEST_MAX} events or {bounds.BODY_BYTES_MAX} bytes a request"


class _Refused(Exception):
    """An answer that is decided by HTTP alone."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Disconnected(Exception):
    """Nobody waits for the answer."""


class _Room:
    """For so many at once, and so many bytes; who does not fit yet waits, in order of arrival."""

    def __init__(self, places: int, size: int) -> None:
        self._places, self._bytes = places, size
        self._door, self._left = asyncio.Lock(), asyncio.Event()

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        async with self._door:
            while not self._places or size > self._bytes:
                self._left.clear()
                await self._left.wait()
            self._places, self._bytes = self._places - 1, self._bytes - size
        try:
            yield
        finally:
            self._places, self._bytes = self._places + 1, self._bytes + size
            self._left.set()


class EventsHttp:
    """Answers `/v1/events`. `app.state.services` is there once requests come."""

    def __init__(self, authenticator: Authenticator, app: Any) -> None:
        self._authenticator, self._app = authenticator, app
        self._waiting_bytes = 0
        self._large = _Room(LARGE_AT_ONCE, LARGE_BYTES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _answer(send, 202, _told(await self._take(scope, receive)))
        except _Disconnected:
            return
        except (_Refused, Problem, Malformed, TooManyEvents, Unavailable) as error:
            await _refuse(send, error)
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            _log.error("events failed", exc_info=error)
            await _refuse(send, error)

    async def _take(self, scope: Scope, receive: Receive) -> Ingested:
        if scope["method"] != "POST":
            raise _Refused(405, "BAD_REQUEST", "send events by POST")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        caller = await self._authenticator.caller(Presented.of(scope), self._app.state.services.database)
        if caller.is_customer or caller.role not in ROLES:
            raise forbidden("events come from secret keys with role INGEST, BACKEND or ADMIN")
        form = _form(headers)
        length = headers.get("content-length", "0")
        if not length.isdigit() or len(length) > 15 or int(length) > bounds.BODY_BYTES_MAX:
            raise _Refused(413, "TOO_LARGE", _TOO_LARGE)
        chunks: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(READ_S):
                    await self._read(receive, chunks)
            except TimeoutError:
                raise _Refused(408, "TOO_SLOW", f"the body did not arrive within {READ_S:.0f} s") from None
            return await self._ingest(caller, b"".join(chunks), form)
        finally:
            self._waiting_bytes -= sum(map(len, chunks))

    async def _read(self, receive: Receive, chunks: list[bytes]) -> None:
        """The body, chunk by chunk; one that is too long is not read to its end."""
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Disconnected
            chunk: bytes = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            self._waiting_bytes += len(chunk)
            if size > bounds.BODY_BYTES_MAX:
                raise _Refused(413, "TOO_LARGE", _TOO_LARGE)
            if self._waiting_bytes > WAITING_BYTES_MAX:
                raise Busy("too many events are being received")
            more = message.get("more_body", False)

    async def _ingest(self, caller: Caller, body: bytes, form: Form) -> Ingested:
        writer = self._app.state.services.writer
        if len(body) < LARGE_BYTES:
            return await ingest(writer, caller.workspace_id, await read_events(parse_body(body, form)))
        async with self._large.of(len(body)):
            # In a thread: a body that has to be cut into its events takes seconds, and others are waiting.
            received = await asyncio.to_thread(parse_body, body, form)
            return await ingest(writer, caller.workspace_id, await read_events(received))


def create_events_route(authenticator: Authenticator, app: Any) -> Route:
    """The route of `POST /v1/events`."""
    return Route("/v1/events", EventsHttp(authenticator, app))


def _form(headers: dict[str, str]) -> Form:
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    form = FORMS.get(media_type.strip().lower())
    if form is None:
        raise _Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"send one of {', '.join(FORMS)}")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if charset not in ("", "utf-8", "utf8"):
        raise _Refused(415, "UNSUPPORTED_MEDIA_TYPE", "events are JSON in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "UNSUPPORTED_MEDIA_TYPE", "compressed bodies are not taken")
    return form


def _told(ingested: Ingested) -> bytes:
    return orjson.dumps(
        {
            "accepted": ingested.accepted,
            "duplicates": ingested.duplicates,
            "rejected": [
                {"index": each.index, "id": each.event_id, "outcome": each.outcome.name, "message": each.message}
                for each in ingested.rejected
            ],
        }
    )


async def _refuse(send: Send, error: Exception) -> None:
    match error:
        case _Refused():
            status, code, message = error.status, error.code, str(error)
        case Problem():
            status, code, message = http_status(error), str((error.extensions or {}).get("code")), error.message
        case Malformed():
            status, code, message = 400, "BAD_REQUEST", str(error)
        case TooManyEvents():
            status, code, message = 413, "TOO_LARGE", _TOO_LARGE
        case Busy():
            status, code, message = 429, "BUSY", "too much is waiting; send the same again a little later"
        case Unavailable():
            status, code, message = 503, "UNAVAILABLE", "the store cannot answer now; send the same again"
        case _:
            status, code, message = 500, "INTERNAL", "internal error; send the same again"
    # After a 413 the connection stays: ended while the sender still sends, it would never read why.
    headers = {
        401: [(b"www-authenticate", b"Bearer")],
        405: [(b"allow", b"POST")],
        408: [(b"connection", b"close")],
        429: [(b"retry-after", b"%d" % RETRY_AFTER_S)],
        503: [(b"retry-after", b"%d" % RETRY_AFTER_S)],
    }.get(status, ())
    await _answer(send, status, orjson.dumps({"error": {"code": code, "message": message}}), headers)


async def _answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    common = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*common, *headers]})
    await send({"type": "http.response.body", "body": body})


__all__ = ["FORMS", "ROLES", "EventsHttp", "create_events_route"]
