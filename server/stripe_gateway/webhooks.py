"""`POST /webhooks/stripe`: a verified signature only.

    200 done, or nothing to do · 400 nothing was read: not signed by Stripe, too old, from the future, no event
    405 · 408 too slow · 413 over 1 MB · 503 with Retry-After: the store or Stripe cannot answer now, or too much is
    waiting; Stripe sends it again

What it made happen is committed before it answers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import orjson
from starlette.types import Receive, Scope, Send

from credits.db import is_unavailable
from credits.recharge.provider import ProviderUnavailable
from server import metrics
from server.stripe_gateway.signature import NotStripes, read_event
from server.stripe_gateway.telling import Teller

logger = logging.getLogger(__name__)

PATH = "/webhooks/stripe"
BODY_BYTES_MAX = 1024 * 1024
READ_S = 10.0
AT_ONCE = 8  # looked at together: a burst waits here, and not for the connections that burns need
WAITING_MAX = 2_000
WAITING_BYTES_MAX = 32 * 1024 * 1024
PATIENCE_S = 10.0  # for a turn: Stripe waits some 20 s for an answer, and tells again what took longer
RETRY_AFTER_S = 5


class _Answered(Exception):
    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status, self.outcome = status, outcome


class StripeWebhooks:
    """Answers the route. `teller()` is there once requests come; None: Stripe is not what this server is paid by."""

    def __init__(self, secrets: Sequence[str], teller: Callable[[], Teller | None]) -> None:
        self._secrets, self._teller = tuple(secrets), teller
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._waiting_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 200
        try:
            outcome: str = await self._take(scope, receive)
        except _Answered as answered:
            status, outcome = answered.status, answered.outcome
        except Exception as error:
            status, outcome = 503, "unavailable"
            if isinstance(error, ProviderUnavailable) or is_unavailable(error):
                logger.warning("a webhook of Stripe waits: %s", error)
            else:
                status, outcome = 500, "failed"
                logger.exception("a webhook of Stripe failed; Stripe sends it again")
        metrics.STRIPE_WEBHOOKS.labels(outcome).inc()
        await _answer(send, status, outcome)

    async def _take(self, scope: Scope, receive: Receive) -> str:
        if scope["method"] != "POST":
            raise _Answered(405, "method")
        teller = self._teller()
        if teller is None or not self._secrets:
            raise _Answered(404, "off")
        if self._waiting >= WAITING_MAX:
            raise _Answered(503, "busy")
        self._waiting += 1
        chunks: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(READ_S):
                    await self._read(receive, chunks)
            except TimeoutError:
                raise _Answered(408, "slow") from None
            try:
                event = read_event(b"".join(chunks), _header(scope, b"stripe-signature"), self._secrets)
            except NotStripes as refused:
                logger.warning("a webhook is not Stripe's: %s", refused)
                raise _Answered(400, "refused") from None
            async with self._own_turn():
                return await teller.take(event)
        finally:
            self._waiting -= 1
            self._waiting_bytes -= sum(map(len, chunks))

    @asynccontextmanager
    async def _own_turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turn.acquire(), PATIENCE_S)
        except TimeoutError:
            raise _Answered(503, "busy") from None
        try:
            yield
        finally:
            self._turn.release()

    async def _read(self, receive: Receive, chunks: list[bytes]) -> None:
        """The body, chunk by chunk; one that is too long is not read to its end."""
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Answered(400, "gone")
            chunk: bytes = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            self._waiting_bytes += len(chunk)
            if size > BODY_BYTES_MAX:
                raise _Answered(413, "large")
            if self._waiting_bytes > WAITING_BYTES_MAX:
                raise _Answered(503, "busy")
            more = message.get("more_body", False)


def _header(scope: Scope, name: bytes) -> str | None:
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


async def _answer(send: Send, status: int, outcome: str) -> None:
    body = orjson.dumps({"received": outcome} if status == 200 else {"error": {"code": outcome.upper()}})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
