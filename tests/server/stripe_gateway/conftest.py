"""The fake Stripe that these tests share, its knobs off at each beginning; and gateways to it."""

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits import ids
from credits.db import Database
from credits.recharge.provider import Order, Payer
from credits.workspaces import ensure_workspace
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.gateway import StripeGateway
from tests.harness.stripe.handle import TEST_KEY, FakeStripe
from tests.server.stripe_gateway.listed import Shop

DONE = "https://scrip.example/payments/done"
_numbers = itertools.count(7_000_000)


@pytest.fixture(scope="session")
def shared_fake() -> Iterator[FakeStripe]:
    fake = FakeStripe()
    yield fake
    fake.close()


@pytest.fixture
def fake(shared_fake: FakeStripe) -> FakeStripe:
    shared_fake.off()
    shared_fake.search_lag(0)
    shared_fake.refunds_wait(False)
    return shared_fake


@pytest.fixture
def own_fake() -> Iterator[FakeStripe]:
    """One whose clock may be moved."""
    fake = FakeStripe()
    yield fake
    fake.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(database: Database) -> int:
    return (await ensure_workspace(database, "shop", test_mode=True, now=datetime.now(UTC))).id


@pytest.fixture
async def shop(database: Database, own_fake: FakeStripe, workspace: int) -> AsyncIterator[Shop]:
    opened = Shop(database, own_fake, workspace)
    yield opened
    await opened.asker.close()


def gateway_to(fake: FakeStripe, **options: Any) -> StripeGateway:
    patience_s = options.pop("patience_s", 5.0)
    return StripeGateway(Asker(TEST_KEY, fake.url, patience_s=patience_s), live=False, done_url=DONE, **options)


@pytest.fixture
async def gateway(fake: FakeStripe) -> AsyncIterator[StripeGateway]:
    opened = gateway_to(fake)
    yield opened
    await opened.close()


def a_payer(**fields: Any) -> Payer:
    """A customer that nobody has seen before."""
    number = next(_numbers)
    known = Payer(1, number, f"customer-{number}", "Ada", "ada@example.com", "de-AT", None)
    return replace(known, **fields)


def an_order(payer: Payer | None = None, **fields: Any) -> Order:
    """10.00 USD for two packs, asked for now."""
    payer = payer or a_payer()
    order = Order(
        id=ids.make("top", payer.customer_id, next(_numbers)),
        payer=payer,
        name="1,000 credits",
        quantity=2,
        unit_price=500,
        price=1000,
        currency="USD",
        mode="HOSTED",
        return_url="https://shop.example/credits?tab=1",
        session=None,
        payment=None,
        method=None,
        created_at=datetime.now(UTC),
    )
    return replace(order, **fields)


def later(**ago: int) -> datetime:
    return datetime.now(UTC) + timedelta(**ago)


async def saved_card(
    fake: FakeStripe, gateway: StripeGateway, payer: Payer, card: str = "pm_card_visa"
) -> tuple[Payer, str]:
    """The payer with a saved card; its id."""
    known = replace(payer, provider_id=await gateway.know(payer))
    client = fake.client()
    method = await client.v1.payment_methods.attach_async(card, {"customer": known.provider_id or ""})
    return known, method.id
