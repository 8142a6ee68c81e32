"""`POST /graphql` as a bare ASGI application, and the routes of GraphQL put together.

Of the 620 µs that a cached mutation took in the stock stack, the router was 400. There is nothing to route here: one
method, one content type, one credential, one body, one answer.

CORS: any page may call. What a page may do is decided by the token it holds, which it sends itself, and by the
origins that the token or the settings name; no cookie is looked at, so a foreign page gains nothing that its own
server would not have. A preflight does not carry the token, so it could not be answered by the token's origins
anyway: it is answered with `*`, and the origin is judged with the request itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
import strawberry
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.ides import get_graphql_ide_html

from credits.bounds import BODY_BYTES_MAX, TOKEN_BODY_BYTES_MAX
from schema.context import Caller, CallerContext, Context
from schema.errors import Problem, bad_request, present_exception
from schema.execution import Answer, Engine
from schema.scalars import encode_other
from server.auth import Authenticator, AuthSettings, Presented, http_status
from server.exact_json import NotJson, exact_json
from server.graphql_socket import Sockets

Authenticate = Callable[[Presented], Awaitable[Caller]]
MakeContext = Callable[[Caller], CallerContext]

READ_S = 30.0  # a body that takes longer is a connection that hangs
HELD_BYTES_MAX = 64 * 1024 * 1024  # bodies in memory: the process stays within its 300 MB

_JSON = b"application/json"
_RESPONSE_JSON = b"application/graphql-response+json"  # with it, HTTP statuses say what happened; without, 200
_COMMON = [
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"7200"),
    (b"content-length", b"0"),
]


class _Http(Exception):
    """An answer that is decided by HTTP alone."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class GraphQLHttp:
    """Answers `/graphql` over HTTP."""

    def __init__(
        self, engine: Engine, authenticate: Authenticate, make_context: MakeContext, *, development: bool = False
    ) -> None:
        self._engine, self._authenticate, self._make_context = engine, authenticate, make_context
        self._held_bytes = 0
        self._graphiql = get_graphql_ide_html(graphql_ide="graphiql").encode() if development else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "POST":
            await self._post(scope, receive, send)
        elif method == "OPTIONS":
            await _send(send, 204, b"", _PREFLIGHT)
        elif method == "GET" and self._graphiql is not None and not scope["query_string"]:
            await _send(send, 200, self._graphiql, [(b"content-type", b"text/html; charset=utf-8")])
        else:
            answer = _refusal(bad_request("send the operation by POST"))
            await _send(send, 405, _encode(answer), [*_COMMON, (b"allow", b"POST, OPTIONS"), (b"content-type", _JSON)])

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content_type = _RESPONSE_JSON if _RESPONSE_JSON in headers.get(b"accept", b"") else _JSON
        status, held = 200, 0
        try:
            _check_content(headers)
            caller = await self._authenticate(Presented.of_headers(headers))
            most = TOKEN_BODY_BYTES_MAX if caller.is_customer else BODY_BYTES_MAX
            body = await self._body(headers, receive, most)
            held = len(body)
            self._held_bytes += held
            query, variables, name = _request(body)
            answer = await self._engine.execute(query, variables, name, self._make_context(caller))
            if not answer.executed and content_type is _RESPONSE_JSON:
                status = _status(answer)
        except _Http as problem:
            answer, status = _refusal(bad_request(str(problem))), problem.status
        except Problem as problem:
            answer = _refusal(problem)
            status = http_status(problem) if content_type is _RESPONSE_JSON else 200
        except TimeoutError:
            answer, status = _refusal(bad_request(f"the body did not come within {READ_S:.0f} s")), 408
        except _Disconnected:
            return
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            answer, status = _refusal(error), 500
        finally:
            self._held_bytes -= held
        written, status = _encoded(answer, status)
        await _send(send, status, written, [*_COMMON, (b"content-type", content_type)])

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
        """The whole body; one that is too long is not read to its end."""
        length = headers.get(b"content-length", b"")
        if length.isdigit() and (len(length) > 18 or int(length) > most):
            raise _Http(413, f"the body is longer than {most} bytes")
        first, more = await _chunk(receive)
        if not more and len(first) <= most:
            return first
        chunks, size = [first], len(first)
        async with asyncio.timeout(READ_S):
            while more and size <= most:
                if self._held_bytes + size > HELD_BYTES_MAX:
                    raise _Http(503, "too many large requests at once; come back")
                chunk, more = await _chunk(receive)
                chunks.append(chunk)
                size += len(chunk)
        if size > most:
            raise _Http(413, f"the body is longer than {most} bytes")
        return b"".join(chunks)


