"""Top-ups as hosts and pages see them: who may buy for whom, where a page leads back to, what is told live."""

from typing import Any
from uuid import uuid4

import pytest

from tests.harness.client import Client, Json
from tests.harness.following import following
from tests.harness.server import Server
from tests.harness.world import PACK
from tests.scenarios.conftest import World

WATCH = "subscription ($id: ID!) { topUpUpdated(id: $id) { id status checkoutUrl failure } }"
LISTED = """query ($key: String!, $first: Int, $after: String) { customer(key: $key) { topUps(first: $first, after: $after) {
  edges { node { id status } } pageInfo { hasNextPage endCursor } } } }"""
ALL = """query ($id: ID!) { topUp(id: $id) {
  id status mode quantity credits price { amount currency } refunded { amount currency } paymentIntent checkoutUrl receiptUrl
  settledAt customer { key } bundle { key available } paybacks { kind status amount { amount } credits reason }
  grant { id amount source costBasis { amount currency } issuedBy { kind } topUp { id } } } }"""
ISSUES = "{ paymentIssues { id } }"


async def shop(world: World) -> tuple[Client, str]:
    client, key = await world.client(), f"c-{uuid4()}"
    await client.must("applyCatalog", document={"bundles": [PACK]})
    await client.must("upsertCustomer", key=key)
    return client, key


def order(key: str | None, **fields: Any) -> dict[str, Any]:
    whose = {} if key is None else {"customer": key}
    return {**whose, "bundle": "pack", "idempotencyKey": str(uuid4()), **fields}


async def token(world: World, key: str, **fields: Any) -> Client:
    """A page of the customer's."""
    made = await (await world.client()).must("createEmbedToken", customer=key, **fields)
    return await world.client(secret=made["token"])


async def play(client: Client, top_up: str, act: str) -> None:
    assert (await client.post(f"/sandbox/checkout/{top_up}/{act}", b"")).status == 200


async def test_what_a_page_buys_is_told_to_whom_it_belongs_and_can_be_looked_at_from_all_sides(world: World):
    client, key = await shop(world)
    page = await token(world, key)
    started = (await page.must("startTopUp", **order(None, quantity=2)))["topUp"]
    assert (started["status"], started["credits"], started["price"]) == (
        "PENDING",
        "2200",
        {"amount": "20", "currency": "EUR"},
    )
    await play(client, started["id"], "pay")
    found: Json = (await client.ask(ALL, id=started["id"]))["topUp"]
    assert (found["status"], found["mode"], found["customer"]["key"]) == ("SUCCEEDED", "HOSTED", key)
    grant = found["grant"]
    assert (grant["amount"], grant["source"], grant["issuedBy"]["kind"]) == ("2200", "PURCHASE", "CUSTOMER")
    assert grant["topUp"]["id"] == started["id"]
    assert grant["costBasis"] == {"amount": "0.009090909091", "currency": "EUR"}
    await client.must("refundTopUp", id=started["id"], reason="GOODWILL", idempotencyKey="r", amount=found["price"])
    found = (await client.ask(ALL, id=started["id"]))["topUp"]
    assert (found["status"], found["refunded"]["amount"], found["checkoutUrl"]) == ("REFUNDED", "20", None)
    assert [(each["kind"], each["status"], each["credits"]) for each in found["paybacks"]] == [
        ("REFUND", "DONE", "2200")
    ]
    assert (await client.balance(key))["available"] == "0"
    assert await client.ask(ISSUES) == {"paymentIssues": []}


