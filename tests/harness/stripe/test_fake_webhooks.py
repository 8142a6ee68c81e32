"""Webhooks: signed as the library wants them, tried again, and everything that a knob may do to them."""

import asyncio
import time
from typing import Any

import pytest
import stripe

from tests.harness.stripe import forgery
from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.paying import charged, session_of
from tests.harness.stripe.receiving import Receiver

SECRET = "whsec_current"
Client = stripe.StripeClient


async def test_the_library_believes_what_is_sent(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET])
    charge = await charged(client)
    await fake.settle()
    events = [item.verified(SECRET) for item in receiver.received]
    assert {event.type for event in events} >= {"customer.created", "charge.succeeded", "payment_intent.succeeded"}
    (paid,) = [event for event in events if event.type == "charge.succeeded"]
    assert isinstance(paid.data.object, stripe.Charge)
    assert (paid.data.object.id, paid.api_version) == (charge.id, stripe.api_version)
    assert [entry["status"] for entry in fake.sent] == [200] * len(events)


async def test_both_secrets_sign_while_they_are_changed(fake: FakeStripe, client: Client, receiver: Receiver):
    for secrets, believed in ((["old", "new"], ["old", "new"]), (["new"], ["new"])):
        receiver.received.clear()
        fake.register(receiver.url, secrets, types=["charge.succeeded"])
        await charged(client)
        await fake.settle()
        (item,) = receiver.received
        for secret in believed:
            assert item.verified(secret).type == "charge.succeeded"
    with pytest.raises(stripe.SignatureVerificationError):
        item.verified("old")


async def test_what_is_not_accepted_is_sent_again_signed_anew(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.retry_after(1.1, 0.05)
    receiver.answers = [500, 302]
    await charged(client)
    await fake.settle()
    assert [(entry["attempt"], entry["status"]) for entry in fake.sent] == [(1, 500), (2, 302), (3, 200)]
    assert len({item.verified(SECRET).id for item in receiver.received}) == 1
    assert receiver.received[0].signature != receiver.received[1].signature


async def test_in_the_end_it_is_given_up(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.retry_after(0.01)
    receiver.answers = [500] * 2
    await charged(client)
    await fake.settle()
    assert fake.counters()["webhooks"]["given_up"] == 1
    assert await fake.resend(receiver.received[0].event["id"]) == [200]


async def test_cut_webhooks_are_lost_and_events_know_of_them(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.cut_webhooks()
    await charged(client, "o1")
    fake.restore_webhooks()
    await charged(client, "o2")
    await fake.settle()
    assert [item.event["data"]["object"]["metadata"]["order"] for item in receiver.received] == ["o2"]
    assert len((await client.v1.events.list_async({"type": "charge.succeeded"})).data) == 2


async def test_events_of_the_other_mode_are_not_sent(fake: FakeStripe, receiver: Receiver):
    fake.register(receiver.url, [SECRET])
    await charged(fake.client("sk_live_x"))
    await fake.settle()
    assert receiver.received == []


async def test_dropped_webhooks_do_not_arrive(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET])
    fake.turn("drop", only="charge.")
    await charged(client)
    await fake.settle()
    assert "charge.succeeded" not in receiver.types()
    assert "payment_intent.succeeded" in receiver.types()


async def test_duplicates_are_the_same_event_at_once(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.turn("duplicate", copies=3)
    await charged(client)
    await fake.settle()
    assert len(receiver.received) == 4
    assert len({item.verified(SECRET).id for item in receiver.received}) == 1


async def test_a_delayed_webhook_comes_after_later_ones(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET])
    fake.turn("delay", only="charge.succeeded", seconds=0.3)
    await charged(client)
    await fake.settle()
    assert receiver.types()[-1] == "charge.succeeded"


async def test_shuffled_webhooks_all_arrive_in_another_order(receiver: Receiver):
    orders = []
    for seed in (1, 1, 2):
        fake = FakeStripe(seed=seed)
        fake.register(receiver.url, [SECRET], types=["customer.created"])
        fake.turn("shuffle", seconds=1)  # longer than eight calls take on a busy machine
        for number in range(8):
            await fake.client().v1.customers.create_async({"name": str(number)})
        await fake.settle()
        orders.append([entry["event"] for entry in fake.sent])
        made = [event["id"] for event in fake.objects("event")]
        orders[-1] = [made.index(event) for event in orders[-1]]
        fake.close()
    assert [sorted(order) for order in orders] == [list(range(8))] * 3
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != list(range(8))


@pytest.mark.parametrize("kind", forgery.BADLY_SIGNED)
async def test_the_library_refuses_what_is_badly_signed(
    fake: FakeStripe, client: Client, receiver: Receiver, kind: str
):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.turn("forge", kinds=[kind])
    await charged(client)
    await fake.settle()
    (forged,) = [entry for entry in fake.sent if entry["forged"]]
    true = [item for item in receiver.received if _is_believed(item)]
    if kind == "far_future":  # the library believes it; whoever receives it has to look at the time
        assert len(true) == 2
        assert max(_signed_at(item.signature) for item in true) > time.time() + 86400
    else:
        assert len(true) == 1
    assert (forged["forged"], len(receiver.received)) == (kind, 2)
    assert len({item.event["id"] for item in receiver.received}) == 1


async def test_well_signed_forgeries_differ_in_what_they_say(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    charge = await charged(client)
    await fake.settle()
    for kind in ("other_livemode", "other_account"):
        await fake.forge(kind, receiver.received[0].event["id"])
    true, live, other = (item.verified(SECRET) for item in receiver.received)
    assert (true.livemode, live.livemode) == (False, True)
    assert ["account" in item.event for item in receiver.received] == [False, False, True]
    assert len({true.id, live.id, other.id}) == 3
    assert {event.data.object.id for event in (true, live, other)} == {charge.id}


async def test_an_invented_event_says_paid_of_what_nobody_paid(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET])
    made = await client.v1.checkout.sessions.create_async(session_of())
    entry = await fake.invent(made.id)
    said = receiver.received[-1].verified(SECRET)
    assert (said.type, said.data.object.payment_status) == ("checkout.session.completed", "paid")
    assert (entry["forged"], entry["status"]) == ("invented", 200)
    assert (await client.v1.checkout.sessions.retrieve_async(made.id)).payment_status == "unpaid"
    assert said.id not in [event["id"] for event in fake.objects("event")]
    assert fake.money() == {}


async def test_nobody_listens_and_it_is_tried_again(fake: FakeStripe, client: Client):
    fake.register("http://127.0.0.1:9/hook", [SECRET], types=["charge.succeeded"])
    fake.retry_after(0.01, 0.01)
    await charged(client)
    await fake.settle()
    assert [entry["status"] for entry in fake.sent] == [0, 0, 0]


async def test_a_webhook_comes_before_the_answer(fake: FakeStripe, client: Client, receiver: Receiver):
    fake.register(receiver.url, [SECRET], types=["charge.succeeded"])
    fake.turn("slow_after_effect", only="payment_intents", seconds=0.5)
    asking = asyncio.create_task(charged(client))
    while not receiver.received:
        await asyncio.sleep(0.01)
    assert not asking.done()
    await asking


def _is_believed(item: Any) -> bool:
    try:
        item.verified(SECRET)
    except stripe.SignatureVerificationError:
        return False
    return True


def _signed_at(signature: str) -> int:
    return int(signature.partition(",")[0].removeprefix("t="))
