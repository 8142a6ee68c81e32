"""A host's backend, as the tests play it: GraphQL and events over one connection, each answer told apart.

`ok`: it happened. `refused`: it did not, and the answer says why. `unknown`: nobody knows until the same idempotency
key is sent again (connection lost, time out, 5xx, `UNAVAILABLE`).
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import orjson
from websockets.asyncio.client import connect

from tests.harness import documents
from tests.harness.wire import Lost, Response, Wire

Json = dict[str, Any]
Outcome = Literal["ok", "refused", "unknown"]

# Top-level errors that say: this was wrong, nothing happened.
_REFUSING = {
    "BAD_REQUEST",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "BAD_USER_INPUT",
    "GRAPHQL_VALIDATION_FAILED",
    "GRAPHQL_PARSE_FAILED",
}
EVENT_TYPES = {
    "one": "application/cloudevents+json",
    "batch": "application/cloudevents-batch+json",
    "lines": "application/x-ndjson",
}


class QueryFailed(AssertionError):
    """A query that must answer had errors."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one mutation. `answer` is the union's member; `items` those of a list."""

    verb: str
    outcome: Outcome
    answer: Json = field(default_factory=dict)
    items: tuple[Json, ...] = ()
    status: int = 0
    errors: tuple[Json, ...] = ()

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def code(self) -> str | None:
        """The refusal's code, or that of the first top-level error."""
        if self.errors:
            return str(self.errors[0].get("extensions", {}).get("code", "INPUT_ERROR"))
        return self.answer.get("code")

    def __getitem__(self, name: str) -> Any:
        assert self.ok, self
        return self.answer[name]


def classify(verb: str, response: Response) -> Reply:
    """Which of the three an answer is."""
    try:
        body = orjson.loads(response.body)
    except ValueError:
        body = {}
    status, errors = response.status, tuple(body.get("errors") or ())
    answer = (body.get("data") or {}).get("answer")
    if isinstance(answer, list) and not errors:
        return Reply(verb, "ok", {}, tuple(answer), status)
    if errors:
        reply = Reply(verb, "refused", {}, (), status, errors)
        known = status < 500 and (reply.code in _REFUSING or _is_input_error(errors[0]))
        return reply if known else Reply(verb, "unknown", {}, (), status, errors)
    if answer is None or answer.get("code") == "UNAVAILABLE" or status >= 500:
        return Reply(verb, "unknown", answer or {}, (), status)
    return Reply(verb, "refused" if "code" in answer else "ok", answer, (), status)


def _is_input_error(error: Json) -> bool:
    """A value that a scalar refuses comes with the place in the document or the path of the variable, and no 5xx."""
    return "code" not in error.get("extensions", {}) and ("locations" in error or "path" in error)


