"""The sample schema behind the real transport: keys in a dictionary, tokens signed for real, no database."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from credits.access.keys import KeyHolder
from schema.context import Caller
from schema.execution import Engine
from schema.permission import DEFAULT_SCOPES
from server.auth import Authenticator, Presented
from server.graphql import GraphQLHttp, graphql_routes
from server.graphql_socket import Sockets
from server.tokens import TokenKey, mint_token
from tests.schema.sample import SampleContext, build

SECRET_KEY = "a secret key for tests, of forty characters"
BACKEND_KEY = "sk_test_" + "b" * 40
INGEST_KEY = "sk_test_" + "i" * 40
WAIT_S = 10.0


@dataclass
class World:
    """One process's transport, and what its resolvers saw."""

    allowed_origins: tuple[str, ...] = ()
    development: bool = False
    keys: dict[str, KeyHolder] = field(
        default_factory=lambda: {
            BACKEND_KEY: KeyHolder(1, 1, 1, "BACKEND", "backend"),
            INGEST_KEY: KeyHolder(1, 2, 2, "INGEST", "ingest"),
        }
    )
    seen: list[Any] = field(default_factory=list)
    asked: int = 0
    fault: Exception | None = None

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(self, self.find)
        engine = Engine(build(), introspection=self.development)
        self.http = GraphQLHttp(engine, self.authenticate, self.make_context, development=self.development)
        self.sockets = Sockets(engine, self.authenticate, self.make_context)
        self.app = Starlette(routes=[*graphql_routes(self.http, self.sockets)])

    @property
    def secret_key(self) -> str:
        return SECRET_KEY

    async def find(self, _database: Any, secret: str, _pepper: str) -> KeyHolder | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return self.keys.get(secret)

    async def authenticate(self, presented: Presented) -> Caller:
        return await self.authenticator.caller(presented, SimpleNamespace(transaction=_nowhere))  # type: ignore[arg-type]

    def make_context(self, caller: Caller) -> SampleContext:
        return SampleContext(caller, self.seen)


@asynccontextmanager
async def _nowhere(_workspace_id: int) -> AsyncIterator[Any]:
    """Where the use of a key is noted: this is about the transport."""

    async def execute(_statement: Any) -> None: ...

    yield SimpleNamespace(execute=execute)


def token(
    *,
    customer_id: int = 1,
    scopes: Any = DEFAULT_SCOPES,
    ttl_s: int = 600,
    origins: Any = (),
    now: datetime | None = None,
) -> str:
    minted, _ = mint_token(
        TokenKey(SECRET_KEY),
        workspace_id=1,
        customer_id=customer_id,
        scopes=scopes,
        ttl_s=ttl_s,
        origins=origins,
        now=now or datetime.now(UTC),
    )
    return minted


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        errors = self.json().get("errors")
        return errors[0]["extensions"]["code"] if errors else None


async def call(
    world: World,
    body: bytes | str | dict[str, Any],
    *,
    credential: str | None = BACKEND_KEY,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    chunks: int = 1,
    query_string: bytes = b"",
) -> Reply:
    """One request to `/graphql` through the application, as uvicorn would put it."""
    raw = orjson.dumps(body) if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    sent = {"content-type": "application/json", "host": "scrip.example", "content-length": str(len(raw))}
    if credential is not None:
        sent["authorization"] = f"Bearer {credential}"
    sent |= headers or {}
    step = max(1, -(-len(raw) // chunks))
    parts = [raw[at : at + step] for at in range(0, len(raw), step)] or [b""]
    waiting = [{"type": "http.request", "body": part, "more_body": n + 1 < len(parts)} for n, part in enumerate(parts)]
    sending: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sending.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "query_string": query_string,
        "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
    }
    await world.app(scope, receive, send)
    start, *rest = sending
    received = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], received, b"".join(message["body"] for message in rest))


# ─── sockets, over a real server ───────────────────────────────────────────────────────────────────
@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """uvicorn as the worker configures it, in this process; its address and itself."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, ws_max_size=65_536, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, method-assign]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0)
        assert not task.done()
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/graphql", server
    finally:
        server.should_exit = True
        await task
        listener.close()


class Socket:
    """A graphql-transport-ws client that shows every message."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire

    async def send(self, message: Any) -> None:
        await self.wire.send(message if isinstance(message, str) else json.dumps(message))

    async def receive(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            return json.loads(await self.wire.recv())

    async def init(self, credential: str | None = BACKEND_KEY) -> Any:
        payload = {} if credential is None else {"authorization": f"Bearer {credential}"}
        await self.send({"type": "connection_init", "payload": payload})
        return await self.receive()

    async def subscribe(self, name: str, query: str, variables: dict[str, Any] | None = None) -> None:
        await self.send({"type": "subscribe", "id": name, "payload": {"query": query, "variables": variables}})

    async def closed(self) -> int:
        """The close code; what still comes before it is passed over."""
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionClosed):
                async for _ in self.wire:
                    pass
            await self.wire.wait_closed()
        assert self.wire.close_code is not None
        return self.wire.close_code


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Socket]:
    options = {"subprotocols": ["graphql-transport-ws"], "open_timeout": WAIT_S, "ping_interval": None, **options}
    async with connect(url, **options) as wire:
        yield Socket(wire)
