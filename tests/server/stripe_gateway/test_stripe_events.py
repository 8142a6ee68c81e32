"""What an event is about: ours by our metadata, or by what it belongs to; and how orders are asked for."""

from dataclasses import replace

import pytest
from stripe.params import PaymentIntentCreateParams, RefundCreateParams, SetupIntentCreateParams
from stripe.params.checkout import SessionCreateParams

from server.stripe_gateway import params
from server.stripe_gateway.events import ACTED, LISTED, Behind, Ours, about, ours_of
from tests.server.stripe_gateway.conftest import a_payer, an_order

METADATA = {"scrip_top_up": "top_1_2", "scrip_workspace": "7", "scrip_customer": "cus_1"}
ORDER = Ours(7, "top_1_2", 1)


def event(kind, item, **previous):
    return {"type": kind, "data": {"object": item, "previous_attributes": previous or None}}


CASES = [
    ("checkout.session.completed", {"object": "checkout.session", "id": "cs_1", "metadata": METADATA}, ORDER),
    ("checkout.session.completed", {"object": "checkout.session", "id": "cs_1", "metadata": {}}, None),
    ("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "metadata": METADATA}, ORDER),
    ("payment_intent.succeeded", {"object": "payment_intent", "id": "pi_1", "metadata": {"order": "x"}}, None),
    ("refund.created", {"object": "refund", "id": "re_1", "metadata": METADATA, "payment_intent": "pi_1"}, ORDER),
    (
        "refund.created",
        {"object": "refund", "id": "re_1", "metadata": {}, "payment_intent": "pi_1"},
        Behind("pi_1", None),
    ),
    ("refund.created", {"object": "refund", "id": "re_1", "metadata": {}, "payment_intent": None}, None),
    (
        "charge.dispute.created",
        {"object": "dispute", "id": "du_1", "payment_intent": {"id": "pi_1"}},
        Behind("pi_1", None),
    ),
    ("setup_intent.succeeded", {"object": "setup_intent", "id": "seti_1", "metadata": METADATA}, Ours(7, None, 1)),
    ("payment_method.attached", {"object": "payment_method", "id": "pm_1", "customer": "cus_s"}, Behind(None, "cus_s")),
    ("customer.updated", {"object": "customer", "id": "cus_s", "metadata": METADATA}, Ours(7, None, 1)),
    ("customer.updated", {"object": "customer", "id": "cus_s", "metadata": {}}, None),
]


@pytest.mark.parametrize(("kind", "item", "found"), CASES)
def test_an_event_says_where_to_look(kind, item, found):
    assert about(event(kind, item)) == found


def test_a_method_that_was_taken_away_is_the_customers_who_had_it():
    item = {"object": "payment_method", "id": "pm_1", "customer": None}
    assert about(event("payment_method.detached", item, customer="cus_s")) == Behind(None, "cus_s")


@pytest.mark.parametrize("workspace", [None, 7, "", "7x", "-7", "٧", "1" * 10, "7 "])
def test_metadata_that_we_never_write_are_nobodys(workspace):
    assert ours_of({"metadata": METADATA | {"scrip_workspace": workspace}}) is None


def test_an_order_whose_id_is_none_is_looked_for_nowhere():
    assert Ours(7, "top_1_2_3", None).place is None
    assert Ours(7, "top_1_2", None).place == (1, 2)


def test_stripe_lists_twenty_types_at_once_and_all_that_are_listed_are_acted_upon():
    assert len(LISTED) == len(set(LISTED)) <= 20
    assert set(LISTED) <= ACTED


# ─── what is asked for ───────────────────────────────────────────────────────────────────────────────────
def test_nothing_is_asked_for_that_the_pinned_library_does_not_know():
    order, payer = an_order(method="pm_1"), a_payer(locale="pt_BR")
    asked = [
        (params.checkout(order, "cus_s", "https://x.example/", tax=True), SessionCreateParams),
        (params.set_up_checkout(payer, "cus_s", "https://x.example/"), SessionCreateParams),
        (params.element(order, "cus_s"), PaymentIntentCreateParams),
        (params.off_session(order, "cus_s"), PaymentIntentCreateParams),
        (params.set_up_element(payer, "cus_s"), SetupIntentCreateParams),
        (params.refund(order, "pi_1", "pbk_1", 1, "GOODWILL"), RefundCreateParams),
    ]
    for given, known in asked:
        assert given.keys() <= set(known.__annotations__), known


def test_an_order_is_asked_for_in_the_same_words_whenever_it_is():
    order = an_order()
    first = params.checkout(order, "cus_s", "https://x.example/", tax=False)
    assert params.checkout(replace(order), "cus_s", "https://x.example/", tax=False) == first
    assert first["line_items"] == [
        {
            "price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "1,000 credits"}},
            "quantity": 2,
        }
    ]
    assert "setup_future_usage" not in str(first)  # nobody agrees for the customer


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        (None, "auto"),
        ("de", "de"),
        ("de-AT", "de"),
        ("pt_BR", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("tlh", "auto"),
        ("zh-TW", "zh-TW"),
    ],
)
def test_checkout_speaks_the_nearest_language(wanted, spoken):
    assert params.locale_of(wanted) == spoken


def test_a_result_is_told_once_in_the_way_back():
    url = params.with_result("https://x.example/p?scrip_result=old&a=1&b=#f", "top_1_1", "success")
    assert url == "https://x.example/p?a=1&b=&scrip_top_up=top_1_1&scrip_result=success#f"
