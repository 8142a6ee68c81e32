"""`WS /graphql` over a real server and a client that shows every message."""

import asyncio
import gc
import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server import graphql_socket
from server.auth import KEY_STALE_S
from server.graphql_socket import _Connection, _Handler
from tests.server.graphql_harness import BACKEND_KEY, INGEST_KEY, WAIT_S, World, opened, serving, token

COUNTED = "subscription($to: Int!) { counted(to: $to) { id } }"
ENDLESS = "subscription { counted(to: 0) { id } }"


@pytest.fixture(autouse=True)
def nothing_unexpected_is_logged(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a client does, the server's log stays without tracebacks; `failing` and `a bug` are meant to have one."""
    with caplog.at_level(logging.INFO):
        yield
    meant = ("the password is hunter2", "a bug")
    records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]  # type: ignore[arg-type]
    tracebacks = [record for record in records if record.exc_info and str(record.exc_info[1]) not in meant]
    assert [record.getMessage() for record in tracebacks] == []


async def until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


# ─── the protocol ──────────────────────────────────────────────────────────────────────────────────
async def test_a_subscription_from_init_to_complete():
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client:
        assert await client.init() == {"type": "connection_ack"}
        await client.subscribe("1", COUNTED, {"to": 2})
        assert await client.receive() == {"id": "1", "type": "next", "payload": {"data": {"counted": {"id": "ent_0"}}}}
        assert await client.receive() == {"id": "1", "type": "next", "payload": {"data": {"counted": {"id": "ent_1"}}}}
        assert await client.receive() == {"id": "1", "type": "complete"}
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        await client.subscribe("2", "{ hello }")
        assert await client.receive() == {"id": "2", "type": "next", "payload": {"data": {"hello": "hello"}}}
    assert world.seen == ["closed"]


async def test_numbers_go_over_the_socket_as_they_are_written():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init()
        text = '{"type": "subscribe", "id": "1", "payload": {"query": "query($v: JSON) { echo(value: $v) }", "variables": {"v": 0.1}}}'
        await client.send(text)
        async with asyncio.timeout(WAIT_S):
            assert '"echo":0.1}' in str(await client.wire.recv())


async def test_subscribe_before_init_is_closed_with_4401():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.subscribe("1", ENDLESS)
        assert await client.closed() == 4401


async def test_no_init_in_time_is_closed_with_4408(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graphql_socket, "INIT_S", 0.05)
    async with serving(World().app) as (url, _), opened(url) as client:
        assert await client.closed() == 4408


def test_the_time_for_init_is_five_seconds():
    assert World().sockets.connection_init_wait_timeout == timedelta(seconds=5)


async def test_init_twice_is_closed_with_4429():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init()
        await client.send({"type": "connection_init"})
        assert await client.closed() == 4429


@pytest.mark.parametrize("protocols", [["graphql-ws"], [], ["graphql-sse"]])
async def test_other_protocols_are_not_spoken(protocols: list[str]):
    async with serving(World().app) as (url, _), opened(url, subprotocols=protocols or None) as client:
        assert client.wire.subprotocol is None
        assert await client.closed() == 4406


SUBSCRIBE = {"type": "subscribe", "id": "1", "payload": {"query": "{ hello }"}}


@pytest.mark.parametrize(
    "message",
    [
        "", "{", "[]", "1", "null", '"subscribe"', "{}", '{"type": 1}', '{"type": "start"}', '{"type": "subscribe"}',
        json.dumps({**SUBSCRIBE, "id": 1}), json.dumps({**SUBSCRIBE, "id": ""}), json.dumps({**SUBSCRIBE, "id": "x" * 129}),
        json.dumps({**SUBSCRIBE, "payload": "x"}), json.dumps({**SUBSCRIBE, "payload": {}}),
        json.dumps({**SUBSCRIBE, "payload": {"query": 1}}), json.dumps({**SUBSCRIBE, "payload": {"query": "", "variables": []}}),
        json.dumps({**SUBSCRIBE, "payload": {"query": "", "operationName": 1}}), '{"type": "complete", "id": null}',
        '{"type": "ping", "payload": NaN}', '{"type": "ping", "payload": "\\u0000"}', '{"a":' * 5_000,
    ],
)  # fmt: skip
async def test_a_message_out_of_form_closes_the_socket_and_nothing_else(message: str):
    async with serving(World().app) as (url, _), opened(url) as other, opened(url) as client:
        await other.init()
        await client.init()
        await client.send(message)
        assert await client.closed() == 4400
        await other.subscribe("1", "{ hello }")
        assert (await other.receive())["type"] == "next"


async def test_bytes_are_no_message_and_a_long_message_is_none_either():
    async with serving(World().app) as (url, _):
        async with opened(url) as client:
            await client.init()
            await client.wire.send(b"{}")
            assert await client.closed() == 4400
        async with opened(url) as client:
            await client.init()
            await client.send(json.dumps({**SUBSCRIBE, "pad": "x" * 66_000}))
            assert await client.closed() == 1009


