"""A customer's token on the running server: short, for its pages alone, and for nothing that operators do (A5 to A7)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from schema.permission import root_fields
from schema.schema import build
from tests.harness.client import EVENT_TYPES, Client
from tests.harness.wire import Wire

VIEWER = orjson.dumps({"query": "{ viewer { now } }"})
# What customers do themselves, by the contract; those that are not built yet are not in the schema.
CUSTOMERS_OWN = {
    *("startTopUp", "cancelTopUp", "setRecharge", "setupPaymentMethod", "redeemCode"),
    *("openDispute", "withdrawDispute"),
}
SHOP, EVIL = "https://shop.example", "https://evil.example"


@pytest.fixture
async def client(world):
    await (await world.client()).must("upsertCustomer", key="holder-of-token")
    return await world.client()


async def minted(client: Client, **fields: Any) -> Any:
    return await client.put("createEmbedToken", customer="holder-of-token", **fields)


@pytest.mark.parametrize(("ttl_s", "taken"), [(29, False), (30, True), (900, True), (901, False), (0, False)])
async def test_a_token_lives_from_half_a_minute_to_fifteen(client, ttl_s, taken):
    reply = await minted(client, ttlSeconds=ttl_s)
    if not taken:
        assert reply.code == "INVALID_INPUT"
        return
    # By real time, whatever the workspace's own clock says.
    left = datetime.fromisoformat(reply["expiresAt"]) - datetime.now(UTC)
    assert timedelta(seconds=ttl_s - 25) < left <= timedelta(seconds=ttl_s)


async def code_from(world, secret: str, origin: str | None) -> str | None:
    """What a page of that origin hears on HTTP."""
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    wire = Wire(world.url)
    response = await wire.request("POST", "/graphql", headers | ({"Origin": origin} if origin else {}), VIEWER)
    wire.drop()
    errors = orjson.loads(response.body).get("errors")
    return errors[0]["extensions"]["code"] if errors else None


async def met(world, secret: str, origin: str | None) -> object:
    """What a page of that origin meets on the socket: the type of the first message, or the code of the close."""
    address = world.url.replace("http", "ws", 1) + "/graphql"
    async with connect(address, subprotocols=["graphql-transport-ws"], origin=origin) as socket:  # type: ignore[list-item, arg-type]
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {secret}"}}
        await socket.send(orjson.dumps(init).decode())
        with suppress(ConnectionClosed):
            return orjson.loads(await socket.recv())["type"]
    return socket.close_code


async def test_a_token_is_for_its_pages_and_a_secret_key_for_none(world, client):
    token = (await minted(client, origins=[SHOP]))["token"]
    cases = [(token, SHOP, True), (token, EVIL, False), (token, "null", False), (token, None, True)]
    cases += [(world.secret, EVIL, False), (world.secret, world.url, True), (world.secret, None, True)]
    for secret, origin, may in cases:
        assert await code_from(world, secret, origin) == (None if may else "FORBIDDEN"), origin
        assert await met(world, secret, origin) == ("connection_ack" if may else 4403), origin


async def test_a_token_with_every_scope_changes_nothing_that_operators_change(world, client):
    scopes = ["balance:read", "ledger:read", "usage:read", "topup:create", "recharge:manage", "limits:read"]
    holder = await world.client(secret=(await minted(client, scopes=scopes))["token"])
    mutations = {name.partition(".")[2] for name, _ in root_fields(build()) if name.startswith("Mutation.")}
    assert len(mutations) > 10
    for name in mutations - CUSTOMERS_OWN:
        response = await holder.post("/graphql", orjson.dumps({"query": f"mutation {{ {name} {{ __typename }} }}"}))
        body = orjson.loads(response.body)
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN", name
        assert "data" not in body
    for path, content_type in (("/v1/events", EVENT_TYPES["batch"]), ("/v1/embed-token", "application/json")):
        assert (await holder.post(path, b"[]", content_type)).status == 403, path
