"""Usage over HTTP: durable, counted once, one bad event rejects itself alone (faults.md E1 to E3, E8 to E11).

E3 (deduplicated but not burned) is asked for under kill -9 in `test_crash.py`.
"""

import asyncio
import json
import time
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.harness.client import EVENT_TYPES, Client, Json
from tests.harness.wire import Response
from tests.harness.world import PER_INPUT, PER_OUTPUT, SCALE, extend_catalog, give
from tests.model.rating import micro, rated_micro

REVOKED_WITHIN_S = 3.0
BURNED_WITHIN_S = 10.0  # the contract says a second; a busy machine gets more before the test gives up


@pytest.fixture
async def client(world):
    return await world.client()


async def customer_of(client: Client, name: str, amount: str = "1000") -> str:
    await client.must("upsertCustomer", key=name)
    await give(client, name, amount, "opening")
    return name


def usage(event_id: str, subject: str, **data: Any) -> Json:
    data = data or {"model": "chat", "input_tokens": 100, "output_tokens": 10}
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "test",
        "type": "llm.tokens",
        "subject": subject,
        "data": data,
    }


def cost(event: Json) -> int:
    data = event["data"]
    return rated_micro(str(data["input_tokens"]), PER_INPUT, scale=SCALE) + rated_micro(
        str(data["output_tokens"]), PER_OUTPUT, scale=SCALE
    )


def told(response: Response) -> tuple[int, int, list[tuple[int, str | None, str]]]:
    """(accepted, duplicates, rejected) of an answer that must be 202."""
    assert response.status == 202, (response.status, response.body[:300])
    body = orjson.loads(response.body)
    rejected = [(each["index"], each["id"], each["outcome"]) for each in body["rejected"]]
    return body["accepted"], body["duplicates"], rejected


async def burned(client: Client, customer: str, amount: int) -> None:
    """Waits until exactly that many micro-credits have burned; more is as wrong as less."""
    until = time.monotonic() + BURNED_WITHIN_S
    while True:
        found = micro((await client.balance(customer))["burned"])
        if found == amount:
            return
        assert found < amount, f"{found} burned, only {amount} should"
        assert time.monotonic() < until, f"{found} burned of {amount} after {BURNED_WITHIN_S} s"
        await asyncio.sleep(0.05)


async def outcome(client: Client, event_id: str, source: str = "test") -> str | None:
    found = await client.event(source, event_id)
    return None if found is None else str(found["outcome"])


@pytest.mark.parametrize("form", ["one", "batch", "lines"])
async def test_each_content_type_is_taken_and_burned(client, form):
    customer = await customer_of(client, f"form-{form}")
    events = [usage(f"{form}-{i}", customer, input_tokens=1000 + i, output_tokens=i) for i in range(7)]
    if form == "one":
        for event in events:
            assert told(await client.send_events([event], "one")) == (1, 0, [])
    else:
        assert told(await client.send_events(events, form)) == (7, 0, [])
    await burned(client, customer, sum(map(cost, events)))
    found = await client.event("test", events[3]["id"])
    assert found is not None
    assert (found["outcome"], found["type"], found["data"]) == ("BURNED", "llm.tokens", events[3]["data"])
    assert sum(micro(entry["amount"]) for entry in found["entries"]) == -cost(events[3])


async def test_another_content_type_is_refused(client):
    for content_type in ("text/plain", "application/json+x", "application/xml"):
        response = await client.post("/v1/events", b"[]", content_type)
        assert response.status in (400, 415), (content_type, response.status)


async def test_the_same_source_and_id_count_once_however_they_come(client):
    customer = await customer_of(client, "twice")
    event = usage("d1", customer)
    assert told(await client.send_events([event, event])) == (1, 1, [])
    assert told(await client.send_events([event], "lines")) == (0, 1, [])
    reply = await client.act("ingestEvents", events=[{k: v for k, v in event.items() if k != "specversion"}])
    assert (reply["accepted"], reply["duplicates"]) == (0, 1)
    other_source = {**event, "source": "elsewhere"}
    assert told(await client.send_events([other_source])) == (1, 0, [])
    await burned(client, customer, 2 * cost(event))


