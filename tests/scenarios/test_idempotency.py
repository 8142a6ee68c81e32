"""Idempotency keys: the first answer again, or a conflict; never a second effect (faults.md I1 to I10, DESIGN D8)."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.harness.client import Client, Reply
from tests.harness.world import CATALOG, extend_catalog, give
from tests.model.rating import micro


@pytest.fixture
async def client(world):
    return await world.client()


async def fresh(client: Client, name: str, amount: str = "100", **fields: object) -> str:
    await client.must("upsertCustomer", key=name)
    await give(client, name, amount, "opening", **fields)
    return name


def spend(customer: str, key: str, amount: object = "1", **fields: object) -> dict[str, object]:
    return {"customer": customer, "creditType": "ai", "amount": amount, "idempotencyKey": key, **fields}


async def version(client: Client, customer: str) -> int:
    return int((await client.balance(customer))["version"])


async def requests_of_each_verb(client: Client, customer: str) -> list[tuple[str, dict[str, object]]]:
    """One request of each verb that takes a key, each of which will be granted."""
    holds = [
        (await client.must("hold", **spend(customer, f"for-{verb}", "3")))["hold"]["id"]
        for verb in ("settle", "release")
    ]
    return [
        ("grantCredits", spend(customer, "k1", "5")),
        ("burn", spend(customer, "k2", "2")),
        ("hold", spend(customer, "k3", "2", ttl="PT5M")),
        ("settle", {"hold": holds[0], "amount": "2", "idempotencyKey": "k4"}),
        ("release", {"hold": holds[1], "idempotencyKey": "k5"}),
    ]


def first_answer(reply: Reply) -> object:
    """What must be the same each time: the entry where there is one, else the hold's identity."""
    return reply.answer.get("entry") or reply["hold"]["id"]


async def test_a_repeat_gets_the_first_answer_and_the_present_balance(client):
    customer = await fresh(client, "repeater")
    for verb, fields in await requests_of_each_verb(client, customer):
        first = await client.must(verb, **fields)
        await client.must("burn", **spend(customer, f"between-{verb}", "1"))
        before = await version(client, customer)
        again = await client.must(verb, **fields)
        assert (first["replayed"], again["replayed"]) == (False, True), verb
        assert first_answer(again) == first_answer(first), verb
        assert again["balance"]["version"] == before, f"{verb}: not the present balance"
        assert await version(client, customer) == before, f"{verb}: a repeat wrote something"


async def test_thirty_two_at_once_have_one_effect_and_equal_answers(world, client):
    customer = await fresh(client, "crowd")
    callers = [await world.client() for _ in range(32)]
    for verb, fields in await requests_of_each_verb(client, customer):
        before = await version(client, customer)
        replies = await asyncio.gather(*(each.must(verb, **fields) for each in callers))
        assert len({str(first_answer(reply)) for reply in replies}) == 1, verb
        assert sum(not reply["replayed"] for reply in replies) == 1, verb
        assert await version(client, customer) == before + 1, verb


async def test_another_payload_is_a_conflict_and_changes_nothing(client):
    customer = await fresh(client, "changer")
    other = await fresh(client, "changer-two")
    hold = (await client.must("hold", **spend(other, "other-hold", "1")))["hold"]["id"]
    cases = {
        "grantCredits": [
            {"amount": "6"},
            {"creditType": "oldest"},
            {"priority": 10},
            {"source": "PURCHASE"},
            {"expiresAt": "2099-01-01T00:00:00Z"},
            {"costBasis": {"amount": "1", "currency": "USD"}},
            {"note": "another"},
            {"metadata": {"order": 7}},
        ],
        "burn": [
            {"amount": "3"},
            {"creditType": "oldest"},
            {"note": "x"},
            {"member": "m"},
            {"creditType": None, "amount": None, "feature": "input-tokens", "quantity": "2000"},
        ],
        "hold": [{"amount": "3"}, {"ttl": "PT6M"}, {"member": "m"}],
        "settle": [{"amount": "1"}, {"partial": True}],
        "release": [{"hold": hold}],
    }
    for verb, fields in await requests_of_each_verb(client, customer):
        await client.must(verb, **fields)
        before = await version(client, customer)
        for change in cases[verb]:
            if verb == "release":  # keys are per customer: the other's key is free, so a hold of its own is asked for
                continue
            reply = await client.put(verb, **{**fields, **change})
            assert reply.code == "IDEMPOTENCY_CONFLICT", (verb, change, reply)
            first_seen = datetime.fromisoformat(reply.answer["firstSeenAt"])
            assert first_seen <= datetime.fromisoformat(await client.now())
        # The same key for another verb is another payload too.
        crossed = await client.put("burn", **spend(customer, str(fields["idempotencyKey"]), "1.5"))
        assert crossed.code == "IDEMPOTENCY_CONFLICT", verb
        assert await version(client, customer) == before, verb


