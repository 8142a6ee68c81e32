"""What a rule may pay with, and how much of it: cards that decline or ask, and the cap of the month, on the real database."""

from datetime import UTC, datetime

import pytest

from credits.customers.customers import upsert_customer
from credits.recharge.firing import NO_METHOD
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.ruling import DAY, HOUR, MINUTE, Ruling

EUR = 100  # of the smallest unit


@pytest.fixture
async def filled(ruling: Ruling) -> Ruling:
    """150 credits, a rule that buys below 100, and a card that pays."""
    return await ruling.filled()


# ─── what pays ─────────────────────────────────────────────────────────────────────────────────────────
async def test_without_a_payment_method_it_is_suspended_and_goes_on_with_one(ruling: Ruling):
    await ruling.rule()
    assert await ruling.fire() is None
    assert (await ruling.read()).suspended_reason == NO_METHOD
    assert await ruling.attempts() == []
    assert await ruling.sweep() == []
    await ruling.card()
    assert (await ruling.read()).suspended_reason is None
    assert [each.status for each in await ruling.sweep()] == ["SUCCEEDED"]


async def test_declines_rest_for_longer_each_time_and_the_fourth_suspends_until_the_card_changes(ruling: Ruling):
    await ruling.card("declining")
    await ruling.rule()
    for count, rest in enumerate((HOUR, 6 * HOUR, 24 * HOUR), start=1):
        assert [each.status for each in await ruling.sweep()] == ["FAILED"]
        failed = (await ruling.attempts())[-1]
        assert (failed.failure, failed.decline_code) == ("the card was declined", "card_declined")
        rule = await ruling.read()
        assert rule.failures == count
        assert rule.try_at == failed.changed_at + rest
        await ruling.pass_time(rest - MINUTE)
        assert await ruling.fire() is None
        assert await ruling.sweep() == []
        await ruling.rule(threshold=str(100 + count))  # another wish makes no better card
        assert await ruling.sweep() == []
        await ruling.pass_time(MINUTE)
    assert [each.status for each in await ruling.sweep()] == ["FAILED"]
    rule = await ruling.read()
    assert rule.suspended_reason == "4 attempts in a row failed, the last because the card was declined"
    await ruling.rule(enabled=True)
    await ruling.pass_time(40 * DAY)
    assert await ruling.sweep() == []
    await ruling.card()
    assert [each.status for each in await ruling.sweep()] == ["SUCCEEDED"]
    rule = await ruling.read()
    assert (rule.failures, rule.try_at, rule.suspended_at, rule.suspended_reason) == (0, None, None, None)
    assert len(ruling.bank.charges) == 1
    await ruling.till.check()


async def test_a_success_forgives_the_failures_before_it(ruling: Ruling):
    name = await ruling.card("declining")
    await ruling.rule()
    await ruling.sweep()
    ruling.bank.cards[name] = "ok"
    await ruling.pass_time(HOUR)
    assert [each.status for each in await ruling.sweep()] == ["SUCCEEDED"]
    assert (await ruling.read()).failures == 0


async def test_what_the_customer_has_to_confirm_is_handed_over_and_ended_after_23_hours(ruling: Ruling):
    await ruling.card("authenticating")
    await ruling.rule()
    asked = await ruling.fire()
    assert asked is not None
    assert asked.status == "REQUIRES_ACTION"
    assert asked.client_secret
    await ruling.pass_time(22 * HOUR)
    assert await ruling.sweep() == []
    assert await ruling.statuses() == ["REQUIRES_ACTION"]
    await ruling.pass_time(2 * HOUR)
    await ruling.sweep()
    assert await ruling.statuses() == ["CANCELED"]
    rule = await ruling.read()
    assert rule.failures == 1
    await ruling.pass_time(HOUR)
    (again,) = await ruling.sweep()
    ruling.bank.pay(again.id)  # this time it is confirmed
    await ruling.counter.look(again)
    assert ((await ruling.read()).failures, await ruling.available()) == (0, 1_100)


async def test_another_card_takes_the_place_of_what_waits_to_be_confirmed(ruling: Ruling):
    await ruling.card("authenticating")
    await ruling.rule()
    await ruling.fire()
    await ruling.till.advance(HOUR)
    await ruling.card()
    await ruling.sweep()  # ends what waits
    assert [each.status for each in await ruling.sweep()] == ["SUCCEEDED"]
    assert await ruling.statuses() == ["CANCELED", "SUCCEEDED"]
    assert (await ruling.read()).failures == 0


