"""Paid by Stripe, over HTTP: the server as a process, webhooks as Stripe sends them, and everything that goes wrong with them.

The names of the faults (S1 …) are those of tests/FAULTS.md.
"""

import asyncio
import contextlib

import pytest
import stripe

from tests.harness.client import Client
from tests.harness.stripe.forgery import BADLY_SIGNED
from tests.harness.stripe.problems import Problem
from tests.scenarios.shop import CREDITS, METHODS, PRICE, SECRETS, eventually


async def nothing_happened(shop, top_up, customer, seconds=1.5):
    """Not now, and not after a round of the reconciler."""
    await asyncio.sleep(seconds)
    assert (await shop.read(top_up))["status"] == "PENDING"
    assert await shop.balance(customer) == 0


async def granted(shop, customer):
    return [entry for entry in await shop.client.ledger(customer) if entry["kind"] == "GRANT"]


async def test_what_is_paid_is_credited_once(shop):
    customer = await shop.customer()
    top_up = await shop.paid(customer, quantity=3)
    assert top_up["grant"]
    assert await shop.balance(customer) == 3 * CREDITS
    assert len(await granted(shop, customer)) == 1
    assert shop.fake.check_money("scrip_top_up")[top_up["id"]]["taken"] == 3 * PRICE


async def test_s1_the_answer_is_lost_and_the_same_key_finds_the_same_checkout(shop):
    customer = await shop.customer()
    shop.fake.turn("reset_after_effect", only="checkout.sessions.create", times=3)
    reply = await shop.start(customer, key="lost")
    for _ in range(5):
        if reply.ok:
            break
        assert reply.code == "UNAVAILABLE"
        reply = await shop.start(customer, key="lost")
    top_up = reply["topUp"]
    assert top_up["checkoutUrl"]
    assert (
        len([each for each in shop.fake.objects("checkout.session") if each["client_reference_id"] == top_up["id"]])
        == 1
    )


async def test_s3_the_webhook_comes_before_the_answer(shop):
    customer = await shop.customer()
    shop.fake.turn("slow_after_effect", only="checkout.sessions.create", times=1, seconds=2.0)
    starting = asyncio.create_task(shop.start(customer))
    paid = {each["id"] for each in shop.fake.objects("checkout.session")}

    async def made():
        return [each for each in shop.fake.objects("checkout.session") if each["id"] not in paid]

    (session,) = await eventually(made)
    shop.fake.pay(session["id"])
    await shop.fake.settle()
    reply = await starting
    assert reply["topUp"]["status"] == "SUCCEEDED"
    assert await shop.balance(customer) == CREDITS


async def test_s4_the_webhook_comes_long_after_it_was_seen_otherwise(shop):
    customer = await shop.customer()
    shop.fake.turn("delay", seconds=4.0)
    await shop.paid(customer)  # the reconciler was faster
    shop.fake.off()
    await shop.fake.settle()
    assert await shop.balance(customer) == CREDITS


async def test_s5_every_webhook_comes_six_times_at_once(shop):
    customer = await shop.customer()
    shop.fake.turn("duplicate", copies=5)
    top_up = await shop.paid(customer)
    await shop.fake.settle()
    assert await shop.balance(customer) == CREDITS
    assert len(await granted(shop, customer)) == 1
    told = await shop.sql(
        "SELECT id, count(*) AS times FROM payment_events GROUP BY workspace_id, id HAVING count(*) > 1"
    )
    assert not told
    assert shop.fake.money("scrip_top_up")[top_up["id"]]["charges"] == 1


async def test_s6_a_failure_that_comes_after_the_success_changes_nothing(shop):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    session = shop.session(top_up["id"])["id"]
    shop.fake.pay(session, "pm_card_chargeDeclined")
    failed = shop.fake.objects("event")[-1]
    assert failed["type"] == "payment_intent.payment_failed"
    shop.fake.pay(session)
    await shop.until(top_up["id"], "SUCCEEDED")
    assert await shop.fake.resend(failed["id"]) == [200]
    assert (await shop.read(top_up["id"]))["status"] == "SUCCEEDED"
    assert await shop.balance(customer) == CREDITS