async def test_a_page_buys_for_its_own_customer_alone_and_leads_back_to_its_own_alone(world: World):
    """X9, A9."""
    client, key = await shop(world)
    await client.must("upsertCustomer", key=f"{key}-other")
    page = await token(world, key, origins=["https://shop.example"])
    foreign = await page.put("startTopUp", **order(f"{key}-other"))
    assert foreign.code == "NOT_FOUND"
    for url in ("https://evil.example/", "javascript:alert(1)", "//shop.example", "https://shop.example@evil.example"):
        refused = await page.put("startTopUp", **order(key, returnUrl=url))
        assert (refused.code, refused.answer["field"]) == ("INVALID_INPUT", "returnUrl"), url
    for url in ("https://shop.example/done", f"{world.url}/demo"):
        await page.must("startTopUp", **order(key, returnUrl=url))
    await client.must("startTopUp", **order(key, returnUrl="https://anywhere.example/"))
    reading = await token(world, key, scopes=["balance:read"])
    assert (await reading.put("startTopUp", **order(key))).code == "FORBIDDEN"


async def test_a_decline_is_an_answer_and_the_same_key_gives_it_again(world: World):
    client, key = await shop(world)
    wanted = order(key)
    started = (await client.must("startTopUp", **wanted))["topUp"]
    await play(client, started["id"], "decline")
    again = await client.put("startTopUp", **wanted)
    assert (again.answer["__typename"], again.code) == ("PaymentFailed", "PAYMENT_FAILED")
    conflict = await client.put("startTopUp", **{**wanted, "quantity": 3})
    assert conflict.code == "IDEMPOTENCY_CONFLICT"


async def test_who_tries_again_replaces_what_was_declined_and_nobody_elses(world: World):
    client, key = await shop(world)
    declined = (await client.must("startTopUp", **order(key)))["topUp"]["id"]
    await play(client, declined, "decline")
    await client.must("upsertCustomer", key=f"{key}-other")
    foreign = await client.put("startTopUp", **order(f"{key}-other", replaces=declined))
    assert foreign.code == "NOT_FOUND"
    page = await token(world, key)
    anew = (await page.must("startTopUp", **order(key, replaces=declined)))["topUp"]["id"]
    listed = await client.pages(LISTED, "customer", "topUps", key=key, first=5)
    assert [(each["id"], each["status"]) for each in listed] == [(anew, "PENDING"), (declined, "CANCELED")]


async def test_top_ups_are_listed_newest_first_page_by_page(world: World):
    client, key = await shop(world)
    made = [(await client.must("startTopUp", **order(key)))["topUp"]["id"] for _ in range(5)]
    await client.must("cancelTopUp", id=made[0])
    listed = await client.pages(LISTED, "customer", "topUps", key=key, first=2)
    assert [each["id"] for each in listed] == made[::-1]
    assert listed[-1]["status"] == "CANCELED"


@pytest.mark.usefixtures("second_server")
async def test_who_watches_sees_each_newer_state_in_either_process(world: World, second_server: Server):
    client, key = await shop(world)
    started = (await client.must("startTopUp", **order(key)))["topUp"]
    other = await world.client(second_server.url)
    page = await token(world, key)
    async with (
        following(other, WATCH, id=started["id"]) as there,
        following(page, WATCH, id=started["id"]) as here,
    ):
        for follower in (here, there):
            await follower.until(lambda seen: seen[-1]["status"] == "PENDING")
        await play(client, started["id"], "authenticate")
        for follower in (here, there):
            await follower.until(lambda seen: seen[-1]["status"] == "REQUIRES_ACTION", within_s=5)
        await play(client, started["id"], "authenticate")
        for follower in (here, there):
            await follower.until(lambda seen: seen[-1]["status"] == "SUCCEEDED", within_s=5)
            statuses = [each["status"] for each in follower.seen]
            assert statuses == ["PENDING", "REQUIRES_ACTION", "SUCCEEDED"]
            assert follower.seen[-1]["checkoutUrl"] is None


async def test_a_live_workspace_without_a_provider_sells_nothing(live_world: World):
    client, key = await shop(live_world)
    refused = await client.put("startTopUp", **order(key))
    assert (refused.code, refused.answer["message"]) == ("NOT_ALLOWED", "no payment provider is set up")
