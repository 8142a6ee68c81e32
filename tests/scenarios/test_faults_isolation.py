"""What is somebody else's does not exist: the same answer, to the byte, as for what never was (A8 to A10).

Asked by the token of another customer of the same workspace, and by keys of another workspace, in each way that the
API offers to name an object: by id, by key, by cursor, as the target of a mutation, in a subscription.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from tests.harness.client import Client, Json, QueryFailed
from tests.harness.documents import BALANCE_UPDATED, ENTRY_ADDED, WEBHOOKS
from tests.harness.world import build_world, give

QUERIES = {
    "entry": ("query($id: ID!) { entry(id: $id) { id amount note } }", "entry"),
    "hold": ("query($id: ID!) { hold(id: $id) { id amount entries { id } } }", "hold"),
    "customer": ("query($id: String!) { customer(key: $id) { key name balances { available } } }", "customer"),
    "event": (
        'query($id: String!) { event(source: "isolated", eventId: $id) { id data entries { id } } }',
        "event",
    ),
}
CHECK = """query($id: String!) { check(input: { customer: $id, creditType: "ai", amount: "1" }) { __typename
  ... on NotFound { code message } ... on Decision { balance { available } } } }"""
# Verb → the rest of its arguments; all of them name a hold.
ON_HOLDS: dict[str, Json] = {
    "settle": {"amount": "1", "idempotencyKey": "theft"},
    "release": {"idempotencyKey": "theft"},
    "extendHold": {"ttl": "PT1H"},
}
ON_CUSTOMERS = ("burn", "hold", "grantCredits")
# Verb → which of them it names, and the rest of its arguments.
ON_WEBHOOKS: dict[str, tuple[str, Json]] = {
    "replayWebhook": ("delivery", {}),
    "rotateWebhookSecret": ("webhook", {}),
    "enableWebhookEndpoint": ("webhook", {"enabled": False}),
    "removeWebhookEndpoint": ("webhook", {}),
}


@dataclass(frozen=True)
class Owned:
    """What customer `mine` has, and what nobody has: by kind of object, the name it goes by."""

    theirs: dict[str, str]
    nobodys: dict[str, str]
    cursor: str


@pytest.fixture(scope="module")
async def owned(world, other_world) -> Owned:
    client = await world.client()
    for key in ("mine", "yours"):
        await client.must("upsertCustomer", key=key)
        await give(client, key, "100", "g")
    fields = {"customer": "mine", "creditType": "ai", "amount": "3"}
    entry = (await client.must("burn", **fields, idempotencyKey="b", note="private"))["entry"]["id"]
    hold = (await client.must("hold", **fields, ttl="PT1H", idempotencyKey="h"))["hold"]["id"]
    data = {"input_tokens": 1, "output_tokens": 1}
    event = {"specversion": "1.0", "id": "ev-1", "source": "isolated", "type": "llm.tokens", "subject": "mine"}
    assert (await client.send_events([{**event, "data": data}])).status == 202
    webhook = await client.must("createWebhookEndpoint", url="https://8.8.8.8/mine", events=["grant.created"])
    await give(client, "mine", "1", "told")
    ((delivery,),) = [each["deliveries"] for each in (await client.ask(WEBHOOKS))["webhookEndpoints"]]
    page = await client.ask('{ customer(key: "mine") { ledger(first: 1) { pageInfo { endCursor } } } }')
    # The other workspace knows a customer of the same number of things, but not of this name.
    elsewhere = await other_world.client()
    await build_world(elsewhere, ["theirs-alone"])
    theirs = {"entry": entry, "hold": hold, "customer": "mine", "event": "ev-1"}
    nobodys = {"entry": absent(entry), "hold": absent(hold), "customer": "none", "event": "ev-2"}
    theirs |= {"webhook": webhook["endpoint"]["id"], "delivery": delivery["id"]}
    nobodys |= {"webhook": "whe_zzzz", "delivery": f"{delivery['id'].rpartition('_')[0]}_zzzz"}
    return Owned(theirs, nobodys, page["customer"]["ledger"]["pageInfo"]["endCursor"])


def absent(public_id: str) -> str:
    """An id of the same form and customer, of a number that was never given."""
    head, _, tail = public_id.rpartition("_")
    return f"{head}_{tail[:-1]}{'y' if tail[-1] != 'y' else 'x'}"


@pytest.fixture(scope="module")
async def strangers(world, other_world) -> dict[str, str]:
    """Credentials that may ask, and own none of it."""
    token = await (await world.client()).must("createEmbedToken", customer="yours")
    elsewhere = await other_world.client()
    made = {
        role: (await elsewhere.must("createApiKey", name=role, role=role))["secret"] for role in ("VIEWER", "BACKEND")
    }
    return {"another customer": token["token"], "another workspace": other_world.secret, **made}


STRANGERS = ("another customer", "another workspace", "VIEWER", "BACKEND")


async def answer(client: Client, query: str, name: str) -> bytes:
    response = await client.post("/graphql", orjson.dumps({"query": query, "variables": {"id": name}}))
    return response.body.replace(name.encode(), b"<name>")


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("kind", QUERIES)
async def test_what_is_somebody_elses_is_answered_as_what_never_was(world, owned, strangers, who, kind):
    query, field = QUERIES[kind]
    owner, stranger = await world.client(), await world.client(secret=strangers[who])
    assert orjson.loads(await answer(owner, query, owned.theirs[kind]))["data"][field] is not None
    theirs, nobodys = [await answer(stranger, query, each[kind]) for each in (owned.theirs, owned.nobodys)]
    assert theirs == nobodys
    body = orjson.loads(theirs)
    assert body == {"data": {field: None}} or body["errors"][0]["extensions"]["code"] == "FORBIDDEN", body


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_check_on_somebody_else_finds_nobody(world, owned, strangers, who):
    stranger = await world.client(secret=strangers[who])
    theirs, nobodys = [await answer(stranger, CHECK, each["customer"]) for each in (owned.theirs, owned.nobodys)]
    assert theirs == nobodys
    assert b"available" not in theirs
    assert b"NOT_FOUND" in theirs or b"FORBIDDEN" in theirs


@pytest.mark.parametrize("verb", [*ON_HOLDS, *ON_CUSTOMERS])
@pytest.mark.parametrize("who", ["another customer", "another workspace", "BACKEND"])
async def test_nobody_changes_what_is_somebody_elses(world, owned, strangers, who, verb):
    stranger, owner = await world.client(secret=strangers[who]), await world.client()
    before = await owner.balance("mine")
    told = []
    for each in (owned.theirs, owned.nobodys):
        if verb in ON_HOLDS:
            fields: dict[str, Any] = {"hold": each["hold"], **ON_HOLDS[verb]}
        else:
            fields = {"customer": each["customer"], "creditType": "ai", "amount": "1", "idempotencyKey": "theft"}
        reply = await stranger.put(verb, **fields)
        assert reply.outcome == "refused"
        assert reply.code in ("NOT_FOUND", "FORBIDDEN"), reply
        name = each["hold"] if verb in ON_HOLDS else each["customer"]
        told.append(re.sub(re.escape(name), "<name>", str((reply.answer, reply.errors))))
    assert told[0] == told[1]
    after = await owner.balance("mine")
    assert {**after, "asOf": None} == {**before, "asOf": None}


@pytest.mark.parametrize("verb", ON_WEBHOOKS)
@pytest.mark.parametrize("who", STRANGERS)
async def test_nobody_reaches_the_webhooks_of_somebody_else(world, owned, strangers, who, verb):
    """A10: replays too."""
    stranger, owner = await world.client(secret=strangers[who]), await world.client()
    kind, more = ON_WEBHOOKS[verb]
    told = []
    for each in (owned.theirs, owned.nobodys):
        reply = await stranger.put(verb, id=each[kind], **more)
        assert reply.outcome == "refused"
        assert reply.code == ("NOT_FOUND" if who == "another workspace" else "FORBIDDEN"), reply
        told.append(str((reply.answer, reply.errors)).replace(each[kind], "<name>"))
    assert told[0] == told[1]
    (kept,) = (await owner.ask(WEBHOOKS))["webhookEndpoints"]
    assert (kept["enabled"], kept["rotatedAt"], len(kept["deliveries"])) == (True, None, 1)
    if who == "another workspace":
        assert (await stranger.ask(WEBHOOKS))["webhookEndpoints"] == []


async def test_a_cursor_of_somebody_elses_list_shows_ones_own(world, owned, strangers):
    """A cursor says where in a list, not whose."""
    stranger = await world.client(secret=strangers["another customer"])
    query = "query($id: String) { customer { key ledger(first: 500, after: $id) { edges { node { id note } } } } }"
    body = orjson.loads(await answer(stranger, query, owned.cursor))
    assert "private" not in str(body)
    if "errors" not in body:
        assert body["data"]["customer"]["key"] == "yours"
        own = {entry["id"] for entry in await (await world.client()).ledger("yours", None)}
        assert {edge["node"]["id"] for edge in body["data"]["customer"]["ledger"]["edges"]} <= own


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("document", [BALANCE_UPDATED, ENTRY_ADDED], ids=["balance", "ledger"])
async def test_nobody_watches_somebody_else(world, owned, strangers, who, document):
    stranger = Client(world.url, strangers[who])
    told = []
    for each in (owned.theirs, owned.nobodys):
        async with stranger.subscribe(document, customer=each["customer"], type="ai") as updates:
            with pytest.raises(QueryFailed) as refused:
                await anext(updates)
        told.append(str(refused.value).replace(each["customer"], "<name>"))
    assert told[0] == told[1]
    assert "FORBIDDEN" in told[0] or "NOT_FOUND" in told[0]


async def test_names_of_anothers_customers_are_not_found_by_searching(world, other_world, owned):
    elsewhere = await other_world.client()
    for search in ("mine", "m", owned.theirs["entry"]):
        found = await elsewhere.ask(
            "query($s: String) { customers(search: $s, first: 500) { edges { node { key } } } }", s=search
        )
        keys = {edge["node"]["key"] for edge in found["customers"]["edges"]}
        assert not keys & {"mine", "yours"}
    own = await (await world.client()).ask('query { customers(search: "mine", first: 500) { edges { node { key } } } }')
    assert [edge["node"]["key"] for edge in own["customers"]["edges"]] == ["mine"], "the search finds its own"
