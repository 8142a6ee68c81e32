"""Wherever a question to Stripe breaks off, the same question finds what has happened, and nothing happens twice."""

import pytest

from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.gateway import StripeGateway
from tests.server.stripe_gateway.conftest import a_payer, an_order, gateway_to, later, saved_card
from tests.server.stripe_gateway.looking import money, objects

LOST = {
    "the answer is lost": ("reset_after_effect", {}),
    "the answer never comes": ("timeout_after_effect", {"seconds": 3.0}),
    "an error although it happened": ("error_after_effect", {}),
    "the connection is lost before": ("reset", {}),
    "too many requests": ("rate_limited", {}),
    "an error before": ("error_before_effect", {"stored": False}),
}


@pytest.mark.parametrize("what", LOST)
async def test_s1_whatever_is_lost_of_a_charge_it_is_made_once(fake, what):
    """S1, S19: the same key finds the same payment intent."""
    gateway = gateway_to(fake, patience_s=2.0)
    payer, method = await saved_card(fake, gateway, a_payer())
    order = an_order(payer, mode="OFF_SESSION", method=method)
    knob, options = LOST[what]
    fake.turn(knob, only="payment_intents.create", times=2, **options)
    for _ in range(5):
        try:
            charged = await gateway.charge(order)
            break
        except ProviderUnavailable:
            continue
    assert (charged.state, charged.paid) == ("SUCCEEDED", 1000)
    assert money(fake, order)["charges"] == 1
    await gateway.close()


@pytest.mark.parametrize("what", LOST)
async def test_whatever_is_lost_of_a_checkout_there_is_one(fake, what):
    gateway = gateway_to(fake, patience_s=2.0)
    order = an_order()
    knob, options = LOST[what]
    fake.turn(knob, only="checkout.sessions.create", times=2, **options)
    for _ in range(5):
        try:
            started = await gateway.start(order)
            break
        except ProviderUnavailable:
            continue
    assert started.checkout_url
    assert len(objects(fake, "checkout.session", order)) == 1
    await gateway.close()


async def test_k3_an_order_that_nobody_wrote_the_ids_of_is_read(fake, gateway):
    """K3: killed between Stripe's answer and our record."""
    fake.search_lag(60)
    payer, method = await saved_card(fake, gateway, a_payer())
    charge, hosted, element = (
        an_order(payer, mode="OFF_SESSION", method=method),
        an_order(payer),
        an_order(payer, mode="ELEMENT"),
    )
    await gateway.charge(charge)
    fake.pay((await gateway.start(hosted)).session)
    await gateway.start(element)
    assert [(await gateway.read(order)).state for order in (charge, hosted, element)] == [
        "SUCCEEDED",
        "SUCCEEDED",
        "PENDING",
    ]


async def test_k3_nor_does_it_matter_that_nobody_wrote_down_the_customer(fake, gateway):
    fake.search_lag(60)
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session)
    assert (await gateway.read(order)).state == "SUCCEEDED"
    assert len([each for each in fake.objects("customer") if each["id"] == started.payer_id]) == 1


async def test_what_nobody_asked_for_is_not_there(gateway):
    assert await gateway.read(an_order()) is None


@pytest.mark.parametrize("mode", ["HOSTED", "ELEMENT", "OFF_SESSION"])
async def test_s2_after_the_key_is_forgotten_the_order_is_found_and_not_asked_for_again(own_fake, mode):
    """S2: a crash, and a retry a day later."""
    gateway = gateway_to(own_fake)
    payer, method = await saved_card(own_fake, gateway, a_payer())
    order = an_order(payer, mode=mode, method=method if mode == "OFF_SESSION" else None)
    verb = gateway.charge if mode == "OFF_SESSION" else gateway.start
    first = await verb(order)
    own_fake.advance(25 * 3600)
    a_day_later = gateway_to(own_fake, real_now=lambda: later(hours=25))
    again = await (a_day_later.charge if mode == "OFF_SESSION" else a_day_later.start)(order)
    assert (again.session, again.payment) == (first.session, first.payment)
    kinds = ("checkout.session", "payment_intent")
    assert sum(len(objects(own_fake, kind, order)) for kind in kinds) == 1
    for each in (gateway, a_day_later):
        await each.close()


async def test_s2_after_the_key_is_forgotten_what_was_never_made_is_charged_once(own_fake):
    payer, method = await saved_card(
        own_fake, gateway := gateway_to(own_fake, real_now=lambda: later(hours=25)), a_payer()
    )
    order = an_order(payer, mode="OFF_SESSION", method=method)
    first, second = await gateway.charge(order), await gateway.charge(order)
    assert (first.state, first.payment) == ("SUCCEEDED", second.payment)
    assert money(own_fake, order)["charges"] == 1
    await gateway.close()


async def test_what_stripe_refuses_is_refused_and_what_it_cannot_answer_is_unknown(fake, gateway):
    with pytest.raises(ProviderRefused):
        await gateway.start(an_order(unit_price=1, price=2))  # below what Stripe charges
    nobody = StripeGateway(
        Asker("sk_test_fake", "http://127.0.0.1:9", patience_s=2.0), live=False, done_url="http://x/"
    )
    with pytest.raises(ProviderUnavailable):
        await nobody.start(an_order())
    await nobody.close()
    revoked = StripeGateway(Asker("rk_test_unknown_to_it", fake.url), live=False, done_url="http://x/")
    fake.revoke("rk_test_unknown_to_it")
    with pytest.raises(ProviderUnavailable):  # a key that was rolled is no reason to give an order up
        await revoked.read(an_order(session="cs_test_1"))
    await revoked.close()
