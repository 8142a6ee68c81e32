"""Top-ups on the real database: ordered, asked for, paid, refused; each exactly once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from credits import bounds
from credits.access.actors import ensure_actor
from credits.amount import MICRO
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotAllowed, NotFound
from credits.ledger.entries import Kind
from credits.recharge.cashier import Cashier
from credits.recharge.provider import Method, ProviderUnavailable
from credits.recharge.told import keep_credited, told_before
from credits.recharge.top_ups import PaymentFailed, TopUp, failed, place_of
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import SOLD, Counter

HOUR = timedelta(hours=1)


# ─── from the wish to the credits ──────────────────────────────────────────────────────────────────
async def test_what_is_paid_becomes_one_grant_with_its_sale_beside_it(counter: Counter):
    started = await counter.start(quantity=2)
    assert (started.status, started.checkout_url) == ("PENDING", "https://bank.test/pay/1")
    assert await counter.till.available() == 0
    counter.bank.pay(started.id)
    for _ in range(3):
        paid = await counter.look(started)
    assert (paid.status, paid.paid, paid.grant_number, paid.checkout_url) == ("SUCCEEDED", 2000, 1, None)
    assert paid.look_at is None
    (grant,) = await counter.till.rows("SELECT *, expires_at - effective_at AS life FROM grants")
    assert (grant["amount"], grant["source"], grant["priority"]) == (2200 * MICRO, "PURCHASE", 40)
    assert grant["life"] == timedelta(days=30), "counted from the instant of the grant"
    assert (str(grant["cost_amount"]), grant["cost_currency"]) == ("0.009090909091", "EUR")
    assert await counter.kinds() == [Kind.GRANT]
    assert await counter.movements() == [("SALE", 2000)]
    assert await counter.till.available() == 2200
    assert place_of(paid.id) == paid.place
    await counter.till.check()


async def test_events_of_what_is_credited_for_that_payment_are_kept_and_no_others(counter: Counter):
    paid, other, started = await counter.bought(), await counter.bought(), await counter.start()
    database, workspace_id = counter.till.database, counter.till.workspace_id
    assert paid.session
    told = {
        paid.place: [("evt_1", "a", paid.session), ("evt_2", "b", paid.session)],
        other.place: [("evt_3", "a", other.session or ""), ("evt_4", "b", paid.session)],
        started.place: [("evt_5", "a", started.session or "")],
        (1, 1): [("evt_6", "a", paid.session)],
    }
    assert await keep_credited(database, workspace_id + 1, "stripe", told, counter.real[0]) == set()
    assert await keep_credited(database, workspace_id, "stripe", {}, counter.real[0]) == set()
    assert await keep_credited(database, workspace_id, "stripe", told, counter.real[0]) == {paid.place}
    asked = [f"evt_{number}" for number in range(1, 7)]
    assert await told_before(database, workspace_id, "stripe", asked) == {"evt_1", "evt_2"}


async def test_the_grant_is_of_who_asked(counter: Counter):
    async with counter.till.database.transaction(counter.till.workspace_id) as connection:
        ada = await ensure_actor(connection, counter.till.workspace_id, "OPERATOR", "opr_1", "Ada")
    await counter.bought(actor_id=ada)
    (row,) = await counter.till.rows("SELECT g.actor_id AS g, e.actor_id AS e FROM grants g, entries e")
    assert (row["g"], row["e"]) == (ada, ada)


async def test_the_price_is_that_of_the_order_whatever_the_catalog_says_later(counter: Counter):
    started = await counter.start()
    dearer = [{**each, "price": {**each["price"], "amount": "99"}} for each in SOLD["bundles"] if each["key"] == "pack"]
    await counter.till.apply({**SOLD, "bundles": dearer})
    counter.bank.pay(started.id)
    paid = await counter.look(started)
    assert (paid.price, paid.credits, paid.status) == (1000, 1100 * MICRO, "SUCCEEDED")


async def test_what_cannot_be_bought_is_said_with_its_field(counter: Counter):
    archived = [each for each in SOLD["bundles"] if each["key"] != "odd"]
    await counter.till.apply({**SOLD, "bundles": archived})
    async with counter.till.database.transaction(counter.till.workspace_id) as connection:
        await connection.execute(text("UPDATE bundles SET price = 0 WHERE key = 'yen'"))
        await connection.execute(text("UPDATE workspaces SET config_version = config_version + 1"))
    cases: list[tuple[dict[str, Any], type, str | None]] = [
        ({"quantity": 0}, InvalidInput, "quantity"),
        ({"quantity": -1}, InvalidInput, "quantity"),
        ({"quantity": bounds.TOP_UP_QUANTITY_MAX + 1}, InvalidInput, "quantity"),
        ({"key": ""}, InvalidInput, "idempotencyKey"),
        ({"key": "a b"}, InvalidInput, "idempotencyKey"),
        ({"bundle": "odd"}, InvalidInput, "bundle"),  # archived
        ({"bundle": "yen"}, InvalidInput, "bundle"),  # costs nothing
        ({"bundle": "fine"}, InvalidInput, "bundle"),  # 1.255 BHD: cards are charged in tens of fils
        ({"bundle": "nowhere"}, NotFound, None),
    ]
    for more, kind, named in cases:
        refused = await counter.start(**{"bundle": "pack", **more})
        assert type(refused) is kind, (more, refused)
        assert getattr(refused, "field", None) == named
    assert await counter.till.rows("SELECT 1 AS one FROM top_ups") == []
    assert counter.bank.asked == []


@pytest.mark.parametrize(("bundle", "price"), [("pack", 3000), ("yen", 1500), ("dinar", 3750)])
async def test_money_is_asked_for_in_the_smallest_unit_of_its_currency(counter: Counter, bundle: str, price: int):
    """N6."""
    paid = await counter.bought(bundle, 3)
    order = counter.bank.accounts[paid.id].order
    assert (order.price, order.unit_price * order.quantity, paid.price) == (price, price, price)
    assert await counter.movements() == [("SALE", price)]


async def test_where_nobody_takes_money_nothing_is_ordered(counter: Counter):
    till = counter.till
    closed = Cashier(till.reader, till.writer, lambda _: None, lambda *_: None, lambda: counter.real[0])
    assert isinstance(await closed.start(till.workspace_id, await till.customer(), counter.wish()), NotAllowed)
    assert await till.rows("SELECT 1 AS one FROM top_ups") == []


# ─── one key, one payment ──────────────────────────────────────────────────────────────────────────
async def test_a_key_is_one_order_however_often_and_by_how_many_it_is_sent(counter: Counter):
    """S1, I2."""
    acme = await counter.till.customer()
    other = await counter.another()
    wish = counter.wish(key="once")
    cashiers = [counter.cashier, other] * 4
    answers = await asyncio.gather(*(each.start(counter.till.workspace_id, acme, wish) for each in cashiers))
    assert {answer.id for answer in answers if isinstance(answer, TopUp)} == {"top_" + answers[0].id[4:]}  # type: ignore[union-attr]
    assert len(answers) == len([answer for answer in answers if isinstance(answer, TopUp)])
    assert len(counter.bank.accounts) == 1
    counter.bank.pay(answers[0].id)  # type: ignore[union-attr]
    again = await counter.start(key="once")
    assert again.status == "PENDING", "what was answered first leads to the page, which knows"
    assert (await counter.look(again)).status == "SUCCEEDED"
    assert (await counter.start(key="once")).status == "SUCCEEDED"


async def test_a_key_with_another_payload_is_a_conflict_and_other_keys_are_none(counter: Counter):
    await counter.start(key="k")
    for more in ({"quantity": 2}, {"bundle": "odd"}, {"mode": "ELEMENT"}, {"return_url": "https://a.example"}):
        assert isinstance(await counter.start(key="k", **more), IdempotencyConflict), more
    assert (await counter.start(key="k", customer="other")).status == "PENDING"
    await counter.till.must(counter.till.grant("5", key="used"))
    await counter.till.must(counter.till.burn("1", key="burned"))
    for key in ("used", "burned"):
        assert (await counter.bought(key=key)).status == "SUCCEEDED"


@pytest.mark.parametrize("verb", ["know", "start"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_the_network_loses_is_found_again_by_the_same_key(counter: Counter, verb: str, when: str):
    """S1, K3."""
    counter.bank.fault = lost(verb, when)
    away = await counter.start(key="k")
    assert isinstance(away, Conflict)
    assert away.code == "UNAVAILABLE"
    (kept,) = await counter.till.rows("SELECT status, session FROM top_ups")
    assert (kept["status"], kept["session"]) == ("PENDING", None)
    found = await counter.start(key="k")
    assert found.checkout_url == "https://bank.test/pay/1"
    assert len(counter.bank.accounts) == 1


async def test_what_the_provider_has_and_we_have_not_recorded_is_found_by_looking(counter: Counter):
    """K3, S2, S18: the process died between the provider's answer and our record, and nobody came back."""
    counter.bank.fault = lost("start", "after")
    await counter.start(key="k")
    (order_id,) = counter.bank.accounts
    counter.bank.pay(order_id)
    real = counter.real[0]
    assert await counter.cashier.due(counter.till.workspace_id, real, 10) == []
    (due,) = await counter.cashier.due(counter.till.workspace_id, real + timedelta(seconds=6), 10)
    assert await counter.cashier.due(counter.till.workspace_id, real + timedelta(seconds=6), 10) == [], "claimed"
    found = await counter.cashier.look(counter.till.workspace_id, due)
    assert found is not None
    assert (found.status, found.look_at) == ("SUCCEEDED", None)
    assert await counter.till.available() == 1100