@pytest.mark.parametrize("kind", BADLY_SIGNED)
async def test_s7_s8_s9_what_is_not_signed_now_and_by_stripe_is_not_read(shop, kind):
    """A wrong secret, an altered body, the old scheme, 301 seconds old, 10 years ahead: 400, and nothing was looked at."""
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    await shop.fake.settle()
    shop.fake.pay(shop.session(top_up["id"])["id"], "pm_card_chargeDeclined")
    await shop.fake.settle()
    refused = await shop.counted("refused")
    forged = await shop.fake.forge(kind)
    assert (forged["status"], forged["answer"]) == (400, '{"error":{"code":"REFUSED"}}')
    assert await shop.counted("refused") == refused + 1
    await nothing_happened(shop, top_up["id"], customer)


async def test_s9_an_event_is_acted_upon_once_for_ever(shop):
    customer = await shop.customer()
    await shop.paid(customer)
    await shop.fake.settle()
    event = next(each for each in reversed(shop.fake.objects("event")) if each["type"] == "checkout.session.completed")
    before = shop.fake.counters()["calls"]["checkout.sessions.retrieve"]
    assert [await shop.fake.resend(event["id"]) for _ in range(5)] == [[200]] * 5
    answers = [each["answer"] for each in shop.sent("checkout.session.completed") if each["event"] == event["id"]]
    assert all("seen" in answer for answer in answers[-5:])
    assert (
        shop.fake.counters()["calls"]["checkout.sessions.retrieve"] <= before + 2
    )  # a look of the reconciler's, at most
    assert await shop.balance(customer) == CREDITS


async def test_s9_a_well_signed_event_that_says_what_is_not_so_credits_nobody(shop):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    invented = await shop.fake.invent(shop.session(top_up["id"])["id"])
    assert invented["status"] == 200
    await nothing_happened(shop, top_up["id"], customer)


@pytest.mark.parametrize("secrets", [[SECRETS[1]], list(SECRETS), ["whsec_of_another_endpoint", SECRETS[0]]])
async def test_s10_both_secrets_are_taken_while_one_replaces_the_other(shop, secrets):
    url = f"{shop.server.url}/webhooks/stripe"
    shop.fake.register(url, secrets)
    try:
        customer = await shop.customer()
        await shop.paid(customer)
        await shop.fake.settle()
        assert shop.sent("checkout.session.completed")[-1]["status"] == 200
    finally:
        shop.fake.register(url, [SECRETS[0]])


@pytest.mark.parametrize(("kind", "issue"), [("other_account", "ACCOUNT"), ("other_livemode", "MODE")])
async def test_s11_what_is_of_another_account_or_mode_is_ignored_and_told(shop, kind, issue):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    shop.fake.pay(shop.session(top_up["id"])["id"], "pm_card_chargeDeclined")
    await shop.fake.settle()
    forged = await shop.fake.forge(kind)
    assert (forged["status"], "foreign" in forged["answer"]) == (200, True)
    await nothing_happened(shop, top_up["id"], customer)
    assert [each for each in await shop.issues() if each["kind"] == issue and each["event"] == forged["event"]]


@pytest.mark.parametrize(("column", "value", "kind"), [("price", 499, "AMOUNT"), ("currency", "EUR", "CURRENCY")])
async def test_s12_another_amount_or_currency_than_was_ordered_is_put_before_an_operator(shop, column, value, kind):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    number = int(top_up["id"].split("_")[2], 36)
    whose = (await shop.sql("SELECT id FROM customers WHERE key = $1", customer))[0]["id"]
    await shop.sql(f"UPDATE top_ups SET {column} = $1 WHERE customer_id = $2 AND number = $3", value, whose, number)
    shop.fake.pay(shop.session(top_up["id"])["id"])
    await shop.fake.settle()

    async def told():
        return [each for each in await shop.issues() if each["kind"] == kind]

    await eventually(told)
    await nothing_happened(shop, top_up["id"], customer)