async def test_the_same_id_from_many_connections_at_once_counts_once(world, client):
    customer = await customer_of(client, "race")
    senders = [await world.client() for _ in range(16)]
    events = [usage(f"race-{i}", customer) for i in range(20)]
    answers = [told(each) for each in await asyncio.gather(*(sender.send_events(events) for sender in senders))]
    assert sum(accepted for accepted, _, _ in answers) == 20
    assert sum(duplicates for _, duplicates, _ in answers) == 15 * 20
    await burned(client, customer, sum(map(cost, events)))


async def test_the_same_id_with_other_content_is_rejected_and_the_first_stands(client):
    customer = await customer_of(client, "contradiction")
    first = usage("c1", customer)
    changed = usage("c1", customer, model="chat", input_tokens=5, output_tokens=5)
    assert told(await client.send_events([first, changed])) == (1, 0, [(1, "c1", "INVALID")])
    assert told(await client.send_events([changed])) == (0, 0, [(0, "c1", "INVALID")])
    await burned(client, customer, cost(first))
    assert await outcome(client, "c1") == "BURNED"


def poisons(customer: str) -> dict[str, tuple[Any, set[str]]]:
    """What must reject itself alone: the event as JSON value, and the outcomes it may get."""
    good = usage("?", customer)
    deep: Any = 1
    for _ in range(200):
        deep = {"d": deep}
    invalid = {"INVALID"}
    return {
        "no-type": ({k: v for k, v in good.items() if k != "type"}, invalid),
        "no-source": ({k: v for k, v in good.items() if k != "source"}, invalid),
        "no-subject": ({k: v for k, v in good.items() if k != "subject"}, invalid),
        "type-is-a-number": ({**good, "type": 7}, invalid),
        "data-is-a-list": ({**good, "data": []}, invalid),
        "no-quantity": ({**good, "data": {"model": "chat", "output_tokens": 1}}, invalid),
        "negative": ({**good, "data": {"input_tokens": -1, "output_tokens": 1}}, invalid),
        "text-quantity": ({**good, "data": {"input_tokens": "NaN", "output_tokens": 1}}, invalid),
        "null-quantity": ({**good, "data": {"input_tokens": None, "output_tokens": 1}}, invalid),
        "huge-quantity": ({**good, "data": {"input_tokens": 10**30, "output_tokens": 1}}, invalid),
        "time-is-nonsense": ({**good, "time": "yesterday"}, invalid),
        "nul": ({**good, "data": {"input_tokens": 1, "output_tokens": 1, "note": "a\0b"}}, invalid),
        "deep": ({**good, "data": {"input_tokens": 1, "output_tokens": 1, "deep": deep}}, invalid),
        "not-an-object": (17, invalid),
        "unknown-type": ({**good, "type": "nobody.meters.this"}, {"UNKNOWN_TYPE"}),
        "unknown-customer": ({**good, "subject": "who-is-this"}, {"UNKNOWN_CUSTOMER"}),
    }


@pytest.mark.parametrize("form", ["batch", "lines"])
async def test_one_poisoned_event_among_a_thousand_rejects_itself_alone(client, form):
    customer = await customer_of(client, f"poisoned-{form}", "100000")
    bad = poisons(customer)
    events: list[Any] = [usage(f"{form}-good-{i}", customer) for i in range(1_000 - len(bad))]
    places = {}
    for number, (name, (event, outcomes)) in enumerate(bad.items()):
        place = number * 61 + 7
        named = {**event, "id": f"{form}-{name}"} if isinstance(event, dict) else event
        events.insert(place, named)
        places[place] = outcomes
    accepted, duplicates, rejected = told(await client.send_events(events, form))
    assert (accepted, duplicates) == (1_000 - len(bad), 0)
    assert {index for index, _, _ in rejected} == set(places)
    assert all(found in places[index] for index, _, found in rejected), rejected
    await burned(client, customer, accepted * cost(usage("", customer)))
    letters = [letter["event"] for letter in await client.dead_letters()]
    kept = {event.get("id") for event in letters if isinstance(event, dict)}
    named = {f"{form}-{name}" for name, (event, _) in bad.items() if isinstance(event, dict) and "source" in event}
    assert named - {f"{form}-nul"} <= kept, "nothing is dropped"


