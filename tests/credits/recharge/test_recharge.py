"""Recharge on the real database: when the rule buys, how much, and that it buys once."""

import asyncio
from typing import Any

import pytest

from credits.errors import InvalidInput, NotFound
from credits.recharge.firing import OTHER_BUNDLE
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import SOLD
from tests.credits.recharge.ruling import HOUR, MINUTE, Ruling

EUR = 100  # of the smallest unit


@pytest.fixture
async def filled(ruling: Ruling) -> Ruling:
    """150 credits, a rule that buys below 100, and a card that pays."""
    return await ruling.filled()


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