async def test_keys_are_per_customer_and_per_workspace(world, other_world, client):
    elsewhere = await other_world.client()
    for each, name in ((client, "neighbour-a"), (client, "neighbour-b"), (elsewhere, "neighbour-a")):
        await fresh(each, name)
        reply = await each.must("burn", **spend(name, "shared", "1"))
        assert reply["replayed"] is False
        assert micro((await each.balance(name))["available"]) == micro("99")


async def test_a_refusal_does_not_use_up_its_key_but_a_deadline_ends_it(client):
    customer = await fresh(client, "short", "1")
    request = spend(customer, "later", "5")
    assert (await client.put("burn", **request)).code == "INSUFFICIENT_CREDITS"
    assert (await client.put("burn", **request)).code == "INSUFFICIENT_CREDITS"
    await give(client, customer, "10", "top-up")
    assert (await client.must("burn", **request))["replayed"] is False
    past = (datetime.fromisoformat(await client.now()) - timedelta(seconds=1)).isoformat()
    for verb in ("burn", "hold"):
        late = await client.put(verb, **spend(customer, f"late-{verb}", "1", notAfter=past))
        assert late.code == "TOO_LATE", verb
    # Replay comes before the deadline: what has happened is told, however late one asks.
    assert (await client.must("burn", **{**request, "notAfter": past}))["replayed"] is True


