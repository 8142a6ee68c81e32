"""A till where credits are bought: bundles, a cashier, and a bank."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from credits.db import Database
from credits.posting.configuration import Configuration
from credits.posting.reader import Reader
from credits.posting.writer import Writer
from credits.recharge.cashier import Cashier
from credits.recharge.orders import Wish
from credits.recharge.provider import Method
from credits.recharge.reads import list_issues, read_paybacks, read_top_ups
from credits.recharge.recharger import forgive, suffering
from credits.recharge.refunds import RefundWish
from credits.recharge.settle import Issue
from credits.recharge.top_ups import KeptPayback, TopUp
from credits.workspaces import WorkspaceName
from tests.credits.posting.till import CATALOG, Till, open_till
from tests.credits.recharge.bank import Bank

SOLD: dict[str, Any] = {
    **CATALOG,
    "creditTypes": [
        *CATALOG["creditTypes"],
        {"key": "whole", "name": "Whole", "unitSingular": "unit", "unitPlural": "units", "scale": 0},
    ],
    "bundles": [
        {"key": key, "name": key, "creditType": kind, "credits": amount, "bonus": bonus, "price": price, **more}
        for key, kind, amount, bonus, price, more in (
            (
                "pack",
                "ai",
                "1000",
                "100",
                {"amount": "10", "currency": "EUR"},
                {"priority": 40, "expiresAfter": "P30D"},
            ),
            ("odd", "whole", "100", "0", {"amount": "9.99", "currency": "EUR"}, {}),
            ("yen", "ai", "100", "0", {"amount": "500", "currency": "JPY"}, {}),
            ("dinar", "ai", "100", "0", {"amount": "1.250", "currency": "BHD"}, {}),
            ("fine", "ai", "100", "0", {"amount": "1.255", "currency": "BHD"}, {}),
        )
    ],
}


@dataclass
class Counter:
    """`real` is real time, which only moves when it is told to."""

    till: Till
    bank: Bank
    cashier: Cashier
    published: list[tuple[int, int, int]]
    real: list[datetime]
    others: list[Any] = field(default_factory=list)

    def wish(self, bundle: str = "pack", quantity: int = 1, **more: Any) -> Wish:
        fixed = {"bundle": bundle, "quantity": quantity, "mode": "HOSTED", "return_url": None, "actor_id": None}
        return Wish(**{**fixed, "key": self.till.key(), **more})

    async def start(self, bundle: str = "pack", quantity: int = 1, customer: str = "acme", **more: Any) -> Any:
        found = await self.till.customer(customer)
        return await self.cashier.start(self.till.workspace_id, found, self.wish(bundle, quantity, **more))

    async def bought(self, *args: Any, **more: Any) -> TopUp:
        """Started, paid, and told."""
        started = await self.start(*args, **more)
        assert isinstance(started, TopUp), started
        self.bank.pay(started.id)
        return await self.look(started)

    async def look(self, top_up: TopUp, cashier: Cashier | None = None) -> TopUp:
        found = await (cashier or self.cashier).look(self.till.workspace_id, top_up.place)
        assert found is not None
        return found

    async def cancel(self, top_up: TopUp) -> Any:
        return await self.cashier.cancel(self.till.workspace_id, top_up.place)

    async def refund(self, top_up: TopUp, amount: str | None = None, **more: Any) -> Any:
        fixed = {"reason": "GOODWILL", "note": None, "actor_id": None, "key": self.till.key()}
        given = {"amount": None if amount is None else Decimal(amount), "currency": top_up.currency}
        return await self.cashier.refund(self.till.workspace_id, top_up.place, RefundWish(**{**given, **fixed, **more}))

    async def read(self, top_up: TopUp) -> TopUp:
        async with self.till.reader.page(self.till.workspace_id) as page:
            return (await read_top_ups(page.connection, [top_up.place]))[top_up.place]

    async def paybacks(self, top_up: TopUp) -> list[KeptPayback]:
        async with self.till.reader.page(self.till.workspace_id) as page:
            return (await read_paybacks(page.connection, [top_up.place])).get(top_up.place, [])

    async def issues(self) -> list[tuple[str, str | None, str | None]]:
        async with self.till.reader.page(self.till.workspace_id) as page:
            return [
                (each.kind, each.expected, each.actual) for each in await list_issues(page.connection, resolved=None)
            ]

    async def movements(self) -> list[tuple[str, int]]:
        rows = await self.till.rows("SELECT kind, minor FROM money_movements ORDER BY customer_id, number")
        return [(row["kind"], row["minor"]) for row in rows]

    async def kinds(self) -> list[int]:
        rows = await self.till.rows("SELECT kind FROM entries ORDER BY customer_id, credit_type_id, sequence")
        return [row["kind"] for row in rows]

    async def another(self) -> Cashier:
        """The cashier of another process, with its own doors."""
        own = await Database.connect(self.till.owner_url, size=3)
        configuration = Configuration(timedelta(days=7))
        writer = Writer(own, configuration, publish=lambda *_: None)
        self.till._opened.append((writer, own))
        reader = Reader(own, configuration)
        return open_cashier(reader, writer, self.bank, lambda *_: None, self.real)


def open_cashier(reader: Reader, writer: Writer, bank: Bank, publish: Any, real: list[datetime]) -> Cashier:
    """Together with what rules write along."""
    more: dict[str, Any] = {"changed": (suffering(4),), "methods_changed": (forgive,)}
    return Cashier(reader, writer, lambda _: bank, publish, lambda: real[0], **more)


@asynccontextmanager
async def open_counter(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Counter]:
    async with open_till(database, owner_url, workspace) as till:
        await till.apply(SOLD)
        bank, published, real = Bank(), list[tuple[int, int, int]](), [datetime.now(UTC)]
        cashier = open_cashier(till.reader, till.writer, bank, lambda *news: published.append(news), real)
        yield Counter(till, bank, cashier, published, real)


async def pay(till: Till) -> None:
    """A row in every table of payments: something bought and paid back in part, and a word about everything else."""
    bank = Bank()
    cashier = Cashier(till.reader, till.writer, lambda _: bank, lambda *_: None, lambda: datetime.now(UTC))
    counter = Counter(till, bank, cashier, [], [datetime.now(UTC)])
    bought = await counter.bought("b")
    await counter.refund(bought, "0.5")
    customer = await till.customer()
    bank.saved[customer.id] = (Method("card-1", "Visa •••• 4242", "2030-04", is_default=True),)
    assert await cashier.refresh_methods(till.workspace_id, customer)
    await cashier.report(till.workspace_id, Issue("UNKNOWN_ORDER", "nobody knows it", None, "top_x_1"))
    async with till.database.transaction(till.workspace_id) as connection:
        await connection.execute(
            text("""INSERT INTO payment_events (workspace_id, id, provider, type, received_at)
                    VALUES (scrip_workspace(), 'evt_1', 'stripe', 'charge.refunded', now())""")
        )
        await connection.execute(
            text("""INSERT INTO payment_cursors (workspace_id, provider, cursor, read_at)
                    VALUES (scrip_workspace(), 'stripe', 'evt_1', now())""")
        )
        await connection.execute(
            text("""INSERT INTO recharge_rules (customer_id, workspace_id, credit_type_id, threshold, cap, changed_at,
                                                bundle_id, version, enabled, currency)
                    SELECT :customer, workspace_id, credit_type_id, 1, 1, now(), id, 1, true, 'EUR' FROM bundles LIMIT 1"""),
            {"customer": customer.id},
        )
