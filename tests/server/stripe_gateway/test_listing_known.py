"""Stripe's list tells much that is known: that an order is paid, which a look or a webhook has found out long ago."""

import pytest

from credits.recharge.told import keep_told


@pytest.fixture
def credited(monkeypatch):
    """What has been credited here, and for which session and payment."""
    orders = {}

    async def keep_credited(database, workspace_id, provider, told, real_now):
        known = {
            place
            for place, events in told.items()
            if place in orders and all(paid_by in orders[place] for *_, paid_by in events)
        }
        events = [(event, kind) for place in known for event, kind, _ in told[place]]
        await keep_told(database, workspace_id, provider, events, real_now)
        return known

    monkeypatch.setattr("server.stripe_gateway.listing.keep_credited", keep_credited)
    return orders


async def test_an_order_that_is_credited_by_the_payment_of_the_event_needs_no_look(shop, credited):
    credited[1, 1] = (None, (await shop.pay("top_1_1")).id)
    await shop.pay("top_1_2")
    assert await shop.events.read() == 2
    assert shop.looking.looked == [(1, 2)]
    shop.restart()
    assert await shop.read_later() == 0  # what is known is kept, too


@pytest.mark.parametrize("paid_by", [(None, None), (None, "pi_of_another"), ("cs_of_another", None)])
async def test_another_payment_of_a_credited_order_is_looked_at(shop, credited, paid_by):
    await shop.pay("top_1_1")
    credited[1, 1] = paid_by
    await shop.events.read()
    assert shop.looking.looked == [(1, 1)]


async def test_money_that_went_back_from_a_credited_order_is_looked_at_whatever_else_is_told(shop, credited):
    for number, together in enumerate([True, False], 1):
        intent = await shop.pay(f"top_1_{number}")
        credited[1, number] = (None, intent.id)
        if not together:
            await shop.read_later()
        shop.fake.refund(intent.latest_charge, 100)
        await shop.read_later()
    assert shop.looking.looked == [(1, 1), (1, 2)]


async def test_what_went_before_the_payment_of_a_credited_order_is_no_news_either_but_looked_at(
    shop, credited, monkeypatch
):
    """A page later: whoever knows of the payment has not looked at what is older."""
    monkeypatch.setattr("server.stripe_gateway.listing._TOGETHER", 1)
    intent = await shop.pay("top_1_1")
    shop.fake.refund(intent.latest_charge, 100)
    second = await shop.pay("top_1_1")
    credited[1, 1] = (None, second.id)
    assert await shop.events.read() == 3
    assert shop.looking.looked == [(1, 1)]
