"""What every payment provider must keep, whoever it is: the sandbox, Stripe.

A test module of a provider says how the world outside is played, and inherits the tests:

    class TestTheSandbox(ProviderContract):
        @pytest.fixture
        async def outside(self, …) -> Outside: ...
"""

import asyncio
from dataclasses import replace
from typing import Any, Literal, Protocol

import pytest

from credits.recharge.provider import Order, Payer, Payment, Provider, ProviderRefused

Card = Literal["ok", "declining", "authenticating"]


class Outside(Protocol):
    """The provider, orders to place with it, and the people outside: who pays, and the bank."""

    @property
    def provider(self) -> Provider: ...

    def order(self, **changes: Any) -> Order:
        """A new one of a known customer: 2 × 18.00 USD, HOSTED. `changes` are fields of it."""
        ...

    async def pay(self, order: Order) -> None:
        """The customer pays on the provider's page."""
        ...

    async def decline(self, order: Order) -> None:
        """The customer tries to, and the bank declines."""
        ...

    async def save(self, payer: Payer, card: Card) -> None:
        """The customer saves a payment method, the default from then on."""
        ...

    async def contest(self, order: Order, act: Literal["open", "win", "lose"]) -> None:
        """The customer's bank opens a payment dispute, or it ends; won by us, or lost."""
        ...


async def known(outside: Outside, order: Order) -> Payment:
    """What the provider says of the order now."""
    found = await outside.provider.read(order)
    assert found is not None
    return found


async def method_of(outside: Outside, payer: Payer, card: Card) -> str:
    """The id of a method that the customer has just saved."""
    await outside.save(payer, card)
    return next(method.provider_id for method in await outside.provider.methods(payer) if method.is_default)


