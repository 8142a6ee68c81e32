"""What Stripe's objects say of an order's money: tables of cases, and what no object may ever make us believe."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.stripe_gateway.truth import AUTHENTICATE, DECLINED, declined, is_of, methods_of, payment_of

METADATA = {"scrip_top_up": "top_1_1", "scrip_workspace": "1", "scrip_customer": "cus_1"}


def a_session(**fields: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "status": "open",
        "payment_status": "unpaid",
        "amount_subtotal": 1000,
        "amount_total": 1200,
        "total_details": {"amount_discount": 0},
        "currency": "usd",
        "customer": "cus_s",
        "livemode": False,
        "metadata": METADATA,
        "url": "https://checkout.stripe.com/1",
        **fields,
    }


def an_intent(**fields: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": 1000,
        "amount_received": 0,
        "currency": "usd",
        "customer": "cus_s",
        "livemode": False,
        "metadata": METADATA,
        "client_secret": "pi_1_secret_1",
        "last_payment_error": None,
        "latest_charge": None,
        **fields,
    }


def an_error(code: str, **fields: Any) -> dict[str, Any]:
    return {"type": "card_error", "code": code, "message": "Your card was declined.", **fields}


SESSIONS = [
    ("open", "unpaid", None, "PENDING"),
    ("open", "unpaid", "requires_action", "PENDING"),
    ("complete", "paid", "succeeded", "SUCCEEDED"),
    ("complete", "no_payment_required", None, "SUCCEEDED"),
    ("complete", "unpaid", "processing", "PENDING"),
    ("complete", "unpaid", "requires_payment_method", "FAILED"),
    ("complete", "unpaid", "canceled", "CANCELED"),
    ("complete", "unpaid", "succeeded", "PENDING"),  # it will say so itself in a moment
    ("open", "paid", "succeeded", "PENDING"),
    ("expired", "unpaid", None, "CANCELED"),
    ("expired", "unpaid", "canceled", "CANCELED"),
]


@pytest.mark.parametrize(("status", "payment_status", "intent", "state"), SESSIONS)
def test_a_session_is_paid_when_it_says_so_itself(status, payment_status, intent, state):
    session = a_session(status=status, payment_status=payment_status)
    assert payment_of("HOSTED", session, an_intent(status=intent) if intent else None).state == state


INTENTS = [
    ("ELEMENT", "requires_payment_method", None, "PENDING"),
    ("ELEMENT", "requires_payment_method", "card_declined", "PENDING"),
    ("OFF_SESSION", "requires_payment_method", None, "PENDING"),
    ("OFF_SESSION", "requires_payment_method", "card_declined", "FAILED"),
    ("OFF_SESSION", "requires_payment_method", "authentication_required", "REQUIRES_ACTION"),
    ("OFF_SESSION", "requires_action", None, "REQUIRES_ACTION"),
    ("ELEMENT", "requires_action", None, "REQUIRES_ACTION"),
    ("ELEMENT", "requires_confirmation", None, "PENDING"),
    ("ELEMENT", "requires_capture", None, "PENDING"),
    ("OFF_SESSION", "processing", None, "PENDING"),
    ("OFF_SESSION", "succeeded", None, "SUCCEEDED"),
    ("ELEMENT", "canceled", None, "CANCELED"),
    ("ELEMENT", "something_new", None, "PENDING"),
]


@pytest.mark.parametrize(("mode", "status", "code", "state"), INTENTS)
def test_a_payment_intent_is_the_truth_where_there_is_no_session(mode, status, code, state):
    intent = an_intent(status=status, last_payment_error=an_error(code) if code else None)
    assert payment_of(mode, None, intent).state == state


@given(
    status=st.sampled_from(["open", "complete", "expired", "something_new"]),
    payment_status=st.sampled_from(["unpaid", "something_new"]),
    intent=st.sampled_from(["succeeded", "processing", "canceled", "requires_action", "something_new"]),
)
def test_no_session_that_is_not_paid_is_ever_credited(status, payment_status, intent):
    told = payment_of("HOSTED", a_session(status=status, payment_status=payment_status), an_intent(status=intent))
    assert told.state != "SUCCEEDED"
    assert told.paid is None


def test_what_is_before_tax_is_the_subtotal_and_what_was_received_is_paid():
    told = payment_of(
        "HOSTED",
        a_session(status="complete", payment_status="paid"),
        an_intent(status="succeeded", amount_received=1200),
    )
    assert (told.subtotal, told.paid, told.currency) == (1000, 1200, "USD")


def test_a_discount_that_we_never_gave_is_no_price_that_was_asked_for():
    session = a_session(
        status="complete", payment_status="paid", amount_total=1, total_details={"amount_discount": 999}
    )
    assert payment_of("HOSTED", session, None).subtotal == 1


def test_the_secret_is_told_to_nobody_who_does_not_need_it():
    assert payment_of("ELEMENT", None, an_intent()).client_secret == "pi_1_secret_1"
    assert payment_of("ELEMENT", None, an_intent(status="succeeded")).client_secret is None
    assert payment_of("HOSTED", a_session(), an_intent()).client_secret is None


def test_who_has_to_be_asked_is_told_so_and_a_message_for_developers_is_not_for_customers():
    asked = payment_of("OFF_SESSION", None, an_intent(last_payment_error=an_error("authentication_required")))
    assert (asked.failure, asked.decline_code) == (AUTHENTICATE, "authentication_required")
    error = {"type": "invalid_request_error", "code": "x", "message": "Set `return_url`."}
    assert payment_of("ELEMENT", None, an_intent(last_payment_error=error)).failure == DECLINED


def test_a_decline_without_a_payment_has_failed():
    told = declined("OFF_SESSION", an_error("card_declined", decline_code="lost_card"), "top_1_1", "cus_s", live=False)
    assert (told.state, told.decline_code, told.payment, told.order_id) == ("FAILED", "lost_card", None, "top_1_1")


REFUNDS = [
    ("pending", "DONE"),
    ("requires_action", "DONE"),
    ("succeeded", "DONE"),
    ("failed", "FAILED"),
    ("canceled", "FAILED"),
]
DISPUTES = [
    ("warning_needs_response", 0, "PENDING"),
    ("warning_under_review", 0, "PENDING"),
    ("warning_closed", 0, "FAILED"),
    ("needs_response", -700, "DONE"),
    ("under_review", -700, "DONE"),
    ("lost", -700, "DONE"),
    ("appeal_needs_response", -700, "DONE"),
    ("appeal_under_review", -700, "DONE"),
    ("won", 0, "FAILED"),
    ("prevented", 0, "FAILED"),
    ("prevented", -700, "DONE"),
    ("something_new", -700, "DONE"),
    ("something_new", 0, "FAILED"),
]


@pytest.mark.parametrize(("status", "state"), REFUNDS)
def test_a_refund_counts_while_its_money_is_committed(status, state):
    refund = {"id": "re_1", "amount": 300, "status": status, "metadata": {"scrip_refund": "pbk_1"}}
    (told,) = payment_of("ELEMENT", None, an_intent(status="succeeded"), [refund]).paybacks
    assert (told.kind, told.state, told.amount, told.ours) == ("REFUND", state, 300, "pbk_1")


@pytest.mark.parametrize(("status", "moved", "state"), DISPUTES)
def test_a_payment_dispute_counts_while_the_bank_has_the_money(status, moved, state):
    lines = [{"amount": moved}] if moved else []
    dispute = {"id": "du_1", "amount": 700, "status": status, "balance_transactions": lines}
    (told,) = payment_of("ELEMENT", None, an_intent(status="succeeded"), [], [dispute]).paybacks
    assert (told.kind, told.state, told.ours) == ("CHARGEBACK", state, None)


def test_an_object_is_an_orders_when_order_and_workspace_fit():
    item = {"metadata": METADATA}
    assert is_of(item, "top_1_1", 1)
    assert not any([is_of(item, "top_1_2", 1), is_of(item, "top_1_1", 2), is_of({"metadata": None}, "top_1_1", 1)])


LABELS = [
    (
        {"type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 4, "exp_year": 2030}},
        "Visa •••• 4242",
        "2030-04",
    ),
    ({"type": "card", "card": {"brand": "unheard_of", "last4": "1"}}, "Card •••• 1", None),
    (
        {"type": "card", "card": {"brand": "visa", "display_brand": "cartes_bancaires", "last4": "1"}},
        "Cartes Bancaires •••• 1",
        None,
    ),
    ({"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}, "SEPA Direct Debit •••• 3000", None),
    (
        {"type": "us_bank_account", "us_bank_account": {"bank_name": "STRIPE", "last4": "6789"}},
        "Bank account •••• 6789",
        None,
    ),
    ({"type": "link", "link": {"email": "ada@example.com"}}, "Link", None),
    ({"type": "brand_new", "brand_new": {}}, "Brand new", None),
]


@pytest.mark.parametrize(("method", "label", "expires"), LABELS)
def test_a_method_is_labelled_without_a_name_or_an_address(method, label, expires):
    (told,) = methods_of([{"id": "pm_1", "created": 1, **method}], {})
    assert (told.label, told.expires, told.is_default) == (label, expires, True)


def test_the_default_is_the_chosen_one_else_the_newest_and_one_alone():
    card = {"type": "card", "card": {"brand": "visa", "last4": "1"}}
    listed = [{"id": f"pm_{number}", "created": number, **card} for number in (1, 3, 2)]
    for chosen, default in (("pm_1", "pm_1"), (None, "pm_3"), ("pm_gone", "pm_3")):
        told = methods_of(listed, {"invoice_settings": {"default_payment_method": chosen}})
        assert [each.provider_id for each in told if each.is_default] == [default]
    assert methods_of(listed, {"deleted": True}) == ()


def test_of_two_that_were_saved_in_one_second_the_later_is_the_newest():
    """Stripe's instants are whole seconds, its lists begin with the newest: ids say nothing."""
    card = {"type": "card", "card": {"brand": "visa", "last4": "1"}, "created": 7}
    for listed in (("pm_b", "pm_a"), ("pm_a", "pm_b")):
        told = methods_of([{"id": each, **card} for each in listed], {})
        assert [(each.provider_id, each.is_default) for each in told] == [(listed[0], True), (listed[1], False)]
