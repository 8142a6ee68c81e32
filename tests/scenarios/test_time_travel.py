"""The past through the front door: balances at an instant, why they changed, and a sentence for every entry."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.harness.client import Client, Json, QueryFailed
from tests.harness.server import Server
from tests.harness.world import give
from tests.scenarios.conftest import World, new_world

DAY = timedelta(days=1)
_BALANCE = """query($key: String!, $at: DateTime, $known: DateTime) { customer(key: $key) {
  balance(creditType: "ai", at: $at, knownAt: $known) {
    balance held available granted burned expired overdraftLimit version asOf buckets { amount source expiresAt } } } }"""
_EXPLAIN = """query($key: String!, $from: DateTime!, $to: DateTime!, $type: String = "ai") { customer(key: $key) {
  explain(creditType: $type, from: $from, to: $to) { creditType { key } from to opening closing
    lines { kind label feature { key } source count amount } } } }"""
_RUNWAY = """query($key: String!, $type: String = "ai") { customer(key: $key) {
  runway(creditType: $type) { creditType { key } dailyBurn runsOutAt projectedExpiryLoss suggestedBundle { key } basis }
  expirations(creditType: $type, within: "P10Y") { amount projectedLoss grant { amount } } } }"""
_SENTENCES = """query($key: String!) { customer(key: $key) { ledger(first: 500) { edges { node {
  kind explanation idempotencyKey event { eventId } feature { key } rate { version match } actor { kind } } } } } }"""


async def look(client: Client, key: str, at: datetime | None = None, known: datetime | None = None) -> Json:
    found = await client.ask(_BALANCE, key=key, at=at and at.isoformat(), known=known and known.isoformat())
    balance: Json = found["customer"]["balance"]
    return balance


async def why(client: Client, key: str, since: datetime, until: datetime, **more: Any) -> Json:
    """The explanation, which must add up."""
    window = {"from": since.isoformat(), "to": until.isoformat()}
    told: Json = (await client.ask(_EXPLAIN, key=key, **window, **more))["customer"]["explain"]
    assert Decimal(told["opening"]) + sum(Decimal(line["amount"]) for line in told["lines"]) == Decimal(told["closing"])
    return told


async def now_of(client: Client) -> datetime:
    return datetime.fromisoformat(await client.now())


async def tokens(client: Client, key: str, quantity: str, n: str, **more: Any) -> None:
    usage = {"feature": "input-tokens", "quantity": quantity, "idempotencyKey": f"{key}-{n}"}
    await client.must("burn", customer=key, **usage, **more)


async def test_a_balance_as_it_was_as_we_knew_it_then_and_as_it_will_be(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="past")
    begin = await now_of(client)
    await give(client, "past", "500", "g1", source="PLAN", expiresAt=(begin + 30 * DAY).isoformat())
    given = await now_of(client)
    await client.must("advanceClock", to=(begin + 2 * DAY).isoformat())
    await tokens(client, "past", "10000", "late", occurredAt=(begin + DAY).isoformat())
    assert (await look(client, "past", begin))["balance"] == "0"
    assert (await look(client, "past", begin + DAY))["balance"] == "490"
    assert (await look(client, "past", begin + DAY, given))["balance"] == "500"
    assert (await look(client, "past", known=given))["burned"] == "0"
    ahead = await look(client, "past", begin + 30 * DAY)
    assert (ahead["balance"], ahead["expired"], ahead["buckets"]) == ("0", "490", [])
    assert datetime.fromisoformat(ahead["asOf"]) == begin + 30 * DAY
    later = await look(client, "past", begin + DAY, await now_of(client) + 1000 * DAY)
    assert later == await look(client, "past", begin + DAY), "nothing more is known than now"
    bucket = (await look(client, "past", begin + DAY))["buckets"][0]
    assert (bucket["amount"], bucket["source"]) == ("490", "PLAN")


async def test_why_adds_up_between_any_two_instants(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="why")
    begin = await now_of(client)
    await give(client, "why", "100", "g1", source="PLAN", expiresAt=(begin + DAY).isoformat())
    await give(client, "why", "50", "g2", source="PURCHASE")
    await tokens(client, "why", "20000", "b1")
    await tokens(client, "why", "374", "b2")
    end = begin + 2 * DAY
    told = await why(client, "why", begin, end)
    assert [(line["kind"], line["label"], line["source"], line["count"], line["amount"]) for line in told["lines"]] == [
        ("GRANT", "Plan credits", "PLAN", 1, "100"),
        ("GRANT", "Purchased credits", "PURCHASE", 1, "50"),
        ("BURN", "Input tokens", None, 2, "-20.374"),
        ("EXPIRE", "Expired: plan credits", "PLAN", 1, "-79.626"),
    ]
    assert (told["opening"], told["closing"], told["creditType"]["key"]) == ("0", "50", "ai")
    assert [told["lines"][2]["feature"]["key"], datetime.fromisoformat(told["to"])] == ["input-tokens", end]
    moments = [begin - DAY, begin, await now_of(client), begin + DAY, end]
    for since in moments:
        for until in moments:
            if since <= until:
                part = await why(client, "why", since, until)
                opening = await look(client, "why", since - timedelta(microseconds=1))
                assert part["opening"] == opening["balance"]
    assert (await why(client, "why", end, end))["lines"] == []
    assert (await why(client, "why", begin, end, type="oldest"))["lines"] == []


async def test_what_cannot_be_asked_is_an_input_error_that_names_the_argument(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="asks")
    now = await now_of(client)
    with pytest.raises(QueryFailed, match="to: lies before from"):
        await why(client, "asks", now, now - DAY)
    for document in (_RUNWAY, _EXPLAIN):
        with pytest.raises(QueryFailed, match="creditType: no credit type 'nothing'"):
            await client.ask(document, key="asks", type="nothing", **{"from": now.isoformat(), "to": now.isoformat()})
    for instant in ("infinity", "now", "2016-12-31T23:59:60Z", "2026-01-01", "1e9"):
        with pytest.raises(QueryFailed, match="at"):
            await client.ask(_BALANCE, key="asks", at=instant)
    assert (await look(client, "asks", datetime.fromisoformat("9999-12-31T23:59:59.999999+00:00")))["balance"] == "0"


async def test_how_long_credits_last(world: World):
    client = await world.client()
    await client.must("upsertCustomer", key="lasts")
    begin = await now_of(client)
    await give(client, "lasts", "100", "g1", expiresAt=(begin + 5 * DAY).isoformat())
    await give(client, "lasts", "1000", "g2")
    empty = (await client.ask(_RUNWAY, key="lasts"))["customer"]["runway"]
    assert (empty["dailyBurn"], empty["runsOutAt"], empty["basis"]) == ("0", None, "no usage in the last 28 days")
    assert (empty["projectedExpiryLoss"], empty["suggestedBundle"]) == ("100", None)
    await tokens(client, "lasts", "10000", "b1")
    told = (await client.ask(_RUNWAY, key="lasts"))["customer"]
    assert (told["runway"]["dailyBurn"], told["runway"]["basis"]) == (
        "10",
        "mean of the 1 day with usage in the last 28",
    )
    loss = Decimal(told["runway"]["projectedExpiryLoss"])
    assert 40 < loss < 41, "90 are left, almost 50 burn in the five days"
    assert [Decimal(item["projectedLoss"]) for item in told["expirations"]] == pytest.approx([loss], abs=Decimal("0.1"))
    out = datetime.fromisoformat(told["runway"]["runsOutAt"])
    assert begin + 104 * DAY < out < begin + 106 * DAY


async def test_every_entry_says_why_in_one_query(server: Server):
    """R20: each has its event, order or operator, and burns the price that made them."""
    async with new_world(server) as own:
        client = await own.client()
        await client.must("upsertCustomer", key="court", timezone="America/New_York")
        begin = await now_of(client)
        await give(client, "court", "500", "g1", source="PLAN", expiresAt="2099-01-31T06:00:00Z")
        await give(client, "court", "5", "g2", expiresAt=(begin + DAY).isoformat())
        event = {"specversion": "1.0", "id": "e1", "source": "s", "type": "llm.tokens", "subject": "court"}
        await client.send_events([event | {"data": {"input_tokens": 374, "output_tokens": 2}}])
        hold = await client.must("hold", customer="court", creditType="ai", amount="10", idempotencyKey="h1")
        await client.must("settle", hold=hold["hold"]["id"], amount="4", idempotencyKey="s1")
        lapsing = await client.must("hold", customer="court", creditType="ai", amount="1", idempotencyKey="h2")
        await client.must("advanceClock", to=(begin + 2 * DAY).isoformat())
        found = (await client.ask(_SENTENCES, key="court"))["customer"]["ledger"]["edges"]
        nodes = [edge["node"] for edge in found][::-1]
        assert lapsing.ok
        kinds = [node["kind"] for node in nodes]
        assert kinds == ["GRANT", "GRANT", "BURN", "BURN", "HOLD", "SETTLE", "HOLD", "LAPSE", "EXPIRE"]
        by_kind = {node["kind"]: node["explanation"] for node in reversed(nodes)}
        assert by_kind["GRANT"] == "500 credits from the plan, expiring Jan 31, 2099"
        assert by_kind["BURN"].startswith(
            "374 tokens of Input tokens at 0.001 credits each, from 5 credits that expire"
        )
        assert by_kind["LAPSE"] == "Free again, because the time for it ran out: 1 credit that had been set aside"
        for node in nodes:
            by_whom = node["idempotencyKey"] or node["event"] or node["actor"]["kind"] == "SYSTEM"
            assert by_whom, node
            assert node["explanation"], node
            if node["kind"] == "BURN":
                assert (node["event"]["eventId"], node["rate"]["version"]) == ("e1", 1)


async def test_a_customers_token_sees_its_own_past_within_its_scopes(world: World):
    client = await world.client()
    for key in ("mine", "theirs"):
        await client.must("upsertCustomer", key=key)
        await give(client, key, "7", f"{key}-g")
    now = await now_of(client)
    made = await client.must("createEmbedToken", customer="mine", scopes=["balance:read"])
    token = await world.client(secret=made["token"])
    assert (await look(token, "mine", now))["balance"] == "7"
    assert (await token.ask(_BALANCE, key="theirs", at=now.isoformat()))["customer"] is None
    with pytest.raises(QueryFailed, match="ledger:read"):
        await why(token, "mine", now, now)
    assert (await token.ask(_RUNWAY, key="mine"))["customer"]["runway"]["basis"]
