"""Money on its way back: refunds, disputes, and what they leave of it."""

import pytest
import stripe

from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.paying import charged


async def test_a_charge_is_refunded_in_parts_and_never_for_more_than_it_took(
    fake: FakeStripe, client: stripe.StripeClient
):
    charge = await charged(client)
    part = await client.v1.refunds.create_async({"charge": charge.id, "amount": 300})
    assert (part.status, part.payment_intent) == ("succeeded", charge.payment_intent)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await client.v1.refunds.create_async({"charge": charge.id, "amount": 701})
    rest = await client.v1.refunds.create_async({"payment_intent": charge.payment_intent})
    assert rest.amount == 700
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"charge": charge.id})
    assert refused.value.code == "charge_already_refunded"
    found = await client.v1.refunds.list_async({"payment_intent": charge.payment_intent})
    assert [refund.id for refund in found.data] == [rest.id, part.id]
    refunded = await client.v1.charges.retrieve_async(charge.id)
    assert (refunded.refunded, refunded.amount_refunded) == (True, 1000)
    assert fake.check_money()["o1"]["left"] == 0


async def test_more_than_was_paid_is_refused_in_stripes_words(client: stripe.StripeClient):
    charge = await charged(client)
    with pytest.raises(stripe.InvalidRequestError, match="is greater than charge amount"):
        await client.v1.refunds.create_async({"charge": charge.id, "amount": 1001})


@pytest.mark.parametrize(("end", "left"), [("succeeded", 600), ("failed", 1000), ("canceled", 1000)], ids=str)
async def test_a_pending_refund_ends_one_way_or_another(
    fake: FakeStripe, client: stripe.StripeClient, end: str, left: int
):
    charge = await charged(client)
    fake.refunds_wait()
    refund = await client.v1.refunds.create_async({"charge": charge.id, "amount": 400})
    assert refund.status == "pending"
    if end == "canceled":
        await client.v1.refunds.cancel_async(refund.id)
    else:
        fake.end_refund(refund.id, end)
    assert (await client.v1.refunds.retrieve_async(refund.id)).status == end
    assert fake.check_money()["o1"]["left"] == left
    named = [event["type"] for event in fake.objects("event")]
    assert "refund.updated" in named
    assert ("refund.failed" in named) == (end == "failed")


async def test_a_refund_fails_days_after_it_had_succeeded(fake: FakeStripe, client: stripe.StripeClient):
    charge = await charged(client)
    refund = await client.v1.refunds.create_async({"charge": charge.id})
    fake.end_refund(refund.id, "failed")
    after = await client.v1.charges.retrieve_async(charge.id)
    assert (after.refunded, after.amount_refunded) == (False, 0)
    assert fake.check_money()["o1"]["left"] == 1000


async def test_somebody_refunds_in_the_dashboard(fake: FakeStripe, client: stripe.StripeClient):
    charge = await charged(client)
    fake.refund(charge.id, 250)
    event = fake.objects("event")[-1]
    assert (event["type"], event["request"]["id"]) == ("charge.refunded", None)
    assert fake.check_money()["o1"]["refunded"] == 250


@pytest.mark.parametrize(("won", "left"), [(True, 1000), (False, 0)])
async def test_a_dispute_takes_the_money_until_it_is_won(
    fake: FakeStripe, client: stripe.StripeClient, won: bool, left: int
):
    charge = await charged(client)
    dispute = fake.dispute(charge.id)
    found = await client.v1.disputes.retrieve_async(dispute["id"])
    assert (found.status, found.amount, found.charge) == ("needs_response", 1000, charge.id)
    assert fake.check_money()["o1"]["left"] == 0
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.refunds.create_async({"charge": charge.id})
    assert refused.value.code == "charge_disputed"
    answered = await client.v1.disputes.update_async(found.id, {"evidence": {"uncategorized_text": "used"}})
    assert answered.status == "under_review"
    fake.close_dispute(found.id, won=won)
    assert fake.check_money()["o1"]["left"] == left
    named = [event["type"] for event in fake.objects("event") if "dispute" in event["type"]]
    assert [name.removeprefix("charge.dispute.") for name in named] == [
        "created",
        "funds_withdrawn",
        "updated",
        *(["funds_reinstated"] if won else []),
        "closed",
    ]


async def test_a_card_that_disputes_at_once_does(fake: FakeStripe, client: stripe.StripeClient):
    intent = await client.v1.payment_intents.create_async(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_createDispute", "confirm": True}
    )
    found = await client.v1.disputes.list_async({"payment_intent": intent.id})
    assert (await client.v1.disputes.close_async(found.data[0].id)).status == "lost"


async def test_what_was_not_paid_is_neither_refunded_nor_disputed(fake: FakeStripe, client: stripe.StripeClient):
    intent = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        await client.v1.refunds.create_async({"payment_intent": intent.id})
    assert fake.objects("refund") == []


async def test_the_balance_is_what_was_taken_less_what_went_back_and_fees(
    fake: FakeStripe, client: stripe.StripeClient
):
    charge = await charged(client)
    await charged(client, "o2", amount=500, currency="jpy")
    await client.v1.refunds.create_async({"charge": charge.id, "amount": 100})
    balance = await client.v1.balance.retrieve_async()
    fees = {line["currency"]: line["fee"] for line in fake.objects("balance_transaction") if line["fee"]}
    assert {line.currency: line.amount for line in balance.pending} == {
        "usd": 900 - fees["usd"],
        "jpy": 500 - fees["jpy"],
    }


async def test_an_order_charged_twice_is_seen(fake: FakeStripe, client: stripe.StripeClient):
    await charged(client)
    await charged(client)
    assert fake.money()["o1"]["charges"] == 2
    with pytest.raises(AssertionError, match="order o1 was charged 2 times"):
        fake.check_money()
    assert fake.check_money(once=False)["o1"]["taken"] == 2000