class Client:
    """One caller with one credential. Not for two tasks at once: it has one connection."""

    def __init__(self, url: str, secret: str, *, timeout_s: float = 30.0) -> None:
        self.url, self.secret = url, secret
        self.wire = Wire(url, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.wire.drop()

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> Response:
        """Raises `Lost`."""
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self.secret}"}
        return await self.wire.request("POST", path, headers, body)

    # ─── mutations ───────────────────────────────────────────────────────────────────────────────────────
    async def act(self, verb: str, **variables: Any) -> Reply:
        """One mutation by its contract's name, its variables as given."""
        body = orjson.dumps({"query": documents.MUTATIONS[verb], "variables": variables})
        try:
            return classify(verb, await self.post("/graphql", body))
        except Lost:
            return Reply(verb, "unknown")

    async def put(self, verb: str, **fields: Any) -> Reply:
        """A mutation that takes one `input`, or for settle and the like its own arguments, an `input` among them."""
        alone = "$input:" in documents.MUTATIONS[verb] and "input" not in fields
        return await self.act(verb, **({"input": fields} if alone else fields))

    async def must(self, verb: str, **fields: Any) -> Reply:
        """As `put`, where nothing but ok will do."""
        reply = await self.put(verb, **fields)
        assert reply.ok, (reply, fields)
        return reply

    # ─── queries ─────────────────────────────────────────────────────────────────────────────────────────
    async def ask(self, document: str, **variables: Any) -> Any:
        """A query's data. Raises `QueryFailed` on any error, `Lost` where no answer came."""
        response = await self.post("/graphql", orjson.dumps({"query": document, "variables": variables}))
        body = orjson.loads(response.body) if response.body else {}
        if response.status >= 500 or body.get("errors"):
            unavailable = response.status >= 500 or "UNAVAILABLE" in str(body.get("errors"))
            raise Lost(body) if unavailable else QueryFailed(response.status, body.get("errors"))
        return body["data"]

    async def pages(self, document: str, *path: str, **variables: Any) -> list[Json]:
        """Every node of a Relay connection, in the order of its pages."""
        nodes: list[Json] = []
        after = None
        while True:
            found = await self.ask(document, after=after, **variables)
            for name in path:
                found = found[name]
            nodes += [edge["node"] for edge in found["edges"]]
            if not found["pageInfo"]["hasNextPage"]:
                return nodes
            after = found["pageInfo"]["endCursor"]

    async def balance(self, key: str, credit_type: str = "ai") -> Json:
        found: Json = (await self.ask(documents.BALANCE_OF, key=key, type=credit_type))["customer"]["balance"]
        return found

    async def ledger(self, key: str, credit_type: str | None = "ai") -> list[Json]:
        """Every entry, oldest first."""
        return (await self.pages(documents.LEDGER, "customer", "ledger", key=key, type=credit_type))[::-1]

    async def grants(self, key: str, credit_type: str | None = "ai") -> list[Json]:
        return await self.pages(documents.GRANTS, "customer", "grants", key=key, type=credit_type)

    async def holds(self, key: str, status: str | None = None) -> list[Json]:
        return await self.pages(documents.HOLDS, "customer", "holds", key=key, status=status)

    async def now(self) -> str:
        return str((await self.ask(documents.NOW))["viewer"]["now"])

    async def event(self, source: str, event_id: str) -> Json | None:
        found: Json | None = (await self.ask(documents.EVENT, source=source, id=event_id))["event"]
        return found

    async def dead_letters(self, outcome: str | None = None) -> list[Json]:
        return await self.pages(documents.DEAD_LETTERS, "deadLetters", outcome=outcome)

    # ─── events ──────────────────────────────────────────────────────────────────────────────────────────
    async def send_events(self, events: Sequence[Json], form: str = "batch") -> Response:
        """`POST /v1/events` in one of its three content types. Numbers of `data` may be given as `Decimal`-exact text
        by sending raw bytes with `post` instead."""
        if form == "one":
            body = json.dumps(events[0]).encode()
        elif form == "batch":
            body = json.dumps(list(events)).encode()
        else:
            body = "\n".join(json.dumps(event) for event in events).encode()
        return await self.post("/v1/events", body, EVENT_TYPES[form])

    # ─── subscriptions ───────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def subscribe(self, document: str, **variables: Any) -> AsyncIterator[AsyncIterator[Json]]:
        """The payloads of a subscription over graphql-transport-ws; its errors raise `QueryFailed`."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        async with connect(address, subprotocols=["graphql-transport-ws"], max_size=None) as socket:  # type: ignore[list-item]
            init = {"type": "connection_init", "payload": {"authorization": f"Bearer {self.secret}"}}
            await socket.send(orjson.dumps(init).decode())
            assert orjson.loads(await socket.recv())["type"] == "connection_ack"
            begin = {"id": "1", "type": "subscribe", "payload": {"query": document, "variables": variables}}
            await socket.send(orjson.dumps(begin).decode())

            async def payloads() -> AsyncIterator[Json]:
                async for text in socket:
                    message = orjson.loads(text)
                    if message["type"] == "ping":
                        await socket.send('{"type":"pong"}')
                    elif message["type"] == "next":
                        if message["payload"].get("errors"):
                            raise QueryFailed(message["payload"]["errors"])
                        yield message["payload"]["data"]
                    elif message["type"] in ("error", "complete"):
                        raise QueryFailed(message)

            yield payloads()
