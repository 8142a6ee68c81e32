"""What a bad network and a bad day do to calls: what took effect, what did not, and what the same key says then."""

import asyncio
import time
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.stripe.api import Fake
from tests.harness.stripe.controls import Controls
from tests.harness.stripe.handle import FakeStripe, FakeStripeProcess
from tests.harness.stripe.knobs import OF_CALLS, Knobs
from tests.harness.stripe.paying import charge_of, kept_card, session_of
from tests.harness.stripe.problems import Problem
from tests.harness.stripe.routes import CALLS

KEY: Any = {"idempotency_key": "k"}
# knob → (its options, what the library raises, whether the card was charged, what the same key says afterwards)
FAULTS: dict[str, tuple[dict[str, Any], type[Exception] | None, bool, type[Exception] | None]] = {
    "reset": ({}, stripe.APIConnectionError, False, None),
    "rate_limited": ({}, stripe.RateLimitError, False, None),
    "slow_before_effect": ({"seconds": 0.05}, None, True, None),
    "error_before_effect": ({}, stripe.APIError, False, stripe.APIError),
    "error_after_effect": ({}, stripe.APIError, True, stripe.APIError),
    "slow_after_effect": ({"seconds": 0.05}, None, True, None),
    "timeout_after_effect": ({"seconds": 30.0}, stripe.APIConnectionError, True, None),
    "reset_after_effect": ({}, stripe.APIConnectionError, True, None),
}


def test_every_knob_of_calls_is_in_the_table():
    assert set(FAULTS) == set(OF_CALLS)


@pytest.mark.parametrize("knob", FAULTS)
async def test_a_fault_and_the_same_call_again(fake: FakeStripe, knob: str):
    options, raised, took_effect, again = FAULTS[knob]
    client = fake.client(timeout_s=0.5)
    customer, method = await kept_card(client)
    fake.turn(knob, only="payment_intents.create", times=1, **options)
    asked = charge_of(customer, method)
    for error, charges in ((raised, int(took_effect)), (again, int(again is None or took_effect))):
        if error is None:
            assert (await client.v1.payment_intents.create_async(asked, KEY)).status == "succeeded"
        else:
            with pytest.raises(error):
                await client.v1.payment_intents.create_async(asked, KEY)
        assert len(fake.charges()) == charges
    assert fake.counters()["knobs"][knob] == {"asked": 1, "fired": 1}
    fake.check_money()


async def test_an_error_that_was_not_remembered_is_well_the_next_time(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client)
    fake.turn("error_before_effect", only="payment_intents", times=1, stored=False)
    with pytest.raises(stripe.APIError):
        await client.v1.payment_intents.create_async(charge_of(customer, method), KEY)
    assert (await client.v1.payment_intents.create_async(charge_of(customer, method), KEY)).status == "succeeded"


async def test_the_library_tries_again_by_itself_and_charges_once(fake: FakeStripe):
    client = fake.client(retries=2, timeout_s=0.5)
    customer, method = await kept_card(client)
    fake.turn("reset_after_effect", only="payment_intents", times=1)
    made = await client.v1.payment_intents.create_async(charge_of(customer, method))
    assert [charge["payment_intent"] for charge in fake.charges()] == [made.id]


async def test_reading_goes_wrong_too(fake: FakeStripe, client: stripe.StripeClient):
    fake.turn("reset", only="events.list")
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.events.list_async()
    fake.off()
    assert (await client.v1.events.list_async()).data == []


def test_the_same_seed_draws_the_same_faults_whatever_other_knobs_do():
    def drawn(seed: int, *others: str) -> list[bool]:
        knobs = Knobs(seed)
        for name in ("reset", *others):
            knobs.turn(name, 0.5)
        return [[knobs[name].fires("x") for name in (*others, "reset")][-1] for _ in range(64)]

    assert drawn(7) == drawn(7, "rate_limited", "forge") != drawn(8)
    assert 10 < sum(drawn(7)) < 54


def test_a_knob_that_does_not_exist_is_an_error(fake: FakeStripe):
    with pytest.raises(ValueError, match="no knob"):
        fake.turn("weather")
    with pytest.raises(ValueError, match="has no"):
        fake.turn("reset", seconds=1)


async def test_as_a_process_of_its_own_it_is_the_same():
    fake = FakeStripeProcess(seed=3)
    try:
        client = fake.client()
        made = await client.v1.checkout.sessions.create_async(session_of())
        assert fake.pay(made.id)["status"] == "complete"
        await fake.settle()
        assert fake.check_money()["o1"]["taken"] == 1000
        assert fake.counters()["seed"] == 3
        with pytest.raises(AssertionError, match="No such checkout"):
            fake.pay("cs_nothing")
    finally:
        fake.close()
    assert fake.process.poll() is not None


async def test_thousands_of_orders_a_minute(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client)
    lanes, each = 8, 50
    began = time.monotonic()

    async def lane(number: int) -> None:
        for turn in range(each):
            await client.v1.payment_intents.create_async(charge_of(customer, method, f"{number}-{turn}"))

    await asyncio.gather(*(lane(number) for number in range(lanes)))
    assert len(fake.check_money()) == lanes * each
    a_minute = lanes * each / (time.monotonic() - began) * 60
    assert a_minute > 2000, f"{a_minute:.0f} orders a minute"


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "fail", "later", "settle", "unsettle", "refund", "unrefund", "dispute", "win", "lose"]),
        st.integers(0, 5),
        st.integers(1, 1500),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(ACTIONS)
def test_whatever_is_done_no_order_is_charged_twice_and_the_balance_is_exact(actions: list[tuple[str, int, int]]):
    fake = Fake(seed=1)
    controls, book = Controls(fake), fake.books[False]
    create = next(call.handler for call in CALLS if call.name == "checkout.sessions.create")
    made = [
        create(book, {"mode": "payment", "success_url": "x", "client_reference_id": f"o{n}", **_line(n)})["id"]
        for n in range(6)
    ]
    for action, place, amount in actions:
        try:
            _do(controls, action, made[place], amount)
        except Problem:
            continue  # as Stripe would, it refuses
    sums = controls.check_money()
    assert all(money["charges"] == 1 and money["taken"] == 1000 for money in sums.values())


def _line(number: int) -> dict[str, Any]:
    price = {"currency": ("usd", "jpy")[number % 2], "unit_amount": "1000", "product_data": {"name": "Credits"}}
    return {"line_items": [{"price_data": price, "quantity": "1"}]}


def _do(controls: Controls, action: str, session: str, amount: int) -> None:
    cards = {"pay": "pm_card_visa", "fail": "pm_card_chargeDeclined", "later": "pm_usBankAccount_success"}
    if action in cards:
        controls.pay(session, cards[action])
        return
    book = controls._fake.books[False]
    intent = book.objects[session]["payment_intent"]
    if intent is None:
        return
    if action in {"settle", "unsettle"}:
        controls.finish_later(session, paid=action == "settle")
        return
    charge = book.objects[intent]["latest_charge"]
    if action == "refund":
        refund = next(call.handler for call in CALLS if call.name == "refunds.create")
        refund(book, {"charge": charge, "amount": str(amount)})
    elif action == "unrefund":
        for item in [item for item in book.kinds["refund"] if item["charge"] == charge][:1]:
            controls.end_refund(item["id"], "failed")
    elif action == "dispute":
        if not book.objects[charge]["disputed"] and not book.objects[charge]["amount_refunded"]:
            controls.dispute(charge)
    else:
        for item in [item for item in book.kinds["dispute"] if item["charge"] == charge]:
            controls.close_dispute(item["id"], won=action == "win")
