"""What goes back: refunds that we ask for, that others make, that fail; payment disputes; and the credits with them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from credits.amount import MICRO
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from credits.ledger.entries import Kind
from credits.recharge.provider import Payback
from tests.credits.recharge.bank import lost
from tests.credits.recharge.counter import Counter


async def spent(counter: Counter, amount: str) -> None:
    await counter.till.must(counter.till.burn(amount))


# ─── refunds ───────────────────────────────────────────────────────────────────────────────────────
async def test_a_part_of_the_price_claws_back_that_part_of_the_credits(counter: Counter):
    """S14."""
    top_up = await counter.bought()
    part = await counter.refund(top_up, "2.50", note="sorry")
    assert (part.status, part.paid_back, part.clawed_back) == ("SUCCEEDED", 250, 275 * MICRO)
    assert await counter.till.available() == 825
    whole = await counter.refund(top_up)
    assert (whole.status, whole.paid_back, whole.clawed_back) == ("REFUNDED", 1000, 1100 * MICRO)
    assert await counter.till.available() == 0
    assert await counter.movements() == [("SALE", 1000), ("REFUND", 250), ("REFUND", 750)]
    first, second = await counter.paybacks(top_up)
    assert (first.status, first.reason, first.note, first.sequence) == ("DONE", "GOODWILL", "sorry", 2)
    assert second.provider_id == "refund-3"
    assert await counter.kinds() == [Kind.GRANT, Kind.CLAWBACK, Kind.CLAWBACK]
    acts = [row["action"] for row in await counter.till.rows("SELECT action FROM audit_log ORDER BY id")]
    assert acts.count("topUp.refundAsked") == acts.count("grant.clawedBack") == 2
    await counter.till.check()


async def test_first_what_remains_of_its_grant_then_debt_whatever_the_limit(counter: Counter):
    top_up = await counter.bought()
    await spent(counter, "1000")
    await counter.refund(top_up)
    assert await counter.till.available() == -1000
    await counter.bought()
    assert await counter.till.available() == 100, "the next grant pays the debt first"
    await counter.till.check()


async def test_rounded_down_to_what_its_credit_type_knows(counter: Counter):
    top_up = await counter.bought("odd")  # 100 whole credits for 9.99
    for amount, clawed in (("0.09", 0), ("0.01", 1), ("3.33", 34), ("6.56", 100)):
        top_up = await counter.refund(top_up, amount)
        assert top_up.clawed_back == clawed * MICRO, amount
    assert top_up.status == "REFUNDED"
    assert sum(minor for kind, minor in await counter.movements() if kind == "REFUND") == 999
    await counter.till.check()


async def test_with_tax_the_movement_is_of_the_price_before_it(counter: Counter):
    counter.bank.tax = 19
    top_up = await counter.bought()
    assert (top_up.price, top_up.paid) == (1000, 1190)
    await counter.refund(top_up, "5.95")
    assert (await counter.refund(top_up)).status == "REFUNDED"
    assert await counter.movements() == [("SALE", 1000), ("REFUND", 500), ("REFUND", 500)]


async def test_what_cannot_be_refunded_is_said(counter: Counter):
    top_up, open_ = await counter.bought(), await counter.start()
    await counter.refund(top_up, "4")
    cases: list[tuple[dict[str, Any], type, str | None]] = [
        ({"amount": "6.01"}, InvalidInput, "amount"),
        ({"amount": "0"}, InvalidInput, "amount.amount"),
        ({"amount": "-1"}, InvalidInput, "amount.amount"),
        ({"amount": "1.005"}, InvalidInput, "amount.amount"),
        ({"amount": "1", "currency": "USD"}, InvalidInput, "amount.currency"),
        ({"amount": "1", "key": ""}, InvalidInput, "idempotencyKey"),
        ({"amount": "1", "note": "a\0"}, InvalidInput, "note"),
    ]
    for more, kind, named in cases:
        refused = await counter.refund(top_up, **more)
        assert type(refused) is kind, (more, refused)
        assert getattr(refused, "field", None) == named
    assert isinstance(await counter.refund(open_), Conflict), "it was never paid"
    nowhere = await counter.cashier.refund(counter.till.workspace_id, (top_up.customer_id, 99), _wish(counter))
    assert isinstance(nowhere, NotFound)
    assert (await counter.refund(top_up)).status == "REFUNDED"
    assert isinstance(await counter.refund(top_up), Conflict), "nothing is left"


def _wish(counter: Counter) -> Any:
    from credits.recharge.refunds import RefundWish  # noqa: PLC0415 -- for one case

    return RefundWish(amount=None, currency=None, reason="OTHER", note=None, key="k", actor_id=None)


async def test_a_refund_is_made_once_for_its_key(counter: Counter):
    top_up = await counter.bought()
    answers = await asyncio.gather(*(counter.refund(top_up, "3", key="r") for _ in range(4)))
    assert {answer.id for answer in answers} == {top_up.id}
    assert isinstance(await counter.refund(top_up, "4", key="r"), IdempotencyConflict)
    assert (await counter.read(top_up)).paid_back == 300
    assert [payback.amount for payback in counter.bank.accounts[top_up.id].payment.paybacks] == [300]


async def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_paid_back_twice(counter: Counter):
    """K3."""
    for when in ("before", "after"):
        top_up = await counter.bought()
        counter.bank.fault = lost("refund", when)
        away = await counter.refund(top_up, "3", key=when)
        assert isinstance(away, Conflict)
        assert away.code == "UNAVAILABLE"
        (asked,) = await counter.paybacks(top_up)
        assert asked.status == "ASKED"
        assert (await counter.read(top_up)).look_at is not None
        if when == "before":
            assert isinstance(await counter.refund(top_up, "8"), InvalidInput), "what is asked for counts"
            assert (await counter.refund(top_up, "3", key=when)).paid_back == 300
        else:
            assert (await counter.look(top_up)).paid_back == 300, "nobody came back; a look has found it"
        assert [each.amount for each in counter.bank.accounts[top_up.id].payment.paybacks] == [300]
        assert (await counter.read(top_up)).look_at is None


async def test_what_the_provider_refuses_has_failed_and_another_key_asks_again(counter: Counter):
    top_up = await counter.bought()
    counter.bank.give_back(top_up.id, 900)  # in its own dashboard; we do not know yet
    refused = await counter.refund(top_up, "2", key="r")
    assert isinstance(refused, Conflict)
    assert isinstance(await counter.refund(top_up, "2", key="r"), Conflict)
    await counter.look(top_up)
    assert sorted(each.status for each in await counter.paybacks(top_up)) == ["DONE", "FAILED"]
    assert (await counter.refund(top_up, "1", key="s")).status == "REFUNDED"


async def test_what_others_pay_back_is_found_and_booked_once(counter: Counter):
    counter.bank.name = "stripe"
    top_up = await counter.bought()
    counter.bank.give_back(top_up.id, 500)
    other = await counter.another()
    place = counter.till.workspace_id
    await asyncio.gather(*(each.look(place, top_up.place) for each in (counter.cashier, other) * 4))
    assert (await counter.read(top_up)).clawed_back == 550 * MICRO
    assert await counter.kinds() == [Kind.GRANT, Kind.CLAWBACK]
    (actor,) = await counter.till.rows("SELECT a.kind FROM entries e JOIN actors a ON a.id = e.actor_id")
    assert actor["kind"] == "STRIPE"
    await counter.till.check()


async def test_a_refund_that_fails_later_gives_its_credits_back(counter: Counter):
    top_up = await counter.bought()
    await spent(counter, "1000")
    refunded = await counter.refund(top_up)
    counter.bank.undo(top_up.id, "refund-2")
    again = await counter.look(refunded)
    assert (again.status, again.paid_back, again.clawed_back) == ("SUCCEEDED", 0, 0)
    assert await counter.till.available() == 100
    assert await counter.movements() == [("SALE", 1000), ("REFUND", 1000), ("REFUND_FAILED", 1000)]
    (payback,) = await counter.paybacks(top_up)
    assert (payback.status, payback.undone_by) == ("UNDONE", 4)
    assert isinstance(await counter.refund(top_up, key="another"), type(top_up))
    await counter.till.check()


# ─── payment disputes ──────────────────────────────────────────────────────────────────────────────
async def test_a_payment_dispute_takes_at_once_and_gives_back_when_it_is_won(counter: Counter):
    """S15."""
    top_up = await counter.bought()
    await spent(counter, "200")
    name = counter.bank.give_back(top_up.id, 1000, kind="CHARGEBACK")
    disputed = await counter.look(top_up)
    assert disputed.status == "DISPUTED"
    assert disputed.failure is not None
    assert await counter.till.available() == -200
    counter.bank.tell(top_up.id, failure="the bank has decided for the customer")
    assert (await counter.look(top_up)).failure == "the bank has decided for the customer"
    assert (await counter.look(top_up)).status == "DISPUTED"
    counter.bank.tell(top_up.id, failure=None)
    counter.bank.undo(top_up.id, name)
    won = await counter.look(top_up)
    assert (won.status, won.failure, await counter.till.available()) == ("SUCCEEDED", None, 900)
    assert await counter.movements() == [("SALE", 1000), ("CHARGEBACK", 1000), ("CHARGEBACK_WON", 1000)]
    await counter.till.check()


async def test_refunds_and_a_dispute_of_all_of_it_never_take_more_than_there_was(counter: Counter):
    top_up = await counter.bought()
    for amount in ("1", "2", "3"):
        await counter.refund(top_up, amount)
    name = counter.bank.give_back(top_up.id, 1000, kind="CHARGEBACK")
    disputed = await counter.look(top_up)
    assert (disputed.paid_back, disputed.clawed_back, disputed.status) == (1000, 1100 * MICRO, "DISPUTED")
    assert [issue[0] for issue in await counter.issues()] == ["PAID_BACK_TOO_MUCH"]
    counter.bank.undo(top_up.id, name)
    assert (await counter.look(top_up)).paid_back == 600
    assert await counter.till.available() == 440
    await counter.till.check()


# ─── at once ───────────────────────────────────────────────────────────────────────────────────────
async def test_refunds_burns_and_looks_at_once_in_two_processes_lose_nothing(counter: Counter):
    """S16."""
    top_up = await counter.bought()
    other = await counter.another()
    third = await counter.till.another_process()
    place = counter.till.workspace_id
    burns = [counter.till.post(counter.till.burn("90"), writer) for writer in (counter.till.writer, third) * 6]
    refunds = [counter.refund(top_up, "1", key=f"r{number}") for number in range(4)] * 2
    looks = [each.look(place, top_up.place) for each in (counter.cashier, other) * 4]
    answers = await asyncio.gather(*burns, *refunds, *looks)
    burned = sum(1 for answer in answers[:12] if not hasattr(answer, "code"))
    assert (await counter.read(top_up)).clawed_back == 440 * MICRO
    assert await counter.till.available() == 1100 - 440 - 90 * burned
    assert len(counter.bank.accounts[top_up.id].payment.paybacks) == 4
    assert [kind for kind, _ in await counter.movements()] == ["SALE", *["REFUND"] * 4]
    await counter.till.check()


async def test_a_refund_that_comes_and_fails_while_everybody_looks_ends_as_nothing(counter: Counter):
    top_up = await counter.bought()
    other = await counter.another()
    place = counter.till.workspace_id
    stale = [counter.bank.accounts[top_up.id].payment]
    name = counter.bank.give_back(top_up.id, 700)
    stale.append(counter.bank.accounts[top_up.id].payment)
    counter.bank.undo(top_up.id, name)
    truths = [*stale, counter.bank.accounts[top_up.id].payment] * 4
    cashiers = [counter.cashier, other] * 6
    taken = [each.take(place, top_up.place, truth) for each, truth in zip(cashiers, truths, strict=True)]
    await asyncio.gather(*taken)
    end = await counter.look(top_up)
    assert (end.status, end.paid_back, end.clawed_back) == ("SUCCEEDED", 0, 0)
    assert await counter.till.available() == 1100
    await counter.till.check()


async def test_a_dispute_of_what_was_refunded_takes_it_once_the_refund_has_failed(counter: Counter):
    top_up = await counter.bought()
    refund = counter.bank.give_back(top_up.id, 1000)
    dispute = counter.bank.give_back(top_up.id, 1000, kind="CHARGEBACK")
    assert (await counter.look(top_up)).clawed_back == 1100 * MICRO
    counter.bank.undo(top_up.id, refund)
    for _ in range(2):
        contested = await counter.look(top_up)
        assert (contested.status, contested.paid_back, contested.clawed_back) == ("DISPUTED", 1000, 1100 * MICRO)
    counter.bank.undo(top_up.id, dispute)
    assert (await counter.look(top_up)).status == "SUCCEEDED"
    assert await counter.movements() == [
        *(("SALE", 1000), ("REFUND", 1000), ("REFUND_FAILED", 1000), ("CHARGEBACK", 1000), ("CHARGEBACK_WON", 1000))
    ]
    assert await counter.till.available() == 1100
    await counter.till.check()


async def test_what_a_dispute_has_taken_besides_a_refund_that_fails_is_put_before_an_operator(counter: Counter):
    """Together more than was paid: when the refund fails, all of it is still with the bank, and credits are with the customer."""
    top_up = await counter.bought()
    refund = counter.bank.give_back(top_up.id, 400)
    counter.bank.give_back(top_up.id, 1000, kind="CHARGEBACK")
    assert (await counter.look(top_up)).paid_back == 1000
    counter.bank.undo(top_up.id, refund)
    for _ in range(2):
        assert (await counter.look(top_up)).paid_back == 600
    assert [issue[::2] for issue in await counter.issues()] == [
        ("CLAWED_BACK_TOO_LITTLE", f"400 ({refund})"),
        ("PAID_BACK_TOO_MUCH", "1000 (chargeback-3)"),
    ]
    assert await counter.till.available() == 440
    await counter.till.check()


async def test_a_bank_that_only_asks_has_taken_nothing(counter: Counter):
    """S15: an inquiry moves no money, so no credits; what comes of it counts from then on."""
    for ends, status in (("DONE", "DISPUTED"), ("FAILED", "SUCCEEDED")):
        top_up = await counter.bought()
        before = await counter.till.available()
        inquiry = Payback(f"inquiry-{ends}", "CHARGEBACK", "PENDING", 1000)
        counter.bank.tell(top_up.id, paybacks=(inquiry,))
        asked = await counter.look(top_up)
        assert (asked.status, asked.clawed_back, await counter.paybacks(top_up)) == ("SUCCEEDED", 0, [])
        counter.bank.tell(top_up.id, paybacks=(replace(inquiry, state=ends),))
        assert (await counter.look(top_up)).status == status
        assert await counter.till.available() == before - (1100 if ends == "DONE" else 0)
    await counter.till.check()


async def test_k3_a_refund_whose_asking_was_lost_is_asked_for_by_the_next_look(counter: Counter):
    top_up = await counter.bought()
    counter.bank.fault = lost("refund", "before")
    assert (await counter.refund(top_up, "4")).code == "UNAVAILABLE"
    for _ in range(2):
        assert (await counter.look(top_up)).paid_back == 400
    assert [each.status for each in await counter.paybacks(top_up)] == ["DONE"]
    assert await counter.movements() == [("SALE", 1000), ("REFUND", 400)]


async def test_a_refund_that_cannot_be_asked_for_in_time_holds_nothing_back(counter: Counter):
    top_up = await counter.bought()
    counter.bank.fault = lost("refund", "before", 2)
    key = counter.till.key()
    assert (await counter.refund(top_up, key=key)).code == "UNAVAILABLE"
    await counter.look(top_up)
    await counter.till.advance(timedelta(hours=1, minutes=1))
    await counter.look(top_up)
    assert [each.status for each in await counter.paybacks(top_up)] == ["FAILED"]
    assert (await counter.read(top_up)).look_at is None, "nobody waits for anything"
    assert isinstance(await counter.refund(top_up, key=key), Conflict)
    assert (await counter.refund(top_up)).status == "REFUNDED"
    assert await counter.movements() == [("SALE", 1000), ("REFUND", 1000)]