async def test_s12_somebody_elses_payment_with_our_metadata_credits_nobody(shop):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    metadata = shop.session(top_up["id"])["metadata"]
    client = shop.fake.client()
    await client.v1.payment_intents.create_async(
        {"amount": 50, "currency": "usd", "metadata": metadata, "confirm": True, "payment_method": "pm_card_visa"}
    )
    await shop.fake.settle()
    await nothing_happened(shop, top_up["id"], customer)


async def test_s13_an_order_that_is_not_here_is_told_and_what_is_not_ours_is_nobodys(shop):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    metadata = shop.session(top_up["id"])["metadata"]
    unknown = metadata | {"scrip_top_up": top_up["id"].rpartition("_")[0] + "_zz"}
    client = shop.fake.client()
    told = len(await shop.issues())
    for named in (unknown, {}, {"scrip_workspace": "99999", "scrip_top_up": "top_1_1"}, {"scrip_workspace": "no"}):
        await client.v1.payment_intents.create_async(
            {"amount": 700, "currency": "usd", "metadata": named, "confirm": True, "payment_method": "pm_card_visa"}
        )
    await shop.fake.settle()
    assert {each["status"] for each in shop.sent("payment_intent.succeeded")[-4:]} == {200}
    found = await shop.issues()
    assert [(each["kind"], each["actual"]) for each in found[: len(found) - told]] == [
        ("UNKNOWN_ORDER", unknown["scrip_top_up"])
    ]


async def test_s19_while_stripe_limits_us_nobody_is_asked_twice_and_all_comes_right(shop):
    customer = await shop.customer()
    shop.fake.turn("rate_limited", 0.5)
    reply = await shop.start(customer, key="limited")
    while not reply.ok:
        assert reply.code == "UNAVAILABLE", reply
        reply = await shop.start(customer, key="limited")
    shop.fake.pay(shop.session(reply["topUp"]["id"])["id"])
    await shop.until(reply["topUp"]["id"], "SUCCEEDED")
    assert await shop.balance(customer) == CREDITS


async def test_s20_a_method_that_takes_days_is_credited_when_it_is_paid(shop):
    customer = await shop.customer()
    paid, failed = await shop.buy(customer), await shop.buy(customer)
    sessions = [shop.session(each["id"])["id"] for each in (paid, failed)]
    shop.fake.pay(sessions[0], "pm_usBankAccount_success")
    shop.fake.pay(sessions[1], "pm_usBankAccount_insufficientFunds")
    await shop.fake.settle()
    await nothing_happened(shop, paid["id"], customer)
    shop.fake.finish_later(sessions[0], paid=True)
    shop.fake.finish_later(sessions[1], paid=False)
    await shop.until(paid["id"], "SUCCEEDED")
    assert (await shop.until(failed["id"], "FAILED"))["failure"]
    assert await shop.balance(customer) == CREDITS


async def test_s20_nothing_replaces_what_a_bank_may_still_pay_and_anything_what_it_has_not(shop):
    customer = await shop.customer()
    first = (await shop.buy(customer))["id"]
    shop.fake.pay(shop.session(first)["id"], "pm_usBankAccount_insufficientFunds")
    assert (await shop.start(customer, replaces=first)).code == "CONFLICT"  # whether or not its webhook is here
    shop.fake.finish_later(shop.session(first)["id"], paid=False)
    await shop.until(first, "FAILED")
    second = (await shop.start(customer, replaces=first))["topUp"]["id"]
    shop.fake.pay(shop.session(second)["id"])
    await shop.until(second, "SUCCEEDED")
    assert len(await granted(shop, customer)) == 1


async def pay(shop, top_up):
    """By card, on the page that it has, where that is still to be paid."""
    with contextlib.suppress(Problem, stripe.InvalidRequestError):
        if top_up["checkoutUrl"]:
            return await asyncio.to_thread(shop.fake.pay, shop.session(top_up["id"])["id"])
        intent = top_up["clientSecret"].partition("_secret_")[0]
        card = {"payment_method": "pm_card_visa", "return_url": "https://shop.example"}
        return await shop.fake.client().v1.payment_intents.confirm_async(intent, card)