async def test_lines_that_are_no_json_reject_themselves_alone(client):
    customer = await customer_of(client, "half-lines")
    good = [usage(f"hl-{i}", customer) for i in range(3)]
    lines = [json.dumps(good[0]), "{", json.dumps(good[1]), '{"id": NaN}', "", json.dumps(good[2]), '{"a": 1e999}']
    response = await client.post("/v1/events", "\n".join(lines).encode(), EVENT_TYPES["lines"])
    accepted, _, rejected = told(response)
    assert accepted == 3
    assert {found for _, _, found in rejected} == {"INVALID"}
    await burned(client, customer, sum(map(cost, good)))


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"17", b'"text"', b"[[]]", b"\xff\xfe", b"[" * 100_000])
async def test_a_batch_that_is_no_batch_is_a_plain_error(client, body):
    response = await client.post("/v1/events", body, EVENT_TYPES["batch"])
    assert response.status in (400, 202), (response.status, response.body[:200])
    if response.status == 202:
        assert orjson.loads(response.body)["accepted"] == 0


async def test_more_than_ten_thousand_events_or_ten_megabytes_are_too_large(client):
    customer = await customer_of(client, "large")
    small = json.dumps(usage("x", customer)).encode()
    too_many = b"\n".join([small] * 10_001)
    assert (await client.post("/v1/events", too_many, EVENT_TYPES["lines"])).status == 413
    padding = "x" * 1_000
    heavy = json.dumps([usage(f"h{i}", customer, input_tokens=1, output_tokens=1, pad=padding) for i in range(9_999)])
    assert len(heavy) > 10 * 1024 * 1024
    # It may be told before all of it is sent; then the connection ends, and the next request opens another.
    assert (await client.post("/v1/events", heavy.encode(), EVENT_TYPES["batch"])).status == 413
    assert await outcome(client, "h1") is None
    assert (await client.balance(customer))["version"] == 1


async def test_ten_thousand_events_in_one_request_all_burn(client):
    customer = await customer_of(client, "full", "100000")
    events = [usage(f"full-{i}", customer) for i in range(10_000)]
    assert told(await client.send_events(events, "lines")) == (10_000, 0, [])
    await burned(client, customer, 10_000 * cost(events[0]))
    assert told(await client.send_events(events, "batch")) == (0, 10_000, [])
    await burned(client, customer, 10_000 * cost(events[0]))


async def test_what_nobody_knows_yet_is_kept_as_a_dead_letter_with_its_reason(client):
    customer = await customer_of(client, "mapped")
    words = {"eventType": "gpu.seconds", "quantity": "1", "unit": "second"}
    await extend_catalog(client, features=[{"key": "unpriced", "name": "Unpriced", **words}])
    cases = {
        "UNKNOWN_CUSTOMER": usage("e11-a", "stranger"),
        "UNKNOWN_TYPE": {**usage("e11-b", customer), "type": "image.pixels"},
        "UNRATED": {**usage("e11-c", customer), "type": "gpu.seconds"},
    }
    accepted, _, rejected = told(await client.send_events(list(cases.values())))
    assert accepted == 0
    assert [found for _, _, found in rejected] == list(cases)
    found = [letter for letter in await client.dead_letters() if isinstance(letter["event"], dict)]
    letters = {letter["event"].get("id"): letter for letter in found}
    for name, event in cases.items():
        letter = letters[event["id"]]
        assert letter["outcome"] == name
        assert letter["message"]
        assert letter["event"]["data"] == event["data"]
        assert await outcome(client, event["id"]) == name
    assert (await client.balance(customer))["version"] == 1