async def test_an_intent_that_was_never_asked_for_is_ended_after_a_day(counter: Counter):
    counter.bank.fault = lost("start", "before")
    await counter.start(key="k")
    (row,) = await counter.till.rows("SELECT customer_id, number FROM top_ups")
    place = row["customer_id"], row["number"]
    waits = []
    for _ in range(6):
        found = await counter.cashier.look(counter.till.workspace_id, place)
        assert found is not None
        top_up = await counter.read(found)
        assert top_up.look_at is not None
        waits.append(top_up.look_at - counter.real[0])
        await counter.till.jump(top_up.look_at - counter.real[0])
        counter.real[0] = top_up.look_at
    assert waits[0] == timedelta(seconds=5)
    assert waits == sorted(waits), "it backs off"
    counter.real[0] = top_up.asked_at + 25 * HOUR
    assert (await counter.look(top_up)).status == "CANCELED"


async def test_an_order_that_the_provider_will_not_have_has_failed_and_an_operator_sees_why(counter: Counter):
    counter.bank.refuses = "the amount is below fifty cents"
    top_up = await counter.start(key="k")
    said = failed(top_up)
    assert isinstance(said, PaymentFailed)
    assert (said.retryable, said.code) == (False, "PAYMENT_FAILED")
    assert "cents" not in said.message
    assert await counter.issues() == [("REFUSED", None, "the amount is below fifty cents")]


