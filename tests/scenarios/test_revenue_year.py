"""A year of a shop that sells in three currencies, told by the real server, and held against the slow way."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from credits import ids
from credits.db import Database, HotConnection
from credits.money.movements import Movement, add_movement
from credits.posting.configuration import Configuration
from credits.posting.corrections import Clawback, GrantId
from credits.posting.outcomes import Granted
from credits.posting.writer import Writer
from credits.revenue import statements
from credits.workspaces import list_workspaces
from tests.harness.client import Client, Reply
from tests.harness.server import Server
from tests.harness.world import build_world
from tests.scenarios.revenue_slowly import DECIMALS, Slowly
from tests.scenarios.test_revenue_over_http import MONEY

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STEPS = 260
TYPES = ("ai", "soonest")
CUSTOMERS = {"usa": "USD", "japan": "JPY", "bahrain": "BHD", "mixed": None}
ROWS = "currency rows { start end creditType { key } opening sold recognized breakage refunded closing }"
REPORTS = f"""query($from: Date!, $to: Date!, $interval: Interval!) {{
    revenueByCurrency(from: $from, to: $to, interval: $interval) {{ {ROWS} }} }}"""
JOURNAL = """query($from: Date!, $to: Date!) { journal(from: $from, to: $to) {
    date account debit credit currency entry { id } } }"""
Doing = Coroutine[Any, Any, Reply | None]
_LOCK = "SELECT sequence FROM revenue_watermarks WHERE customer_id = $1 AND credit_type_id = $2 FOR UPDATE"


class Shop:
    """The workspace, as its host and its payments see it."""

    def __init__(self, client: Client, database: Database, workspace_id: int, seed: int) -> None:
        self.client, self.database, self.workspace_id = client, database, workspace_id
        self.writer = Writer(database, Configuration(timedelta(days=7)), publish=lambda *_: None)
        self.draw = random.Random(seed)
        self.sold: list[tuple[str, str, int, Decimal, bool]] = []  # grant, currency, price, credits, for ever
        self.burned: list[str] = []
        self.steps = 0
        self.happened: dict[str, int] = defaultdict(int)

    def key(self) -> str:
        self.steps += 1
        return f"step-{self.steps}"

    async def now(self) -> datetime:
        return datetime.fromisoformat(await self.client.now())

    @asynccontextmanager
    async def untold(self, customer_id: int, credit_type_id: int) -> AsyncIterator[HotConnection]:
        """Keeps the server from telling the account between an entry and its money, which payments write together."""
        async with self.database.hot(self.workspace_id) as connection:
            await connection.execute(statements.MAKE_WATERMARKS, [customer_id], [credit_type_id], self.workspace_id)
            await connection.fetchval(_LOCK, customer_id, credit_type_id)
            yield connection

    async def step(self) -> None:
        draw = self.draw
        customer = draw.choice(list(CUSTOMERS))
        currency = CUSTOMERS[customer] or draw.choice(list(DECIMALS))
        verbs = ("sell", "sell", "tell", "promote", "burn", "burn", "burn", "burn", "hold", "late")
        verb = draw.choice((*verbs, "reverse", "extend", "void", "refund", "wait"))
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
        ending = [each for each in self.sold if not each[-1]]
        match verb:
            case "reverse" if self.burned:
                return await self.by_hand("reverseBurn", entry=draw.choice(self.burned[-12:]))
            case "extend" if ending:
                ends = (await self.now() + draw.randint(1, 90) * DAY).isoformat()
                return await self.by_hand("extendGrant", grant=draw.choice(ending)[0], expiresAt=ends)
            case "void" if self.sold and draw.random() < 0.3:
                return await self.by_hand("voidGrant", grant=draw.choice(self.sold)[0])
            case "refund":
                return await self.refund()
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
        """A top-up: the grant, and beside it the sale."""
        place = await self.place(fields["customer"], fields["creditType"])
        price = self.draw.choice((0, 1, self.draw.randint(2, 99_999), 999_999))
        async with self.untold(*place) as connection:
            given = await self.grant(fields, source="PURCHASE")
            grant, entry = given["grant"], given["entry"]
            number = int(ids.parse("gra", grant["id"], 3)[2])  # type: ignore[index]
            movement = Movement(*place, number, entry["sequence"], "SALE", price, currency, "top_1")
            await add_movement(connection, movement, datetime.fromisoformat(entry["recordedAt"]))
        if price:
            self.sold.append((grant["id"], currency, price, Decimal(grant["amount"]), grant["expiresAt"] is None))
        return given

    async def refund(self) -> Reply | None:
        """A part of the price of a grant without end, and that part of its credits."""
        whole = [each for each in self.sold if each[-1]]
        if not whole:
            return None
        sale = self.draw.choice(whole)
        self.sold.remove(sale)
        grant, currency, price, amount, _ = sale
        minor = self.draw.randint(1, price)
        credits_back = int(amount * 1000 * minor / price) * 1000  # rounded down to the scale
        numbers = ids.parse("gra", grant, 3)
        assert numbers is not None
        if not credits_back:
            return None
        async with self.untold(*numbers[:2]) as connection:
            command = Clawback(grant=GrantId(*numbers), key=self.key(), actor_id=None, amount_micro=credits_back)
            taken = await self.writer.post(self.workspace_id, command)
            if not isinstance(taken, Granted) or taken.entry is None:
                return None
            movement = Movement(
                *(numbers[0], numbers[1], numbers[2], taken.entry.sequence),
                *("REFUND", minor, currency, "top_1"),
            )
            await add_movement(connection, movement, taken.entry.recorded_at)
        return Reply("refund", "ok")

    async def burn(self, fields: dict[str, str], *, late: timedelta | None = None) -> Reply:
        at = None if late is None else (await self.now() - late).isoformat()
        more = {"amount": self.amount(), "occurredAt": at, "idempotencyKey": self.key()}
        done = await self.client.put("burn", **fields, **more)
        if done.ok:
            self.burned.append(done["entry"]["id"])
        return done

    async def by_hand(self, verb: str, **fields: Any) -> Reply:
        return await self.client.put(verb, **fields, reason="OTHER", idempotencyKey=self.key())

    async def place(self, customer: str, credit_type: str) -> tuple[int, int]:
        async with self.database.hot(self.workspace_id) as connection:
            return (
                await connection.fetchval("SELECT id FROM customers WHERE key = $1", customer),
                await connection.fetchval("SELECT id FROM credit_types WHERE key = $1", credit_type),
            )


@pytest.fixture
async def shop(server: Server):
    name = f"year-{uuid4()}"
    client = Client(server.url, await server.create_key(name, "ADMIN"))
    await build_world(client, CUSTOMERS)
    await client.must("setPolicy", mode="SOFT")  # late usage and overdraft happen
    database = await Database.connect(server.settings["DATABASE_URL"], size=3)
    (workspace,) = [each for each in await list_workspaces(database) if each.name == name]
    opened = Shop(client, database, workspace.id, seed=2026)
    yield opened
    await opened.writer.close()
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
    assert {"sell", "tell", "promote", "burn", "late", "hold", "reverse", "extend", "refund"} <= set(shop.happened)
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
        lines += (await shop.client.ask(JOURNAL, **{"from": str(day), "to": str(until_day)}))["journal"]
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
        paid = sum(m["minor"] if m["kind"] == "SALE" else -m["minor"] for m in movements)
        assert account["cash"] == Decimal(paid).scaleb(-DECIMALS[currency])
