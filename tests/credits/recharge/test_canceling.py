"""Ending what has not been paid, by itself or because something else is bought instead."""

from credits.errors import Conflict
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import Counter


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
