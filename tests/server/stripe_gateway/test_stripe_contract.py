"""Stripe keeps what every payment provider must."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.provider_contract import Card, ProviderContract
from tests.harness.stripe.problems import Problem
from tests.server.stripe_gateway.conftest import an_order, gateway_to

CARDS: dict[Card, str] = {
    "ok": "pm_card_visa",
    "declining": "pm_card_chargeCustomerFail",
    "authenticating": "pm_card_authenticationRequired",
}


class StripesWorld:
    """The fake, as its people."""

    def __init__(self, fake: Any) -> None:
        self.fake = fake
        self.provider = gateway_to(fake)
        self._disputes: dict[str, str] = {}

    def order(self, **changes: Any) -> Any:
        return replace(an_order(), **{"unit_price": 1_800, "price": 3_600, **changes})

    def _session(self, order: Any) -> str:
        found = self.fake.objects("checkout.session")
        return str(next(each["id"] for each in found if each["client_reference_id"] == order.id))

    async def pay(self, order: Any) -> None:
        with contextlib.suppress(Problem):  # the page says that it cannot be paid any more
            self.fake.pay(self._session(order))

    async def decline(self, order: Any) -> None:
        self.fake.pay(self._session(order), "pm_card_chargeDeclined")

    async def save(self, payer: Any, card: Card) -> None:
        customer = await self.provider.know(payer)
        client = self.fake.client()
        method = await client.v1.payment_methods.attach_async(CARDS[card], {"customer": customer})
        default = {"invoice_settings": {"default_payment_method": method.id}}
        await client.v1.customers.update_async(customer, default)

    async def contest(self, order: Any, act: str) -> None:
        if act == "open":
            charge = self.fake.charges(scrip_top_up=order.id)[0]["id"]
            self._disputes[order.id] = self.fake.dispute(charge)["id"]
        else:
            self.fake.close_dispute(self._disputes[order.id], won=act == "win")


class TestStripe(ProviderContract):
    @pytest.fixture
    async def outside(self, fake: Any) -> AsyncIterator[StripesWorld]:
        world = StripesWorld(fake)
        yield world
        await world.provider.close()
