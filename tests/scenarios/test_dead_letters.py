"""What could not burn waits for an operator: tried again once it can, or given up, and never burned twice."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.client import Client, Json, QueryFailed
from tests.harness.world import give
from tests.model.rating import micro

RETRY = """mutation($ids: [ID!]!, $late: Boolean) { retryDeadLetters(ids: $ids, acceptLate: $late) {
  accepted duplicates rejected { index id outcome message } } }"""
DISCARD = """mutation($ids: [ID!]!, $note: String!) { discardDeadLetters(ids: $ids, note: $note) {
  accepted duplicates rejected { index id outcome message } } }"""
LETTERS = """query($outcome: EventOutcome) { deadLetters(outcome: $outcome, first: 500) { edges { node {
  id outcome message customer attempts resolvedAt event } } } }"""
CUTOFF = """mutation($cutoff: String, $customer: String) { setLateEventCutoff(cutoff: $cutoff, customer: $customer) {
  __typename ... on LateEventCutoffOk { cutoff } ... on Refusal { code message } ... on InvalidInput { field } } }"""


@pytest.fixture
async def client(world: Any) -> Client:
    opened: Client = await world.client()
    return opened


async def customer_of(client: Client) -> str:
    key = f"c-{uuid4()}"
    await client.must("upsertCustomer", key=key)
    return key


def usage(event_id: str, subject: str, **more: Any) -> Json:
    data = {"model": "chat", "input_tokens": 100, "output_tokens": 10}
    return {"id": event_id, "source": f"s-{event_id}", "type": "llm.tokens", "subject": subject, "data": data, **more}


async def dead(client: Client, customer: str, outcome: str | None = None) -> list[Json]:
    found = await client.ask(LETTERS, outcome=outcome)
    return [edge["node"] for edge in found["deadLetters"]["edges"] if edge["node"]["customer"] == customer]


async def retry(client: Client, *ids: str, late: bool = False) -> Json:
    answer: Json = (await client.ask(RETRY, ids=list(ids), late=late))["retryDeadLetters"]
    return answer


async def test_an_event_of_an_unknown_customer_burns_once_it_is_known_and_tried_again(client: Client) -> None:
    key = f"c-{uuid4()}"
    event = usage(str(uuid4()), key)
    await client.must("ingestEvents", events=[event])
    (letter,) = await dead(client, key)
    assert (letter["outcome"], letter["attempts"]) == ("UNKNOWN_CUSTOMER", 1)
    again = await retry(client, letter["id"])
    assert again["rejected"] == [
        {"index": 0, "id": letter["id"], "outcome": "UNKNOWN_CUSTOMER", "message": f"no customer {key!r}"}
    ]
    await client.must("upsertCustomer", key=key)
    await give(client, key, "1000", "opening")
    assert await retry(client, letter["id"]) == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert await dead(client, key) == []
    burned = micro((await client.balance(key))["burned"])
    assert burned > 0
    assert await retry(client, letter["id"]) == {"accepted": 0, "duplicates": 1, "rejected": []}
    assert micro((await client.balance(key))["burned"]) == burned
    found = await client.event(event["source"], event["id"])
    assert found is not None
    assert found["outcome"] == "BURNED"


async def test_thirty_two_operators_who_try_one_letter_at_once_burn_it_once(world: Any, client: Client) -> None:
    key = f"c-{uuid4()}"
    await client.must("ingestEvents", events=[usage(str(uuid4()), key)])
    (letter,) = await dead(client, key)
    await client.must("upsertCustomer", key=key)
    await give(client, key, "1000", "opening")
    operators = [await world.client() for _ in range(32)]
    answers = await asyncio.gather(*(retry(each, letter["id"]) for each in operators))
    assert sum(answer["accepted"] for answer in answers) == 1
    assert sum(answer["duplicates"] for answer in answers) == 31
    assert [entry["kind"] for entry in await client.ledger(key)].count("BURN") == 2, "input and output, once"


async def test_what_is_given_up_stays_given_up_with_its_reason(client: Client) -> None:
    key = await customer_of(client)
    await client.must("ingestEvents", events=[usage(str(uuid4()), key, type="unheard.of")])
    (letter,) = await dead(client, key)
    unknown = f"evt_{uuid4().hex}"
    answer = (await client.ask(DISCARD, ids=[letter["id"], unknown, "nonsense"], note="a test event"))[
        "discardDeadLetters"
    ]
    assert [(each["index"], each["outcome"]) for each in answer["rejected"]] == [
        (0, "DISCARDED"),
        (1, "INVALID"),
        (2, "INVALID"),
    ]
    assert await dead(client, key) == []
    (given_up,) = await dead(client, key, "DISCARDED")
    assert given_up["resolvedAt"] is not None
    assert "a test event" in given_up["message"]
    again = await retry(client, letter["id"])
    assert (again["accepted"], again["rejected"][0]["outcome"]) == (0, "DISCARDED")


async def test_giving_up_says_why(client: Client) -> None:
    key = f"c-{uuid4()}"
    await client.must("ingestEvents", events=[usage(str(uuid4()), key)])
    (letter,) = await dead(client, key)
    with pytest.raises(QueryFailed, match="note"):
        await client.ask(DISCARD, ids=[letter["id"]], note="  ")
    assert len(await dead(client, key)) == 1


async def test_usage_past_the_cutoff_burns_when_it_is_accepted_and_where_it_belongs(client: Client) -> None:
    key = await customer_of(client)
    now = await client.now()
    old = (_instant(now) - timedelta(days=30)).isoformat()
    await client.must("ingestEvents", events=[usage(str(uuid4()), key, time=old)])
    await give(client, key, "1000", "opening")
    (letter,) = await dead(client, key, "LATE")
    assert (await retry(client, letter["id"]))["rejected"][0]["outcome"] == "LATE"
    assert (await retry(client, letter["id"], late=True))["accepted"] == 1
    burn = next(entry for entry in await client.ledger(key) if entry["kind"] == "BURN")
    assert (burn["late"], _instant(burn["occurredAt"])) == (True, _instant(old))


async def test_a_customers_own_cutoff_is_kept_and_shown(client: Client) -> None:
    key, other = await customer_of(client), await customer_of(client)
    ask = "query($key: String!) { customer(key: $key) { lateEventCutoff } }"
    assert (await client.ask(CUTOFF, cutoff="PT36H", customer=key))["setLateEventCutoff"]["cutoff"] == "PT129600S"
    assert (await client.ask(ask, key=key))["customer"]["lateEventCutoff"] == "PT129600S"
    assert (await client.ask(ask, key=other))["customer"]["lateEventCutoff"] == "P7D"
    time = (_instant(await client.now()) - timedelta(days=3)).isoformat()
    sent = await client.must("ingestEvents", events=[usage(str(uuid4()), each, time=time) for each in (key, other)])
    assert [(each["index"], each["outcome"]) for each in sent["rejected"]] == [(0, "LATE")]
    assert (await client.ask(CUTOFF, cutoff=None, customer=key))["setLateEventCutoff"]["cutoff"] is None
    for wrong in ("P2Y", "soon", "PT0.5S", "-P1D"):
        refused = (await client.ask(CUTOFF, cutoff=wrong, customer=key))["setLateEventCutoff"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "cutoff")
    missing = (await client.ask(CUTOFF, cutoff="P1D", customer="nobody"))["setLateEventCutoff"]
    assert missing["code"] == "NOT_FOUND"


def _instant(text: str) -> datetime:

    return datetime.fromisoformat(text)