async def test_declines_say_whether_another_time_may_do(counter: Counter):
    for code, retryable in (("insufficient_funds", True), ("stolen_card", False)):
        top_up = await counter.start()
        counter.bank.decline(top_up.id, code)
        said = failed(await counter.look(top_up))
        assert isinstance(said, PaymentFailed)
        assert (said.decline_code, said.retryable) == (code, retryable)
    hosted, element = await counter.start(), await counter.start(mode="ELEMENT")
    for each in (hosted, element):
        counter.bank.decline(each.id, "authentication_required", "REQUIRES_ACTION")
    assert failed(await counter.look(hosted)) is None, "its page leads on"
    said = failed(await counter.look(element))
    assert said is not None
    assert (said.code, said.client_secret) == ("PAYMENT_ACTION_REQUIRED", element.client_secret)


# ─── the truth, whoever tells it ───────────────────────────────────────────────────────────────────
async def test_paid_is_paid_whatever_failed_or_was_canceled_before(counter: Counter):
    for end in ("FAILED", "CANCELED"):
        top_up = await counter.start()
        counter.bank.tell(top_up.id, state=end)
        assert (await counter.look(top_up)).status == end
        counter.bank.pay(top_up.id)
        assert (await counter.look(top_up)).status == "SUCCEEDED"
    assert await counter.movements() == [("SALE", 1000)] * 2


async def test_old_news_after_the_payment_changes_nothing(counter: Counter):
    """S3, S4, S6."""
    top_up = await counter.start()
    early = counter.bank.decline(top_up.id)
    counter.bank.tell(top_up.id, state="PENDING", failure=None)
    paid = counter.bank.pay(top_up.id)
    for truth in (early, paid, early, paid):
        told = await counter.cashier.take(counter.till.workspace_id, top_up.place, truth)
    assert (told.status, told.failure) == ("SUCCEEDED", None)
    assert await counter.kinds() == [Kind.GRANT]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"order_id": "top_1_1"}, "ORDER"),
        ({"subtotal": 1}, "AMOUNT"),
        ({"paid": 1}, "AMOUNT"),
        ({"paid": None}, "AMOUNT"),
        ({"currency": "USD"}, "CURRENCY"),
        ({"payer_id": "payer-0"}, "CUSTOMER"),
        ({"live": True}, "MODE"),
    ],
)
async def test_a_payment_of_something_else_moves_nothing_and_is_told_once(
    counter: Counter, changes: dict[str, Any], kind: str
):
    """S11, S12, S13."""
    top_up = await counter.start()
    truth = replace(counter.bank.pay(top_up.id), **changes)
    for _ in range(3):
        await counter.cashier.take(counter.till.workspace_id, top_up.place, truth)
    assert [issue[0] for issue in await counter.issues()] == [kind]
    assert (await counter.read(top_up)).status == "PENDING"
    assert await counter.kinds() == []
    assert (await counter.look(top_up)).status == "SUCCEEDED", "the right one counts all the same"