# ─── who may ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "credential", [None, "sk_test_unknown", "a.b.c", token(now=datetime.now(UTC) - timedelta(hours=1))]
)
async def test_an_init_without_a_valid_credential_is_closed_with_4403(credential: str | None):
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client:
        await client.send(
            {
                "type": "connection_init",
                "payload": {} if credential is None else {"authorization": f"Bearer {credential}"},
            }
        )
        assert await client.closed() == 4403
    assert not world.sockets._open
    assert not world.sockets._waiting


@pytest.mark.parametrize("payload", ["x", [], 7, {"authorization": 7}, {"authorization": {"a": 1}}, None])
async def test_an_init_of_another_form_is_refused(payload: Any):
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.send({"type": "connection_init", "payload": payload})
        assert await client.closed() in {4400, 4403}


async def test_a_header_or_a_cookie_of_the_handshake_is_no_credential():
    headers = {"Authorization": f"Bearer {BACKEND_KEY}", "Cookie": f"session={BACKEND_KEY}"}
    async with serving(World().app) as (url, _), opened(url, additional_headers=headers) as client:
        await client.send({"type": "connection_init"})
        assert await client.closed() == 4403


async def test_a_store_that_is_gone_asks_to_come_again():
    async with serving(World(fault=OSError("refused")).app) as (url, _), opened(url) as client:
        await client.send({"type": "connection_init", "payload": {"authorization": f"Bearer {BACKEND_KEY}"}})
        assert await client.closed() == 1013


@pytest.mark.parametrize(
    ("own", "allowed", "origin", "enters"),
    [
        ((), (), "https://anywhere.example", True),
        ((), ("https://app.example",), "https://app.example", True),
        ((), ("https://app.example",), "https://evil.example", False),
        (("https://shop.example",), ("https://app.example",), "https://shop.example", True),
        (("https://shop.example",), ("https://app.example",), "https://app.example", False),
        (("https://shop.example",), (), "null", False),
        (("https://shop.example",), (), None, True),
    ],
)
async def test_the_origin_of_a_page_is_judged_with_its_token(
    own: tuple[str, ...], allowed: tuple[str, ...], origin: str | None, enters: bool
):
    async with serving(World(allowed_origins=allowed).app) as (url, _), opened(url, origin=origin) as client:
        if enters:
            assert await client.init(token(origins=own)) == {"type": "connection_ack"}
        else:
            payload = {"authorization": f"Bearer {token(origins=own)}"}
            await client.send({"type": "connection_init", "payload": payload})
            assert await client.closed() == 4403


async def test_a_secret_key_in_a_foreign_page_is_refused():
    async with serving(World().app) as (url, _), opened(url, origin="https://evil.example") as client:
        await client.send({"type": "connection_init", "payload": {"authorization": f"Bearer {BACKEND_KEY}"}})
        assert await client.closed() == 4403


@pytest.mark.parametrize(
    ("credential", "query"),
    [
        (None, 'subscription { counted(customer: "cus_2") { id } }'),
        (None, "subscription { theirs }"),
        (None, "{ secrets }"),
        (INGEST_KEY, "mutation { burnMany(inputs: []) { __typename } }"),
    ],
)
async def test_what_is_forbidden_is_an_error_and_the_socket_lives_on(credential: str | None, query: str):
    """None: a customer token, minted now. One minted when the tests were collected may have expired."""
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init(credential or token())
        await client.subscribe("1", query)
        answer = await client.receive()
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert answer["payload"][0]["extensions"] == {"code": "FORBIDDEN"}
        await client.subscribe("1", "{ hello }")
        assert (await client.receive())["payload"] == {"data": {"hello": "hello"}}


@pytest.mark.parametrize(
    "query", ["{ hello", "{ nothing }", "{ __schema { types { name } } }", "subscription { counted { id } failing }",
              "mutation { a: noop(input: {customer: \"a\", idempotencyKey: \"k\"}) b: noop(input: {customer: \"a\", idempotencyKey: \"k\"}) }"],
)  # fmt: skip
async def test_the_guard_stands_on_the_socket_too(query: str):
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init(token())
        await client.subscribe("1", query)
        answer = await client.receive()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"] == {"code": "BAD_REQUEST"}


async def test_a_subscription_that_fails_is_an_error_without_details():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init()
        await client.subscribe("1", "subscription { failing }")
        assert (await client.receive())["payload"] == {"data": {"failing": "once"}}
        answer = await client.receive()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "hunter2" not in str(answer)


# ─── until when ────────────────────────────────────────────────────────────────────────────────────
async def test_a_token_that_ends_closes_its_socket_with_4403():
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client:
        begun = asyncio.get_running_loop().time()
        await client.init(token(ttl_s=2))
        await client.subscribe("1", ENDLESS)
        assert await client.closed() == 4403
        assert asyncio.get_running_loop().time() - begun < 2 + 5
    await until(lambda: world.seen == ["closed"])


