"""Charging with the official library: what succeeds, what is declined, what the customer has to be there for."""

from typing import Any

import pytest
import stripe

from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.paying import charge_of, kept_card

DECLINED = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
}


async def test_a_kept_card_is_charged_while_its_owner_is_away(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client)
    expand = ["latest_charge.balance_transaction", "customer"]
    intent = await client.v1.payment_intents.create_async({**charge_of(customer, method), "expand": expand})
    assert (intent.status, intent.amount_received, intent.livemode) == ("succeeded", 1000, False)
    assert isinstance(intent.customer, stripe.Customer)
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.metadata["order"] == "o1"
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert charge.balance_transaction.net == 1000 - charge.balance_transaction.fee
    assert charge.receipt_url.startswith(fake.url)
    assert [c["id"] for c in fake.charges(order="o1")] == [charge.id]


@pytest.mark.parametrize("card", DECLINED)
async def test_a_declined_card_is_a_card_error_that_carries_the_intent(
    fake: FakeStripe, client: stripe.StripeClient, card: str
):
    customer = await client.v1.customers.create_async({})
    with pytest.raises(stripe.CardError) as refused:
        await client.v1.payment_intents.create_async(charge_of(customer.id, card))
    error = refused.value
    assert (error.http_status, error.code, error.error.decline_code) == (402, *DECLINED[card])
    intent = await client.v1.payment_intents.retrieve_async(error.error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.decline_code == DECLINED[card][1]
    assert fake.charges() == []
    assert [c["failure_code"] for c in fake.charges(status="failed")] == [DECLINED[card][0]]


async def test_a_card_that_is_declined_now_was_kept_before_and_is_well_again_later(
    fake: FakeStripe, client: stripe.StripeClient
):
    customer, method = await kept_card(client)
    fake.card_behaves(method, "insufficient_funds")
    with pytest.raises(stripe.CardError):
        await client.v1.payment_intents.create_async(charge_of(customer, method))
    fake.card_behaves(method, "succeeds")
    assert (await client.v1.payment_intents.create_async(charge_of(customer, method))).status == "succeeded"


async def test_a_bank_that_wants_its_owner_declines_off_session_and_asks_on_session(
    fake: FakeStripe, client: stripe.StripeClient
):
    customer, method = await kept_card(client, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as refused:
        await client.v1.payment_intents.create_async(charge_of(customer, method))
    assert (refused.value.code, refused.value.error.decline_code) == ("authentication_required",) * 2
    same = refused.value.error.payment_intent.id
    asked = await client.v1.payment_intents.confirm_async(
        same, {"payment_method": method, "return_url": "https://shop.example"}
    )
    assert (asked.status, asked.next_action.type) == ("requires_action", "redirect_to_url")
    assert fake.charges() == []
    fake.authenticate(same)
    assert (await client.v1.payment_intents.retrieve_async(same)).status == "succeeded"
    assert len(fake.charges(order="o1")) == 1


async def test_who_fails_to_authenticate_is_not_charged(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client, "pm_card_authenticationRequired")
    intent = await client.v1.payment_intents.create_async(charge_of(customer, method, off_session=False))
    assert intent.next_action.type == "use_stripe_sdk"
    failed = fake.authenticate(intent.id, passed=False)
    assert failed["status"] == "requires_payment_method"
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert fake.charges(status="") == []


async def test_a_card_set_up_once_is_charged_later_without_its_owner(fake: FakeStripe, client: stripe.StripeClient):
    customer = await client.v1.customers.create_async({})
    setup = await client.v1.setup_intents.create_async(
        {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    assert setup.status == "requires_action"
    fake.authenticate(setup.id)
    setup = await client.v1.setup_intents.retrieve_async(setup.id)
    assert setup.status == "succeeded"
    intent = await client.v1.payment_intents.create_async(charge_of(customer.id, setup.payment_method))
    assert intent.status == "succeeded"


async def test_an_intent_is_made_confirmed_and_cancelled_in_steps(fake: FakeStripe, client: stripe.StripeClient):
    intents = client.v1.payment_intents
    made = await intents.create_async({"amount": 500, "currency": "usd"})
    assert (made.status, made.latest_charge) == ("requires_payment_method", None)
    changed = await intents.update_async(made.id, {"metadata": {"order": "o1"}, "amount": 700})
    assert (changed.amount, changed.metadata["order"]) == (700, "o1")
    done = await intents.confirm_async(made.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    for refused in (intents.cancel_async(made.id), intents.confirm_async(made.id)):
        with pytest.raises(stripe.InvalidRequestError) as error:
            await refused
        assert error.value.code == "payment_intent_unexpected_state"
    other = await intents.create_async({"amount": 500, "currency": "usd"})
    assert (await intents.cancel_async(other.id, {"cancellation_reason": "abandoned"})).status == "canceled"
    assert fake.check_money()["o1"]["taken"] == 700


async def test_a_bank_debit_is_processing_until_the_bank_answers(fake: FakeStripe, client: stripe.StripeClient):
    for paid, status in ((True, "succeeded"), (False, "requires_payment_method")):
        customer, method = await kept_card(client, "pm_usBankAccount_success")
        intent = await client.v1.payment_intents.create_async(charge_of(customer, method))
        assert intent.status == "processing"
        fake.finish_later(intent.id, paid=paid)
        assert (await client.v1.payment_intents.retrieve_async(intent.id)).status == status
    assert len(fake.charges()) == 1


async def test_cards_are_kept_listed_preferred_and_given_up(client: stripe.StripeClient):
    customer, method = await kept_card(client)
    methods = client.v1.payment_methods
    await client.v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method}})
    found = await client.v1.customers.retrieve_async(customer, {"expand": ["invoice_settings.default_payment_method"]})
    assert found.invoice_settings.default_payment_method.card.last4 == "4242"
    assert [m.id for m in (await methods.list_async({"customer": customer, "type": "card"})).data] == [method]
    assert [m.id for m in (await client.v1.customers.payment_methods.list_async(customer)).data] == [method]
    assert (await methods.detach_async(method)).customer is None
    found = await client.v1.customers.retrieve_async(customer)
    assert found.invoice_settings.default_payment_method is None
    for refused in (
        methods.attach_async(method, {"customer": customer}),
        client.v1.customers.update_async(customer, {"invoice_settings": {"default_payment_method": method}}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await refused


async def test_a_card_of_another_customer_is_not_charged(fake: FakeStripe, client: stripe.StripeClient):
    _, method = await kept_card(client)
    other = await client.v1.customers.create_async({})
    with pytest.raises(stripe.InvalidRequestError, match="does not own"):
        await client.v1.payment_intents.create_async(charge_of(other.id, method))
    assert fake.charges(status="") == []


async def test_a_card_declined_when_it_is_to_be_kept_is_not_kept(client: stripe.StripeClient):
    with pytest.raises(stripe.CardError):
        await kept_card(client, "pm_card_chargeDeclined")
    customer, method = await kept_card(client, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        await client.v1.payment_intents.create_async(charge_of(customer, method))


AMOUNTS: list[tuple[dict[str, Any], str | None]] = [
    ({"amount": 50, "currency": "usd"}, None),
    ({"amount": 49, "currency": "usd"}, "amount_too_small"),
    ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer"),
    ({"amount": -1, "currency": "usd"}, "parameter_invalid_integer"),
    ({"amount": "10.5", "currency": "usd"}, "parameter_invalid_integer"),
    ({"amount": 99_999_999, "currency": "usd"}, None),
    ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large"),
    ({"amount": 500, "currency": "jpy"}, None),
    ({"amount": 12_340, "currency": "bhd"}, None),
    ({"amount": 12_345, "currency": "bhd"}, ""),
    ({"amount": 500, "currency": "USD"}, ""),
    ({"amount": 500, "currency": "xyz"}, ""),
    ({"amount": 500}, "parameter_missing"),
    ({"currency": "usd"}, "parameter_missing"),
    ({"amount": 500, "currency": "usd", "amuont": 5}, "parameter_unknown"),
    ({"amount": 500, "currency": "usd", "off_session": True}, ""),
    ({"amount": 500, "currency": "usd", "customer": "cus_nobody"}, "resource_missing"),
    ({"amount": 500, "currency": "usd", "metadata": {"k" * 41: "v"}}, ""),
]


@pytest.mark.parametrize(("asked", "code"), AMOUNTS)
async def test_amounts_are_whole_minor_units_within_bounds(
    shared_client: stripe.StripeClient, asked: dict[str, Any], code: str | None
):
    making = shared_client.v1.payment_intents.create_async(asked)
    if code is None:
        assert (await making).amount == asked["amount"]
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await making
    assert (refused.value.http_status, refused.value.code or "") == (400, code)
