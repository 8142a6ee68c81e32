"""Recharges by Stripe, with nobody there: charged once whatever is lost, declines that brake, banks that want to be asked."""

import asyncio

import pytest

from tests.scenarios.shop import CREDITS, METHODS, PRICE, eventually

SET = """mutation($input: RechargeInput!) { answer: setRecharge(input: $input) {
  __typename ... on RechargeOk { rule { enabled } } ... on Refusal { code message } } }"""
RULE = """query($key: String!) { customer(key: $key) { recharge(creditType: "ai") {
  suspendedReason attempts { id status failure clientSecret automatic } } } }"""


async def customer_with_card(shop, card="pm_card_visa"):
    """Somebody who has saved a card on Stripe's page: (customer, the card at Stripe)."""
    customer = await shop.customer()
    reply = await shop.act("setupPaymentMethod", customer=customer)
    session = next(each for each in shop.fake.objects("checkout.session") if each["url"] == reply["url"])
    shop.fake.pay(session["id"], card)

    async def saved():
        return (await shop.client.ask(METHODS, key=customer))["customer"]["paymentMethods"]

    await eventually(saved)
    methods = shop.fake.objects("payment_method")
    return customer, next(each["id"] for each in reversed(methods) if each["customer"] == session["customer"])


async def rule(shop, customer):
    return (await shop.client.ask(RULE, key=customer))["customer"]["recharge"]


async def switch_on(shop, customer):
    wish = {
        "customer": customer,
        "creditType": "ai",
        "enabled": True,
        "threshold": "10",
        "bundle": "pack",
        "monthlyCap": {"amount": "100.00", "currency": "USD"},
    }
    answer = (await shop.client.ask(SET, input=wish))["answer"]
    assert answer["__typename"] == "RechargeOk", answer


async def attempts(shop, customer, status):
    async def so():
        return [each for each in (await rule(shop, customer))["attempts"] if each["status"] == status]

    return await eventually(so, 60.0)


@pytest.mark.parametrize("knob", [None, "reset_after_effect", "error_after_effect", "rate_limited"])
async def test_s1_what_falls_short_is_charged_once_whatever_is_lost(shop, knob):
    customer, _ = await customer_with_card(shop)
    if knob:
        shop.fake.turn(knob, only="payment_intents.create", times=2)
    await switch_on(shop, customer)
    (recharge,) = await attempts(shop, customer, "SUCCEEDED")
    assert recharge["automatic"]
    assert await shop.balance(customer) == CREDITS
    await asyncio.sleep(1.0)
    assert len((await rule(shop, customer))["attempts"]) == 1
    assert shop.fake.check_money("scrip_top_up")[recharge["id"]] | {"left": 0} == {
        "currency": "usd",
        "charges": 1,
        "taken": PRICE,
        "refunded": 0,
        "disputed": 0,
        "left": 0,
    }


async def test_s17_a_card_that_is_declined_is_told_and_is_not_tried_again_at_once(shop):
    customer, card = await customer_with_card(shop)
    shop.fake.card_behaves(card, "insufficient_funds")
    await switch_on(shop, customer)
    (failed,) = await attempts(shop, customer, "FAILED")
    assert failed["failure"] == "Your card has insufficient funds."
    for number in range(10):
        await shop.client.put(
            "burn", customer=customer, creditType="ai", amount="1", idempotencyKey=f"{customer}-{number}"
        )
    await asyncio.sleep(2.0)
    assert len((await rule(shop, customer))["attempts"]) == 1
    assert await shop.balance(customer) <= 0


async def test_s17_a_bank_that_wants_to_be_asked_is_asked_by_the_customer(shop):
    customer, card = await customer_with_card(shop)
    shop.fake.card_behaves(card, "authenticates")
    await switch_on(shop, customer)
    (waiting,) = await attempts(shop, customer, "REQUIRES_ACTION")
    assert waiting["failure"] == "Your bank asks you to confirm this payment."
    intent = waiting["clientSecret"].split("_secret_")[0]
    await shop.fake.client().v1.payment_intents.confirm_async(intent, {"payment_method": card})
    shop.fake.authenticate(intent)
    await attempts(shop, customer, "SUCCEEDED")
    assert await shop.balance(customer) == CREDITS
