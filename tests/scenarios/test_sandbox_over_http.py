"""Buying in the sandbox as a host does it: GraphQL to start, the page to pay, GraphQL to see what came of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from tests.harness.client import Client, Json
from tests.harness.server import Server
from tests.harness.wire import Response, Wire
from tests.harness.world import build_world
from tests.scenarios.conftest import World

START = """mutation ($input: TopUpInput!) { answer: startTopUp(input: $input) {
  ... on TopUpOk { topUp { id status checkoutUrl credits price { amount currency } } }
  ... on PaymentFailed { code message } ... on InvalidInput { code message field } ... on NotFound { code message }
  ... on NotAllowed { code message } ... on Conflict { code message } ... on IdempotencyConflict { code message } } }"""
REFUND = """mutation ($id: ID!, $amount: MoneyInput, $key: String!) {
  answer: refundTopUp(id: $id, amount: $amount, reason: GOODWILL, idempotencyKey: $key) {
  ... on TopUpOk { topUp { id status } } ... on InvalidInput { code message } ... on Conflict { code message } } }"""
SETUP = """mutation ($customer: String!) { answer: setupPaymentMethod(customer: $customer, returnUrl: "https://shop.example/") {
  ... on PaymentSetupOk { url clientSecret } ... on NotAllowed { code message } } }"""
TOP_UP = """query ($id: ID!) { topUp(id: $id) {
  id status checkoutUrl failure settledAt grant { amount remaining source } } }"""
METHODS = "query ($key: String!) { customer(key: $key) { paymentMethods { id label expires isDefault } } }"
WATCH = "subscription ($id: ID!) { topUpUpdated(id: $id) { status checkoutUrl } }"
BUNDLES = [
    {
        "key": "ai-800",
        "name": "800 credits",
        "creditType": "ai",
        "credits": "800",
        "price": {"amount": "36.00", "currency": "USD"},
    }
]


class Buyer:
    """A customer of the workspace, its host's backend, and its browser."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.key = client, key

    async def start(self, **fields: Any) -> Json:
        given = {"customer": self.key, "bundle": "ai-800", "idempotencyKey": f"{self.key}-1", **fields}
        found: Json = (await self.client.ask(START, input=given))["answer"]
        return found

    async def bought(self) -> str:
        """Started and paid; its id."""
        top_up = (await self.start())["topUp"]
        assert (await self.post(f"/sandbox/checkout/{top_up['id']}/pay")).status == 200
        return str(top_up["id"])

    async def top_up(self, top_up_id: str) -> Json:
        found: Json = (await self.client.ask(TOP_UP, id=top_up_id))["topUp"]
        return found

    async def available(self) -> str:
        return str((await self.client.balance(self.key))["available"])

    async def methods(self) -> list[Json]:
        found: list[Json] = (await self.client.ask(METHODS, key=self.key))["customer"]["paymentMethods"]
        return found

    async def post(self, path: str, *, secret: str = "") -> Response:
        wire = Wire(self.client.url)
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        answer = await wire.request("POST", path, headers)
        wire.drop()
        return answer

    async def play(self, top_up_id: str, act: str) -> Any:
        """As the bank: by the workspace's own key."""
        answer = await self.post(f"/sandbox/checkout/{top_up_id}/dispute/{act}", secret=self.client.secret)
        return answer.status


@pytest.fixture(scope="module")
async def client(world: World) -> Client:
    client = await world.client()
    await client.must("applyCatalog", document={"bundles": BUNDLES})
    return client


@pytest.fixture
async def buyer(client: Client, request: pytest.FixtureRequest) -> Buyer:
    key = request.node.name[:80]
    await client.must("upsertCustomer", key=key)
    return Buyer(client, key)


async def test_start_pay_and_the_credits_are_there_then_refund_and_they_are_not(buyer: Buyer, server: Server):
    top_up = (await buyer.start())["topUp"]
    assert (top_up["status"], top_up["price"]) == ("PENDING", {"amount": "36", "currency": "USD"})
    assert top_up["checkoutUrl"] == f"{server.url}/sandbox/checkout/{top_up['id']}"
    assert await buyer.available() == "0"
    paid = await buyer.post(f"/sandbox/checkout/{top_up['id']}/pay")
    assert (paid.status, orjson.loads(paid.body)) == (200, {"status": "SUCCEEDED"})
    found = await buyer.top_up(top_up["id"])
    assert (found["status"], found["grant"]["amount"], found["grant"]["source"]) == ("SUCCEEDED", "800", "PURCHASE")
    assert await buyer.available() == "800"
    part = await buyer.client.ask(
        REFUND, id=top_up["id"], amount={"amount": "9.00", "currency": "USD"}, key=f"{buyer.key}-r1"
    )
    assert (part["answer"]["topUp"]["status"], await buyer.available()) == ("SUCCEEDED", "600")
    rest = await buyer.client.ask(REFUND, id=top_up["id"], amount=None, key=f"{buyer.key}-r2")
    assert (rest["answer"]["topUp"]["status"], await buyer.available()) == ("REFUNDED", "0")


