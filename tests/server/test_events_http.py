"""`POST /v1/events` on a real socket: forms, credentials, bounds, and a store that goes away (faults.md E8 to E11, D2)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.applications import Starlette

from credits import bounds
from credits.access.keys import create_key, list_keys, revoke_key
from credits.catalog.apply import CatalogApplied, apply
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.errors import Unavailable
from credits.posting.configuration import Configuration
from credits.posting.writer import Writer
from credits.usage.reads import list_dead_letters
from credits.workspaces import ensure_workspace
from schema.permission import SCOPES
from server import events, migrate
from server.auth import KEY_STALE_S, Authenticator
from server.events import create_events_route
from server.tokens import minter
from tests.harness.wire import Response, Wire
from tests.harness.world import CATALOG
from tests.server.live_harness import own_postgres

SECRET = "a secret key for tests of the events route, long enough"
ONE, BATCH, LINES = "application/cloudevents+json", "application/cloudevents-batch+json", "application/x-ndjson"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def usage(event_id: str, **changes: Any) -> dict[str, Any]:
    data = {"model": "chat", "input_tokens": 100, "output_tokens": 10}
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "tests",
        "type": "llm.tokens",
        "subject": "acme",
        "data": data,
    }
    return {**event, **changes}


@dataclass
class Route:
    """The route on a port of its own, with the parts behind it at hand."""

    url: str
    database: Database
    writer: Writer
    workspace_id: int
    keys: dict[str, str]
    app: Starlette

    async def post(
        self, body: bytes, content_type: str | None = BATCH, key: str | None = None, **headers: str
    ) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            sent["Content-Type"] = content_type
        if key != "":
            sent["Authorization"] = f"Bearer {key or self.keys['INGEST']}"
        wire = Wire(self.url)
        try:
            return await wire.request("POST", "/v1/events", sent, body)
        finally:
            wire.drop()

    async def send(self, *sent: object) -> Response:
        return await self.post(orjson.dumps(sent))

    async def stored(self) -> int:
        async with self.database.transaction(self.workspace_id) as connection:
            row = await connection.exec_driver_sql(
                "SELECT count(*), coalesce(sum(cardinality(entries)), 0) / 2 FROM usage_events"
            )
            events_stored, entries = row.one()
            assert entries == (await connection.exec_driver_sql("SELECT count(*) FROM entries")).scalar_one()
        return int(events_stored)


@contextlib.asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[Route]:
    database = await Database.connect(database_url)
    writer = Writer(database, Configuration(timedelta(days=7)), publish=lambda *_: None)
    app = Starlette()
    app.state.services = SimpleNamespace(database=database, writer=writer)
    settings = SimpleNamespace(secret_key=SECRET, allowed_origins=())
    app.router.routes.append(create_events_route(Authenticator(settings), app))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        workspace = await ensure_workspace(database, "events", test_mode=True, now=NOW)
        keys = {}
        async with database.transaction(workspace.id) as connection:
            assert isinstance(await apply(connection, workspace.id, CATALOG, NOW), CatalogApplied)
            customer, _ = await upsert_customer(connection, workspace.id, "acme", {}, NOW)  # type: ignore[misc]
            for role in ("INGEST", "BACKEND", "ADMIN", "VIEWER", "SUPPORT", "FINANCE"):
                made = {"name": role, "role": role, "pepper": SECRET, "now": NOW}
                _, keys[role] = await create_key(connection, workspace_id=workspace.id, test_mode=True, **made)
        minted = {"scopes": sorted(SCOPES), "ttl_s": 600, "origins": ()}
        keys["CUSTOMER"], _ = _mint(workspace.id, customer.id, **minted)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Route(f"http://127.0.0.1:{port}", database, writer, workspace.id, keys, app)
    finally:
        server.should_exit = True
        await running
        await writer.close()
        await database.close()


def _mint(workspace_id: int, customer_id: int, **fields: Any) -> tuple[str, datetime]:
    return minter(SECRET)(workspace_id=workspace_id, customer_id=customer_id, **fields)


@pytest.fixture
async def route(database_url: str) -> AsyncIterator[Route]:
    async with serving(database_url) as served:
        yield served


def told(response: Response) -> dict[str, Any]:
    assert response.status == 202, response
    found: dict[str, Any] = orjson.loads(response.body)
    return found


def refused(response: Response, status: int, code: str) -> str:
    """The message of an error."""
    assert response.status == status, response
    assert response.headers["content-type"] == "application/json"
    error = orjson.loads(response.body)["error"]
    assert error["code"] == code
    return str(error["message"])


NOTHING = {"accepted": 0, "duplicates": 0, "rejected": []}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (ONE, orjson.dumps(usage("e1"))),
        (f"{ONE}; charset=utf-8", orjson.dumps(usage("e1"))),
        ("Application/CloudEvents-Batch+JSON;charset=UTF-8", orjson.dumps([usage("e1")])),
        (LINES, orjson.dumps(usage("e1")) + b"\n"),
        ("application/json", orjson.dumps(usage("e1"))),
        ("application/json", orjson.dumps([usage("e1")])),
    ],
)
async def test_each_content_type_is_taken_once(route: Route, content_type: str, body: bytes) -> None:
    assert told(await route.post(body, content_type)) == {**NOTHING, "accepted": 1}
    assert told(await route.post(body, content_type)) == {**NOTHING, "duplicates": 1}
    assert await route.stored() == 1


async def test_what_is_rejected_is_told_by_its_place(route: Route) -> None:
    found = told(await route.send(usage("e1"), usage("e2", subject="stranger"), 17, usage("e1", type="other")))
    assert (found["accepted"], found["duplicates"]) == (1, 0)
    assert [(each["index"], each["id"], each["outcome"]) for each in found["rejected"]] == [
        (1, "e2", "UNKNOWN_CUSTOMER"),
        (2, None, "INVALID"),
        (3, "e1", "INVALID"),
    ]
    assert all(each["message"] for each in found["rejected"])
    async with route.database.transaction(route.workspace_id) as connection:
        letters, _ = await list_dead_letters(connection, None, 50)
    assert len(letters) == 2, "a contradiction is told and not kept: the first stands"


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"[]", BATCH), (b" [ ]", "application/json"), (b"", LINES), (b"\n\n", LINES)]
)
async def test_no_events_are_no_error(route: Route, body: bytes, content_type: str) -> None:
    assert told(await route.post(body, content_type)) == NOTHING


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", BATCH, 400, "BAD_REQUEST"),
        (b"{", ONE, 400, "BAD_REQUEST"),
        (b"[]", ONE, 400, "BAD_REQUEST"),
        (b"{}", BATCH, 400, "BAD_REQUEST"),
        (b"[" * 100_000, BATCH, 400, "BAD_REQUEST"),
        (b"\xff\xfe", "application/json", 400, "BAD_REQUEST"),
        (b"[]", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[]", "application/json+x", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[]", f"{BATCH}; charset=utf-16", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[]", None, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"[%s]" % b",".join([b"1"] * 10_001), BATCH, 413, "TOO_LARGE"),
        (b"1\n" * 10_001, LINES, 413, "TOO_LARGE"),
        (b"[%s]" % (b" " * bounds.BODY_BYTES_MAX), BATCH, 413, "TOO_LARGE"),
    ],
)
async def test_what_is_no_body_of_events_is_refused_whole(
    route: Route, body: bytes, content_type: str | None, status: int, code: str
) -> None:
    assert refused(await route.post(body, content_type), status, code)
    assert await route.stored() == 0


async def test_compressed_bodies_and_other_methods_are_refused(route: Route) -> None:
    refused(await route.post(b"[]", content_encoding="gzip"), 415, "UNSUPPORTED_MEDIA_TYPE")
    wire = Wire(route.url)
    response = await wire.request("GET", "/v1/events", {})
    wire.drop()
    refused(response, 405, "BAD_REQUEST")
    assert response.headers["allow"] == "POST"


async def test_ten_megabytes_in_chunks_are_not_read_to_their_end(route: Route) -> None:
    """Without a length nobody knows how much will come: the answer comes when it is too much."""
    host, port = route.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: {BATCH}\r\nAuthorization: Bearer {route.keys['INGEST']}\r\n"
    writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    while sent <= bounds.BODY_BYTES_MAX:
        writer.write(chunk)
        await writer.drain()
        sent += 0x10000
    async with asyncio.timeout(10):
        status = await reader.readline()
    assert b" 413 " in status
    writer.close()


@pytest.mark.parametrize("role", ["INGEST", "BACKEND", "ADMIN"])
async def test_keys_that_may_send_events_do(route: Route, role: str) -> None:
    assert told(await route.post(orjson.dumps([usage("e1")]), key=route.keys[role]))["accepted"] == 1


@pytest.mark.parametrize("role", ["VIEWER", "SUPPORT", "FINANCE", "CUSTOMER"])
async def test_credentials_that_may_not_send_events_are_forbidden(route: Route, role: str) -> None:
    refused(await route.post(orjson.dumps([usage("e1")]), key=route.keys[role]), 403, "FORBIDDEN")
    assert await route.stored() == 0


async def test_no_credential_a_wrong_one_and_a_revoked_one_are_unauthenticated(route: Route) -> None:
    body = orjson.dumps([usage("e1")])
    for key in ("", "nonsense", "sk_test_nonsense", route.keys["INGEST"] + "x"):
        response = await route.post(body, key=key)
        refused(response, 401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"] == "Bearer"
    async with route.database.transaction(route.workspace_id) as connection:
        (ingest,) = [key for key in await list_keys(connection) if key.role == "INGEST"]
        await revoke_key(connection, ingest.id, NOW)
    await asyncio.sleep(KEY_STALE_S)
    refused(await route.post(body), 401, "UNAUTHENTICATED")
    assert await route.stored() == 0


async def test_a_page_may_not_send_events_with_a_secret_key(route: Route) -> None:
    refused(await route.post(b"[]", origin="https://shop.example"), 403, "FORBIDDEN")


async def test_a_full_queue_says_when_to_come_back(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "QUEUE_COMMANDS_MAX", -1)
    response = await route.send(usage("e1"))
    refused(response, 429, "BUSY")
    assert int(response.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert told(await route.send(usage("e1")))["accepted"] == 1


async def test_more_bytes_than_fit_into_memory_say_when_to_come_back(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "WAITING_BYTES_MAX", 1_000)
    response = await route.post(b"[%s]" % (b" " * 2_000))
    refused(response, 429, "BUSY")
    assert int(response.headers["retry-after"]) >= 1
    for number in range(20):  # what was counted is given back, whatever became of it
        body = orjson.dumps([usage(f"e{number}")]) if number % 2 else b"[" * 900
        assert (await route.post(body)).status == (202 if number % 2 else 400)


async def test_a_body_that_does_not_arrive_is_given_up(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "READ_S", 0.2)
    host, port = route.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: {BATCH}\r\nAuthorization: Bearer {route.keys['INGEST']}\r\n"
    writer.write(head.encode() + b"Content-Length: 1000\r\n\r\n[")
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert b" 408 " in answer.split(b"\r\n")[0]
    writer.close()


async def test_a_sender_who_leaves_in_the_middle_changes_nothing(route: Route) -> None:
    host, port = route.url.removeprefix("http://").split(":")
    body = orjson.dumps([usage("e1")])
    for _ in range(5):
        _reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: {BATCH}\r\nAuthorization: Bearer {route.keys['INGEST']}\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
        await writer.drain()
        writer.transport.abort()
    assert told(await route.send(usage("e2")))["accepted"] == 1
    assert await route.stored() == 1


async def test_a_disk_that_is_too_full_takes_nothing(database_url: str) -> None:
    async with serving(database_url) as route:
        route.app.state.services.writer = Writer(
            route.database, Configuration(timedelta(days=7)), publish=lambda *_: None, refuse_writes=lambda: True
        )
        response = await route.send(usage("e1"))
        refused(response, 503, "UNAVAILABLE")
        assert int(response.headers["retry-after"]) >= 1
        assert await route.stored() == 0


async def test_without_a_database_nothing_is_taken_and_the_same_request_succeeds_later() -> None:
    with own_postgres() as postgres:
        await migrate.upgrade(postgres.url)
        async with serving(postgres.url) as route:
            before = [usage(f"before-{number}") for number in range(10)]
            assert told(await route.send(*before))["accepted"] == 10
            postgres.stop()
            lost = [usage(f"lost-{number}") for number in range(10)]
            for _ in range(3):
                response = await route.send(*before, *lost)
                refused(response, 503, "UNAVAILABLE")
                assert int(response.headers["retry-after"]) >= 1
            with pytest.raises(Unavailable):
                async with route.database.transaction(route.workspace_id):
                    pass
            postgres.start()
            found = told(await route.send(*before, *lost))
            assert (found["accepted"], found["duplicates"], found["rejected"]) == (10, 10, [])
            assert await route.stored() == 20


async def test_numbers_of_a_body_never_become_floats(route: Route) -> None:
    text = json.dumps(usage("e1")).replace("100", "1000.000000000001").replace(": 10}", ": 1234567890.123456789012}")
    assert told(await route.post(text.encode(), ONE))["accepted"] == 1
    async with route.database.transaction(route.workspace_id) as connection:
        quantities = await connection.exec_driver_sql("SELECT quantity::text FROM entries ORDER BY sequence")
    assert [each for (each,) in quantities] == ["1000.000000000001", "1234567890.123456789012"]


async def test_so_many_large_bodies_at_once_and_so_many_bytes_in_order_of_arrival():
    room = events._Room(places=3, size=20)
    inside: list[str] = []
    let_go = {name: asyncio.Event() for name in "abcde"}

    async def visit(name: str, size: int) -> None:
        async with room.of(size):
            inside.append(name)
            await let_go[name].wait()
            inside.remove(name)

    async def after(name: str | None) -> list[str]:
        if name is not None:
            let_go[name].set()
        for _ in range(8):
            await asyncio.sleep(0)
        return sorted(inside)

    async with asyncio.TaskGroup() as visitors:
        tasks = {
            name: visitors.create_task(visit(name, size)) for name, size in zip("abcde", (8, 8, 8, 1, 1), strict=True)
        }
        assert await after(None) == ["a", "b"]  # c has no room for its bytes; d would, and came later
        assert await after("a") == ["b", "c", "d"]  # e has no place
        tasks["e"].cancel()
        assert await after("b") == ["c", "d"]
        again = visitors.create_task(visit("e", 11))
        assert await after(None) == ["c", "d", "e"]  # who gave up waiting has taken nothing
        for name in "cde":
            let_go[name].set()
    assert again.done()
    assert (room._places, room._bytes) == (3, 20)