@pytest.mark.parametrize("mode", ["HOSTED", "ELEMENT"])
async def test_who_pays_while_a_second_try_begins_pays_for_one_of_them(shop, mode):
    """On a page that is still open somewhere; and the second try is sent twice."""

    async def crossing(first, customer, delay):
        async def second():
            await asyncio.sleep(delay)
            client = Client(shop.server.url, shop.secret)
            wish = {"key": f"second-{customer}", "mode": mode, "replaces": first["id"]}
            reply = await shop.start(customer, client=client, **wish)
            client.wire.drop()
            return reply

        _, *replies = await asyncio.gather(pay(shop, first), second(), second())
        assert [reply.ok for reply in replies] == [True, True], replies
        assert replies[0]["topUp"]["id"] == replies[1]["topUp"]["id"]
        return replies[0]["topUp"]

    customers = [await shop.customer() for _ in range(12)]
    firsts = [await shop.buy(customer, mode=mode) for customer in customers]
    crossings = (crossing(*each, number / 400) for number, each in enumerate(zip(firsts, customers, strict=True)))
    for first, customer, last in zip(firsts, customers, await asyncio.gather(*crossings), strict=True):
        if last["id"] != first["id"]:
            await pay(shop, last)
        await shop.until(last["id"], "SUCCEEDED")
        await pay(shop, first)
        money = shop.fake.check_money("scrip_top_up")
        assert sum(money[each]["taken"] for each in {first["id"], last["id"]} & money.keys()) == PRICE
        assert await shop.balance(customer) == CREDITS


async def test_a_card_that_is_saved_is_known(shop):
    customer = await shop.customer()
    reply = await shop.act("setupPaymentMethod", customer=customer)
    session = next(each for each in shop.fake.objects("checkout.session") if each["url"] == reply["url"])
    shop.fake.pay(session["id"])

    async def known():
        return (await shop.client.ask(METHODS, key=customer))["customer"]["paymentMethods"]

    assert await eventually(known) == [{"label": "Visa •••• 4242", "expires": "2034-12", "isDefault": True}]


async def test_a_canceled_checkout_cannot_be_paid(shop):
    customer = await shop.customer()
    top_up = await shop.buy(customer)
    canceled = await shop.act("cancelTopUp", id=top_up["id"])
    assert canceled["topUp"]["status"] == "CANCELED"
    assert shop.session(top_up["id"])["status"] == "expired"


REQUESTS = {
    "no signature": ("POST", b"{}", {}, 400),
    "two signatures": ("POST", b"{}", {"Stripe-Signature": "t=1,v1=a", "stripe-signature": "t=1,v1=b"}, 400),
    "another method": ("GET", b"", {}, 405),
    "over a megabyte": ("POST", b"x" * (1024 * 1024 + 1), {"Stripe-Signature": "t=1,v1=a"}, 413),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_what_is_no_webhook_is_told_so_and_nothing_more(shop, what):
    method, body, headers, status = REQUESTS[what]
    client = Client(shop.server.url, "")
    response = await client.wire.request(method, "/webhooks/stripe", headers, body)
    client.wire.drop()
    assert response.status == status
    assert len(response.body) < 100


async def test_where_nobody_is_paid_by_stripe_there_is_no_such_route(server):
    client = Client(server.url, "")
    response = await client.wire.request("POST", "/webhooks/stripe", {"Stripe-Signature": "t=1,v1=a"}, b"{}")
    client.wire.drop()
    assert response.status == 404


@pytest.mark.parametrize(
    ("query", "title"),
    [("", "Thank you"), ("?scrip_result=canceled", "Nothing was paid"), ("?scrip_result=<b>", "Thank you")],
)
async def test_whoever_has_no_page_to_go_back_to_ends_on_one_of_ours(shop, query, title):
    response = await shop.client.wire.request("GET", f"/payments/done{query}", {})
    assert (response.status, f"<h1>{title}</h1>" in response.body.decode()) == (200, True)
    assert b"<b>" not in response.body
