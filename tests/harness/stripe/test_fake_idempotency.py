"""A key stands for one call and its first answer, for 24 hours."""

import asyncio
from typing import Any

import httpx
import pytest
import stripe

from tests.harness.stripe.handle import TEST_KEY, FakeStripe
from tests.harness.stripe.paying import charge_of, kept_card

DAY_S = 24 * 3600
BODY = {"amount": "1000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


async def post(fake: FakeStripe, key: str, path: str = "/v1/payment_intents", **body: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {TEST_KEY}", "idempotency-key": key}
    async with httpx.AsyncClient() as http:
        return await http.post(f"{fake.url}{path}", data={**BODY, **body}, headers=headers)


async def test_the_same_key_brings_the_same_answer_and_no_second_charge(fake: FakeStripe):
    first, again = await post(fake, "k"), await post(fake, "k")
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert "idempotent-replayed" not in first.headers
    assert len(fake.charges()) == 1


async def test_other_parameters_or_another_endpoint_under_one_key_are_an_error(fake: FakeStripe):
    await post(fake, "k")
    for answer in (await post(fake, "k", amount="1001"), await post(fake, "k", "/v1/refunds")):
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "idempotency_error"
    assert len(fake.charges()) == 1


async def test_the_library_calls_it_an_idempotency_error(client: stripe.StripeClient):
    key: Any = {"idempotency_key": "k"}
    await client.v1.customers.create_async({"email": "a@example.com"}, key)
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        await client.v1.customers.create_async({"email": "b@example.com"}, key)


async def test_of_32_at_once_one_charges_and_the_others_are_told_to_wait(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client)
    fake.turn("slow_before_effect", only="payment_intents", seconds=1.0)
    asked, key = charge_of(customer, method), {"idempotency_key": "k"}
    answers = await asyncio.gather(
        *(client.v1.payment_intents.create_async(asked, key) for _ in range(32)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, stripe.StripeError)]
    assert {(error.http_status, error.error.code) for error in refused} == {(409, "idempotency_key_in_use")}
    assert len(refused) == 31
    assert len(fake.charges()) == 1
    assert fake.counters()["keys"]["conflicts"] == 31


async def test_32_at_once_that_ask_again_all_get_the_one_object(fake: FakeStripe):
    client = fake.client(retries=5)
    customer, method = await kept_card(client)
    fake.turn("slow_before_effect", only="payment_intents", seconds=0.1)
    asked, key = charge_of(customer, method), {"idempotency_key": "k"}
    answers = await asyncio.gather(*(client.v1.payment_intents.create_async(asked, key) for _ in range(32)))
    assert len({intent.id for intent in answers}) == 1
    assert [charge["payment_intent"] for charge in fake.charges(order="o1")] == [answers[0].id]


async def test_a_decline_is_remembered_too(fake: FakeStripe, client: stripe.StripeClient):
    customer, method = await kept_card(client)
    fake.card_behaves(method, "insufficient_funds")
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await client.v1.payment_intents.create_async(charge_of(customer, method), {"idempotency_key": "k"})
        fake.card_behaves(method, "succeeds")
    assert len(fake.charges(status="failed")) == 1


async def test_what_failed_validation_does_not_use_its_key_up(fake: FakeStripe):
    assert (await post(fake, "k", amount="nothing")).status_code == 400
    assert (await post(fake, "k")).status_code == 200


async def test_a_key_is_forgotten_after_24_hours(fake: FakeStripe):
    await post(fake, "k")
    fake.advance(DAY_S - 10)
    assert "idempotent-replayed" in (await post(fake, "k")).headers
    fake.advance(20)
    assert "idempotent-replayed" not in (await post(fake, "k")).headers
    assert len(fake.charges()) == 2


async def test_a_key_that_is_still_running_is_not_forgotten(fake: FakeStripe):
    fake.turn("slow_before_effect", times=1, seconds=0.5)
    first = asyncio.create_task(post(fake, "k"))
    await asyncio.sleep(0.2)
    fake.advance(DAY_S + 1)
    assert (await post(fake, "k")).status_code == 409
    assert (await first).status_code == 200
    assert len(fake.charges()) == 1


async def test_keys_of_test_and_live_mode_are_not_the_same(fake: FakeStripe):
    key: Any = {"idempotency_key": "k"}
    made = [
        await fake.client(f"sk_{mode}_x").v1.customers.create_async({"name": mode}, key) for mode in ("test", "live")
    ]
    assert [customer.livemode for customer in made] == [False, True]


async def test_a_key_has_255_characters_at_most(fake: FakeStripe):
    assert (await post(fake, "k" * 256)).status_code == 400
    assert (await post(fake, "k" * 255)).status_code == 200