async def test_a_revoked_key_closes_its_socket_with_4403_and_the_others_live():
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client, opened(url) as other:
        await client.init()
        await other.init(INGEST_KEY)
        await client.subscribe("1", ENDLESS)
        begun = asyncio.get_running_loop().time()
        del world.keys[BACKEND_KEY]
        assert await client.closed() == 4403
        assert asyncio.get_running_loop().time() - begun < 5
        await other.subscribe("1", "{ hello }")
        assert (await other.receive())["type"] == "next"


async def test_a_store_that_is_gone_for_a_moment_revokes_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graphql_socket, "RECHECK_S", KEY_STALE_S + 0.1)
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client:
        await client.init()
        for fault in [OSError("refused"), RuntimeError("a bug")]:
            world.fault, asked = fault, world.asked
            await until(lambda asked=asked: world.asked > asked)
        world.fault = None
        await client.subscribe("1", "{ hello }")
        assert (await client.receive())["type"] == "next"


# ─── how many, how slow ────────────────────────────────────────────────────────────────────────────
async def test_a_socket_carries_ten_operations():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init()
        for number in range(11):
            await client.subscribe(str(number), ENDLESS)
        answer = await client.receive()
        assert (answer["type"], answer["id"]) == ("error", "10")
        await client.send({"type": "complete", "id": "3"})
        await client.subscribe("11", "{ hello }")
        assert (await client.receive())["id"] == "11"


async def test_one_id_twice_is_closed_with_4409():
    async with serving(World().app) as (url, _), opened(url) as client:
        await client.init()
        await client.subscribe("1", ENDLESS)
        await client.subscribe("1", ENDLESS)
        assert await client.closed() == 4409


async def test_sockets_are_counted_by_workspace_and_address(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graphql_socket, "SOCKETS_PER_ADDRESS_MAX", 2)
    world = World()
    async with serving(world.app) as (url, _):
        async with opened(url) as first, opened(url) as second, opened(url) as third:
            await first.init()
            await second.init()
            await third.send({"type": "connection_init", "payload": {"authorization": f"Bearer {BACKEND_KEY}"}})
            assert await third.closed() == 1013
        await until(lambda: not world.sockets._open)
        async with opened(url) as again:
            assert await again.init() == {"type": "connection_ack"}
    await until(lambda: not world.sockets._open and not world.sockets._waiting)


async def test_sockets_that_wait_for_their_init_are_counted_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graphql_socket, "WAITING_PER_ADDRESS_MAX", 2)
    async with serving(World().app) as (url, _), opened(url) as first, opened(url):
        with pytest.raises(InvalidStatus):
            async with opened(url):
                pass
        await first.init()
        async with opened(url) as third:
            assert await third.init() == {"type": "connection_ack"}


async def test_a_reader_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graphql_socket, "SEND_S", 0.3)
    world = World()
    async with serving(world.app) as (url, _):
        host, port = url.split("/")[2].split(":")
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect((host, int(port)))
        slow.setblocking(False)
        async with opened(url, sock=slow, compression=None, max_queue=1, write_limit=1_024) as client:
            await client.init()
            assert len(world.sockets._open) == 1
            client.wire.transport.pause_reading()  # the kernel's buffers fill, then ours
            await client.subscribe("1", "subscription { flood }")
            await until(lambda: not world.sockets._open)
            client.wire.transport.abort()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, _Connection)]


def test_a_message_waits_ten_seconds_for_its_reader():
    assert graphql_socket.SEND_S == 10.0


# ─── how it ends ───────────────────────────────────────────────────────────────────────────────────
async def test_a_hundred_sockets_that_vanish_leave_nothing_behind():
    world = World()
    async with serving(world.app) as (url, _):
        for _ in range(10):
            clients = [opened(url) for _ in range(10)]
            sockets = await asyncio.gather(*(client.__aenter__() for client in clients))
            for client in sockets:
                await client.init()
                await client.subscribe("1", ENDLESS)
            for client in sockets:
                client.wire.transport.abort()
            for client in clients:
                await client.__aexit__(None, None, None)
        await until(lambda: world.seen.count("closed") == 100)
        await until(lambda: not world.sockets._open and not world.sockets._waiting)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, _Connection | _Handler)]


async def test_a_drain_closes_every_socket_with_1012():
    world = World()
    async with serving(world.app) as (url, server), opened(url) as client, opened(url) as idle:
        await client.init()
        await client.subscribe("1", ENDLESS)
        server.should_exit = True
        assert await client.closed() == 1012
        assert await idle.closed() == 1012
        with pytest.raises(ConnectionClosed):
            await client.send({"type": "ping"})
    await until(lambda: world.seen == ["closed"])


async def test_who_leaves_a_subscription_early_closes_its_source():
    world = World()
    async with serving(world.app) as (url, _), opened(url) as client:
        await client.init()
        await client.subscribe("1", ENDLESS)
        await client.subscribe("2", "{ hello }")
        await client.receive()
        await client.send({"type": "complete", "id": "1"})
        await until(lambda: world.seen == ["closed"])
