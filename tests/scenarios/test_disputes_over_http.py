"""A dispute from both sides: the customer contests with its token, Support decides, both watch, and all the evidence is
one query."""

import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.harness.client import Client, Json, QueryFailed
from tests.harness.documents import DISPUTE, DISPUTE_UPDATED
from tests.harness.following import following
from tests.harness.server import Server
from tests.harness.world import give

DISPUTES = (
    """query($status: DisputeStatus, $overdue: Boolean) {
    disputes(status: $status, overdue: $overdue) { ...C customer { key } } } """
    + DISPUTE
)
MINE = (
    """query { customer { disputes { ...C openedBy { kind name } entries { id dispute { id status } } } } } """
    + DISPUTE
)
EVIDENCE = """query($key: String!) { customer(key: $key) { disputes(status: OPEN) {
  id amount reason dueAt openedBy { kind name }
  entries {
    id kind amount reversedAmount occurredAt recordedAt late quantity dimensions hash previousHash
    event { source eventId type occurredAt receivedAt outcome data }
    rate { cohort version match perUnit exactAmount }
    feature { key unit }
    hold { id status }
    allocations { amount overdraft grant {
      id source amount remaining effectiveAt expiresAt costBasis { amount currency } issuedBy { kind name }
      rolledFrom { id } } }
  }
  timeline { at action note actor { kind name } }
} } }"""


@pytest.fixture
async def client(world):
    return await world.client()


async def embed(world: Any, customer: str, *scopes: str) -> Client:
    made = await (await world.client()).must(
        "createEmbedToken", customer=customer, **({"scopes": list(scopes)} if scopes else {})
    )
    found: Client = await world.client(secret=made["token"])
    return found


async def customer_with_burns(client: Client, name: str, *amounts: str) -> list[str]:
    await client.must("upsertCustomer", key=name, name=f"{name} Inc.")
    await give(client, name, "100", "g")
    fields = {"customer": name, "creditType": "ai"}
    return [
        (await client.must("burn", **fields, amount=amount, idempotencyKey=f"b{n}"))["entry"]["id"]
        for n, amount in enumerate(amounts)
    ]


async def test_a_customer_contests_and_support_upholds_a_part(world, client):
    first, second = await customer_with_burns(client, "part", "5", "7")
    own = await embed(world, "part")
    opened = await own.must("openDispute", entries=[first, second], reason="I did not use that")
    dispute = opened["dispute"]
    assert (dispute["status"], dispute["amount"], dispute["reason"]) == ("OPEN", "12", "I did not use that")
    due = datetime.fromisoformat(dispute["dueAt"]) - datetime.fromisoformat(dispute["openedAt"])
    assert due == timedelta(days=5)
    twice = await own.put("openDispute", entries=[second], reason="again")
    assert (twice.answer["__typename"], twice.code) == ("Conflict", "CONFLICT")
    support = await world.client(
        secret=(await client.must("createApiKey", name="Support desk", role="SUPPORT"))["secret"]
    )
    await support.must(
        "updateDispute", id=dispute["id"], status="INVESTIGATING", assignee="opr_ada", note="log shows it"
    )
    fields = {
        "id": dispute["id"],
        "uphold": True,
        "amount": "6.5",
        "resolution": "Half of it was ours",
        "idempotencyKey": "d",
    }
    resolved = await support.must("resolveDispute", **fields)
    assert (resolved["dispute"]["status"], resolved["dispute"]["givenBack"]) == ("UPHELD", "6.5")
    assert (await support.must("resolveDispute", **fields))["dispute"] == resolved["dispute"]
    other = await support.put("resolveDispute", **{**fields, "amount": "6"})
    assert other.code == "IDEMPOTENCY_CONFLICT"
    decided = await support.put("resolveDispute", **{**fields, "idempotencyKey": "d2"})
    assert decided.code == "CONFLICT"
    assert (await client.balance("part"))["available"] == "94.5"
    (mine,) = (await own.ask(MINE))["customer"]["disputes"]
    assert (mine["status"], mine["resolution"]) == ("UPHELD", "Half of it was ours")
    assert mine["openedBy"] == {"kind": "CUSTOMER", "name": "part Inc."}
    assert [entry["id"] for entry in mine["entries"]] == [first, second]
    assert {entry["dispute"]["id"] for entry in mine["entries"]} == {dispute["id"]}
    assert [event["action"] for event in mine["timeline"]] == ["opened", "assigned", "investigating", "note", "upheld"]