async def test_a_provider_that_refuses_counts_as_a_failure_and_an_operator_sees_it(filled: Ruling):
    filled.bank.refuses = "no such thing"
    await filled.spend("60")
    attempt = await filled.fire()
    assert attempt is not None
    assert (attempt.status, attempt.decline_code) == ("FAILED", "refused")
    assert (await filled.read()).failures == 1
    assert [kind for kind, *_ in await filled.counter.issues()] == ["REFUSED"]


# ─── the cap ───────────────────────────────────────────────────────────────────────────────────────────
async def test_as_many_bundles_as_the_cap_leaves_room_for(filled: Ruling):
    await filled.rule(target="5000", cap="30")
    await filled.spend("100")
    bought = await filled.fire()
    assert bought is not None
    assert (bought.quantity, await filled.spent()) == (3, 30 * EUR)
    assert await filled.available() == 50 + 3_300


async def test_a_cap_that_is_reached_is_seen_once_and_tried_again_when_the_month_ends_where_the_customer_is(
    filled: Ruling,
):
    async with filled.till.reader.changing(filled.till.workspace_id) as page:
        zone = {"timezone": "Asia/Kathmandu"}
        await upsert_customer(page.connection, filled.till.workspace_id, "acme", zone, page.workspace.now)
    await filled.rule(cap="19.99")
    await filled.start_of(datetime(2031, 5, 20, tzinfo=UTC))
    await filled.spend("60")
    assert [each.status for each in await filled.sweep()] == ["SUCCEEDED"]
    await filled.spend("1150")
    asked = list(filled.bank.asked)
    (capped,) = await filled.sweep()
    assert (capped.status, capped.decline_code, capped.quantity) == ("FAILED", "monthly_cap", 1)
    assert capped.failure == "the monthly cap leaves too little for one bundle"
    assert filled.bank.asked == asked  # nobody was asked for money
    rule = await filled.read()
    assert (rule.capped_until, rule.failures) == (datetime(2031, 5, 31, 18, 15, tzinfo=UTC), 0)
    assert await filled.spent() == 10 * EUR
    await filled.start_of(datetime(2031, 5, 31, 18, 14, 59, tzinfo=UTC))
    assert await filled.fire() is None
    assert await filled.sweep() == []
    await filled.start_of(datetime(2031, 5, 31, 18, 15, tzinfo=UTC))
    assert await filled.spent() == 0
    assert [each.status for each in await filled.sweep()] == ["SUCCEEDED"]
    assert await filled.statuses() == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


async def test_another_rule_is_asked_at_once_after_the_cap_and_another_card_is_not(filled: Ruling):
    await filled.rule(cap="10")
    await filled.spend("60")
    await filled.sweep()
    await filled.spend("1150")
    assert [each.decline_code for each in await filled.sweep()] == ["monthly_cap"]
    await filled.card()  # makes no more room
    assert await filled.sweep() == []
    await filled.rule(cap="15")
    assert [each.decline_code for each in await filled.sweep()] == ["monthly_cap"]
    await filled.rule(cap="20")
    assert [each.status for each in await filled.sweep()] == ["SUCCEEDED"]


async def test_what_failed_before_keeps_its_rest_when_the_cap_is_raised(ruling: Ruling):
    name = await ruling.card()
    await ruling.rule(cap="15")
    await ruling.sweep()
    await ruling.spend("1050")
    ruling.bank.cards[name] = "declining"
    await ruling.rule(cap="20")
    assert [each.decline_code for each in await ruling.sweep()] == ["card_declined"]
    await ruling.rule(cap="10")
    await ruling.till.advance(HOUR)
    assert [each.decline_code for each in await ruling.sweep()] == ["monthly_cap"]
    await ruling.rule(cap="20")
    assert [each.decline_code for each in await ruling.sweep()] == ["card_declined"]
    assert (await ruling.read()).failures == 2


async def test_what_was_paid_back_counts_in_the_cap_else_a_refund_would_be_bought_again_and_again(filled: Ruling):
    await filled.rule(cap="10")
    await filled.spend("60")
    (bought,) = await filled.sweep()
    assert isinstance(await filled.counter.refund(bought), TopUp)
    assert [each.decline_code for each in await filled.sweep()] == ["monthly_cap"]
    assert len(filled.bank.charges) == 1
