"""Stripe as a provider, against the fake over HTTP by the official library: buying, and saved cards."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from credits.recharge.provider import PayerUnknown, ProviderRefused, ProviderUnavailable
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.gateway import StripeGateway
from tests.server.stripe_gateway.conftest import a_payer, an_order, gateway_to, saved_card
from tests.server.stripe_gateway.looking import get, known, money, objects


# ─── a checkout ──────────────────────────────────────────────────────────────────────────────────────────
async def test_a_checkout_is_started_paid_and_read(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    assert (started.state, started.order_id, started.subtotal, started.paid, started.currency, started.live) == (
        "PENDING",
        order.id,
        1000,
        None,
        "USD",
        False,
    )
    assert started.checkout_url
    assert started.checkout_url.startswith(fake.url)
    fake.pay(started.session)
    paid = await gateway.read(known(order, started))
    assert (paid.state, paid.subtotal, paid.paid, paid.order_id, paid.checkout_url) == (
        "SUCCEEDED",
        1000,
        1000,
        order.id,
        None,
    )
    assert paid.payment.startswith("pi_")
    assert paid.receipt_url
    assert paid.payer_id == started.payer_id


async def test_whoever_starts_it_again_finds_the_same_checkout(fake, gateway):
    order = an_order()
    first = await gateway.start(order)
    again = await gateway.start(replace(order, payer=replace(order.payer, provider_id=first.payer_id)))
    assert first.session == again.session == (await gateway.start(known(order, first))).session
    assert len(objects(fake, "checkout.session", order)) == 1


async def test_a_changed_name_finds_the_same_checkout_too(gateway):
    order = an_order()
    first = await gateway.start(order)
    renamed = replace(order, name="Another name", payer=replace(order.payer, locale="fr", email="new@example.com"))
    assert (await gateway.start(renamed)).session == first.session


async def test_the_way_back_says_which_order_and_keeps_the_page_s_own_query(fake, gateway):
    order = an_order()
    session = get(fake, (await gateway.start(order)).session)
    for name, result in (("success_url", "success"), ("cancel_url", "canceled")):
        parts = urlsplit(session[name])
        assert (parts.netloc, parts.path) == ("shop.example", "/credits")
        assert parse_qs(parts.query) == {"tab": ["1"], "scrip_top_up": [order.id], "scrip_result": [result]}
    elsewhere = get(fake, (await gateway.start(an_order(return_url=None))).session)
    assert elsewhere["success_url"].startswith("https://scrip.example/payments/done?scrip_top_up=top_")


async def test_everything_of_an_order_names_it(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session)
    session = get(fake, started.session)
    intent = get(fake, session["payment_intent"])
    for item in (session, intent):
        assert item["metadata"] == {
            "scrip_top_up": order.id,
            "scrip_workspace": "1",
            "scrip_customer": f"cus_{order.id.split('_')[1]}",
        }
    assert session["client_reference_id"] == order.id
    assert session["locale"] == "de"


async def test_with_tax_the_subtotal_is_the_price_and_more_is_paid(fake):
    taxing = gateway_to(fake, tax=True)
    fake.tax(2000)
    order = an_order()
    started = await taxing.start(order)
    assert started.subtotal == 1000
    fake.pay(started.session)
    paid = await taxing.read(known(order, started))
    assert (paid.subtotal, paid.paid) == (1000, 1200)
    await taxing.close()


async def test_yen_are_charged_in_yen(fake, gateway):
    order = an_order(currency="JPY", unit_price=500, price=1000)
    started = await gateway.start(order)
    fake.pay(started.session)
    paid = await gateway.read(known(order, started))
    assert (paid.currency, paid.paid) == ("JPY", 1000)


async def test_a_customer_that_stripe_does_not_know_any_more_is_told_apart(gateway):
    gone = an_order(a_payer(provider_id="cus_that_was_deleted"))
    for mode in ("HOSTED", "ELEMENT"):
        with pytest.raises(PayerUnknown):
            await gateway.start(replace(gone, mode=mode))
    with pytest.raises(PayerUnknown):
        await gateway.set_up(gone.payer, "HOSTED", None)


@pytest.mark.parametrize("currency", ["MGA", "UGX"])
async def test_n6_nobody_is_asked_for_a_hundred_times_the_price_or_a_hundredth_of_it(fake, gateway, currency):
    order = an_order(currency=currency, method="pm_1")
    for ask in (gateway.start, gateway.charge):
        with pytest.raises(ProviderRefused, match="another unit"):
            await ask(order)
    assert money(fake, order) is None
    assert objects(fake, "checkout.session", order) == objects(fake, "payment_intent", order) == []


async def test_a_decline_on_the_page_is_told_and_the_checkout_stays_open(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session, "pm_card_chargeDeclinedInsufficientFunds")
    read = await gateway.read(known(order, started))
    assert (read.state, read.decline_code, read.failure) == (
        "PENDING",
        "insufficient_funds",
        "Your card has insufficient funds.",
    )
    assert read.checkout_url
    fake.pay(started.session)
    assert (await gateway.read(known(order, started))).failure is None


async def test_a_method_that_takes_days_is_paid_when_it_is_paid(fake, gateway):
    """S20: complete is not paid."""
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session, "pm_usBankAccount_success")
    waiting = await gateway.read(known(order, started))
    assert (waiting.state, waiting.paid) == ("PENDING", None)
    fake.finish_later(started.session, paid=True)
    assert (await gateway.read(known(order, started))).state == "SUCCEEDED"


async def test_a_method_that_fails_after_days_has_failed(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session, "pm_usBankAccount_insufficientFunds")
    fake.finish_later(started.session, paid=False)
    failed = await gateway.read(known(order, started))
    assert (failed.state, failed.decline_code, failed.paid) == ("FAILED", "insufficient_funds", None)


async def test_a_canceled_checkout_cannot_be_paid_any_more(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    assert (await gateway.cancel(known(order, started))).state == "CANCELED"
    assert get(fake, started.session)["status"] == "expired"


async def test_what_was_paid_stays_so_when_it_is_canceled(fake, gateway):
    order = an_order()
    started = await gateway.start(order)
    fake.pay(started.session)
    canceled = await gateway.cancel(known(order, started))
    assert (canceled.state, canceled.paid) == ("SUCCEEDED", 1000)


async def test_real_money_is_told_from_play_money(fake):
    """S11: what a live key has made is of the live mode; a test key concludes nothing from not finding it."""
    live = StripeGateway(Asker("sk_live_0123456789", fake.url), live=True, done_url="https://scrip.example/")
    playing = gateway_to(fake)
    order = an_order()
    started = await live.start(order)
    assert (started.live, live.live, playing.live) == (True, True, False)
    with pytest.raises(ProviderUnavailable, match="another account or mode"):
        await playing.read(known(order, started))
    for each in (live, playing):
        await each.close()


# ─── an element ──────────────────────────────────────────────────────────────────────────────────────────
async def test_an_element_is_given_its_secret_and_pays(fake, gateway):
    order = an_order(mode="ELEMENT")
    started = await gateway.start(order)
    assert (started.state, started.subtotal, started.checkout_url) == ("PENDING", 1000, None)
    assert started.client_secret.startswith(started.payment)
    await fake.client().v1.payment_intents.confirm_async(started.payment, {"payment_method": "pm_card_visa"})
    paid = await gateway.read(known(order, started))
    assert (paid.state, paid.paid, paid.client_secret) == ("SUCCEEDED", 1000, None)


async def test_an_element_is_canceled(gateway):
    order = an_order(mode="ELEMENT")
    started = await gateway.start(order)
    assert (await gateway.cancel(known(order, started))).state == "CANCELED"


# ─── with nobody there ───────────────────────────────────────────────────────────────────────────────────
async def test_a_saved_card_is_charged_with_nobody_there(fake, gateway):
    payer, method = await saved_card(fake, gateway, a_payer())
    order = an_order(payer, mode="OFF_SESSION", method=method)
    charged = await gateway.charge(order)
    assert (charged.state, charged.paid, charged.order_id) == ("SUCCEEDED", 1000, order.id)
    assert (await gateway.charge(order)).payment == charged.payment
    assert money(fake, order)["charges"] == 1


@pytest.mark.parametrize("behaviour", ["insufficient_funds", "expired_card", "stolen_card"])
async def test_s17_a_decline_with_nobody_there_has_failed_and_says_why(fake, gateway, behaviour):
    payer, method = await saved_card(fake, gateway, a_payer())
    fake.card_behaves(method, behaviour)
    order = an_order(payer, mode="OFF_SESSION", method=method)
    told = await gateway.charge(order)
    assert (told.state, told.decline_code, told.paid) == ("FAILED", behaviour, None)
    assert told.failure.startswith("Your card")
    assert (await gateway.read(known(order, told))).state == "FAILED"


async def test_s17_a_card_that_wants_authentication_asks_for_it(fake, gateway):
    """S17: 3DS with nobody there: the customer is told, and has what to confirm with."""
    payer, method = await saved_card(fake, gateway, a_payer())
    fake.card_behaves(method, "authenticates")
    order = an_order(payer, mode="OFF_SESSION", method=method)
    told = await gateway.charge(order)
    assert (told.state, told.decline_code) == ("REQUIRES_ACTION", "authentication_required")
    assert told.client_secret.startswith(told.payment)
    assert told.failure == "Your bank asks you to confirm this payment."
    again = await gateway.read(known(order, told))
    assert (again.state, again.client_secret) == ("REQUIRES_ACTION", told.client_secret)
    await fake.client().v1.payment_intents.confirm_async(told.payment, {"payment_method": method})
    fake.authenticate(told.payment)
    assert (await gateway.read(known(order, told))).state == "SUCCEEDED"


# ─── customers ───────────────────────────────────────────────────────────────────────────────────────────
async def test_a_customer_is_made_once_and_told_by_what_it_is_called(fake, gateway):
    payer = a_payer()
    first = await gateway.know(payer)
    again = await gateway.know(replace(payer, name="Countess", email=None))
    assert first == again
    customer = get(fake, first)
    assert (customer["name"], customer["email"]) == ("Countess", "ada@example.com")


async def test_saved_cards_are_listed_by_a_label_with_the_newest_or_chosen_as_default(fake, gateway):
    payer, first = await saved_card(fake, gateway, a_payer())
    _, second = await saved_card(fake, gateway, payer, "pm_card_mastercard")
    found = {each.provider_id: each for each in await gateway.methods(payer)}
    assert (found[first].label, found[first].expires) == ("Visa •••• 4242", "2034-12")
    assert found[second].label == "Mastercard •••• 4444"
    assert sum(each.is_default for each in found.values()) == 1
    await fake.client().v1.customers.update_async(
        payer.provider_id, {"invoice_settings": {"default_payment_method": first}}
    )
    assert [each.provider_id for each in await gateway.methods(payer) if each.is_default] == [first]


async def test_a_card_is_saved_on_a_page_of_stripes_or_by_its_element(fake, gateway):
    payer = a_payer()
    page = await gateway.set_up(payer, "HOSTED", "https://shop.example/")
    assert page.url.startswith(fake.url)
    payer = replace(payer, provider_id=await gateway.know(payer))
    session = next(each for each in fake.objects("checkout.session") if each["url"] == page.url)
    fake.pay(session["id"])
    assert [each.label for each in await gateway.methods(payer)] == ["Visa •••• 4242"]
    element = await gateway.set_up(payer, "ELEMENT", None)
    assert (element.url, element.client_secret.startswith("seti_")) == (None, True)


async def test_a_customer_without_an_id_has_no_cards(gateway):
    assert await gateway.methods(a_payer()) == ()
