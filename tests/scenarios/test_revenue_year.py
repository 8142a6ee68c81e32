"""A year of a shop that sells in three currencies, told by the real server, and held against the slow way."""

import random
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from credits.db import Database
from credits.workspaces import list_workspaces
from tests.harness.client import Client, Reply
from tests.harness.server import Server
from tests.harness.wire import Wire
from tests.harness.world import build_world
from tests.scenarios.revenue_slowly import DECIMALS, Slowly
from tests.scenarios.test_revenue_over_http import MONEY

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STEPS = 300
TYPES = ("ai", "soonest")
CUSTOMERS = {"usa": "USD", "japan": "JPY", "bahrain": "BHD", "mixed": None}
ROWS = "currency rows { start end creditType { key } opening sold recognized breakage refunded closing }"
REPORTS = f"""query($from: Date!, $to: Date!, $interval: Interval!) {{
    revenueByCurrency(from: $from, to: $to, interval: $interval) {{ {ROWS} }} }}"""
TOP_UP = "query ($id: ID!) { topUp(id: $id) { id status price { amount } grant { id } } }"
JOURNAL = """query($from: Date!, $to: Date!) { journal(from: $from, to: $to) {
    date account debit credit currency entry { id } } }"""
Doing = Coroutine[Any, Any, Reply | None]
PRICES = {"USD": "19.99", "JPY": "1501", "BHD": "7.13"}
BUNDLES = [
    {
        "key": f"{credit_type}-{currency}{'-ends' if ends else ''}".lower(),
        "name": f"{credit_type} for {currency}",
        "creditType": credit_type,
        "credits": "33.333",
        "price": {"amount": price, "currency": currency},
        **({"expiresAfter": ends} if ends else {}),
    }
    for credit_type in TYPES
    for currency, price in PRICES.items()
    for ends in (None, "P20D")
]


@dataclass
class Sale:
    """A top-up that was paid. Only what never ends is refunded and contested, only what ends is voided and extended."""

    top_up: str
    grant: str
    currency: str
    left: Decimal
    ends: bool