async def test_the_same_key_finds_the_same_checkout_and_paying_it_often_grants_once(buyer: Buyer):
    (top_up_id,) = {(await buyer.start())["topUp"]["id"] for _ in range(3)}
    await asyncio.gather(*(buyer.post(f"/sandbox/checkout/{top_up_id}/pay") for _ in range(8)))
    assert await buyer.available() == "800"
    assert [entry["kind"] for entry in await buyer.client.ledger(buyer.key)] == ["GRANT"]


async def test_a_decline_is_told_with_its_reason_and_the_next_try_pays(buyer: Buyer):
    top_up_id = (await buyer.start())["topUp"]["id"]
    await buyer.post(f"/sandbox/checkout/{top_up_id}/decline")
    found = await buyer.top_up(top_up_id)
    assert (found["status"], found["failure"], found["grant"]) == ("FAILED", "The card was declined.", None)
    await buyer.post(f"/sandbox/checkout/{top_up_id}/pay")
    assert (await buyer.top_up(top_up_id))["status"] == "SUCCEEDED"
    assert await buyer.available() == "800"


async def test_authentication_is_asked_for_and_given(buyer: Buyer):
    top_up_id = (await buyer.start())["topUp"]["id"]
    await buyer.post(f"/sandbox/checkout/{top_up_id}/authenticate")
    assert (await buyer.top_up(top_up_id))["status"] == "REQUIRES_ACTION"
    await buyer.post(f"/sandbox/checkout/{top_up_id}/authenticate")
    assert (await buyer.top_up(top_up_id))["status"] == "SUCCEEDED"


async def test_who_watches_a_top_up_sees_it_paid(buyer: Buyer):
    top_up_id = (await buyer.start())["topUp"]["id"]
    async with asyncio.timeout(20), buyer.client.subscribe(WATCH, id=top_up_id) as news:
        assert (await anext(news))["topUpUpdated"]["status"] == "PENDING"
        await buyer.post(f"/sandbox/checkout/{top_up_id}/pay")
        assert (await anext(news))["topUpUpdated"] == {"status": "SUCCEEDED", "checkoutUrl": None}


async def test_a_payment_dispute_is_tried_from_its_opening_to_its_end(buyer: Buyer):
    top_up_id = await buyer.bought()
    assert await buyer.play(top_up_id, "open") == 200
    assert (await buyer.top_up(top_up_id))["status"] == "DISPUTED"
    assert await buyer.available() == "0"
    assert await buyer.play(top_up_id, "win") == 200
    assert (await buyer.top_up(top_up_id))["status"] == "SUCCEEDED"
    assert await buyer.available() == "800"


async def test_a_saved_method_is_listed_and_the_last_one_is_the_default(buyer: Buyer):
    for kind in ("ok", "declining"):
        saved = await buyer.post(f"/sandbox/setup/{buyer.key}/{kind}", secret=buyer.client.secret)
        assert saved.status == 200
    listed = {method["label"]: method["isDefault"] for method in await buyer.methods()}
    assert listed == {"Sandbox card •••• 4242": False, "Sandbox card •••• 0002 (declines)": True}
    setup = (await buyer.client.ask(SETUP, customer=buyer.key))["answer"]
    assert setup["clientSecret"] is None
    assert (await buyer.post(setup["url"].removeprefix(buyer.client.url) + "/authenticating")).status == 200
    assert "Sandbox card •••• 3220 (asks for authentication)" in {method["label"] for method in await buyer.methods()}


async def test_a_live_workspace_buys_nothing_in_the_sandbox(live_world: World):
    client = await live_world.client()
    await client.must("applyCatalog", document={"bundles": BUNDLES})
    await client.must("upsertCustomer", key="acme")
    answer = await Buyer(client, "acme").start()
    assert answer["code"] == "NOT_ALLOWED"


# ─── where the server is reached ───────────────────────────────────────────────────────────────────
@pytest.fixture
async def behind_a_proxy(server: Server) -> AsyncIterator[Server]:
    """Another process on the same database, that browsers reach at a path of another address."""
    url = server.settings["DATABASE_URL"]
    proxied = Server(server.data_dir, database_url=url, broadcast_url=url, public_url="https://pay.example/credits/")
    await proxied.start()
    yield proxied
    await proxied.close()


async def test_the_checkout_is_at_the_public_address_and_its_links_too(world: World, behind_a_proxy: Server):
    client = await world.client(behind_a_proxy.url)
    await build_world(client, ["proxied"])
    await client.must("applyCatalog", document={"bundles": BUNDLES})
    top_up = (await Buyer(client, "proxied").start())["topUp"]
    assert top_up["checkoutUrl"] == f"https://pay.example/credits/sandbox/checkout/{top_up['id']}"
    page = await client.wire.request("GET", f"/sandbox/checkout/{top_up['id']}", {"accept": "text/html"})
    assert f'action="/credits/sandbox/checkout/{top_up["id"]}/pay?seen=1"' in page.body.decode()
    assert 'href="/credits/sandbox/page.css"' in page.body.decode()
