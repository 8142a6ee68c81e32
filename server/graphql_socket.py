"""`WS /graphql`: graphql-transport-ws by Strawberry's handler, with our execution and our fences.

The credential comes in `connection_init` as `{"authorization": "Bearer …"}`, so a foreign page that opens a socket
has nothing: no cookie is looked at. Its origin is therefore judged there, with the token that may name origins, and
not at the handshake, which does not know it.

Close codes: 4403 a credential that is not valid, or no longer (never 4401 for it: stock clients give up on 4401) ·
4401 subscribe before init · 4408 no init in time · 4400 a message out of form · 1013 too many, or the store cannot
answer: come again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UNSET

from credits.bounds import TOKEN_BODY_BYTES_MAX
from schema.context import Caller, CallerContext
from schema.errors import Problem
from schema.execution import Engine
from schema.scalars import encode_other
from server.auth import Presented
from server.exact_json import NotJson, exact_json

_log = logging.getLogger("scrip.socket")

INIT_S = 5.0
SEND_S = 10.0  # a reader slower than that is dropped: everything that waits for it is kept in memory
RECHECK_S = 2.0  # how often a secret key is asked for again; with the cache of keys a revocation bites within 3 s
SUBSCRIPTIONS_MAX = 10
SOCKETS_PER_ADDRESS_MAX = 5_000  # of one workspace: a large office, not a flood
WAITING_PER_ADDRESS_MAX = 500  # not yet authenticated
_ID_LENGTH_MAX = 128

Authenticate = Callable[[Presented], Awaitable[Caller]]
MakeContext = Callable[[Caller], CallerContext]


class _Connection:
    """One socket: what Strawberry carries through as its context."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.address = str((scope.get("client") or ("",))[0])
        self.connection_params: dict[str, Any] | None = None  # Strawberry writes the payload of connection_init here
        self.context: CallerContext | None = None
        self.place: tuple[int, str] | None = None
        self.watch: asyncio.Task[None] | None = None
        self.task: asyncio.Task[Any] | None = asyncio.current_task()
        self.dropped = False
        self.handler: _Handler | None = None

    def drop(self) -> None:
        """Ends the connection where even a close frame would wait for the reader."""
        self.dropped = True
        if self.task is not None:
            self.task.cancel()


