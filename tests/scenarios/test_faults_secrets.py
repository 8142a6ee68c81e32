"""Canaries: after a server's whole life, no secret of its callers is anywhere but with them (faults A11, A12).

The server writes logs, tables, PostgreSQL's write-ahead log; all of it lies in one folder, which is searched byte by
byte, beside every answer that was given.
"""

import base64
import os
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.settings import SECRET_KEY_FILE
from tests.harness.client import EVENT_TYPES, Client
from tests.harness.documents import BALANCE_UPDATED
from tests.harness.server import Server
from tests.harness.wire import Response, Wire
from tests.harness.world import build_world, give

# Whoever is turned away wrote something too: a mistyped key, a password in the wrong place, a foreign token.
MISTYPED = f"sk_live_{uuid4().hex}{uuid4().hex}"
FOREIGN = ".".join(base64.urlsafe_b64encode(uuid4().bytes * 4).decode().rstrip("=") for _ in range(3))
PASSWORD = f"hunter-{uuid4().hex}"


class Ears:
    """Sends requests in odd ways, and keeps every answer."""

    def __init__(self, url: str) -> None:
        self.url, self.heard = url, bytearray()

    async def ask(self, path: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> Response:
        wire = Wire(self.url)
        response = await wire.request(method, path, headers, body)
        wire.drop()
        self.heard += response.body + repr(response.headers).encode()
        return response

    async def greet(self, authorization: str) -> None:
        """A socket that is turned away."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            await socket.send(
                orjson.dumps({"type": "connection_init", "payload": {"authorization": authorization}}).decode()
            )
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        self.heard += str(closed.value).encode()


async def live(server: Server, admin: str) -> tuple[bytearray, list[str]]:
    """Everything a credential is used for, rightly and wrongly: what was answered, and the secrets given out."""
    client = Client(server.url, admin)
    await build_world(client, ["canary"])
    await give(client, "canary", "10", "g")
    key = await client.must("createApiKey", name="backend", role="BACKEND")
    revoked = await client.must("createApiKey", name="revoked", role="INGEST")
    await client.must("revokeApiKey", id=revoked["apiKey"]["id"])
    token = (await client.must("createEmbedToken", customer="canary"))["token"]
    for secret in (key["secret"], token):
        caller = Client(server.url, secret)
        assert (await caller.ask("{ viewer { now } }"))["viewer"]
        await caller.put("burn", customer="canary", creditType="ai", amount="1", idempotencyKey="b")
        caller.wire.drop()
        async with Client(server.url, secret).subscribe(BALANCE_UPDATED, customer="canary", type="ai") as updates:
            assert (await anext(updates))["balanceUpdated"]
    ears = Ears(server.url)
    secrets = [admin, key["secret"], revoked["secret"], token, MISTYPED, FOREIGN, PASSWORD]
    json = "application/json"
    for secret in secrets:
        bearer = f"Bearer {secret}"
        for authorization in (bearer, f"Basic {secret}", f"{bearer}x"):
            headers = {"Authorization": authorization, "Content-Type": json}
            await ears.ask("/graphql", headers, b'{"query": "{ nothing }"}')
            await ears.ask("/v1/events", {**headers, "Content-Type": EVENT_TYPES["batch"]}, b"[{")
            await ears.ask("/v1/embed-token", headers, b'{"customer": 1}')
        await ears.ask(f"/graphql?token={secret}", {"Content-Type": json}, b"{}")
        await ears.ask(f"/nowhere/{secret}", {"Cookie": f"session={secret}"}, method="GET")
        await ears.ask("/graphql", {"Authorization": bearer, "Origin": "https://evil.example", "Content-Type": json})
        await ears.greet(f"{bearer}x")
    listed = await client.post("/graphql", orjson.dumps({"query": "{ apiKeys { id name prefix role } }"}))
    metrics = await ears.ask("/metrics", {}, method="GET")
    assert b"apiKeys" in listed.body
    assert metrics.status == 200
    ears.heard += listed.body
    client.wire.drop()
    return ears.heard, secrets


def found_in(folder: Path, texts: list[str]) -> list[tuple[str, str]]:
    """Which of the texts are in which files; each file is read once. A text is told by its beginning."""
    needles = [text.encode() for text in texts]
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [(needle[:12].decode(), path.name) for needle in needles if needle in content]
    return found


def telling_part(secret: str) -> str:
    """A part of a secret that would still do: what comes after a key's prefix, a token's signature."""
    return secret.rsplit(".", 1)[-1].removeprefix("sk_test_").removeprefix("sk_live_")[-30:]


@pytest.mark.timeout(180)
async def test_no_secret_is_left_in_logs_tables_or_answers(tmp_path):
    folder = tmp_path / "life"
    folder.mkdir()
    password_of_server = f"the secret key of this server {uuid4().hex}"
    server = Server(folder / "data", secret_key=password_of_server)
    await server.start()
    try:
        admin = await server.create_key("canary", "ADMIN", test=True)
        heard, secrets = await live(server, admin)
    finally:
        code = await server.terminate()
    assert code == 0, server.logs
    wal = b"".join(path.read_bytes() for path in (folder / "data" / "pg" / "pg_wal").iterdir() if path.is_file())
    assert b"canary" in wal, "what is searched holds what was written"
    assert server.log_path.parent == folder, "and the server's own log"
    parts = [telling_part(secret) for secret in (*secrets, password_of_server)]
    assert found_in(folder, parts) == []
    assert [part[:6] for part in parts if part.encode() in heard] == []


async def test_a_generated_secret_key_is_in_one_file_for_its_owner_alone(own_server):
    kept = own_server.data_dir / SECRET_KEY_FILE
    secret = kept.read_text().strip()
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.stat().st_uid == os.getuid()
    await own_server.create_key("alone", "ADMIN", test=True)
    assert found_in(own_server.data_dir, [secret]) == [(secret[:12], SECRET_KEY_FILE)]
    assert secret not in own_server.logs