async def test_everybody_at_once_in_two_processes_makes_one_grant(counter: Counter):
    """S5, C12."""
    other = await counter.another()
    top_ups = [await counter.start() for _ in range(4)]
    for top_up in top_ups:
        counter.bank.pay(top_up.id)
    place = counter.till.workspace_id
    asked = [each.look(place, top_up.place) for top_up in top_ups for each in (counter.cashier, other) * 4]
    burns = [counter.till.post(counter.till.burn("100")) for _ in range(10)]
    await asyncio.gather(*asked, *burns)
    rows = await counter.till.rows("SELECT count(*) AS n, sum(amount) AS total FROM grants")
    assert (rows[0]["n"], rows[0]["total"]) == (4, 4400 * MICRO)
    assert await counter.movements() == [("SALE", 1000)] * 4
    await counter.till.check()


async def test_pay_cancel_and_look_at_once_end_in_one_way(counter: Counter):
    other = await counter.another()
    for _ in range(4):
        top_up = await counter.start()

        async def pay(order: str = top_up.id) -> None:
            counter.bank.pay(order)

        looking = [each.look(counter.till.workspace_id, top_up.place) for each in (counter.cashier, other)]
        await asyncio.gather(counter.cancel(top_up), pay(), *looking)
        end = await counter.look(top_up)
        assert end.status == counter.bank.accounts[top_up.id].payment.state == "SUCCEEDED"
    await counter.till.check()


# ─── who listens ───────────────────────────────────────────────────────────────────────────────────
async def test_each_change_is_announced_after_it_is_there(counter: Counter):
    top_up = await counter.bought()
    assert {news[:2] for news in counter.published} == {(counter.till.workspace_id, top_up.customer_id)}
    micros = [news[2] for news in counter.published]
    assert micros == sorted(micros)
    assert len(micros) == top_up.version - 1


async def test_webhooks_are_told_in_the_transaction_of_the_fact(counter: Counter):
    async with counter.till.database.transaction(counter.till.workspace_id) as connection:
        from credits.webhooks.endpoints import create_endpoint  # noqa: PLC0415 -- for this test alone

        more = {"url": "https://hooks.example", "events": ["topup.succeeded", "topup.failed"], "pepper": "p"}
        await create_endpoint(connection, counter.till.workspace_id, actor_id=None, **more)
    paid = await counter.bought()
    declined = await counter.start()
    counter.bank.decline(declined.id)
    for top_up in (paid, declined, declined):
        await counter.look(top_up)
    rows = await counter.till.rows("SELECT type, body FROM webhook_messages ORDER BY created_at")
    assert [row["type"] for row in rows] == ["topup.succeeded", "topup.failed"]
    assert f'"topUp":"{paid.id}"' in rows[0]["body"]
    assert '"price":{"amount":"10","currency":"EUR"}' in rows[0]["body"]
    assert '"declineCode":"card_declined"' in rows[1]["body"]


# ─── payment methods ───────────────────────────────────────────────────────────────────────────────
async def test_what_is_saved_is_kept_as_the_provider_has_it(counter: Counter):
    acme, place = await counter.till.customer(), counter.till.workspace_id
    told: list[int] = []

    async def changed(_page: Any, customer_id: int) -> None:
        told.append(customer_id)

    counter.cashier._methods_changed = (changed,)
    visa, debit = (
        Method("a", "Visa •••• 4242", "2030-04", is_default=True),
        Method("b", "Debit", None, is_default=False),
    )
    counter.bank.saved[acme.id] = (visa, debit)
    assert [await counter.cashier.refresh_methods(place, acme) for _ in range(2)] == [True, False]
    counter.bank.saved[acme.id] = (replace(debit, is_default=True),)
    assert await counter.cashier.refresh_methods(place, acme)
    (kept,) = await counter.till.rows("SELECT provider_id, label, is_default FROM payment_methods")
    assert tuple(kept.values()) == ("b", "Debit", True)
    assert told == [acme.id] * 2
    setup = await counter.cashier.set_up(place, acme, "HOSTED", "https://a.example")
    assert "acme" in str(setup)
    counter.bank.fault = lost("methods", "before")
    with pytest.raises(ProviderUnavailable):
        await counter.cashier.refresh_methods(place, acme)


async def test_a_customer_has_a_hundred_open_purchases_at_most(counter: Counter, monkeypatch: pytest.MonkeyPatch):
    """Each is asked about again and again until it ends; a page cannot make them without end."""
    monkeypatch.setattr(bounds, "TOP_UPS_OPEN_MAX", 2)
    first, second = await counter.start(), await counter.start()
    assert first.is_open
    assert second.is_open
    refused = await counter.start()
    assert isinstance(refused, Conflict)
    assert "2 purchases are open" in refused.message
    assert (await counter.cancel(first)).status == "CANCELED"
    assert (await counter.start()).is_open
