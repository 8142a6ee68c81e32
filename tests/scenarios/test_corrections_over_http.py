"""Corrections as a host's backend and an operator make them, and as everybody reads them afterwards."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.harness.client import Client
from tests.harness.world import extend_catalog, give

TOLD = """query($id: ID!) { entry(id: $id) {
  kind amount reversedAmount reverses { id } reason note allocations { amount overdraft grant {
    id status source rolledFrom { id } expiresAt } } } }"""
GRANTS = """query($key: String!) { customer(key: $key) { grants { edges { node {
  id source status amount remaining held priority expiresAt costBasis { amount currency } rolledFrom { id } reason
} } } balance(creditType: "ai") {
  balance available granted burned expired givenBack voided clawedBack adjusted } } }"""


@pytest.fixture
async def client(world):
    return await world.client()


async def customer_with(client: Client, name: str, *amounts: str, **fields: object) -> list[str]:
    await client.must("upsertCustomer", key=name)
    return [await give(client, name, amount, f"g{n}", **fields) for n, amount in enumerate(amounts)]


async def burned(client: Client, customer: str, amount: str, key: str = "b") -> str:
    fields = {"customer": customer, "creditType": "ai", "amount": amount, "idempotencyKey": key}
    return str((await client.must("burn", **fields))["entry"]["id"])


async def test_a_burn_is_given_back_in_parts_and_then_whole_and_never_more(client):
    (grant,) = await customer_with(client, "given-back", "10")
    entry = await burned(client, "given-back", "6")
    part = await client.must("reverseBurn", entry=entry, amount="2.5", reason="GOODWILL", idempotencyKey="r1")
    assert (part["entry"]["kind"], part["entry"]["amount"]) == ("REVERSE", "2.5")
    assert part["balance"]["available"] == "6.5"
    over = await client.put("reverseBurn", entry=entry, amount="3.501", reason="OTHER", idempotencyKey="r2")
    assert (over.code, over.answer["__typename"]) == ("OVER_REVERSED", "Conflict")
    rest = await client.must("reverseBurn", entry=entry, reason="GOODWILL", note="all", idempotencyKey="r2")
    assert (rest["entry"]["amount"], rest["balance"]["available"]) == ("3.5", "10")
    again = await client.must("reverseBurn", entry=entry, reason="GOODWILL", note="all", idempotencyKey="r2")
    assert (again["replayed"], again["entry"], again["decision"]) == (True, rest["entry"], rest["decision"])
    none = await client.put("reverseBurn", entry=entry, reason="OTHER", idempotencyKey="r3")
    assert none.code == "OVER_REVERSED"
    told = (await client.ask(TOLD, id=entry))["entry"]
    assert (told["reversedAmount"], told["reverses"]) == ("6", None)
    told = (await client.ask(TOLD, id=rest["entry"]["id"]))["entry"]
    assert (told["reversedAmount"], told["reverses"], told["note"]) == ("0", {"id": entry}, "all")
    assert [part["grant"]["id"] for part in told["allocations"]] == [grant]


async def test_ten_who_reverse_at_once_give_back_what_was_burned(world, client):
    await customer_with(client, "ten-at-once", "10")
    entry = await burned(client, "ten-at-once", "5")
    clients = [await world.client() for _ in range(10)]
    replies = await asyncio.gather(
        *(
            each.put("reverseBurn", entry=entry, amount="1", reason="OTHER", idempotencyKey=f"r{n}")
            for n, each in enumerate(clients)
        )
    )
    assert sorted(reply.code or "ok" for reply in replies) == ["OVER_REVERSED"] * 5 + ["ok"] * 5
    assert (await client.balance("ten-at-once"))["available"] == "10"


async def test_what_comes_back_after_its_grant_has_expired_is_a_refund_for_thirty_days(client):
    now = datetime.fromisoformat(await client.now())
    expires = (now + timedelta(days=1)).isoformat()
    money = {"amount": "0.01", "currency": "EUR"}
    (grant,) = await customer_with(
        client, "refunded", "10", expiresAt=expires, source="PURCHASE", costBasis=money, priority=20
    )
    entry = await burned(client, "refunded", "4")
    await client.must("advanceClock", to=(now + timedelta(days=2)).isoformat())
    given = await client.must("reverseBurn", entry=entry, reason="OUTAGE", idempotencyKey="r")
    (part,) = (await client.ask(TOLD, id=given["entry"]["id"]))["entry"]["allocations"]
    assert (part["grant"]["source"], part["grant"]["rolledFrom"]) == ("REFUND", {"id": grant})
    found = (await client.ask(GRANTS, key="refunded"))["customer"]
    refund = found["grants"]["edges"][0]["node"]
    assert (refund["remaining"], refund["costBasis"], refund["priority"]) == (
        "4",
        {"amount": "0.01", "currency": "EUR"},
        20,
    )
    lives = datetime.fromisoformat(refund["expiresAt"]) - datetime.fromisoformat(given["entry"]["recordedAt"])
    assert lives == timedelta(days=30)
    balance = {name: Decimal(value) for name, value in found["balance"].items()}
    assert balance["balance"] == balance["granted"] - balance["burned"] - balance["expired"] + balance["givenBack"]
    assert (balance["granted"], balance["burned"], balance["expired"]) == (10, 4, 6)


async def test_a_void_ends_what_is_not_held_and_the_rest_when_its_hold_closes(client):
    (grant,) = await customer_with(client, "voided", "10")
    fields = {"customer": "voided", "creditType": "ai", "amount": "4", "idempotencyKey": "h"}
    hold = (await client.must("hold", **fields))["hold"]["id"]
    void = await client.must("voidGrant", grant=grant, reason="CORRECTION", note="a mistake", idempotencyKey="v")
    assert (void["grant"]["status"], void["grant"]["remaining"], void["grant"]["held"]) == ("VOIDED", "4", "4")
    assert (void["entry"]["kind"], void["entry"]["amount"], void["balance"]["available"]) == ("VOID", "-6", "0")
    again = await client.must("voidGrant", grant=grant, reason="CORRECTION", note="a mistake", idempotencyKey="v")
    assert (again["replayed"], again["entry"]) == (True, void["entry"])
    twice = await client.put("voidGrant", grant=grant, reason="OTHER", idempotencyKey="v2")
    assert twice.code == "GRANT_NOT_ACTIVE"
    await client.must("settle", hold=hold, amount="1", idempotencyKey="s")
    entries = await client.ledger("voided")
    assert [(entry["kind"], entry["amount"]) for entry in entries[-2:]] == [("SETTLE", "-1"), ("VOID", "-3")]
    assert (await client.balance("voided"))["balance"] == "0"


async def test_extending_moves_what_is_left_into_a_grant_that_says_where_it_comes_from(client):
    now = datetime.fromisoformat(await client.now())
    early, late = ((now + timedelta(days=days)).isoformat() for days in (1, 60))
    money = {"amount": "0.5", "currency": "USD"}
    (grant,) = await customer_with(
        client, "extended", "10", expiresAt=early, source="PURCHASE", costBasis=money, priority=7
    )
    await burned(client, "extended", "3")
    fields = {"grant": grant, "expiresAt": late, "reason": "GOODWILL", "idempotencyKey": "x"}
    extended = await client.must("extendGrant", **fields)
    assert (extended["entry"]["kind"], extended["entry"]["amount"]) == ("ADJUST", "7")
    assert (await client.must("extendGrant", **fields))["grant"] == extended["grant"]
    found = (await client.ask(GRANTS, key="extended"))["customer"]
    new, old = (edge["node"] for edge in found["grants"]["edges"])
    assert (new["id"], new["rolledFrom"], new["remaining"]) == (extended["grant"]["id"], {"id": grant}, "7")
    assert (new["source"], new["priority"], new["costBasis"]) == ("PURCHASE", 7, {"amount": "0.5", "currency": "USD"})
    assert (old["status"], old["remaining"]) == ("DEPLETED", "0")
    assert datetime.fromisoformat(new["expiresAt"]) == datetime.fromisoformat(late)
    await client.must("advanceClock", to=(now + timedelta(days=30)).isoformat())
    assert (await client.balance("extended"))["available"] == "7"


async def test_support_and_backends_correct_and_nobody_else(world, client):
    (grant,) = await customer_with(client, "roles", "10")
    entry = await burned(client, "roles", "1")
    asked = {
        "reverseBurn": {"entry": entry, "amount": "0.1", "reason": "OTHER"},
        "extendGrant": {"grant": grant, "reason": "OTHER"},
        "voidGrant": {"grant": grant, "reason": "OTHER"},
    }
    token = (await client.must("createEmbedToken", customer="roles"))["token"]
    secrets = {"token": token}
    for role in ("VIEWER", "INGEST", "SALES", "FINANCE", "SUPPORT", "BACKEND"):
        secrets[role] = (await client.must("createApiKey", name=role, role=role))["secret"]
    for role, secret in secrets.items():
        other = await world.client(secret=secret)
        for verb, fields in asked.items():
            reply = await other.put(verb, **fields, idempotencyKey=f"{role}-{verb}")
            if role in ("SUPPORT", "BACKEND"):
                assert reply.code != "FORBIDDEN", (role, verb, reply)
            else:
                assert reply.code == "FORBIDDEN", (role, verb, reply)


async def test_what_is_another_tenants_is_not_found(client, other_world):
    (grant,) = await customer_with(client, "mine", "10")
    entry = await burned(client, "mine", "1")
    stranger = await other_world.client()
    for id_ in (grant, "gra_x", "nonsense", entry):
        for verb in ("voidGrant", "extendGrant"):
            reply = await stranger.put(verb, grant=id_, reason="OTHER", idempotencyKey="k")
            assert (reply.code, reply.answer["message"]) == ("NOT_FOUND", "no such grant")
    for id_ in (entry, "ent_x", grant):
        reply = await stranger.put("reverseBurn", entry=id_, reason="OTHER", idempotencyKey="k")
        assert (reply.code, reply.answer["message"]) == ("NOT_FOUND", "no such entry")
    assert (await client.balance("mine"))["available"] == "9"


async def test_a_price_that_changes_during_a_hold_changes_neither_its_settlement_nor_what_comes_back(client):
    """C16"""
    await customer_with(client, "hold-price", "100")
    asked = {"customer": "hold-price", "feature": "input-tokens", "quantity": "1000"}
    hold = (await client.must("hold", **asked, idempotencyKey="h"))["hold"]["id"]
    card = {
        "cohort": "default",
        "rates": [
            {"feature": "input-tokens", "creditType": "ai", "perUnit": "9"},
            {"feature": "output-tokens", "creditType": "ai", "perUnit": "9"},
        ],
    }
    await client.must("applyCatalog", document={"rateCards": [{**card, "existing": "follow"}]})
    settled = await client.must("settle", hold=hold, quantity="500", idempotencyKey="s")
    assert settled["entry"]["amount"] == "-0.5"
    back = await client.must("reverseBurn", entry=settled["entry"]["id"], reason="OTHER", idempotencyKey="r")
    assert back["balance"]["available"] == "100"
    await extend_catalog(client)