async def test_a_customer_withdraws_its_own_and_nobody_elses(world, client):
    (entry,) = await customer_with_burns(client, "withdrawing", "5")
    await customer_with_burns(client, "bystander", "5")
    own, other = await embed(world, "withdrawing"), await embed(world, "bystander")
    dispute = (await own.must("openDispute", entries=[entry], reason="r"))["dispute"]["id"]
    foreign = await other.put("openDispute", entries=[entry], reason="r")
    assert (foreign.code, foreign.answer["message"]) == ("NOT_FOUND", "no such entry")
    for id_ in (dispute, "dsp_1_1", "x"):
        foreign = await other.put("withdrawDispute", id=id_)
        assert (foreign.code, foreign.answer["message"]) == ("NOT_FOUND", "no such dispute")
    assert (await other.ask(MINE))["customer"]["disputes"] == []
    for verb, fields in (
        ("updateDispute", {"note": "n"}),
        ("resolveDispute", {"uphold": True, "resolution": "r", "idempotencyKey": "k"}),
    ):
        assert (await own.put(verb, id=dispute, **fields)).code == "FORBIDDEN"
    with pytest.raises(QueryFailed, match="FORBIDDEN"):
        await own.ask(DISPUTES)
    withdrawn = await own.must("withdrawDispute", id=dispute)
    assert withdrawn["dispute"]["status"] == "WITHDRAWN"
    assert (await own.must("withdrawDispute", id=dispute))["dispute"] == withdrawn["dispute"]
    reading = await embed(world, "withdrawing", "ledger:read", "balance:read")
    assert (await reading.put("openDispute", entries=[entry], reason="r")).code == "FORBIDDEN"


async def test_who_works_on_a_dispute_by_a_key_is_support_to_the_customer_too(world, client):
    (entry,) = await customer_with_burns(client, "by-key", "5")
    own = await embed(world, "by-key")
    dispute = (await own.must("openDispute", entries=[entry], reason="r"))["dispute"]["id"]
    key = await world.client(secret=(await client.must("createApiKey", name="Desk of Ada", role="SUPPORT"))["secret"])
    await key.must("updateDispute", id=dispute, status="INVESTIGATING", note="has lied before")
    await key.must("resolveDispute", id=dispute, uphold=False, resolution="You did use it", idempotencyKey="n")
    (mine,) = (await own.ask(MINE))["customer"]["disputes"]
    assert "lied" not in json.dumps(mine)
    assert "Ada" not in json.dumps(mine)
    assert mine["resolution"] == "You did use it"
    assert {event["actor"]["name"] for event in mine["timeline"][1:]} == {"Support"}
    (all_of_it,) = [each for each in (await client.ask(DISPUTES))["disputes"] if each["id"] == dispute]
    assert "has lied before" in json.dumps(all_of_it)


async def test_operators_and_their_words_are_support_to_the_customer(server: Server, world, client):
    """As entries show them: kind and name, no text, and nobody's name by an assignment."""
    (entry,) = await customer_with_burns(client, "shown", "5")
    own = await embed(world, "shown")
    dispute = (await own.must("openDispute", entries=[entry], reason="r"))["dispute"]["id"]
    await client.must("updateDispute", id=dispute, assignee="Ada Lovelace", note="the customer is right")
    owner = await asyncpg.connect(server.settings["DATABASE_URL"])
    await owner.execute("SET session_replication_role = replica")  # there are no operators' sessions here yet
    await owner.execute(
        """UPDATE dispute_events e SET actor_id = a.id FROM actors a
            WHERE a.name = 'Ada Lovelace' AND a.workspace_id = e.workspace_id AND e.action <> 'opened'"""
    )
    await owner.close()
    (mine,) = (await own.ask(MINE))["customer"]["disputes"]
    assert "Ada" not in json.dumps(mine)
    assert "right" not in json.dumps(mine)
    assert mine["assignee"] == {"name": "Support"}
    assert [(event["action"], event["note"], event["actor"]) for event in mine["timeline"][1:]] == [
        (action, None, {"kind": "OPERATOR", "name": "Support"}) for action in ("assigned", "note")
    ]
    (full,) = (await client.ask(DISPUTES, status="OPEN"))["disputes"][-1:]
    assert "the customer is right" in json.dumps(full)
    assert full["assignee"] == {"name": "Ada Lovelace"}


