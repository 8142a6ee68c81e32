"""Recharges by Stripe, with nobody there: charged once whatever is lost, declines that brake, banks that want to be asked.
And rules that go on though the server was killed (SIGKILL) where one was set, or where the card it charges became another.
"""

import asyncio
import sys

import pytest

from tests.harness.pause import paused
from tests.harness.wire import Lost
from tests.scenarios.shop import CREDITS, METHODS, PRICE, eventually

SET = """mutation($input: RechargeInput!) { answer: setRecharge(input: $input) {
  __typename ... on RechargeOk { rule { enabled } } ... on Refusal { code message } } }"""
RULE = """query($key: String!) { customer(key: $key) { recharge(creditType: "ai") {
  suspendedReason attempts { id status failure clientSecret automatic } } } }"""


async def save_card(shop, customer, card="pm_card_visa"):
    """The customer saves a card on Stripe's page: the customer at Stripe."""
    reply = await shop.act("setupPaymentMethod", customer=customer)
    session = next(each for each in shop.fake.objects("checkout.session") if each["url"] == reply["url"])
    shop.fake.pay(session["id"], card)
    return session["customer"]


async def customer_with_card(shop, card="pm_card_visa"):
    """Somebody who has saved a card: (customer, the card at Stripe)."""
    customer = await shop.customer()
    payer = await save_card(shop, customer, card)

    async def saved():
        return (await shop.client.ask(METHODS, key=customer))["customer"]["paymentMethods"]

    await eventually(saved)
    methods = shop.fake.objects("payment_method")
    return customer, next(each["id"] for each in reversed(methods) if each["customer"] == payer)


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


# ─── kills ───────────────────────────────────────────────────────────────────────────────────────────────
# As `scrip serve`, but that it is killed where it would begin to watch a rule, which is committed by then.
_DEAF = """
import os, signal
from server.recharging import Recharging
Recharging.watch = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from server.cli import main
main()
"""
DEAF = (sys.executable, "-c", _DEAF, "serve")


@pytest.fixture
async def mortal(shop):
    """The shop, whose server runs again afterwards whatever became of it."""
    yield shop
    if shop.server.process.poll() is not None:
        await shop.server.start()


async def start_again(shop):
    await shop.server.start()
    shop.client.wire.drop()


async def switch_on_in_vain(shop, customer):
    with pytest.raises(Lost):
        await switch_on(shop, customer)


async def empty_again(shop, customer):
    fields = {"customer": customer, "creditType": "ai", "amount": str(CREDITS)}
    await shop.client.must("burn", **fields, idempotencyKey=f"{customer}-all")


async def charged(shop, customer, times):
    """So often, and no more."""

    async def so():
        return [each["status"] for each in (await rule(shop, customer))["attempts"]].count("SUCCEEDED") == times

    await eventually(so, 60.0)
    ids = {each["id"] for each in (await rule(shop, customer))["attempts"]}
    money = [each for top_up, each in shop.fake.check_money("scrip_top_up").items() if top_up in ids]
    assert sum(each["taken"] for each in money) == times * PRICE


@pytest.mark.timeout(180)
async def test_a_rule_that_was_being_set_is_there_and_watched_or_not_there_at_all(mortal, monkeypatch):
    shop = mortal
    (lost, _), (kept, _) = [await customer_with_card(shop) for _ in range(2)]
    wrote = {"when": "BEFORE INSERT", "table": "audit_log", "where": "NEW.action = 'recharge.set'"}
    async with paused(shop.server.settings["DATABASE_URL"], **wrote) as pause:
        setting = asyncio.create_task(switch_on_in_vain(shop, lost))
        await pause.until_met()
        await shop.server.kill()
        await setting
    with monkeypatch.context() as patch:
        patch.setattr(shop.server, "program", DEAF)
        await start_again(shop)
        await switch_on_in_vain(shop, kept)
        await shop.server.wait()
    await start_again(shop)
    assert await rule(shop, lost) is None
    await charged(shop, kept, 1)  # nobody has asked for anything since
    await switch_on(shop, lost)  # as one does who got no answer
    await charged(shop, lost, 1)
    for customer in (lost, kept):
        await empty_again(shop, customer)
        await charged(shop, customer, 2)
        subject = (await shop.client.ask("query($key: String!) { customer(key: $key) { id } }", key=customer))[
            "customer"
        ]["id"]
        acts = await shop.sql("SELECT FROM audit_log WHERE action = 'recharge.set' AND subject = $1", subject)
        assert len(acts) == 1


@pytest.mark.timeout(180)
async def test_rules_go_on_with_another_card_though_its_taking_in_was_killed(mortal):
    """Killed when the card is written and not yet its rule, then when both are and the rule is about to buy. No webhook
    comes after that, and nobody presses anything."""
    shop = mortal
    resting = []
    for _ in range(2):
        customer, card = await customer_with_card(shop)
        shop.fake.card_behaves(card, "insufficient_funds")
        await switch_on(shop, customer)
        await attempts(shop, customer, "FAILED")
        resting.append(customer)
    state = """SELECT (SELECT count(*) FROM payment_methods m WHERE m.customer_id = c.id) AS cards, failures
                 FROM customers c JOIN recharge_rules r ON r.customer_id = c.id WHERE c.key = $1"""
    moments = [("BEFORE UPDATE", "recharge_rules", (1, 1)), ("BEFORE INSERT", "top_ups", (2, 0))]
    for customer, (when, table, found) in zip(resting, moments, strict=True):
        (row,) = await shop.sql("SELECT id FROM customers WHERE key = $1", customer)
        whose = f"NEW.customer_id = {row['id']}"
        async with paused(shop.server.settings["DATABASE_URL"], when, table, where=whose) as pause:
            await save_card(shop, customer)
            await pause.until_met()
            shop.fake.cut_webhooks()
            await shop.server.kill()
        assert [tuple(row) for row in await shop.sql(state, customer)] == [found]
        await start_again(shop)
        await charged(shop, customer, 1)
        await empty_again(shop, customer)
        await charged(shop, customer, 2)
        assert [each["status"] for each in (await rule(shop, customer))["attempts"]][2:] == ["FAILED"]
