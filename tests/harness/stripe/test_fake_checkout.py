"""The page to pay on: paid, declined, authenticated, left, too late; at once or days later; with tax."""

import httpx
import pytest
import stripe

from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.paying import session_of


async def test_a_session_has_no_intent_before_somebody_pays(fake: FakeStripe, client: stripe.StripeClient):
    made = await client.v1.checkout.sessions.create_async(session_of())
    assert (made.status, made.payment_status, made.payment_intent) == ("open", "unpaid", None)
    assert (made.amount_total, made.currency) == (1000, "usd")
    assert made.url.startswith(fake.url)
    fake.pay(made.id)
    paid = await client.v1.checkout.sessions.retrieve_async(made.id, {"expand": ["payment_intent", "line_items"]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert (paid.payment_intent.amount_received, paid.payment_intent.metadata["order"]) == (1000, "o1")
    assert [(line.description, line.amount_total) for line in paid.line_items.data] == [("Credits", 1000)]
    assert fake.check_money()["o1"]["charges"] == 1


async def test_a_declined_card_leaves_the_page_open_for_another(fake: FakeStripe, client: stripe.StripeClient):
    made = await client.v1.checkout.sessions.create_async(session_of())
    assert fake.pay(made.id, "pm_card_chargeDeclined")["status"] == "open"
    assert fake.pay(made.id, "pm_card_visa")["status"] == "complete"
    assert len(fake.objects("payment_intent")) == 1
    assert fake.money()["o1"]["charges"] == 1


async def test_a_browser_pays_is_declined_authenticates_and_goes_back(fake: FakeStripe, client: stripe.StripeClient):
    made = await client.v1.checkout.sessions.create_async(session_of())
    page = made.url
    async with httpx.AsyncClient() as browser:
        assert "Credits" in (await browser.get(page)).text
        left = await browser.post(f"{page}/abandon")
        assert (left.status_code, left.headers["location"]) == (303, "https://shop.example/back")
        declined = await browser.post(f"{page}/decline", follow_redirects=True)
        assert "Your card was declined." in declined.text
        bank = await browser.post(f"{page}/pay", data={"card": "pm_card_authenticationRequired"}, follow_redirects=True)
        assert "Complete authentication" in bank.text
        again = await browser.post(f"{page}/authenticate", data={"outcome": "fail"}, follow_redirects=True)
        assert "unable to authenticate" in again.text
        await browser.post(f"{page}/pay", data={"card": "pm_card_authenticationRequired"})
        done = await browser.post(f"{page}/authenticate", data={"outcome": "pass"})
        assert done.headers["location"] == f"https://shop.example/done?session={made.id}"
        assert (await browser.get(page)).status_code == 410
    assert fake.money()["o1"] == {
        "currency": "usd", "charges": 1, "taken": 1000, "refunded": 0, "disputed": 0, "left": 1000
    }  # fmt: skip


@pytest.mark.parametrize(("paid", "status"), [(True, "paid"), (False, "unpaid")])
async def test_a_bank_debit_completes_the_session_unpaid_and_is_decided_later(
    fake: FakeStripe, client: stripe.StripeClient, paid: bool, status: str
):
    made = await client.v1.checkout.sessions.create_async(session_of())
    complete = fake.pay(made.id, "pm_usBankAccount_success")
    assert (complete["status"], complete["payment_status"]) == ("complete", "unpaid")
    assert fake.charges() == []
    fake.finish_later(made.id, paid=paid)
    assert (await client.v1.checkout.sessions.retrieve_async(made.id)).payment_status == status
    assert len(fake.charges()) == int(paid)
    named = [event["type"] for event in fake.objects("event") if event["type"].startswith("checkout.")]
    end = "succeeded" if paid else "failed"
    assert named == ["checkout.session.completed", f"checkout.session.async_payment_{end}"]


TAXES = [
    ("exclusive", 2000, 1000, (1000, 200, 1200)),
    ("inclusive", 2000, 1200, (1200, 200, 1200)),
    ("exclusive", 825, 999, (999, 82, 1081)),
    ("exclusive", 0, 1000, (1000, 0, 1000)),
]


@pytest.mark.parametrize("case", TAXES)
async def test_automatic_tax_makes_the_total_another_than_the_subtotal(
    fake: FakeStripe, client: stripe.StripeClient, case: tuple[str, int, int, tuple[int, int, int]]
):
    behaviour, basis_points, amount, expected = case
    fake.tax(basis_points)
    asked = session_of(amount=amount, automatic_tax={"enabled": True})
    asked["line_items"][0]["price_data"]["tax_behavior"] = behaviour
    made = await client.v1.checkout.sessions.create_async(asked)
    assert (made.amount_subtotal, made.total_details.amount_tax, made.amount_total) == expected
    fake.pay(made.id)
    assert fake.money()["o1"]["taken"] == expected[2]


async def test_a_session_is_expired_by_us_or_by_time_and_then_takes_no_money(
    fake: FakeStripe, client: stripe.StripeClient
):
    sessions = client.v1.checkout.sessions
    by_us, by_time = await sessions.create_async(session_of()), await sessions.create_async(session_of("o2"))
    assert (await sessions.expire_async(by_us.id)).status == "expired"
    fake.advance(24 * 3600 + 1)
    assert (await sessions.retrieve_async(by_time.id)).status == "expired"
    assert [event["type"] for event in fake.objects("event")] == ["checkout.session.expired"] * 2
    async with httpx.AsyncClient() as browser:
        assert (await browser.post(f"{by_us.url}/pay")).status_code == 400
    with pytest.raises(stripe.InvalidRequestError, match="expired"):
        await sessions.expire_async(by_us.id)
    assert fake.charges(status="") == []


async def test_a_page_without_payment_keeps_a_card(fake: FakeStripe, client: stripe.StripeClient):
    customer = await client.v1.customers.create_async({})
    made = await client.v1.checkout.sessions.create_async(
        {"mode": "setup", "currency": "usd", "customer": customer.id, "success_url": "https://shop.example"}
    )
    assert (made.amount_total, made.payment_status) == (None, "no_payment_required")
    fake.pay(made.id)
    done = await client.v1.checkout.sessions.retrieve_async(made.id, {"expand": ["setup_intent"]})
    assert (done.status, done.setup_intent.status) == ("complete", "succeeded")
    kept = await client.v1.customers.payment_methods.list_async(customer.id)
    assert [method.id for method in kept.data] == [done.setup_intent.payment_method]


async def test_a_card_paid_with_is_kept_when_that_was_asked_for(fake: FakeStripe, client: stripe.StripeClient):
    customer = await client.v1.customers.create_async({})
    asked = session_of(customer=customer.id)
    asked["payment_intent_data"]["setup_future_usage"] = "off_session"
    made = await client.v1.checkout.sessions.create_async(asked)
    fake.pay(made.id)
    assert len((await client.v1.customers.payment_methods.list_async(customer.id)).data) == 1


REFUSED = [
    session_of(line_items=[]),
    session_of(success_url=""),
    session_of(mode="subscription"),
    session_of(amount=0),
    session_of(amount=49),
    session_of(currency="USD"),
    session_of(currency="bhd", amount=12_345),
    session_of(expires_at=1),
    session_of(customer="cus_nobody"),
]


@pytest.mark.parametrize("asked", REFUSED)
async def test_what_stripe_would_refuse_makes_no_session(shared_client: stripe.StripeClient, asked: dict):
    with pytest.raises(stripe.InvalidRequestError):
        await shared_client.v1.checkout.sessions.create_async(asked)
    assert (await shared_client.v1.checkout.sessions.list_async()).data == []


async def test_sessions_are_found_by_their_intent(fake: FakeStripe, client: stripe.StripeClient):
    made = [await client.v1.checkout.sessions.create_async(session_of(f"o{n}")) for n in range(3)]
    intent = fake.pay(made[1].id)["payment_intent"]
    found = await client.v1.checkout.sessions.list_async({"payment_intent": intent})
    assert [session.id for session in found.data] == [made[1].id]
    items = await client.v1.checkout.sessions.line_items.list_async(made[1].id)
    assert [line.quantity for line in items.data] == [1]
