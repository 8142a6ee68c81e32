"""What is told of rules for webhooks: with the change or not at all, once each; and where a balance is low by the rule."""

from typing import Any

import pytest

from credits.recharge.firing import NO_METHOD
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.ruling import DAY, HOUR, Ruling
from tests.credits.webhooks.conftest import Desk

RECHARGES = ("recharge.succeeded", "recharge.failed", "recharge.suspended")


@pytest.fixture
async def told(ruling: Ruling) -> Desk:
    desk = Desk(ruling.till)
    await desk.endpoint(*RECHARGES, "topup.succeeded", "topup.failed")
    return desk


async def test_a_recharge_that_is_paid_is_told_once_whoever_tells_us(ruling: Ruling, told: Desk):
    await ruling.card()
    await ruling.rule()
    ruling.bank.fault = lost("charge", "after")
    attempt = await ruling.fire()
    assert attempt is not None
    assert await told.told() == []  # nobody knows yet
    for _ in range(3):
        await ruling.counter.look(attempt)
    (message,) = await told.told()
    assert message["type"] == "recharge.succeeded"
    assert message["data"] == {
        "customer": "acme",
        "customerId": message["data"]["customerId"],
        "creditType": "ai",
        "bundle": "pack",
        "topUp": attempt.id,
        "quantity": 1,
        "credits": "1100",
        "price": {"amount": "10", "currency": "EUR"},
        "status": "SUCCEEDED",
        "version": 2,
        "grant": message["data"]["grant"],
    }


async def test_each_decline_is_told_and_the_suspension_after_the_last(ruling: Ruling, told: Desk):
    await ruling.card("declining")
    await ruling.rule()
    for rest in (HOUR, 6 * HOUR, 24 * HOUR, DAY, DAY):
        for attempt in await ruling.sweep():
            await ruling.counter.look(attempt)
        await ruling.pass_time(rest)
    messages = await told.told()
    assert [each["type"] for each in messages] == ["recharge.failed"] * 4 + ["recharge.suspended"]
    assert {(each["data"]["failure"], each["data"]["declineCode"]) for each in messages[:4]} == {
        ("the card was declined", "card_declined")
    }
    rule = await ruling.read()
    suspended = messages[-1]["data"]
    assert (suspended["reason"], suspended["failures"]) == (rule.suspended_reason, 4)
    assert (suspended["threshold"], suspended["bundle"]) == ("100", "pack")
    assert suspended["monthlyCap"] == {"amount": "1000", "currency": "EUR"}
    assert suspended["version"] == rule.version


async def test_a_cap_that_is_reached_is_told_as_a_failure_with_its_own_code(ruling: Ruling, told: Desk):
    await ruling.card()
    await ruling.rule(cap="10")
    await ruling.sweep()
    await ruling.spend("1050")
    for _ in range(3):
        await ruling.sweep()
    assert await told.types() == ["recharge.succeeded", "recharge.failed"]
    failed = (await told.told())[1]["data"]
    assert (failed["declineCode"], failed["status"]) == ("monthly_cap", "FAILED")


async def test_no_payment_method_is_told_once_as_a_suspension_and_again_after_one_came_and_went(
    ruling: Ruling, told: Desk
):
    await ruling.rule()
    for _ in range(3):
        await ruling.fire()
    assert [each["data"]["reason"] for each in await told.told()] == [NO_METHOD]
    await ruling.card()
    customer = await ruling.till.customer()
    ruling.bank.saved[customer.id] = ()
    assert await ruling.counter.cashier.refresh_methods(ruling.till.workspace_id, customer)
    await ruling.fire()
    assert await told.types() == ["recharge.suspended"] * 2


async def test_what_was_not_confirmed_in_time_is_told_as_a_failure(ruling: Ruling, told: Desk):
    await ruling.card("authenticating")
    await ruling.rule()
    await ruling.fire()
    assert await told.types() == []
    await ruling.pass_time(24 * HOUR)
    for _ in range(2):
        await ruling.sweep()
    assert [(each["type"], each["data"]["status"]) for each in await told.told()] == [("recharge.failed", "CANCELED")]


async def test_top_ups_of_people_are_told_by_their_own_names(ruling: Ruling, told: Desk):
    bought = await ruling.counter.bought()
    declined = await ruling.counter.start()
    assert isinstance(declined, TopUp)
    ruling.bank.decline(declined.id)
    for top_up in (bought, declined, declined):
        await ruling.counter.look(top_up)
    assert [(each["type"], each["data"]["topUp"]) for each in await told.told()] == [
        ("topup.succeeded", bought.id),
        ("topup.failed", declined.id),
    ]


async def test_nothing_is_told_of_what_was_rolled_back(ruling: Ruling, told: Desk, monkeypatch: Any):
    from credits.recharge import recharger  # noqa: PLC0415 -- broken here

    async def breaks(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(recharger, "store_suffered", breaks)
        await ruling.rule()
        with pytest.raises(ZeroDivisionError):
            await ruling.fire()
        await ruling.card("declining")
        with pytest.raises(ZeroDivisionError):
            await ruling.fire()
    assert await told.types() == []
    assert await ruling.statuses() == ["PENDING"]  # the intent, which the next look finds declined
    await ruling.counter.look((await ruling.attempts())[0])
    assert await told.types() == ["recharge.failed"]
    assert (await ruling.read()).failures == 1


async def test_low_is_below_the_threshold_of_an_enabled_rule_else_a_fifth(ruling: Ruling):
    desk = Desk(ruling.till)
    await desk.endpoint("balance.low")
    await ruling.till.must(ruling.till.grant("1000"))
    await ruling.rule(threshold="600")
    await ruling.spend("399")
    assert await desk.told() == []
    await ruling.spend("2")
    assert [each["data"]["threshold"] for each in await desk.told()] == ["600"]
    await ruling.rule(threshold="500", enabled=False)
    await ruling.spend("100")
    await ruling.spend("298")
    assert len(await desk.told()) == 1
    await ruling.spend("2")
    assert [each["data"]["threshold"] for each in await desk.told()] == ["600", "200"]