async def test_all_the_evidence_is_one_query(world, client):
    """Event as received → version and match of the rate → burn → allocations → grants."""
    await client.must("upsertCustomer", key="evidence")
    money = {"amount": "0.01", "currency": "EUR"}
    grant = await give(client, "evidence", "3", "g1", source="PURCHASE", costBasis=money, priority=1)
    rest = await give(client, "evidence", "50", "g2")
    data = {"input_tokens": 4000, "output_tokens": 0, "model": "m-1"}
    event = {"specversion": "1.0", "source": "gateway", "id": "call-1", "type": "llm.tokens", "subject": "evidence"}
    await client.send_events([{**event, "data": data}])
    (burn,) = [entry for entry in await client.ledger("evidence") if entry["kind"] == "BURN"]
    await client.must("openDispute", entries=[burn["id"]], reason="not me")
    own = await embed(world, "evidence")
    for asking in (client, own):
        (dispute,) = (await asking.ask(EVIDENCE, key="evidence"))["customer"]["disputes"]
        (entry,) = dispute["entries"]
        assert (entry["kind"], entry["amount"], entry["quantity"], entry["reversedAmount"]) == (
            "BURN",
            "-4",
            "4000",
            "0",
        )
        assert (entry["event"]["source"], entry["event"]["eventId"], entry["event"]["outcome"]) == (
            "gateway",
            "call-1",
            "BURNED",
        )
        assert entry["event"]["data"] == data
        assert (entry["rate"]["cohort"], entry["rate"]["perUnit"], entry["rate"]["match"]) == ("default", "0.001", {})
        assert entry["rate"]["version"] >= 1
        assert [(part["amount"], part["grant"]["id"]) for part in entry["allocations"]] == [("3", grant), ("1", rest)]
        assert (entry["allocations"][0]["grant"]["source"], entry["allocations"][0]["grant"]["costBasis"]) == (
            "PURCHASE",
            money,
        )


async def test_what_is_overdue_stands_first(other_world):
    client = await other_world.client()
    first, second = await customer_with_burns(client, "late", "5", "7")
    await client.must("openDispute", entries=[second], reason="older")
    now = datetime.fromisoformat(await client.now())
    await client.must("advanceClock", to=(now + timedelta(days=3)).isoformat())
    await client.must("openDispute", entries=[first], reason="newer")
    await client.must("advanceClock", to=(now + timedelta(days=6)).isoformat())
    listed = [dispute["reason"] for dispute in (await client.ask(DISPUTES))["disputes"]]
    assert listed == ["older", "newer"]
    assert [dispute["reason"] for dispute in (await client.ask(DISPUTES, overdue=True))["disputes"]] == ["older"]
    assert [dispute["reason"] for dispute in (await client.ask(DISPUTES, overdue=False))["disputes"]] == ["newer"]
    assert (await client.ask(DISPUTES, status="UPHELD"))["disputes"] == []


# ─── live ──────────────────────────────────────────────────────────────────────────────────────────
async def test_both_sides_watch_it_happen(world, client, second_server: Server):
    """From either process; at once what is undecided, then each change, none twice and none back."""
    first, second = await customer_with_burns(client, "watched", "5", "7")
    (foreign,) = await customer_with_burns(client, "unwatched", "1")
    own = await embed(world, "watched")
    await client.must(
        "withdrawDispute", id=(await own.must("openDispute", entries=[second], reason="over"))["dispute"]["id"]
    )
    dispute = (await own.must("openDispute", entries=[first], reason="r"))["dispute"]["id"]
    far = await world.client(second_server.url)
    async with (
        following(own, DISPUTE_UPDATED) as customers,
        following(far, DISPUTE_UPDATED) as operators,
    ):
        for side in (customers, operators):
            await side.until(lambda seen: of(seen, dispute)[-1:] == ["OPEN"], within_s=5)
        assert len(customers.seen) == 1, "what is over is no news"
        await client.must("updateDispute", id=dispute, status="INVESTIGATING")
        for side in (customers, operators):
            await side.until(lambda seen: of(seen, dispute)[-1:] == ["INVESTIGATING"], within_s=5)
        await far.must("openDispute", entries=[foreign], reason="another's")
        fields = {"uphold": True, "resolution": "yes", "idempotencyKey": "d"}
        await far.must("resolveDispute", id=dispute, **fields)
        await far.must("resolveDispute", id=dispute, **fields)
        for side in (customers, operators):
            await side.until(lambda seen: of(seen, dispute)[-1:] == ["UPHELD"], within_s=5)
            assert of(side.seen, dispute) == ["OPEN", "INVESTIGATING", "UPHELD"]
        await operators.until(lambda seen: any(each["reason"] == "another's" for each in seen), within_s=5)
        assert {each["customer"]["key"] for each in customers.seen} == {"watched"}


def of(seen: list[Json], dispute: str) -> list[str]:
    return [each["status"] for each in seen if each["id"] == dispute]


async def test_nobody_watches_anothers_disputes(world, client):
    await customer_with_burns(client, "secret", "1")
    await customer_with_burns(client, "curious", "1")
    curious = await embed(world, "curious")
    without = await embed(world, "secret", "ledger:read")
    for asking, variables in ((curious, {"customer": "secret"}), (without, {}), (client, {"customer": "nobody"})):
        with pytest.raises(QueryFailed, match="FORBIDDEN"):
            async with asking.subscribe(DISPUTE_UPDATED, **variables) as payloads:
                await anext(payloads)
