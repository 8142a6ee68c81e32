"""Law 7: the same key and payload gets the first answer, another payload a conflict, and nothing happens again."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from credits.errors import Conflict, IdempotencyConflict, InsufficientCredits, NotFound
from credits.posting.commands import Burn, GiveGrant, HoldId, OpenHold, Release, Settle, Spend
from credits.posting.outcomes import Burned, Granted, HoldTaken, Settled
from tests.credits.posting.till import CATALOG, Till

DAY = timedelta(days=1)
SOME_DAY = datetime(2100, 1, 1, tzinfo=UTC)


async def again(till: Till, command: Any, first: Any) -> Any:
    """The command once more: the same answer but for the balance, replayed, and no row changed."""
    before = await till.state()
    answer = await till.must(command)
    assert answer.replayed
    assert await till.state() == before
    balance = answer.balance
    assert replace(answer, balance=first.balance, replayed=False) == first
    return balance


async def test_each_kind_of_command_gets_its_first_answer_again(till: Till):
    commands: list[Any] = [till.grant("100"), till.burn("3"), till.chat("4"), till.hold("20")]
    answers = [await till.must(command) for command in commands]
    hold = HoldId(answers[3].customer_id, answers[3].credit_type_id, answers[3].hold.number)
    # The present state of what an answer names is shown, so the ends of the hold come after its own repeat.
    for command, answer in list(zip(commands, answers, strict=True))[1:]:
        assert (await again(till, command, answer)).available == 75_000_000
    part = till.settle(hold, "5", partial=True)
    partly = await till.must(part)
    assert (await again(till, part, partly)).available == 75_000_000
    last = till.settle(hold, "7")
    settled = await till.must(last)
    assert (await again(till, last, settled)).available == 83_000_000
    other = await till.open_hold("1")
    release = till.release(other)
    released = await till.must(release)
    assert (await again(till, release, released)).available == 83_000_000
    assert isinstance(released, HoldTaken)
    assert released.hold.status == "RELEASED"
    await till.check()


async def test_a_key_twice_in_one_batch_happens_once(till: Till):
    grant, burn = till.grant("10"), till.burn("3")
    answers = await till.many(grant, grant, burn, burn, burn, grant)
    assert [answer.replayed for answer in answers] == [False, True, False, True, True, True]  # type: ignore[union-attr]
    assert [type(answer) for answer in answers] == [Granted, Granted, Burned, Burned, Burned, Granted]
    assert [answer.entry.sequence for answer in answers[2:5]] == [2, 2, 2]  # type: ignore[union-attr]
    assert await till.available() == 7


async def test_another_payload_under_the_key_in_one_batch_conflicts_and_the_first_stands(till: Till):
    _, second, third = await till.many(till.grant("10"), till.burn("3", key="k"), till.burn("4", key="k"))
    assert isinstance(second, Burned)
    assert isinstance(third, IdempotencyConflict)
    assert third.first_seen_at == second.entry.recorded_at
    assert await till.available() == 7


async def everything(till: Till) -> dict[str, Any]:
    """One command of each kind that would be granted, all under one key."""
    hold = await till.open_hold("10")
    return {
        "grant": till.grant("5", key="shared"),
        "grant later": till.grant("5", key="shared", effective_at=await till.now() + DAY),
        "grant elsewhere": till.grant("5", key="shared", credit_type="oldest"),
        "burn": till.burn("1", key="shared"),
        "burn elsewhere": till.burn("1", key="shared", credit_type="soonest"),
        "chat": till.chat("2", key="shared"),
        "hold": till.hold("1", key="shared"),
        "hold elsewhere": till.hold("1", key="shared", credit_type="soonest"),
        "settle": till.settle(hold, "1", key="shared"),
        "release": till.release(hold, key="shared"),
    }


KINDS = (
    *("grant", "grant later", "grant elsewhere", "burn", "burn elsewhere"),
    *("chat", "hold", "hold elsewhere", "settle", "release"),
)


@pytest.mark.parametrize("first", KINDS)
async def test_a_key_is_the_customers_whatever_it_was_used_for(till: Till, first: str):
    """Shared by two operations, two credit types, a grant that is only scheduled: one of them has it."""
    await till.many(till.grant("100"), till.grant("100", credit_type="soonest"))
    commands = await everything(till)
    assert set(commands) == set(KINDS)
    await till.must(commands[first])
    before = await till.state()
    for name, command in commands.items():
        answer = await till.post(command)
        if name == first:
            assert answer.replayed  # type: ignore[union-attr]
        else:
            assert isinstance(answer, IdempotencyConflict), (name, answer)
    assert await till.state() == before
    elsewhere = await till.post(till.grant("5", customer="other", key="shared"))
    assert isinstance(elsewhere, Granted), "keys are per customer"
    assert not elsewhere.replayed
    await till.check()


async def test_the_key_of_a_scheduled_grant_stays_its_own_when_it_begins(till: Till):
    grant = till.grant("10", effective_at=await till.now() + DAY)
    first = await till.must(grant)
    assert first.entry is None
    assert (await till.must(grant)).entry is None
    await till.jump(2 * DAY)
    begun = await till.must(grant)
    assert (begun.replayed, begun.balance.available, begun.grant.state) == (True, 10_000_000, "ACTIVE")
    assert isinstance(await till.post(till.burn("1", key=grant.key)), IdempotencyConflict)
    await till.sweep()
    booked = await till.must(grant)
    assert booked.entry is not None
    assert booked.entry.cause.key == grant.key
    assert isinstance(await till.post(till.burn("1", key=grant.key)), IdempotencyConflict)
    await till.check()


# ─── what is the same, and what is not ─────────────────────────────────────────────────────────────
BURN = Burn(
    "acme",
    Spend(feature="chat", quantity=Decimal("2.0"), dimensions={"a": Decimal("1.0"), "b": "x"}, member="ada"),
    "k",
    None,
    note="n",
)
GRANT = GiveGrant(
    *("acme", "ai", Decimal("5"), "MANUAL", "k", None),
    metadata={"x": [1, Decimal("2.50")]},
    expires_at=SOME_DAY,
    cost_amount=Decimal("0.10"),
)
BERLIN = timezone(timedelta(hours=1))
SAME = {
    "quantity 2": (BURN, replace(BURN, spend=replace(BURN.spend, quantity=Decimal(2)))),
    "dimensions in another order": (BURN, replace(BURN, spend=replace(BURN.spend, dimensions={"b": "x", "a": 1}))),
    "another caller": (BURN, replace(BURN, actor_id=1)),
    "another deadline": (BURN, replace(BURN, not_after=SOME_DAY)),
    "amount 5.000": (GRANT, replace(GRANT, amount=Decimal("5.000"))),
    "metadata 1.0, 2.5": (GRANT, replace(GRANT, metadata={"x": [Decimal("1.0"), Decimal("2.5")]})),
    "the same instant elsewhere": (GRANT, replace(GRANT, expires_at=SOME_DAY.astimezone(BERLIN))),
    "price 0.1": (GRANT, replace(GRANT, cost_amount=Decimal("0.1"))),
    "priority, the default": (GRANT, replace(GRANT, priority=50)),
    "15 minutes": (
        OpenHold("acme", Spend(credit_type="ai", amount=Decimal(1)), "PT15M", "k", None),
        OpenHold("acme", Spend(credit_type="ai", amount=Decimal("1.0")), "PT900S", "k", None),
    ),
}


@pytest.mark.parametrize("name", SAME)
async def test_payloads_are_compared_by_meaning(till: Till, name: str):
    await till.must(till.grant("100"))
    one, other = SAME[name]
    await till.must(one)
    assert (await till.must(other)).replayed


DIFFERENT = {
    "quantity": (BURN, replace(BURN, spend=replace(BURN.spend, quantity=Decimal(3))), "quantity"),
    "feature": (BURN, replace(BURN, spend=replace(BURN.spend, feature="free")), "feature"),
    "member": (BURN, replace(BURN, spend=replace(BURN.spend, member="bob")), "member"),
    "no member": (BURN, replace(BURN, spend=replace(BURN.spend, member=None)), "member"),
    "dimensions": (BURN, replace(BURN, spend=replace(BURN.spend, dimensions={"a": "1"})), "dimensions"),
    "note": (BURN, replace(BURN, note="m"), "note"),
    "no note": (BURN, replace(BURN, note=None), "note"),
    "when": (BURN, replace(BURN, occurred_at=datetime.now(UTC) - timedelta(hours=1)), "payload"),
    "credits instead": (BURN, replace(BURN, spend=Spend(credit_type="ai", amount=Decimal(1))), ""),
    "grant amount": (GRANT, replace(GRANT, amount=Decimal(6)), "amount"),
    "grant type": (GRANT, replace(GRANT, credit_type="oldest"), "creditType"),
    "grant source": (GRANT, replace(GRANT, source="PURCHASE"), "source"),
    "grant priority": (GRANT, replace(GRANT, priority=51), "priority"),
    "grant end": (GRANT, replace(GRANT, expires_at=None), "expiresAt"),
    "grant metadata": (GRANT, replace(GRANT, metadata={}), "payload"),
    "grant price": (GRANT, replace(GRANT, cost_amount=None), "payload"),
    "another operation": (GRANT, BURN, "operation"),
}


@pytest.mark.parametrize("name", DIFFERENT)
async def test_another_payload_is_a_conflict_that_names_what_differs(till: Till, name: str):
    await till.must(till.grant("100", key="g"))
    one, other, what = DIFFERENT[name]
    first = await till.must(one)
    before = await till.state()
    answer = await till.post(other)
    assert isinstance(answer, IdempotencyConflict), answer
    assert what in answer.message
    assert answer.first_seen_at == first.entry.recorded_at
    assert await till.state() == before


async def test_settlements_of_two_holds_under_one_key_are_a_conflict(till: Till):
    await till.must(till.grant("100"))
    one, two = await till.open_hold("5"), await till.open_hold("5")
    await till.must(till.settle(one, "2", key="k", partial=True))
    for command in (
        till.settle(two, "2", key="k", partial=True),
        till.settle(one, "2", key="k"),
        till.settle(one, "3", key="k", partial=True),
        till.release(one, key="k"),
        till.release(two, key="k"),
    ):
        assert isinstance(await till.post(command), IdempotencyConflict), command
    assert await till.available() == 90


# ─── a retry evaluates nothing again ───────────────────────────────────────────────────────────────
async def test_a_repeat_asks_neither_deadline_nor_cutoff_nor_credits_nor_prices_nor_policies(till: Till):
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    late = till.burn("1", occurred_at=now - timedelta(hours=1), not_after=now + timedelta(hours=1))
    rated = till.chat("2")
    backdated = till.grant("5", effective_at=now - DAY, expires_at=now + DAY)
    commands: list[Any] = [late, rated, backdated]
    firsts = [await till.must(command) for command in commands]
    await till.jump(400 * DAY)
    document = {**CATALOG, "rateCards": [{**CATALOG["rateCards"][0], "rates": []}]}
    await till.apply({**document, "features": []})
    await till.policy("ENFORCE", overdraft_limit_micro=0)
    for command, first in zip(commands, firsts, strict=True):
        answer = await till.must(command)
        assert answer.replayed
        assert answer.entry == first.entry
        assert answer.balance.available == 0
    fresh = await till.post(replace(late, key="fresh"))
    assert isinstance(fresh, Conflict)
    assert fresh.code == "TOO_LATE"
    await till.check()


async def test_a_repeat_after_its_hold_has_lapsed_is_still_the_first_answer(till: Till):
    await till.must(till.grant("10"))
    opening = till.hold("4", ttl="PT1H")
    taken = await till.must(opening)
    part = till.settle(HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number), "1", partial=True)
    await till.must(part)
    await till.jump(2 * DAY)
    for command, sequence in ((opening, 2), (part, 3)):
        answer = await till.must(command)
        assert answer.replayed
        assert answer.entry.sequence == sequence
        assert answer.hold.status == "LAPSED", "what became of it since is told, booked or not"
    assert isinstance(await till.post(replace(part, key="fresh")), Conflict)
    await till.check()


async def test_an_unknown_customers_key_is_nobodys(till: Till):
    command = till.burn("1", customer="nobody")
    assert isinstance(await till.post(command), NotFound)
    assert isinstance(await till.post(replace(command, customer="acme")), InsufficientCredits)


async def test_keys_are_compared_byte_by_byte(till: Till):
    await till.must(till.grant("100"))
    keys = ["k", "K", "\u00e9", "e\u0301", "ｋ", "k.", "k_", "k%", "'k'", "k" * 255]
    answers = await till.many(*(till.burn("1", key=key) for key in keys))
    assert [answer.replayed for answer in answers] == [False] * len(keys)  # type: ignore[union-attr]
    assert await till.available() == 100 - len(keys)


async def test_thirty_two_at_once_are_one(till: Till):
    await till.must(till.grant("100"))
    command = till.burn("1")
    answers = await asyncio.gather(*(till.post(command) for _ in range(32)))
    assert sum(not answer.replayed for answer in answers if isinstance(answer, Burned)) == 1
    assert {answer.entry.hash for answer in answers if isinstance(answer, Burned)} == {answers[0].entry.hash}  # type: ignore[union-attr]
    assert await till.available() == 99


async def test_a_hold_replayed_among_settlements_of_the_same_batch_is_whole(till: Till):
    await till.must(till.grant("100"))
    opening = till.hold("10")
    taken = await till.must(opening)
    hold = HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number)
    answers = await till.many(
        opening, Settle(hold, "s", None, amount=Decimal(4)), opening, Release(hold, "r", None), opening
    )
    assert [type(answer) for answer in answers] == [HoldTaken, Settled, HoldTaken, Conflict, HoldTaken]
    assert answers[0].balance.available == 96_000_000  # type: ignore[union-attr]
    await till.check()