class _Adapter(ASGIWebSocketAdapter):
    """Strawberry's socket, with a limit to how long a message may wait for its reader."""

    ws: WebSocket

    def __init__(self, view: Any, request: WebSocket, response: WebSocket) -> None:
        super().__init__(view, request, response)
        self._connection: _Connection = request.scope["scrip.connection"]

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self._connection.dropped or self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            async with asyncio.timeout(SEND_S):
                await super().send_json(message)
        except TimeoutError:
            _log.info("dropped a reader that took nothing for %.0f s", SEND_S)
            self._connection.drop()
            raise WebSocketDisconnected from None

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is not WebSocketState.CONNECTED:
            return
        try:
            async with asyncio.timeout(SEND_S):
                await self.ws.close(code=code, reason=reason)
        except TimeoutError:
            self._connection.drop()


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's protocol, for messages whose form is checked."""

    view: "Sockets"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context.handler = self

    async def handle_message(self, message: Any) -> None:
        if not _is_message(message):
            await self.handle_invalid_message("Malformed message")
            return
        await super().handle_message(message)

    async def shutdown(self) -> None:
        await self.view.on_closed(self.context)
        await super().shutdown()

    async def _send_result_stream(self, operation: Operation[Any, None], result_source: Any) -> None:
        async for result in result_source:
            if isinstance(result, PreExecutionError):  # before the first event, or between two
                await operation.send_initial_errors(result.errors or [])
                return
            await operation.send_next(result)

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):  # who has gone needs no answer
            _log.error("a task of a socket failed", exc_info=error)


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in ("subscribe", "complete"):
        return True
    name = message.get("id")
    if not isinstance(name, str) or not 1 <= len(name) <= _ID_LENGTH_MAX:
        return False
    if message["type"] == "complete":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class _Stream:
    """What Strawberry's handler asks of a schema: only to execute one operation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def stream(
        self,
        query: str,
        *,
        variable_values: dict[str, Any] | None,
        context_value: _Connection,
        operation_name: str | None,
        **_: Any,
    ) -> AsyncGenerator[ExecutionResult, None]:
        return self._answers(query, variable_values, operation_name, context_value)

    async def _answers(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, connection: _Connection
    ) -> AsyncGenerator[ExecutionResult, None]:
        context = connection.context
        assert context is not None  # noqa: S101 -- subscribe comes after connection_ack
        async with aclosing(self._engine.stream(query, variables, operation_name, context)) as answers:
            async for answer in answers:
                if answer.executed:
                    yield ExecutionResult(answer.data, answer.errors or None)
                else:
                    yield PreExecutionError(None, answer.errors)


class Sockets(GraphQL[Any, None]):
    """The sockets of this process, as an ASGI application."""

    websocket_adapter_class = _Adapter
    graphql_transport_ws_handler_class = _Handler

    def __init__(self, engine: Engine, authenticate: Authenticate, make_context: MakeContext) -> None:
        super().__init__(
            _Stream(engine),  # type: ignore[arg-type]
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_S),
            max_subscriptions_per_connection=SUBSCRIPTIONS_MAX,
        )
        self._authenticate, self._make_context = authenticate, make_context
        self._open: Counter[tuple[int, str]] = Counter()
        self._waiting: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = _Connection(scope)
        scope["scrip.connection"] = connection
        if self._waiting[connection.address] >= WAITING_PER_ADDRESS_MAX:
            await WebSocket(scope, receive, send).close(1013)
            return
        self._waiting[connection.address] += 1
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not connection.dropped:
                raise
        finally:
            if connection.place is None:
                _less(self._waiting, connection.address)
            else:
                _less(self._open, connection.place)

    async def get_context(self, request: Any, response: Any) -> Any:  # noqa: ARG002 -- Strawberry's signature
        return request.scope["scrip.connection"]

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:  # noqa: ARG002
        """See above: judged with the token."""
        return True

    def decode_json(self, data: str | bytes) -> object:
        if len(data) > TOKEN_BODY_BYTES_MAX:
            raise JSONDecodeError("message too long", "", 0)
        try:
            return exact_json(data.encode() if isinstance(data, str) else data)
        except NotJson as error:
            raise JSONDecodeError(str(error), "", 0) from None

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data, default=encode_other).decode()

    async def on_ws_connect(self, context: Any) -> Any:
        """Strawberry asks here whether `connection_init` is acknowledged."""
        connection: _Connection = context
        authorization = (connection.connection_params or {}).get("authorization")
        presented = replace(
            Presented.of(connection.scope),
            authorization=authorization if isinstance(authorization, str) else None,
        )
        try:
            caller = await self._authenticate(presented)
        except Problem as problem:
            if (problem.extensions or {}).get("code") == "UNAVAILABLE":
                await _close(connection, 1013, "Try again later")
            raise ConnectionRejectionError from None
        place = (caller.workspace_id, connection.address)
        if self._open[place] >= SOCKETS_PER_ADDRESS_MAX:
            await _close(connection, 1013, "Too many connections")
            raise ConnectionRejectionError
        _less(self._waiting, connection.address)
        self._open[place] += 1
        connection.place = place
        connection.context = self._make_context(caller)
        connection.watch = asyncio.create_task(self._recheck(connection, presented, caller))
        return UNSET  # an acknowledgement without payload

    async def on_closed(self, connection: _Connection) -> None:
        if connection.watch is not None:
            connection.watch.cancel()
            with suppress(asyncio.CancelledError):
                await connection.watch

    async def _recheck(self, connection: _Connection, presented: Presented, caller: Caller) -> None:
        """Closes the socket when its token ends, or its key is revoked."""
        while True:
            if caller.expires_at is None:
                await asyncio.sleep(RECHECK_S)
            else:
                left = caller.expires_at - datetime.now(UTC)
                await asyncio.sleep(max(0.0, left.total_seconds()))
                break
            try:
                await self._authenticate(presented)
            except Problem as problem:
                if (problem.extensions or {}).get("code") != "UNAVAILABLE":
                    break
            except Exception:  # noqa: BLE001 -- asked again in a moment
                _log.exception("cannot recheck the key of a socket")
        await _close(connection, 4403, "Forbidden")


async def _close(connection: _Connection, code: int, reason: str) -> None:
    if connection.handler is not None:
        await connection.handler.websocket.close(code, reason)


def _less(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


__all__ = ["INIT_S", "RECHECK_S", "SEND_S", "SOCKETS_PER_ADDRESS_MAX", "SUBSCRIPTIONS_MAX", "Sockets"]