class Shop:
    """The workspace, as its host and its payments see it."""

    def __init__(self, client: Client, database: Database, workspace_id: int, seed: int) -> None:
        self.client, self.database, self.workspace_id = client, database, workspace_id
        self.draw = random.Random(seed)
        self.sold: list[Sale] = []
        self.contested: list[Sale] = []
        self.burned: list[str] = []
        self.steps = 0
        self.happened: dict[str, int] = defaultdict(int)

    def key(self) -> str:
        self.steps += 1
        return f"step-{self.steps}"

    async def now(self) -> datetime:
        return datetime.fromisoformat(await self.client.now())

    async def step(self) -> None:
        draw = self.draw
        customer = draw.choice(list(CUSTOMERS))
        currency = CUSTOMERS[customer] or draw.choice(list(DECIMALS))
        verbs = ("sell", "sell", "tell", "promote", "burn", "burn", "burn", "burn", "hold", "late")
        verb = draw.choice((*verbs, "reverse", "extend", "extend", "void", "refund", "contest", "win", "wait"))
        fields = {"customer": customer, "creditType": draw.choice(TYPES)}
        done = await (self.spend(verb, fields) or self.give(verb, fields, currency) or self.correct(verb))
        if done is not None and done.ok:
            self.happened[verb] += 1

    def spend(self, verb: str, fields: dict[str, str]) -> Doing | None:
        match verb:
            case "burn":
                return self.burn(fields)
            case "late":
                return self.burn(fields, late=self.draw.random() * 6 * DAY)
            case "hold":
                return self.hold(fields)
        return None

    def give(self, verb: str, fields: dict[str, str], currency: str) -> Doing | None:
        match verb:
            case "sell":
                return self.sell(fields, currency)
            case "tell":
                cost = f"{self.draw.randint(0, 99)}.{self.draw.randint(0, 999_999):06}"
                return self.grant(fields, source="PURCHASE", costBasis={"amount": cost, "currency": currency})
            case "promote":
                return self.grant(fields, source="PROMOTION")
        return None

    async def correct(self, verb: str) -> Reply | None:
        draw = self.draw
        ending = [each for each in self.sold if each.ends]
        lasting = [each for each in self.sold if not each.ends]
        match verb:
            case "reverse" if self.burned:
                return await self.by_hand("reverseBurn", entry=draw.choice(self.burned[-12:]))
            case "extend" if ending:
                ends = (await self.now() + draw.randint(1, 90) * DAY).isoformat()
                return await self.by_hand("extendGrant", grant=draw.choice(ending[-3:]).grant, expiresAt=ends)
            case "void" if ending and draw.random() < 0.5:
                return await self.by_hand("voidGrant", grant=draw.choice(ending[-5:]).grant)
            case "refund" if lasting:
                return await self.refund(draw.choice(lasting))
            case "contest" if lasting:
                return await self.contest(draw.choice(lasting))
            case "win" if self.contested:
                return await self.play(self.contested.pop(0), "win")
            case "wait":
                await self.client.must("advanceClock", to=(await self.now() + draw.randint(1, 9) * DAY).isoformat())
        return None

    async def hold(self, fields: dict[str, str]) -> Reply:
        done = await self.client.put("hold", **fields, amount=self.amount(), ttl="PT12H", idempotencyKey=self.key())
        if done.ok and self.draw.random() < 0.7:
            settle = {"hold": done["hold"]["id"], "amount": self.amount(), "idempotencyKey": self.key()}
            await self.client.put("settle", **settle)
        return done

    def amount(self) -> str:
        return f"{self.draw.randint(1, 60)}.{self.draw.randint(0, 999):03}"

    async def grant(self, fields: dict[str, str], **more: Any) -> Reply:
        ends = None if self.draw.random() < 0.4 else (await self.now() + self.draw.randint(1, 60) * DAY).isoformat()
        given = {"amount": self.amount(), "expiresAt": ends, "idempotencyKey": self.key(), **more}
        return await self.client.must("grantCredits", **fields, **given)

    async def sell(self, fields: dict[str, str], currency: str) -> Reply:
        """A top-up, paid on the sandbox's page."""
        ends = self.draw.random() < 0.5
        bundle = f"{fields['creditType']}-{currency}{'-ends' if ends else ''}".lower()
        bought = {"bundle": bundle, "quantity": self.draw.randint(1, 3), "idempotencyKey": self.key()}
        started = await self.client.must("startTopUp", customer=fields["customer"], **bought)
        assert await self.post(f"/sandbox/checkout/{started['topUp']['id']}/pay") == 200
        found = (await self.client.ask(TOP_UP, id=started["topUp"]["id"]))["topUp"]
        assert found["status"] == "SUCCEEDED"
        self.sold.append(Sale(found["id"], found["grant"]["id"], currency, Decimal(found["price"]["amount"]), ends))
        return started

    async def refund(self, sale: Sale) -> Reply:
        """A part of the price, and that part of the credits."""
        unit = Decimal(1).scaleb(-min(2, DECIMALS[sale.currency]))  # of dinars, banks move no single fils
        amount = unit * self.draw.randint(1, int(sale.left / unit))
        sale.left -= amount
        if not sale.left:
            self.sold.remove(sale)
        money = {"amount": str(amount), "currency": sale.currency}
        asked = {"id": sale.top_up, "amount": money, "reason": "GOODWILL", "idempotencyKey": self.key()}
        return await self.client.must("refundTopUp", **asked)

    async def contest(self, sale: Sale) -> Reply:
        self.sold.remove(sale)
        self.contested.append(sale)
        return await self.play(sale, "open")

    async def play(self, sale: Sale, act: str) -> Reply:
        """As the bank: the payment is contested, or that is won."""
        path = f"/sandbox/checkout/{sale.top_up}/dispute/{act}"
        assert await self.post(path, secret=self.client.secret) == 200
        return Reply(act, "ok")

    async def post(self, path: str, *, secret: str = "") -> int:
        wire = Wire(self.client.url)
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        answer = await wire.request("POST", path, headers)
        wire.drop()
        return answer.status

    async def burn(self, fields: dict[str, str], *, late: timedelta | None = None) -> Reply:
        at = None if late is None else (await self.now() - late).isoformat()
        more = {"amount": self.amount(), "occurredAt": at, "idempotencyKey": self.key()}
        done = await self.client.put("burn", **fields, **more)
        if done.ok:
            self.burned.append(done["entry"]["id"])
        return done

    async def by_hand(self, verb: str, **fields: Any) -> Reply:
        return await self.client.put(verb, **fields, reason="OTHER", idempotencyKey=self.key())