KEYS = [
    ("", False),
    ("a" * 255, True),
    ("a" * 256, False),
    ("with blank", False),
    (" lead", False),
    ("trail ", False),
    ("nul\0", False),
    ("tab\t", False),
    ("line\n", False),
    ("ünïcödé-🙂", True),
    ("!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\", True),
]


@pytest.mark.parametrize(("key", "taken"), KEYS, ids=[repr(key[:12]) for key, _ in KEYS])
async def test_a_key_is_one_to_255_visible_characters(client, key, taken):
    customer = await fresh(client, f"keys-{KEYS.index((key, taken))}")
    reply = await client.put("burn", **spend(customer, key, "1"))
    if taken:
        assert reply.ok, reply
        assert (await client.must("burn", **spend(customer, key, "1")))["replayed"] is True
        (entry,) = [each for each in await client.ledger(customer) if each["kind"] == "BURN"]
        assert entry["idempotencyKey"] == key
    else:
        assert reply.code in ("INVALID_INPUT", "BAD_USER_INPUT", "BAD_REQUEST"), reply


async def test_keys_that_only_look_alike_are_different(client):
    customer = await fresh(client, "alike")
    keys = ["key", "Key", "k\u0435y", "key\u200d", "\ufb01", "fi", "\u00e9", "e\u0301", "K", "\u212a"]
    replies = [await client.put("burn", **spend(customer, key, "1")) for key in keys]
    took = [key for key, reply in zip(keys, replies, strict=True) if reply.ok]
    assert all(reply["replayed"] is False for reply in replies if reply.ok)
    assert {"key", "Key", "k\u0435y", "\ufb01", "fi", "\u00e9", "e\u0301", "K", "\u212a"} <= set(took)
    assert micro((await client.balance(customer))["burned"]) == micro(str(len(took)))


MEANT_ALIKE = [
    ("burn", {"amount": "1"}, {"amount": "1.0"}),
    ("burn", {"amount": "1"}, {"amount": 1}),
    ("burn", {"amount": "01.500"}, {"amount": "1.5"}),
    ("burn", {"note": None}, {}),
    ("burn", {"member": None, "occurredAt": None}, {}),
    ("hold", {"ttl": "PT15M"}, {}),
    ("grantCredits", {"priority": 50}, {}),
    ("grantCredits", {"source": "MANUAL"}, {}),
    ("grantCredits", {"expiresAt": "2099-06-01T12:00:00Z"}, {"expiresAt": "2099-06-01T14:00:00.000+02:00"}),
    ("grantCredits", {"metadata": {"a": 1, "b": [2]}}, {"metadata": {"b": [2], "a": 1}}),
    ("burn", {"note": "n"}, {"notAfter": "2099-01-01T00:00:00Z", "note": "n"}),
]


@pytest.mark.parametrize(("verb", "one", "other"), MEANT_ALIKE)
async def test_a_payload_is_compared_by_what_it_means(client, verb, one, other):
    customer = await fresh(client, f"meaning-{MEANT_ALIKE.index((verb, one, other))}")
    first = await client.must(verb, **{**spend(customer, "k", "1"), **one})
    again = await client.must(verb, **{**spend(customer, "k", "1"), **other})
    assert (first["replayed"], again["replayed"]) == (False, True)


async def test_dimensions_in_another_order_and_a_default_left_out_mean_the_same(client):
    customer = await fresh(client, "dimensions")
    base = {"customer": customer, "feature": "input-tokens", "quantity": "1000", "idempotencyKey": "k"}
    await client.must("burn", **base, dimensions={"model": "chat", "region": "eu"})
    again = await client.must("burn", **{**base, "quantity": "1000.0"}, dimensions={"region": "eu", "model": "chat"})
    assert again["replayed"] is True
    partial = await hold_of(client, customer)
    await client.must("settle", hold=partial, amount="1", idempotencyKey="s")
    assert (await client.must("settle", hold=partial, amount="1", partial=False, idempotencyKey="s"))[
        "replayed"
    ] is True


async def hold_of(client: Client, customer: str) -> str:
    return str((await client.must("hold", **spend(customer, "a-hold", "2")))["hold"]["id"])


async def test_one_key_twice_in_a_batch_is_a_replay_or_a_conflict(client):
    customer = await fresh(client, "batch")
    inputs = [
        spend(customer, "a", "1"),
        spend(customer, "a", "1"),
        spend(customer, "a", "2"),
        spend(customer, "b", "1"),
        spend(customer, "", "1"),
        spend("nobody", "c", "1"),
        spend(customer, "d", "1000"),
        spend(customer, "e", "1"),
    ]
    answers = (await client.act("burnMany", inputs=inputs)).items
    told = [answer.get("code") or answer["replayed"] for answer in answers]
    conflict = "IDEMPOTENCY_CONFLICT"
    expected = [False, True, conflict, False, "INVALID_INPUT", "NOT_FOUND", "INSUFFICIENT_CREDITS", False]
    assert told == expected
    assert answers[0]["entry"] == answers[1]["entry"]
    grants = [spend(customer, "g", "1"), spend(customer, "g", "1"), spend(customer, "g", "2")]
    told = [each.get("code") or each["replayed"] for each in (await client.act("grantMany", inputs=grants)).items]
    assert told == [False, True, conflict]


async def test_a_batch_beyond_a_thousand_is_refused_as_a_whole(client):
    customer = await fresh(client, "too-many")
    inputs = [spend(customer, f"k{i}", "0.001") for i in range(1_001)]
    reply = await client.act("burnMany", inputs=inputs)
    assert not reply.ok or {each.get("code") for each in reply.items} == {"INVALID_INPUT"}, reply
    assert await version(client, customer) == 1
    whole = await client.act("burnMany", inputs=inputs[:1_000])
    assert [each["__typename"] for each in whole.items] == ["BurnOk"] * 1_000


async def test_a_retry_across_an_expiry_and_a_price_change_is_told_what_happened_first(client):
    now = datetime.fromisoformat(await client.now())
    expires = (now + timedelta(days=2)).isoformat()
    cohort = {"cohort": "travellers", "rates": CATALOG["rateCards"][0]["rates"]}
    await extend_catalog(client, rateCards=[cohort])
    await client.must("upsertCustomer", key="time-traveller", cohort="travellers")
    customer = await fresh(client, "time-traveller", expiresAt=expires)
    burn = {"customer": customer, "feature": "input-tokens", "quantity": "1000", "idempotencyKey": "rated"}
    hold = spend(customer, "held", "3", ttl="PT1H")
    first, held = await client.must("burn", **burn), await client.must("hold", **hold)
    dearer = {"cohort": "travellers", "existing": "follow", "rates": [dict(r, perUnit="5") for r in cohort["rates"]]}
    await extend_catalog(client, rateCards=[dearer])
    await client.must("advanceClock", to=(now + timedelta(days=3)).isoformat())
    again = await client.must("burn", **burn)
    assert (again["replayed"], again["entry"]) == (True, first["entry"])
    assert micro(again["balance"]["available"]) == 0
    lapsed = await client.must("hold", **hold)
    assert (lapsed["replayed"], lapsed["hold"]["id"]) == (True, held["hold"]["id"])
    # Nothing is evaluated again: no credits are left, and yet it is no refusal.
    assert (await client.put("burn", **spend(customer, "new", "1"))).code == "INSUFFICIENT_CREDITS"


@pytest.mark.parametrize("later", [timedelta(hours=25), timedelta(days=90), timedelta(days=400)])
async def test_keys_live_as_long_as_their_entry(client, later):
    customer = await fresh(client, f"old-{later.days}")
    request = spend(customer, "k", "1")
    first = await client.must("burn", **request)
    now = datetime.fromisoformat(await client.now())
    await client.must("advanceClock", to=(now + later).isoformat())
    again = await client.must("burn", **request)
    assert (again["replayed"], again["entry"]) == (True, first["entry"])
    assert (await client.put("burn", **spend(customer, "k", "2"))).code == "IDEMPOTENCY_CONFLICT"