def create_graphql_routes(
    schema: strawberry.Schema, authenticator: Authenticator, app: Any, settings: "GraphQLSettings"
) -> tuple[Route, WebSocketRoute]:
    """The routes of `/graphql`, HTTP and socket. `app.state.services` is there once requests come."""

    async def authenticate(presented: Presented) -> Caller:
        return await authenticator.caller(presented, app.state.services.database)

    def make_context(caller: Caller) -> Context:
        return Context(caller, app.state.services)

    engine = Engine(schema, introspection=settings.development)
    http = GraphQLHttp(engine, authenticate, make_context, development=settings.development)
    return graphql_routes(http, Sockets(engine, authenticate, make_context))


def graphql_routes(http: ASGIApp, socket: ASGIApp) -> tuple[Route, WebSocketRoute]:
    return Route("/graphql", http), WebSocketRoute("/graphql", socket)


class GraphQLSettings(AuthSettings, Protocol):
    @property
    def development(self) -> bool: ...


# ─── the request ───────────────────────────────────────────────────────────────────────────────────
class _Disconnected(Exception):
    """Nobody waits for the answer."""


def _check_content(headers: dict[bytes, bytes]) -> None:
    # A form or text/plain is what a foreign page may send without asking (CSRF); nothing but JSON is read.
    kind, _, parameters = headers.get(b"content-type", b"").partition(b";")
    charset = parameters.strip().lower().removeprefix(b"charset=").strip(b'"')
    if kind.strip().lower() != _JSON or (parameters.strip() and charset not in (b"utf-8", b"utf8")):
        raise _Http(415, "the body must be application/json in UTF-8")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise _Http(415, "compressed bodies are not taken")


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise _Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _request(body: bytes) -> tuple[str, dict[str, Any] | None, str | None]:
    try:
        given = exact_json(body)
    except NotJson as error:
        raise _Http(400, str(error)) from None
    if isinstance(given, list):
        raise _Http(400, "one operation a request: arrays are not taken")
    if not isinstance(given, dict):
        raise _Http(400, "the body must be an object")
    query, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(query, str) or not query:
        raise _Http(400, "`query` must be a document")
    if variables is not None and not isinstance(variables, dict):
        raise _Http(400, "`variables` must be an object")
    if name is not None and not isinstance(name, str):
        raise _Http(400, "`operationName` must be a string")
    return query, variables, name


# ─── the answer ────────────────────────────────────────────────────────────────────────────────────
def _refusal(error: Exception) -> Answer:
    return Answer(None, [present_exception(error)], executed=False)


def _status(answer: Answer) -> int:
    error = answer.errors[0]
    return http_status(Problem(str((error.extensions or {}).get("code")), error.message))


def _encode(answer: Answer) -> bytes:
    return orjson.dumps(answer.body(), default=encode_other)


def _encoded(answer: Answer, status: int) -> tuple[bytes, int]:
    try:
        return _encode(answer), status
    except (TypeError, ValueError) as error:  # a JSON field holds what JSON has not, or a text half a character
        return _encode(_refusal(error)), status


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    if status != 204:
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


__all__ = ["Authenticate", "GraphQLHttp", "GraphQLSettings", "MakeContext", "create_graphql_routes", "graphql_routes"]
