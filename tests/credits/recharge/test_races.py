"""Verbs that cross: what was read is otherwise by the time that it is acted upon."""

from typing import Any

from credits.recharge.provider import Order, PayerUnknown, Payment
from credits.recharge.reads import find_by_key
from credits.recharge.settle import CONTESTED
from credits.recharge.top_ups import REFUSED, TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import Counter
from tests.credits.recharge.ruling import Ruling


async def unsent(counter: Counter, wish: Any) -> TopUp:
    """An order that is stored, and that the bank was never asked for."""
    customer = await counter.till.customer()
    counter.bank.fault = lost("start", "before")
    await counter.cashier.start(counter.till.workspace_id, customer, wish)
    async with counter.till.reader.page(counter.till.workspace_id) as page:
        found = await find_by_key(page.connection, customer.id, wish.key)
    assert found is not None
    return found


async def test_what_is_begun_while_it_is_canceled_ends_at_the_provider_too(counter: Counter):
    wish = counter.wish()
    top_up, customer, cancel = await unsent(counter, wish), await counter.till.customer(), counter.bank.cancel

    async def cancel_late(order: Order) -> Payment | None:
        answer = await cancel(order)
        await counter.cashier.start(counter.till.workspace_id, customer, wish)
        return answer

    counter.bank.cancel = cancel_late  # type: ignore[method-assign]
    assert (await counter.cancel(top_up)).status == "CANCELED"
    assert counter.bank.accounts[top_up.id].payment.state == "CANCELED", "nobody can pay any more"


async def test_nobody_is_charged_for_a_recharge_that_was_canceled_while_it_was_looked_at(ruling: Ruling):
    counter = ruling.counter
    await ruling.card()
    await ruling.rule()
    counter.bank.fault = lost("charge", "before")
    attempt = await ruling.fire()
    assert attempt is not None
    assert attempt.status == "PENDING"
    read = counter.bank.read

    async def read_late(order: Order) -> Payment | None:
        answer = await read(order)
        await counter.cancel(attempt)
        return answer

    counter.bank.read = read_late  # type: ignore[method-assign]
    assert (await counter.look(attempt)).status == "CANCELED"
    assert counter.bank.charges == []


async def test_nobody_is_charged_for_what_a_payment_dispute_has_taken(ruling: Ruling):
    """S15, S17: the clawback leaves the balance below the threshold, and the card is the one that was contested."""
    counter = ruling.counter
    await ruling.card()
    await ruling.rule()
    attempt, by_hand = await ruling.fire(), await counter.bought()
    assert attempt is not None
    await ruling.spend("1100")
    for contested in (attempt, by_hand):
        dispute = counter.bank.give_back(contested.id, 1000, kind="CHARGEBACK")
        assert (await counter.look(contested)).status == "DISPUTED"
        assert await ruling.available() < 100
        assert await ruling.fire() is None
        assert (await ruling.read()).suspended_reason == CONTESTED
        counter.bank.undo(contested.id, dispute)
        await counter.look(contested)
        await ruling.rule()
        assert (await ruling.read()).suspended_at is None, "whoever sets it anew wants it again"
    assert sorted(counter.bank.charges) == sorted([attempt.id, by_hand.id])


async def test_more_paybacks_than_anybody_expects_are_all_taken_at_once(counter: Counter):
    top_up = await counter.bought()
    for _ in range(120):
        counter.bank.give_back(top_up.id, 1)
    assert (await counter.look(top_up)).paid_back == 120


async def test_a_customer_that_was_deleted_at_the_provider_buys_again_by_the_next_order(counter: Counter):
    """Or was made in test mode, before the live key came."""
    await counter.bought()
    customer, start = await counter.till.customer(), counter.bank.start
    counter.bank.payers[customer.id] = "payer-new"

    async def start_for_whom_it_knows(order: Order) -> Payment:
        if order.payer.provider_id != "payer-new":
            raise PayerUnknown("no such customer")
        return await start(order)

    counter.bank.start = start_for_whom_it_knows  # type: ignore[method-assign]
    refused = await counter.start()
    assert (refused.status, refused.decline_code) == ("FAILED", REFUSED)
    assert (await counter.bought()).status == "SUCCEEDED"


async def test_a_customer_that_the_provider_will_not_know_again_is_refused_and_no_more(counter: Counter):
    await counter.bought()
    counter.bank.fault = lost("know", "before")

    async def start_for_nobody(_order: Order) -> Payment:
        raise PayerUnknown("no such customer")

    counter.bank.start = start_for_nobody  # type: ignore[method-assign]
    assert (await counter.start()).status == "FAILED"
