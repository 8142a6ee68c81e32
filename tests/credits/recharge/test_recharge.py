"""Recharge on the real database: when the rule buys, how much, and that it buys once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from credits.customers.customers import upsert_customer
from credits.errors import InvalidInput, NotFound
from credits.recharge.firing import NO_METHOD, OTHER_BUNDLE
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import SOLD
from tests.credits.recharge.ruling import DAY, HOUR, MINUTE, Ruling

EUR = 100  # of the smallest unit


@pytest.fixture
async def filled(ruling: Ruling) -> Ruling:
    """150 credits, a rule that buys below 100, and a card that pays."""
    await ruling.till.must(ruling.till.grant("150"))
    await ruling.card()
    await ruling.rule()
    return ruling


# ─── when, and how much ────────────────────────────────────────────────────────────────────────────────
async def test_below_the_threshold_it_buys_and_at_it_it_does_not(filled: Ruling):
    await filled.spend("50")
    assert await filled.fire() is None
    await filled.spend("1")
    bought = await filled.fire()
    assert bought is not None
    assert (bought.status, bought.automatic, bought.mode, bought.quantity) == ("SUCCEEDED", True, "OFF_SESSION", 1)
    assert bought.key is None
    assert filled.bank.charges == [bought.id]
    assert await filled.available() == 99 + 1_100
    (grant,) = await filled.till.rows("SELECT source, priority FROM grants WHERE number = 2")
    assert (grant["source"], grant["priority"]) == ("RECHARGE", 40)
    assert await filled.counter.movements() == [("SALE", 10 * EUR)]
    assert await filled.fire() is None
    await filled.till.check()


async def test_the_target_is_reached_in_one_charge_and_debt_is_part_of_the_gap(filled: Ruling):
    await filled.till.policy("SOFT", customer="acme", overdraft_limit_micro=10**10)
    await filled.rule(target="5000")
    await filled.spend("1000")
    bought = await filled.fire()
    assert bought is not None
    assert (bought.quantity, bought.price) == (6, 60 * EUR)  # 5,850 credits are missing
    assert await filled.available() == -850 + 6_600
    assert len(filled.bank.charges) == 1
    await filled.till.check()


async def test_a_rule_that_is_set_when_it_is_below_already_fires(ruling: Ruling):
    await ruling.card()
    await ruling.rule()
    assert [each.status for each in await ruling.sweep()] == ["SUCCEEDED"]  # there was never even an account
    assert await ruling.available() == 1_100


@pytest.mark.parametrize("how", ["hold", "expiry", "clawback", "void", "reversal undone", "refund"])
async def test_whatever_takes_the_balance_below_fires(filled: Ruling, how: str):
    till = filled.till
    if how == "hold":
        await till.open_hold("60")
    elif how == "expiry":
        await till.must(till.grant("30", expires_at=await till.now() + HOUR, priority=90))
        await filled.spend("80")
        assert await filled.fire() is None
        await till.advance(2 * HOUR)  # 30 expire: 70 are left
    elif how in ("clawback", "void"):
        given = await till.must(till.grant("30"))
        await filled.spend("60")
        assert await filled.fire() is None
        await till.must(till.claw_back(given, "30") if how == "clawback" else till.void(given))
    elif how == "reversal undone":
        entry = (await filled.spend("40")).entry
        await till.must(till.reverse(entry))
        assert await filled.fire() is None
        await filled.spend("51")
    else:
        await filled.spend("150")
        bought = await filled.fire()
        assert bought is not None
        assert isinstance(await filled.counter.refund(bought), TopUp)
    assert await filled.available() < 100
    bought = await filled.fire()
    assert bought is not None
    assert bought.status == "SUCCEEDED"
    assert await filled.available() >= 100
    await till.check()


async def test_a_disabled_rule_does_nothing_and_what_is_under_way_is_finished(filled: Ruling):
    filled.bank.fault = lost("charge", "before")
    await filled.spend("60")
    under_way = await filled.fire()
    assert under_way is not None
    assert under_way.status == "PENDING"
    await filled.rule(enabled=False)
    done = await filled.counter.look(under_way)
    assert done.status == "SUCCEEDED"
    await filled.spend("1150")
    assert await filled.fire() is None
    assert await filled.sweep() == []
    assert len(filled.bank.charges) == 1


async def test_an_archived_bundle_is_still_bought_and_its_rule_can_be_changed(filled: Ruling):
    others = [bundle for bundle in SOLD["bundles"] if bundle["key"] != "pack"]
    await filled.till.apply({**SOLD, "bundles": others})
    await filled.spend("60")
    bought = await filled.fire()
    assert bought is not None
    assert bought.status == "SUCCEEDED"
    assert (await filled.rule(enabled=False, cap="20")).cap == 20 * EUR
    assert isinstance(await filled.try_rule(customer="other"), NotFound)


async def test_a_bundle_that_became_another_kind_of_thing_is_not_bought(filled: Ruling):
    changed = [
        {**each, "creditType": "whole", "bonus": "0"} if each["key"] == "pack" else each for each in SOLD["bundles"]
    ]
    await filled.till.apply({**SOLD, "bundles": changed})
    await filled.spend("60")
    assert await filled.fire() is None
    assert (await filled.read()).suspended_reason == OTHER_BUNDLE
    assert filled.bank.charges == []
    await filled.till.apply(SOLD)
    assert (await filled.rule()).suspended_reason is None
    assert len(await filled.sweep()) == 1


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"threshold": "-1"}, "threshold"),
        ({"threshold": "0.0000001"}, "threshold"),
        ({"threshold": "1e15"}, "threshold"),
        ({"target": "100"}, "target"),
        ({"cap": "9.99"}, "monthlyCap.amount"),
        ({"cap": "10.001"}, "monthlyCap.amount"),
        ({"cap": "1e18"}, "monthlyCap.amount"),
        ({"currency": "USD"}, "monthlyCap.currency"),
        ({"bundle": "odd"}, "bundle"),
        ({"bundle": "fine", "currency": "BHD"}, "bundle"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_its_field(ruling: Ruling, wish: dict[str, str], field: str):
    refused = await ruling.try_rule(**wish)
    assert isinstance(refused, InvalidInput)
    assert refused.field == field
    assert await ruling.till.rows("SELECT 1 AS one FROM recharge_rules") == []


async def test_what_does_not_exist_is_not_found(ruling: Ruling):
    assert isinstance(await ruling.try_rule(bundle="none"), NotFound)
    assert isinstance(await ruling.try_rule(credit_type="none"), NotFound)


# ─── once ──────────────────────────────────────────────────────────────────────────────────────────────
async def test_200_burns_at_once_through_two_processes_are_one_recharge_and_one_charge(filled: Ruling):
    till = filled.till
    await till.must(till.grant("850"))
    here, there = await filled.process(), await filled.process()
    burns = [
        till.post(till.burn("4.6"), writer=process.writer) for process in (here, there) for _ in range(100)
    ]  # 920 of 1,000
    await asyncio.gather(*burns)
    for process in (here, there):
        await process.rest()
    assert await filled.statuses() == ["SUCCEEDED"]
    assert len(filled.bank.charges) == 1
    assert await filled.available() == 80 + 1_100
    await till.check()


async def test_many_triggers_at_once_in_three_processes_are_one_recharge(filled: Ruling):
    await filled.spend("60")
    processes = [await filled.process() for _ in range(3)]
    account = await filled.account()
    await asyncio.gather(
        *(each.recharger.fire(filled.till.workspace_id, account) for each in processes for _ in range(8))
    )
    assert await filled.statuses() == ["SUCCEEDED"]
    assert len(filled.bank.charges) == 1


async def test_a_recharge_a_top_up_and_what_the_bank_tells_at_once_come_to_the_right_sum(filled: Ruling):
    counter, workspace_id = filled.counter, filled.till.workspace_id
    started = await counter.start(quantity=2)
    filled.counter.real[0] += 2 * HOUR  # nobody waits for it any more: it does not count as pending
    await filled.spend("100")
    paid = filled.bank.pay(started.id)
    there = await filled.process()
    account = await filled.account()
    jobs: list[Any] = []
    for recharger in (filled.recharger, there.recharger):
        jobs += [recharger.fire(workspace_id, account) for _ in range(5)]
    jobs += [counter.cashier.take(workspace_id, started.place, paid) for _ in range(5)]
    jobs += [counter.cashier.look(workspace_id, started.place) for _ in range(5)]
    await asyncio.gather(*jobs)
    recharges = len(await filled.attempts())
    assert recharges <= 1  # none where the top-up came first
    assert await filled.available() == 50 + 2_200 + 1_100 * recharges
    assert len(filled.bank.charges) == 1 + recharges
    await filled.till.check()


async def test_what_people_are_buying_counts_until_nobody_waits_for_it(filled: Ruling):
    started = await filled.counter.start()
    await filled.spend("60")
    assert await filled.fire() is None
    assert await filled.sweep() == []
    filled.counter.real[0] += HOUR + MINUTE
    assert [each.status for each in await filled.sweep()] == ["SUCCEEDED"]
    filled.bank.pay(started.id)
    await filled.counter.look(started)
    assert await filled.available() == 90 + 2 * 1_100


async def test_what_breaks_off_between_the_intent_and_the_charge_is_charged_by_the_next_look(
    filled: Ruling, monkeypatch: Any
):
    await filled.spend("60")

    async def dies(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(filled.counter.cashier, "send", dies)
        with pytest.raises(asyncio.CancelledError):
            await filled.fire()
    assert filled.bank.charges == []
    assert await filled.fire() is None  # one is under way
    filled.counter.real[0] += MINUTE
    due = await filled.counter.cashier.due(filled.till.workspace_id, filled.counter.real[0], 10)
    (attempt,) = await filled.attempts()
    assert due == [attempt.place]
    cashiers = [filled.counter.cashier, await filled.counter.another()]
    looks = [cashier.look(filled.till.workspace_id, attempt.place) for cashier in cashiers for _ in range(4)]
    await asyncio.gather(*looks)
    assert await filled.statuses() == ["SUCCEEDED"]
    assert filled.bank.charges == [attempt.id]
    assert await filled.available() == 90 + 1_100


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_provider_that_cannot_answer_is_asked_again_about_the_same_order(filled: Ruling, when: str):
    filled.bank.fault = lost("charge", when, times=2)
    await filled.spend("60")
    under_way = await filled.fire()
    assert under_way is not None
    assert under_way.status == "PENDING"
    for _ in range(3):
        assert await filled.fire() is None
        await filled.counter.look(under_way)
    assert await filled.statuses() == ["SUCCEEDED"]
    assert filled.bank.charges == [under_way.id]
    assert (await filled.read()).failures == 0


async def test_what_was_never_begun_is_no_failure_of_the_card_and_another_order_follows(filled: Ruling):
    filled.bank.fault = lost("charge", "before", times=1)
    await filled.spend("60")
    under_way = await filled.fire()
    assert under_way is not None
    filled.counter.real[0] += 2 * HOUR
    assert (await filled.counter.look(under_way)).status == "CANCELED"
    assert (await filled.read()).failures == 0
    assert [each.status for each in await filled.sweep()] == ["SUCCEEDED"]
    assert len(filled.bank.charges) == 1


async def test_what_failed_and_was_paid_after_all_is_forgiven(ruling: Ruling):
    await ruling.card("declining")
    await ruling.rule()
    failed = await ruling.fire()
    assert failed is not None
    assert (await ruling.read()).failures == 1
    ruling.bank.pay(failed.id)
    assert (await ruling.counter.look(failed)).status == "SUCCEEDED"
    assert ((await ruling.read()).failures, (await ruling.read()).try_at) == (0, None)
    assert await ruling.available() == 1_100


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
