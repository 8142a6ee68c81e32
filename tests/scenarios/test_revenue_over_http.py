"""Revenue as finance asks for it over HTTP: who may, what is told, and what is refused by name."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.client import Client, QueryFailed
from tests.harness.documents import NOW
from tests.harness.server import Server
from tests.harness.world import build_world, extend_catalog, give

ROWS = "currency rows { start end creditType { key } opening sold recognized breakage refunded closing }"
REVENUE = f"""query($from: Date!, $to: Date!, $interval: Interval! = MONTH, $creditType: String, $currency: String) {{
    revenue(from: $from, to: $to, interval: $interval, creditType: $creditType, currency: $currency) {{ {ROWS} }} }}"""
BY_CURRENCY = f"""query($from: Date!, $to: Date!) {{
    revenueByCurrency(from: $from, to: $to, interval: DAY) {{ {ROWS} }} }}"""
JOURNAL = """query($from: Date!, $to: Date!) { journal(from: $from, to: $to) {
    date account debit credit currency memo entry { id kind amount } } }"""
MONEY = ("opening", "sold", "recognized", "breakage", "refunded", "closing")


@pytest.fixture
async def shop(server: Server):
    """A workspace of this test's own with an ADMIN key: its name, and a client."""
    name = f"revenue-{uuid4()}"
    client = Client(server.url, await server.create_key(name, "ADMIN"))
    await build_world(client, ["acme", "other"])
    now = datetime.fromisoformat(await client.now())
    await client.must("advanceClock", to=f"{now.date() + timedelta(days=1)}T12:00:00Z")  # no day ends by itself
    yield name, client
    client.wire.drop()


async def today(client: Client) -> dict[str, str]:
    now = datetime.fromisoformat(await client.now()).date()
    return {"from": str(now), "to": str(now + timedelta(days=1))}


async def paid(client: Client, key: str, amount: str, cost: str, currency: str = "USD", **fields: Any) -> str:
    basis = {"amount": cost, "currency": currency}
    return await give(client, fields.pop("customer", "acme"), amount, key, costBasis=basis, **fields)


async def burn(client: Client, amount: str, key: str, credit_type: str = "ai") -> dict[str, Any]:
    fields = {"customer": "acme", "creditType": credit_type, "amount": amount, "idempotencyKey": key}
    entry: dict[str, Any] = (await client.must("burn", **fields))["entry"]
    return entry


async def refused(client: Client, document: str, **variables: Any) -> dict[str, Any]:
    with pytest.raises(QueryFailed) as failed:
        await client.ask(document, **variables)
    (error,) = failed.value.args[1]
    assert isinstance(error, dict)
    return error


async def test_a_grant_that_was_paid_for_is_deferred_and_earned_as_it_burns(shop):
    _, client = shop
    await paid(client, "g", "100", "0.105")
    await give(client, "acme", "50", "free", priority=10)
    await burn(client, "60", "b")
    (row,) = (await client.ask(REVENUE, **await today(client), interval="DAY"))["revenue"]["rows"]
    told = {name: row[name] for name in MONEY}
    assert told == {
        "opening": "0",
        "sold": "10.5",
        "recognized": "1.05",
        "breakage": "0",
        "refunded": "0",
        "closing": "9.45",
    }
    assert (row["start"], row["end"]) == tuple((await today(client)).values())
    assert row["creditType"] == {"key": "ai"}


async def test_each_journal_line_leads_to_its_entry(shop):
    _, client = shop
    await paid(client, "g", "100", "1")
    entry = await burn(client, "25", "b")
    lines = (await client.ask(JOURNAL, **await today(client)))["journal"]
    assert [(line["account"], line["debit"], line["credit"], line["entry"]["kind"]) for line in lines] == [
        ("clearing", "100", "0", "GRANT"),
        ("deferred revenue", "0", "100", "GRANT"),
        ("deferred revenue", "25", "0", "BURN"),
        ("revenue", "0", "25", "BURN"),
    ]
    assert lines[-1]["entry"]["id"] == entry["id"]
    assert lines[-1]["memo"] == "acme, ai: credits used"


async def test_several_currencies_are_asked_by_name_or_all_at_once(shop):
    _, client = shop
    await paid(client, "usd", "10", "1")
    await paid(client, "jpy", "10", "150", "JPY", credit_type="soonest")
    await paid(client, "bhd", "10", "0.3765", "BHD")
    days = await today(client)
    error = await refused(client, REVENUE, **days)
    assert error["message"] == "currency: there are BHD, JPY, USD: name one, or ask revenueByCurrency"
    assert error["extensions"]["code"] == "BAD_REQUEST"
    found = (await client.ask(BY_CURRENCY, **days))["revenueByCurrency"]
    assert {each["currency"]: [row["sold"] for row in each["rows"]] for each in found} == {
        "BHD": ["3.765"],
        "JPY": ["1500"],
        "USD": ["10"],
    }
    named = (await client.ask(REVENUE, **days, currency="BHD"))["revenue"]
    assert (named["currency"], [row["closing"] for row in named["rows"]]) == ("BHD", ["3.765"])
    of_type = (await client.ask(REVENUE, **days, creditType="soonest"))["revenue"]
    assert of_type["currency"] == "JPY", "of that credit type there is one currency"
    none = (await client.ask(REVENUE, **days, currency="CHF"))["revenue"]
    assert none == {"currency": "CHF", "rows": []}