class ProviderContract:
    """To be inherited, with a fixture `outside`."""

    # ─── somebody is there ───────────────────────────────────────────────────────────────────────────────
    async def test_a_started_order_can_be_paid_at_an_address_and_says_whose_it_is(self, outside: Outside):
        order = outside.order()
        started = await outside.provider.start(order)
        assert started.state == "PENDING"
        assert (started.checkout_url or "").startswith("http")
        assert (started.order_id, started.subtotal, started.currency) == (order.id, order.price, "USD")
        assert started.paid is None
        assert started.live == outside.provider.live
        assert started.payer_id == await outside.provider.know(order.payer)

    async def test_a_customer_is_known_by_one_id_whoever_asks_how_often(self, outside: Outside):
        payer = outside.order().payer
        known_as = {await outside.provider.know(payer) for _ in range(3)}
        assert len(known_as) == 1

    async def test_starting_again_finds_the_same_payment(self, outside: Outside):
        order = outside.order()
        first = await outside.provider.start(order)
        again = await asyncio.gather(*(outside.provider.start(order) for _ in range(5)))
        assert {answer.checkout_url for answer in again} == {first.checkout_url}
        await outside.pay(order)
        assert (await outside.provider.start(order)).state == "SUCCEEDED"

    async def test_starting_at_once_makes_one_payment(self, outside: Outside):
        order = outside.order()
        answers = await asyncio.gather(*(outside.provider.start(order) for _ in range(8)))
        assert len({(answer.session, answer.checkout_url) for answer in answers}) == 1

    async def test_the_same_order_at_another_price_is_refused(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        with pytest.raises(ProviderRefused):
            await outside.provider.start(replace(order, price=1, unit_price=1, quantity=1))
        assert (await known(outside, order)).subtotal == order.price

    async def test_an_order_that_was_never_placed_is_none(self, outside: Outside):
        order = outside.order()
        assert await outside.provider.read(order) is None
        assert await outside.provider.cancel(order) is None

    async def test_what_was_paid_has_succeeded_with_its_price(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        await outside.pay(order)
        paid = await known(outside, order)
        assert (paid.state, paid.subtotal, paid.paid, paid.order_id) == ("SUCCEEDED", 3_600, 3_600, order.id)
        assert paid.paybacks == ()

    async def test_a_declined_payment_is_not_paid_and_can_be_tried_again(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        await outside.decline(order)
        declined = await known(outside, order)
        assert (declined.state in ("FAILED", "PENDING"), declined.paid) == (True, None)
        await outside.pay(order)
        assert (await known(outside, order)).state == "SUCCEEDED"

    async def test_canceled_is_not_to_be_paid_any_more_and_canceling_again_changes_nothing(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        canceled = [await outside.provider.cancel(order) for _ in range(2)]
        assert [answer.state for answer in canceled if answer] == ["CANCELED"] * 2
        await outside.pay(order)
        assert (await known(outside, order)).state == "CANCELED"

    async def test_what_was_declined_is_not_to_be_paid_any_more_once_it_is_canceled(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        await outside.decline(order)
        canceled = await outside.provider.cancel(order)
        assert canceled is not None
        assert canceled.state == "CANCELED"
        await outside.pay(order)
        assert (await known(outside, order)).state == "CANCELED"

    async def test_what_was_paid_stays_so_when_it_is_canceled(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        await outside.pay(order)
        canceled = await outside.provider.cancel(order)
        assert canceled is not None
        assert canceled.state == "SUCCEEDED"

    # ─── nobody is there ─────────────────────────────────────────────────────────────────────────────────
    async def test_a_method_is_told_by_a_label_and_the_last_one_saved_is_the_default(self, outside: Outside):
        payer = outside.order().payer
        assert await outside.provider.methods(payer) == ()
        first, second = [await method_of(outside, payer, card) for card in ("ok", "declining")]
        saved = {method.provider_id: method for method in await outside.provider.methods(payer)}
        assert (saved[first].is_default, saved[second].is_default) == (False, True)
        assert "4242" in saved[first].label
        assert all("4242424242424242" not in repr(method) for method in saved.values())

    async def test_a_charge_by_a_good_method_succeeds_once(self, outside: Outside):
        payer = outside.order().payer
        order = outside.order(payer=payer, mode="OFF_SESSION", method=await method_of(outside, payer, "ok"))
        answers = await asyncio.gather(*(outside.provider.charge(order) for _ in range(4)))
        assert {answer.state for answer in answers} == {"SUCCEEDED"}
        assert len({answer.payment for answer in answers}) == 1
        assert (await known(outside, order)).paid == 3_600

    async def test_a_charge_that_is_declined_says_so_and_is_not_tried_again_by_asking(self, outside: Outside):
        payer = outside.order().payer
        order = outside.order(payer=payer, mode="OFF_SESSION", method=await method_of(outside, payer, "declining"))
        for _ in range(2):
            declined = await outside.provider.charge(order)
            assert (declined.state, declined.decline_code, declined.paid) == ("FAILED", "card_declined", None)
            assert declined.failure

    async def test_a_charge_that_needs_the_customer_says_so(self, outside: Outside):
        payer = outside.order().payer
        order = outside.order(payer=payer, mode="OFF_SESSION", method=await method_of(outside, payer, "authenticating"))
        asked = await outside.provider.charge(order)
        assert (asked.state, asked.paid) == ("REQUIRES_ACTION", None)

    async def test_a_method_that_is_not_the_customers_is_refused(self, outside: Outside):
        stranger, payer = outside.order().payer, outside.order().payer
        foreign = await method_of(outside, stranger, "ok")
        for method in (foreign, "nonsense", None):
            order = outside.order(payer=payer, mode="OFF_SESSION", method=method)
            with pytest.raises(ProviderRefused):
                await outside.provider.charge(order)

    async def test_a_method_is_saved_at_an_address(self, outside: Outside):
        setup = await outside.provider.set_up(outside.order().payer, "HOSTED", "https://shop.example/done")
        assert (setup.url or "").startswith("http")

    # ─── the way back ────────────────────────────────────────────────────────────────────────────────────
    async def test_a_refund_happens_once_for_its_id_also_at_once(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        await outside.pay(order)
        ask = (outside.provider.refund(order, f"{order.id}-r1", 1_000, "requested") for _ in range(5))
        for answer in await asyncio.gather(*ask):
            assert [(back.kind, back.state, back.amount, back.ours) for back in answer.paybacks] == [
                ("REFUND", "DONE", 1_000, f"{order.id}-r1")
            ]
        last = await outside.provider.refund(order, f"{order.id}-r2", 2_600, "requested")
        assert sum(back.amount for back in last.paybacks) == 3_600
        assert len({back.provider_id for back in last.paybacks}) == 2
        assert last.state == "SUCCEEDED"

    async def test_more_than_was_paid_is_never_paid_back(self, outside: Outside):
        order = outside.order()
        await outside.provider.start(order)
        with pytest.raises(ProviderRefused):
            await outside.provider.refund(order, f"{order.id}-r0", 1, "requested")
        await outside.pay(order)
        asked = (outside.provider.refund(order, f"{order.id}-r{number}", 2_000, "requested") for number in range(1, 5))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, ProviderRefused) for answer in answers) == 3
        assert sum(back.amount for back in (await known(outside, order)).paybacks) == 2_000

    @pytest.mark.parametrize(("end", "state"), [("win", "FAILED"), ("lose", "DONE")])
    async def test_a_payment_dispute_takes_the_money_until_it_is_won(self, outside: Outside, end: Any, state: str):
        order = outside.order()
        await outside.provider.start(order)
        await outside.pay(order)
        await outside.contest(order, "open")
        (opened,) = (await known(outside, order)).paybacks
        assert (opened.kind, opened.state, opened.amount, opened.ours) == ("CHARGEBACK", "DONE", 3_600, None)
        await outside.contest(order, end)
        (ended,) = (await known(outside, order)).paybacks
        assert ended == replace(opened, state=state)