@pytest.fixture
async def shop(server: Server):
    name = f"year-{uuid4()}"
    client = Client(server.url, await server.create_key(name, "ADMIN"))
    await build_world(client, CUSTOMERS)
    await client.must("applyCatalog", document={"bundles": BUNDLES})
    await client.must("setPolicy", mode="SOFT")  # late usage and overdraft happen
    database = await Database.connect(server.settings["DATABASE_URL"], size=3)
    (workspace,) = [each for each in await list_workspaces(database) if each.name == name]
    opened = Shop(client, database, workspace.id, seed=2026)
    yield opened
    await database.close()
    client.wire.drop()


async def read_slowly(shop: Shop) -> dict[tuple[str, int], Slowly]:
    """(credit type, customer) → the account, computed anew."""
    found = {}
    async with shop.database.hot(shop.workspace_id) as connection:
        for account in await connection.fetch(
            "SELECT a.customer_id, a.credit_type_id, t.key FROM accounts a JOIN credit_types t ON t.id = a.credit_type_id"
        ):
            place = (account["customer_id"], account["credit_type_id"])
            rows: dict[str, list[asyncpg.Record]] = {
                table: await connection.fetch(
                    f"SELECT * FROM {table} WHERE customer_id = $1 AND credit_type_id = $2 ORDER BY {order}", *place
                )
                for table, order in (("grants", "number"), ("money_movements", "number"), ("entries", "sequence"))
            }
            slowly = Slowly(
                {row["number"]: row for row in rows["grants"]},
                {row["sequence"]: row for row in rows["money_movements"]},
            )
            slowly.read(rows["entries"])
            found[account["key"], place[0]] = slowly
    return found