async def test_a_credit_type_that_is_sold_no_longer_keeps_its_rows(shop):
    _, client = shop
    await extend_catalog(
        client,
        creditTypes=[
            {
                "key": "old",
                "name": "Old",
                "unitSingular": "o",
                "unitPlural": "o",
                "scale": 0,
                "burnOrder": "OLDEST_FIRST",
            }
        ],
    )
    await paid(client, "g", "10", "1", credit_type="old")
    await extend_catalog(client, creditTypes=[])
    (row,) = (await client.ask(REVENUE, **await today(client)))["revenue"]["rows"]
    assert (row["creditType"]["key"], row["closing"]) == ("old", "10")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"interval": "HOUR"}, "interval: a day is the shortest"),
        ({"to": "2020-01-01"}, "to: must lie after from"),
        ({"from": "0001-01-01", "to": "9999-12-31", "interval": "DAY"}, "interval: would be more than 10000"),
        ({"creditType": "nope"}, "creditType: no credit type 'nope'"),
        ({"currency": "usd"}, "currency: must be three capital letters"),
        ({"currency": "=1+"}, "currency: must be three capital letters"),
        ({"from": "2026-02-30"}, "Variable '$from' has invalid value: no such date"),
        ({"from": "2026-01-01T00:00:00Z"}, "Variable '$from' has invalid value: not a date"),
    ],
)
async def test_what_cannot_be_asked_is_an_input_error_with_its_name(shop, asked: dict[str, str], says: str):
    _, client = shop
    error = await refused(client, REVENUE, **{**await today(client), **asked})
    assert error["message"].startswith(says), error
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_to_the_ends_of_the_calendar_there_is_an_answer(shop):
    _, client = shop
    await paid(client, "g", "10", "1")
    far = {"from": "9900-01-01", "to": "9999-11-30"}
    rows = (await client.ask(REVENUE, **far, interval="MONTH", creditType="ai", currency="USD"))["revenue"]["rows"]
    assert {(row["opening"], row["closing"]) for row in rows} == {("10", "10")}
    assert date.fromisoformat(rows[-1]["end"]) == date(9999, 11, 30)
    assert (await client.ask(JOURNAL, **{"from": "0001-01-01", "to": "9999-12-31"}))["journal"]


async def test_finance_and_admin_may_ask_and_nobody_else(shop, server: Server):
    name, client = shop
    await paid(client, "g", "10", "1")
    days = await today(client)
    token = (await client.must("createEmbedToken", customer="acme"))["token"]
    roles = ("FINANCE", "VIEWER", "SUPPORT", "SALES", "BACKEND", "INGEST")
    secrets = {role: await server.create_key(name, role) for role in roles} | {"a customer": token}
    for who, secret in secrets.items():
        async with Client(server.url, secret) as asking:
            for document in (REVENUE, BY_CURRENCY, JOURNAL):
                if who == "FINANCE":
                    assert await asking.ask(document, **days)
                else:
                    assert (await refused(asking, document, **days))["extensions"]["code"] == "FORBIDDEN", who


async def test_another_workspace_sees_nothing_of_it(shop, other_world):
    _, client = shop
    await paid(client, "g", "10", "1")
    stranger = await other_world.client()
    ever = {"from": "2020-01-01", "to": "2100-01-01"}
    assert (await stranger.ask(REVENUE, **ever))["revenue"] == {"currency": "XXX", "rows": []}
    assert (await stranger.ask(JOURNAL, **ever))["journal"] == []
    assert (await client.ask(JOURNAL, **ever))["journal"]


async def test_an_expiry_that_comes_counts_from_its_instant(shop):
    _, client = shop
    now = datetime.fromisoformat((await client.ask(NOW))["viewer"]["now"])
    await paid(client, "g", "10", "1", expiresAt=(now + timedelta(days=3)).isoformat())
    await client.must("advanceClock", to=(now + timedelta(days=5)).isoformat())
    asked = {"from": str(now.date()), "to": str(now.date() + timedelta(days=6)), "interval": "DAY"}
    rows = (await client.ask(REVENUE, **asked))["revenue"]["rows"]
    assert [Decimal(row["breakage"]) for row in rows] == [0, 0, 0, 10, 0, 0]
    assert [Decimal(row["closing"]) for row in rows] == [10, 10, 10, 0, 0, 0]
