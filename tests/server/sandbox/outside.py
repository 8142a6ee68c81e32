"""The sandbox with customers of a workspace, and whoever plays the outside world there."""

import itertools
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from credits import ids
from credits.customers.customers import Customer, upsert_customer
from credits.db import Database
from credits.recharge.provider import Order, Payer
from credits.recharge.top_ups import Place, place_of
from server.sandbox.payments import Act
from server.sandbox.provider import Sandbox
from tests.harness.provider_contract import Card

SECRET = "a secret key that is long enough for it"
URL = "http://credits.example"


@dataclass
class Street:
    """`clock` is real time, as the sandbox is told it; a test may set it."""

    database: Database
    workspace_id: int
    customers: list[Customer]
    clock: datetime = field(default_factory=lambda: datetime.now(UTC))
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    disk_is_full: bool = False
    secret_key: str = SECRET
    url: str = URL

    def __post_init__(self) -> None:
        self.provider = Sandbox(
            self.database,
            public_url=self.url,
            secret_key=self.secret_key,
            real_now=lambda: self.clock,
            refuse_writes=lambda: self.disk_is_full,
        )

    def payer(self) -> Payer:
        """Another one with each call, as long as there are any."""
        customer = self.customers[next(self.numbers) % len(self.customers)]
        return Payer(self.workspace_id, customer.id, customer.key, customer.name, None, None, None)

    def order(self, **changes: Any) -> Order:
        payer = changes.get("payer") or self.payer()
        order = Order(
            id=ids.make("top", payer.customer_id, next(self.numbers)),
            payer=payer,
            name="800 credits",
            quantity=2,
            unit_price=1_800,
            price=3_600,
            currency="USD",
            mode="HOSTED",
            return_url="https://shop.example/credits",
            session=None,
            payment=None,
            method=None,
            created_at=self.clock,
        )
        return replace(order, **changes)

    async def act(self, order: Order, act: Act, seen: int | None = None) -> Any:
        return await self.provider.act(self.workspace_id, placed(order), act, seen)

    async def pay(self, order: Order) -> None:
        await self.act(order, "pay")

    async def decline(self, order: Order) -> None:
        await self.act(order, "decline")

    async def save(self, payer: Payer, card: Card) -> None:
        assert await self.provider.save_method(self.workspace_id, payer.customer_id, card) is not None

    async def contest(self, order: Order, act: Literal["open", "win", "lose"]) -> None:
        assert await self.provider.dispute(self.workspace_id, placed(order), act) is None

    def later(self, time: timedelta) -> None:
        self.clock += time


def placed(order: Order) -> Place:
    place = place_of(order.id)
    assert place is not None
    return place


async def open_street(
    database: Database, workspace_id: int, count: int = 40, *, secret_key: str = SECRET, url: str = URL
) -> Street:
    async with database.transaction(workspace_id) as connection:
        customers = [await _customer(connection, workspace_id) for _ in range(count)]
    return Street(database, workspace_id, customers, secret_key=secret_key, url=url)


async def _customer(connection: AsyncConnection, workspace_id: int) -> Customer:
    key = f"c-{secrets.token_hex(6)}"
    made = await upsert_customer(connection, workspace_id, key, {"name": key.upper()}, datetime.now(UTC))
    assert isinstance(made, tuple)
    return made[0]