async def test_time_decides_late_future_and_the_mark_of_lateness(client):
    customer = await customer_of(client, "times")
    now = datetime.fromisoformat(await client.now())
    offsets = {
        "t-now": (timedelta(0), None, False),
        "t-ahead": (timedelta(minutes=4), None, False),
        "t-future": (timedelta(minutes=6), "FUTURE", None),
        "t-far": (timedelta(days=3650), "FUTURE", None),
        "t-minute": (-timedelta(minutes=1), None, False),
        "t-hour": (-timedelta(hours=1), None, True),
        "t-six-days": (-timedelta(days=6, hours=23), None, True),
        "t-late": (-timedelta(days=7, minutes=1), "LATE", None),
        "t-old": (-timedelta(days=700), "LATE", None),
    }
    events = [{**usage(name, customer), "time": (now + offset).isoformat()} for name, (offset, _, _) in offsets.items()]
    accepted, _, rejected = told(await client.send_events(events))
    assert {name: found for _, name, found in rejected} == {n: o for n, (_, o, _) in offsets.items() if o}
    await burned(client, customer, accepted * cost(events[0]))
    for name, (offset, dead, late) in offsets.items():
        found = await client.event("test", name)
        assert found is not None
        if dead:
            assert (found["outcome"], found["entries"]) == (dead, [])
            continue
        assert {entry["late"] for entry in found["entries"]} == {late}, name
        assert {datetime.fromisoformat(entry["occurredAt"]) for entry in found["entries"]} == {now + offset}


async def test_two_events_at_one_instant_both_count(client):
    customer = await customer_of(client, "instant")
    now = await client.now()
    events = [{**usage(f"same-{i}", customer), "time": now} for i in range(2)]
    assert told(await client.send_events(events)) == (2, 0, [])
    await burned(client, customer, 2 * cost(events[0]))


async def test_numbers_in_data_are_the_decimals_they_are_written_as(client):
    customer = await customer_of(client, "decimals", "1000000")
    rate = [{"feature": "exact", "creditType": "ai", "perUnit": "0.001", "rounding": "DOWN"}]
    feature = {"key": "exact", "name": "Exact", "eventType": "exact.units", "quantity": "units", "unit": "unit"}
    await extend_catalog(client, features=[feature], rateCards=[{"cohort": "exact", "rates": rate}])
    await client.must("upsertCustomer", key=customer, cohort="exact")
    written = ["0.1", "0.3", "1000.999999999999", "1234567890123", "1e3", "2.50", "0.999999999999"]
    envelope = json.dumps({**usage("@id", customer, units="@units"), "type": "exact.units"})
    body = "\n".join(envelope.replace("@id", f"n{i}").replace('"@units"', text) for i, text in enumerate(written))
    accepted, _, rejected = told(await client.post("/v1/events", body.encode(), EVENT_TYPES["lines"]))
    assert {index for index, _, _ in rejected} <= {4}, "only the exponent may be refused"
    taken = [text for index, text in enumerate(written) if index not in {place for place, _, _ in rejected}]
    assert accepted == len(taken)
    exact = [rated_micro("1000" if text == "1e3" else text, "0.001", scale=SCALE, rounding="DOWN") for text in taken]
    await burned(client, customer, sum(exact))


async def test_events_burn_in_any_mode_beyond_every_limit(client):
    customer = await customer_of(client, "beyond", "0.05")
    event = usage("b1", customer)
    assert told(await client.send_events([event])) == (1, 0, [])
    await burned(client, customer, cost(event))
    balance = await client.balance(customer)
    assert micro(balance["available"]) == micro("0.05") - cost(event) < 0
    await give(client, customer, "1", "g2")
    repaid = (await client.ledger(customer))[-1]
    allocations = [(each["amount"], each["overdraft"]) for each in repaid["allocations"]]
    assert [micro(amount) for amount, overdraft in allocations if overdraft] == [cost(event) - micro("0.05")]


async def test_an_ingest_key_sends_events_and_nothing_else(world, client):
    customer = await customer_of(client, "ingested")
    key = await client.must("createApiKey", name="collector", role="INGEST")
    collector = await world.client(secret=key["secret"])
    event = usage("i1", customer)
    assert told(await collector.send_events([event])) == (1, 0, [])
    await burned(client, customer, cost(event))
    burn = await collector.put("burn", customer=customer, creditType="ai", amount="1", idempotencyKey="x")
    assert burn.outcome == "refused"
    assert burn.code in ("FORBIDDEN", "NOT_ALLOWED")
    await client.must("revokeApiKey", id=key["apiKey"]["id"])
    until = time.monotonic() + REVOKED_WITHIN_S
    while (await collector.send_events([event])).status != 401:
        assert time.monotonic() < until, "the revoked key still works"
        await asyncio.sleep(0.1)
    assert (await Client(world.url, "nonsense").send_events([event])).status == 401
