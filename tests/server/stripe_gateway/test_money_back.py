"""Refunds and payment disputes, as Stripe tells them."""

import pytest

from credits.recharge.provider import Payback, ProviderRefused, ProviderUnavailable
from tests.server.stripe_gateway.conftest import an_order, gateway_to
from tests.server.stripe_gateway.looking import get, money, paid_order, payback_of


async def test_a_refund_is_made_once_however_often_it_is_asked_for(fake, gateway):
    order = await paid_order(fake, gateway, an_order())
    first = await gateway.refund(order, payback_of(order), 300, "GOODWILL")
    again = await gateway.refund(order, payback_of(order), 300, "GOODWILL")
    assert first.paybacks == again.paybacks
    (payback,) = first.paybacks
    assert (payback.kind, payback.state, payback.amount, payback.ours) == ("REFUND", "DONE", 300, payback_of(order))
    assert money(fake, order)["refunded"] == 300


async def test_a_refund_is_made_once_also_after_its_key_is_forgotten(own_fake):
    gateway = gateway_to(own_fake)
    order = await paid_order(own_fake, gateway, an_order())
    await gateway.refund(order, payback_of(order), 300, "GOODWILL")
    own_fake.advance(25 * 3600)
    await gateway.refund(order, payback_of(order), 300, "GOODWILL")
    assert money(own_fake, order)["refunded"] == 300
    await gateway.close()


@pytest.mark.parametrize("knob", ["error_after_effect", "reset_after_effect"])
async def test_a_refund_whose_answer_is_lost_is_made_once(fake, gateway, knob):
    order = await paid_order(fake, gateway, an_order())
    fake.turn(knob, only="refunds.create", times=1)
    for _ in range(3):
        try:
            told = await gateway.refund(order, payback_of(order), 300, "GOODWILL")
            break
        except ProviderUnavailable:
            continue
    assert [each.amount for each in told.paybacks] == [300]
    assert money(fake, order)["refunded"] == 300


async def test_more_than_was_paid_is_not_refunded(fake, gateway):
    order = await paid_order(fake, gateway, an_order())
    with pytest.raises(ProviderRefused):
        await gateway.refund(order, payback_of(order), 1001, "GOODWILL")


async def test_a_refund_counts_while_it_is_pending_and_not_once_it_failed(fake, gateway):
    fake.refunds_wait(True)
    order = await paid_order(fake, gateway, an_order())
    (payback,) = (await gateway.refund(order, payback_of(order), 300, "GOODWILL")).paybacks
    assert payback.state == "DONE"
    fake.end_refund(payback.provider_id, "failed")
    assert [each.state for each in (await gateway.read(order)).paybacks] == ["FAILED"]


async def test_refunds_of_the_dashboard_are_told_all_of_them(fake, gateway):
    order = await paid_order(fake, gateway, an_order())
    charge = get(fake, order.payment)["latest_charge"]
    for _ in range(12):  # more than an object shows of them by itself
        fake.refund(charge, 10)
    told = (await gateway.read(order)).paybacks
    assert (len(told), {each.ours for each in told}) == (12, {None})


@pytest.mark.parametrize(("won", "state"), [(True, "FAILED"), (False, "DONE")])
async def test_a_payment_dispute_counts_until_it_is_won(fake, gateway, won, state):
    order = await paid_order(fake, gateway, an_order())
    dispute = fake.dispute(get(fake, order.payment)["latest_charge"], 700)["id"]
    assert (await gateway.read(order)).paybacks == (Payback(dispute, "CHARGEBACK", "DONE", 700),)
    fake.close_dispute(dispute, won=won)
    assert (await gateway.read(order)).paybacks == (Payback(dispute, "CHARGEBACK", state, 700),)