async def test_a_year_in_three_currencies_holds_to_the_cent(shop: Shop):
    begun = (await shop.now()).date()
    for month in range(12):
        for _ in range(STEPS // 12):
            await shop.step()
        until = datetime.combine(begun, datetime.min.time()) + timedelta(days=(month + 1) * 31)
        if until > (await shop.now()).replace(tzinfo=None):
            await shop.client.must("advanceClock", to=f"{until.isoformat()}Z")
    assert {"sell", "tell", "promote", "burn", "late", "hold", "reverse", "extend", "refund", "contest", "win"} <= set(
        shop.happened
    )
    ended = (await shop.now()).date() + DAY
    span = {"from": str(begun), "to": str(ended)}
    by_day = {
        each["currency"]: each["rows"]
        for each in (await shop.client.ask(REPORTS, **span, interval="DAY"))["revenueByCurrency"]
    }
    by_month = {
        each["currency"]: each["rows"]
        for each in (await shop.client.ask(REPORTS, **span, interval="MONTH"))["revenueByCurrency"]
    }
    assert set(by_day) == set(by_month) == set(DECIMALS)
    rolls_forward(by_day)
    rolls_forward(by_month)
    adds_up(by_day, by_month)
    slowly = await read_slowly(shop)
    for currency in DECIMALS:
        against_the_slow_way(currency, by_day[currency], slowly)
    lines = []
    day = begun
    while day < ended:
        until_day = min(ended, day + 20 * DAY)
        found = await shop.client.ask(JOURNAL, **{"from": str(day), "to": str(until_day)})
        lines += found["journal"]
        day = until_day
    journal_balances(lines, by_month, slowly)


def rolls_forward(reports: dict[str, list[dict[str, Any]]]) -> None:
    for currency, rows in reports.items():
        closed: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            opening, sold, recognized, breakage, refunded, closing = (Decimal(row[name]) for name in MONEY)
            assert opening + sold - recognized - breakage - refunded == closing
            assert opening == closed[row["creditType"]["key"]]
            assert all(-Decimal(row[name]).as_tuple().exponent <= DECIMALS[currency] for name in MONEY)
            closed[row["creditType"]["key"]] = closing


def adds_up(by_day: dict[str, list[dict[str, Any]]], by_month: dict[str, list[dict[str, Any]]]) -> None:
    """A month is its days, with no rounding in between."""
    for currency, months in by_month.items():
        for month in months:
            days = [
                row
                for row in by_day[currency]
                if row["creditType"] == month["creditType"] and month["start"] <= row["start"] < month["end"]
            ]
            for name in ("sold", "recognized", "breakage", "refunded"):
                assert sum(Decimal(row[name]) for row in days) == Decimal(month[name])
            assert (days[0]["opening"], days[-1]["closing"]) == (month["opening"], month["closing"])


def against_the_slow_way(currency: str, rows: list[dict[str, Any]], slowly: dict[tuple[str, int], Slowly]) -> None:
    """What is sold and refunded to the unit; what is deferred by half a unit a grant; each sum of days likewise."""
    one = Fraction(1, 10 ** DECIMALS[currency])
    for credit_type in TYPES:
        accounts = [each for (name, _), each in slowly.items() if name == credit_type]
        slack = sum(each.lots[currency] + 2 * each.continued[currency] for each in accounts) * one
        mine = [row for row in rows if row["creditType"]["key"] == credit_type]
        wanted = [Fraction(0)] * 4
        told = [Fraction(0)] * 4
        for row in mine:
            day = date.fromisoformat(row["start"])
            told = [a + Fraction(row[name]) for a, name in zip(told, MONEY[1:5], strict=True)]
            for account in accounts:
                wanted = [a + b * one for a, b in zip(wanted, account.moved.get((day, currency), [0] * 4), strict=True)]
            assert (told[0], told[3]) == (wanted[0], wanted[3])
            assert abs(told[1] - wanted[1]) <= slack
            assert abs(told[2] - wanted[2]) <= slack
            left = sum((latest(account, currency, day) for account in accounts), Fraction(0)) * one
            assert abs(Fraction(row["closing"]) - left) <= slack / 2 + one
        assert wanted[0] > 0
        assert wanted[1] > 0


def latest(account: Slowly, currency: str, day: date) -> Fraction:
    """What is deferred at the end of the day."""
    days = [each for each, name in account.deferred if name == currency and each <= day]
    return account.deferred[max(days), currency] if days else Fraction(0)


def journal_balances(
    lines: list[dict[str, Any]], by_month: dict[str, list[dict[str, Any]]], slowly: dict[tuple[str, int], Slowly]
) -> None:
    """Every day, every entry; its accounts are the report's columns; its cash is what was paid."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        debit, credit = Decimal(line["debit"]), Decimal(line["credit"])
        assert (debit > 0) != (credit > 0)
        sums["day", line["date"], line["currency"]] += debit - credit
        sums["entry", line["entry"]["id"], line["currency"]] += debit - credit
        sums["account", line["account"], line["currency"]] += debit - credit
    assert not any(total for (kind, *_), total in sums.items() if kind != "account")
    for currency, rows in by_month.items():
        total = {
            name: sum(Decimal(row[name]) for row in rows) for name in ("sold", "recognized", "breakage", "refunded")
        }
        last = max(row["start"] for row in rows)
        closing = sum(Decimal(row["closing"]) for row in rows if row["start"] == last)
        account = {name: sums["account", name, currency] for name in ("cash", "clearing", "revenue", "refunds")}
        assert account["revenue"] + account["refunds"] == -total["recognized"]
        assert sums["account", "breakage", currency] == -total["breakage"]
        assert sums["account", "deferred revenue", currency] == -closing
        assert account["cash"] + account["clearing"] == total["sold"] - total["refunded"]
        movements = [m for each in slowly.values() for m in each.movements.values() if m["currency"] == currency]
        paid = sum(-m["minor"] if m["kind"] in ("REFUND", "CHARGEBACK") else m["minor"] for m in movements)
        assert account["cash"] == Decimal(paid).scaleb(-DECIMALS[currency])
