"""Ending what has not been paid, by itself or because something else is bought instead."""

import asyncio

from credits.errors import Conflict, IdempotencyConflict, InvalidInput
from credits.recharge.provider import Order, Payment
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import Counter
from tests.credits.recharge.ruling import Ruling


async def test_what_is_canceled_stays_so_and_what_is_paid_cannot_be(counter: Counter):
    top_up = await counter.start()
    for _ in range(2):
        assert (await counter.cancel(top_up)).status == "CANCELED"
    assert counter.bank.accounts[top_up.id].payment.state == "CANCELED"
    paid = await counter.start()
    counter.bank.tell(paid.id, state="SUCCEEDED", paid=1000)  # and we do not know yet
    assert isinstance(await counter.cancel(paid), Conflict)
    assert (await counter.read(paid)).status == "SUCCEEDED"
    counter.bank.fault = lost("start", "before")
    await counter.start(key="never")
    (never,) = await counter.till.rows("SELECT customer_id, number FROM top_ups WHERE key = 'never'")
    ended = await counter.cashier.cancel(counter.till.workspace_id, (never["customer_id"], never["number"]))
    assert isinstance(ended, TopUp)
    assert ended.status == "CANCELED"


async def test_what_was_declined_can_be_canceled_and_is_not_to_be_paid_any_more(counter: Counter):
    declined = await counter.start()
    counter.bank.decline(declined.id)
    assert (await counter.look(declined)).status == "FAILED"
    assert (await counter.cancel(declined)).status == "CANCELED"
    assert counter.bank.accounts[declined.id].payment.state == "CANCELED"
    # Paid on the other page a moment before: then that is what it is.
    declined = await counter.start()
    counter.bank.decline(declined.id)
    await counter.look(declined)
    counter.bank.tell(declined.id, state="SUCCEEDED", paid=1000)
    assert isinstance(await counter.cancel(declined), Conflict)
    assert (await counter.read(declined)).status == "SUCCEEDED"


async def test_a_second_try_ends_the_first_so_that_nobody_pays_both(counter: Counter):
    first = await counter.start()
    counter.bank.decline(first.id)
    await counter.look(first)
    second = await counter.start(key="again", replaces=first.place)
    assert (second.status, second.id != first.id) == ("PENDING", True)
    assert (await counter.read(first)).status == counter.bank.accounts[first.id].payment.state == "CANCELED"
    # The answer was lost: the same again, by whoever still knows what it replaces, or does not.
    for replaces in (first.place, None):
        assert (await counter.start(key="again", replaces=replaces)).id == second.id
    # One that is only open is ended too.
    third = await counter.start(replaces=second.place)
    assert (await counter.read(second)).status == "CANCELED"
    # Paid a moment before, on the page that had declined it: that is the answer, and nothing is bought.
    counter.bank.tell(third.id, state="SUCCEEDED", paid=1000)
    paid = await counter.start(key="never", replaces=third.place)
    assert (paid.id, paid.status) == (third.id, "SUCCEEDED")
    assert not await counter.till.rows("SELECT 1 FROM top_ups WHERE key = 'never'")
    await counter.till.check()


async def test_where_the_first_cannot_be_ended_now_no_second_begins(counter: Counter):
    first = await counter.start()
    counter.bank.fault = lost("cancel", "before")
    refused = await counter.start(key="never", replaces=first.place)
    assert refused.code == "UNAVAILABLE"
    assert not await counter.till.rows("SELECT 1 FROM top_ups WHERE key = 'never'")


async def test_what_the_provider_would_not_begin_has_nothing_to_cancel(counter: Counter):
    counter.bank.refuses = "no such account"
    refused = await counter.start()
    assert refused.status == "FAILED"
    assert isinstance(await counter.cancel(refused), Conflict)


async def test_what_is_refused_as_it_is_or_was_asked_before_ends_nothing(counter: Counter):
    first, other = await counter.start(key="first"), await counter.start()
    assert isinstance(await counter.start(quantity=0, replaces=other.place), InvalidInput)
    assert isinstance(await counter.start(quantity=2, key="first", replaces=other.place), IdempotencyConflict)
    for replaces in (other.place, first.place):  # its own order, too
        again = await counter.start(key="first", replaces=replaces)
        assert (again.id, again.status, again.checkout_url) == (first.id, "PENDING", first.checkout_url)
    assert (await counter.read(other)).status == counter.bank.accounts[other.id].payment.state == "PENDING"
    # Also where nobody can be asked: what was answered once is answered again.
    second = await counter.start(key="second", replaces=first.place)
    counter.bank.fault = lost("cancel", "before")
    assert (await counter.start(key="second", replaces=first.place)).id == second.id


async def test_a_recharge_is_not_replaced_as_its_charge_may_be_under_way(ruling: Ruling):
    """It would be canceled here while the bank takes the money, and the second be paid as well."""
    counter = ruling.counter
    await ruling.card()
    await ruling.rule()
    charge, refused = counter.bank.charge, list[object]()

    async def charge_slowly(order: Order) -> Payment:
        (row,) = await counter.till.rows("SELECT customer_id, number FROM top_ups")
        refused.append(await counter.start(key="never", replaces=(row["customer_id"], row["number"])))
        return await charge(order)

    counter.bank.charge = charge_slowly  # type: ignore[method-assign]
    attempt = await ruling.fire()
    assert attempt is not None
    assert attempt.status == "SUCCEEDED"
    assert isinstance(refused[0], Conflict)
    assert counter.bank.charges == [attempt.id]
    assert not await counter.till.rows("SELECT 1 FROM top_ups WHERE key = 'never'")


async def test_two_who_replace_the_same_at_once_and_one_who_pays_it_leave_nobody_charged_twice(counter: Counter):
    """Whoever pays first wins: each answer is what was paid, or something new once that can be paid no more."""
    for _ in range(10):
        first, taken = await counter.start(), len(counter.bank.charges)

        async def pay(of: TopUp = first) -> None:
            if counter.bank.accounts[of.id].payment.state != "CANCELED":
                counter.bank.pay(of.id)

        answers = await asyncio.gather(
            counter.start(key=f"one-{first.id}", replaces=first.place),
            counter.look(first),
            pay(),
            counter.start(key=f"one-{first.id}", replaces=first.place),
        )
        now = await counter.look(first)
        bought = {answers[0].id, answers[3].id}
        if now.is_paid:
            assert (bought, len(counter.bank.charges)) == ({first.id}, taken + 1)
        else:
            assert (now.status, len(bought), len(counter.bank.charges)) == ("CANCELED", 1, taken)
            assert first.id not in bought
            await counter.cancel(answers[0])
    await counter.till.check()
