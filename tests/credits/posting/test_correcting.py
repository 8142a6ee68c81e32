"""Corrections through the one way in: what is refused, what a key stands for, what a batch has read of closed things."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.amount import INT64_MAX, MICRO
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from credits.ledger.entries import Kind
from credits.posting.corrections import EntryId, GrantId
from credits.posting.locking import CustomerIds
from credits.posting.outcomes import Burned, Granted
from credits.posting.store import open_book
from tests.credits.posting.test_first_answers import again
from tests.credits.posting.till import Till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


# ─── refusals ──────────────────────────────────────────────────────────────────────────────────────
async def the_refused(till: Till) -> dict[str, tuple[Any, type, str]]:
    """Each correction that must not happen, and what is said."""
    live = await till.must(till.grant("10"))
    gone = await till.must(till.grant("10"))
    await till.must(till.void(gone))
    later = await till.must(till.grant("10", effective_at=await till.now() + DAY))
    held = await till.must(till.grant("5", priority=1))
    hold = await till.open_hold("5")
    burned = await till.must(till.burn("6"))
    given = await till.must(till.reverse(burned.entry, "4"))
    place = (burned.entry.customer_id, burned.entry.credit_type_id)
    now = await till.now()
    no_grant, no_entry = GrantId(*place, 99), EntryId(*place, 99)
    return {
        "more than burned": (till.reverse(burned.entry, "6.000001"), Conflict, "OVER_REVERSED"),
        "more than is left": (till.reverse(burned.entry, "2.000001"), Conflict, "OVER_REVERSED"),
        "a grant entry": (till.reverse(live.entry), InvalidInput, "INVALID_INPUT"),
        "a reversal": (till.reverse(given.entry), InvalidInput, "INVALID_INPUT"),
        "a negative amount": (till.reverse(burned.entry, "-1"), InvalidInput, "INVALID_INPUT"),
        "no such entry": (replace(till.reverse(burned.entry), entry=no_entry), NotFound, "NOT_FOUND"),
        "an account that is not there": (
            replace(till.reverse(burned.entry), entry=EntryId(place[0], 10**6, 1)),
            NotFound,
            "NOT_FOUND",
        ),
        "a customer that is not there": (
            replace(till.void(live), grant=GrantId(17, place[1], 1)),
            NotFound,
            "NOT_FOUND",
        ),
        "no such grant": (replace(till.void(live), grant=no_grant), NotFound, "NOT_FOUND"),
        "void twice": (till.void(gone), Conflict, "GRANT_NOT_ACTIVE"),
        "extend what was voided": (till.extend(gone, None), Conflict, "GRANT_NOT_ACTIVE"),
        "extend what has not begun": (till.extend(later, None), Conflict, "GRANT_NOT_ACTIVE"),
        "extend what is held": (till.extend(held, None), Conflict, "GRANT_NOT_ACTIVE"),
        "extend into the past": (till.extend(live, now), InvalidInput, "INVALID_INPUT"),
        "claw back what has not begun": (till.claw_back(later, "1"), Conflict, "GRANT_NOT_ACTIVE"),
        "claw back beyond 64 bits": (till.claw_back(live, str(INT64_MAX // MICRO)), InvalidInput, "INVALID_INPUT"),
        "adjust what was voided": (till.adjust(gone, "1"), Conflict, "GRANT_NOT_ACTIVE"),
        "adjust below what is free": (till.adjust(held, "-0.5"), Conflict, "CONFLICT"),
        "adjust beyond 64 bits": (till.adjust(live, str(INT64_MAX // MICRO)), InvalidInput, "INVALID_INPUT"),
        "hold not there": (till.release(replace(hold, number=99)), NotFound, "NOT_FOUND"),
    }


async def test_every_refusal_is_free(till: Till):
    """R19: not a row is other than before, whatever is refused, and its key is not used up."""
    refused = await the_refused(till)
    before = await till.state()
    for name, (command, kind, code) in refused.items():
        answer = command.form() or await till.post(command)
        assert (type(answer), answer.code) == (kind, code), (name, answer)
        assert await till.state() == before, name
    answers = await till.many(*(command for command, *_ in refused.values() if command.form() is None))
    assert not any(isinstance(answer, Granted | Burned) for answer in answers)
    assert await till.state() == before
    await till.must(replace(till.burn("1"), key=refused["void twice"][0].key))
    await till.check()


async def test_a_negative_quantity_exists_only_as_the_correction_of_another_entry(till: Till):
    """E12"""
    await till.must(till.grant("10"))
    for wrong in (till.burn("-1"), till.chat("-1"), till.hold("-1")):
        assert isinstance(wrong.form(), InvalidInput)
    burned = await till.must(till.chat("8"))
    given = await till.must(till.reverse(burned.entry, "3"))
    assert (given.entry.kind, given.entry.amount, given.entry.cause.reverses) == (
        Kind.REVERSE,
        3 * MICRO,
        burned.entry.sequence,
    )
    assert given.entry.cause.feature_id == burned.entry.cause.feature_id
    await till.check()


async def test_what_costs_nothing_has_nothing_to_give_back(till: Till):
    await till.must(till.grant("10"))
    spend = replace(till.chat("1").spend, feature="free")
    burned = await till.must(till.chat("1", spend=spend))
    answer = await till.post(till.reverse(burned.entry))
    assert isinstance(answer, Conflict)
    assert answer.code == "OVER_REVERSED"


# ─── keys ──────────────────────────────────────────────────────────────────────────────────────────
async def test_each_correction_gets_its_first_answer_again_with_the_present_balance(till: Till):
    first, second, third = [await till.must(till.grant("100", priority=n)) for n in range(3)]
    burned = await till.must(till.burn("30"))
    commands = [
        till.reverse(burned.entry, "10", reason="GOODWILL", note="n"),
        till.reverse(burned.entry),
        till.extend(second, await till.now() + DAY, reason="CORRECTION"),
        till.claw_back(third, "40"),
        till.adjust(third, "-5"),
        till.adjust(third, "7.5"),
        till.void(first, reason="OTHER"),
    ]
    answers = [await till.must(command) for command in commands]
    for command, answer in [(commands[n], answers[n]) for n in (0, 1, 2, 5, 6)]:
        assert (await again(till, command, answer)).available == 162_500_000
    # What an answer names is shown as it is now: grant 3 was adjusted after its clawback.
    for command, answer in zip(commands, answers, strict=True):
        repeat = await till.must(command)
        assert (repeat.replayed, repeat.entry) == (True, answer.entry)
        changed = await till.post(replace(command, note="another"))
        assert isinstance(changed, IdempotencyConflict), changed
        assert "note differs" in changed.message
    other = await till.post(till.burn("1", key=commands[0].key))
    assert isinstance(other, IdempotencyConflict)
    await till.check()


async def test_a_key_twice_in_one_batch_corrects_once(till: Till):
    grant = await till.must(till.grant("10"))
    burned = await till.must(till.burn("4"))
    reverse, void = till.reverse(burned.entry, "1"), till.void(grant)
    answers = await till.many(reverse, reverse, void, void)
    assert [answer.replayed for answer in answers] == [False, True, False, True]  # type: ignore[union-attr]
    assert await till.available() == 0
    await till.check()


async def test_reversals_in_one_batch_know_of_each_other(till: Till):
    await till.must(till.grant("10"))
    burned = await till.must(till.burn("10"))
    answers = await till.many(*(till.reverse(burned.entry, "4") for _ in range(3)), till.reverse(burned.entry))
    assert [type(answer) for answer in answers] == [Burned, Burned, Conflict, Burned]
    assert isinstance(answers[3], Burned)
    assert (answers[3].entry.amount, await till.available()) == (2 * MICRO, 10)
    await till.check()


async def test_what_an_earlier_command_of_the_same_batch_made_can_be_corrected(till: Till):
    acme = await till.customer()
    grant, burn = till.grant("10"), till.burn("4")
    (kind,) = await till.rows("SELECT id FROM credit_types WHERE key = 'ai'")
    place = (acme.id, kind["id"])
    first = await till.many(grant, burn)
    assert isinstance(first[1], Burned)
    entry_id = EntryId(*place, 4)
    answers = await till.many(till.burn("2"), till.burn("1"), replace(till.reverse(first[1].entry), entry=entry_id))
    assert isinstance(answers[2], Burned)
    assert (answers[2].entry.amount, answers[2].entry.cause.reverses) == (MICRO, 4)
    await till.check()


@pytest.mark.parametrize("writers", [1, 2])
async def test_however_many_reverse_at_once_no_more_comes_back_than_was_burned(till: Till, writers: int):
    await till.must(till.grant("10"))
    burned = await till.must(till.burn("9"))
    own = [till.writer, *[await till.another_process() for _ in range(writers - 1)]]
    answers = await asyncio.gather(
        *(till.post(till.reverse(burned.entry, "2"), own[number % writers]) for number in range(24))
    )
    assert sum(isinstance(answer, Burned) for answer in answers) == 4
    assert {type(answer) for answer in answers} == {Burned, Conflict}
    assert await till.available() == 9
    await till.check()


async def test_void_settle_and_reverse_at_once_leave_one_end_and_every_law(till: Till):
    """C4, C6 with corrections: whatever the order, each credit ends in one place."""
    for _ in range(10):
        granted = await till.must(till.grant("10"))
        burned = await till.must(till.burn("2"))
        hold = await till.open_hold("5")
        await asyncio.gather(
            till.post(till.void(granted)),
            till.post(till.settle(hold, "3")),
            till.post(till.release(hold)),
            till.post(till.reverse(burned.entry)),
            till.post(till.claw_back(granted, "4")),
        )
        await till.check()


# ─── what is closed ────────────────────────────────────────────────────────────────────────────────
async def test_a_reversal_reads_grants_that_are_closed_and_those_that_have_repaid(till: Till):
    await till.policy("SOFT")
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    burned = await till.must(till.burn("30"))
    await till.many(till.grant("5"), till.grant("5"), till.hold("3"), till.burn("1"))
    await till.must(till.grant("20"))
    await till.jump(2 * DAY)
    given = await till.must(till.reverse(burned.entry))
    assert [number for number, _ in given.entry.allocations] == [4, 3, 2, 5]
    grants = await till.rows("SELECT number, source, state, remaining FROM grants ORDER BY number")
    assert grants[4]["source"] == "REFUND"
    await till.check()


async def test_the_refund_lives_as_long_as_the_setting_says(till: Till):
    till.configuration.refund_lifetime = 7 * DAY
    await till.must(till.grant("10", expires_at=await till.now() + DAY))
    burned = await till.must(till.burn("10"))
    await till.advance(2 * DAY)
    given = await till.must(till.reverse(burned.entry, "4"))
    (refund,) = await till.rows("SELECT * FROM grants WHERE source = 'REFUND'")
    assert refund["expires_at"] == given.entry.recorded_at + 7 * DAY
    assert (refund["rolled_from"], refund["priority"]) == (1, 50)
    await till.advance(8 * DAY)
    assert await till.available() == 0
    await till.check()


async def test_a_grant_expires_again_after_a_give_back_and_a_late_sweep_books_each_end_once(till: Till):
    """K10: what ends is ended by occasion, not once and for all."""
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    burned = await till.must(till.burn("10"))
    await till.must(till.reverse(burned.entry, "4"))
    await till.jump(2 * DAY)
    swept = await asyncio.gather(till.sweep(), till.sweep())
    assert [(entry.kind, entry.amount) for entries in swept for entry in entries] == [(Kind.EXPIRE, -4 * MICRO)]
    assert await till.sweep() == []
    await till.check()


async def test_what_only_made_debt_since_is_summed_and_not_read(till: Till):
    """A customer who is always in debt corrects as cheaply as any other."""
    await till.policy("SOFT")
    first = (await till.must(till.burn("1"))).entry
    await till.must(till.grant("0.25"))
    await till.many(*(till.burn("2") for _ in range(50)))
    place = EntryId(first.customer_id, first.credit_type_id, first.sequence)
    async with till.database.hot(till.workspace_id, timedelta(seconds=5)) as connection:
        commands = [till.reverse(first)]
        book = await open_book(connection, till.configuration, till.workspace_id, commands, CustomerIds())
    found = book.reversible[place.place]
    assert ([entry.kind for entry in found.later], found.made_since) == ([Kind.GRANT], 100 * MICRO)
    await till.must(till.reverse(first))
    assert (await till.balance()).balance == -99_750_000
    await till.check()


async def standing(till: Till) -> list[tuple[int, int, int]]:
    """Of each grant what remains, what it bears and what it was given back, in credits."""
    rows = await till.rows("SELECT remaining, burned, given_back FROM grants ORDER BY number")
    return [tuple(value // 10**6 for value in row.values()) for row in rows]


async def test_a_reversal_goes_to_who_bears_the_burn_since_a_grant_in_the_past_took_it_over(till: Till):
    began = await till.now()
    await till.must(till.grant("10"))
    await till.jump(timedelta(hours=1))
    burned = (await till.must(till.burn("10"))).entry
    await till.must(till.grant("10", priority=10, effective_at=began + timedelta(seconds=1)))
    assert await standing(till) == [(10, 0, 0), (0, 10, 0)]
    await till.must(till.reverse(burned))
    assert await standing(till) == [(10, 0, 0), (10, 10, 10)]
    await till.check()


async def test_a_grant_in_the_past_takes_over_nothing_that_was_given_back(till: Till):
    began = await till.now()
    await till.must(till.grant("10"))
    await till.jump(timedelta(hours=1))
    burned = (await till.must(till.burn("10"))).entry
    await till.must(till.reverse(burned))
    await till.must(till.grant("10", priority=10, effective_at=began + timedelta(seconds=1)))
    assert await standing(till) == [(10, 10, 10), (10, 0, 0)]
    await till.check()


async def test_late_usage_from_before_a_reversal_of_debt_and_a_grant_in_the_past_is_taken(till: Till):
    """The grant begins after the reversal that it may not reach behind, also where both lie at one instant."""
    await till.policy("SOFT")
    began = await till.now()
    await till.jump(timedelta(hours=1))
    burned = (await till.must(till.burn("22"))).entry
    await till.jump(timedelta(hours=1))
    await till.must(till.reverse(burned, "11"))
    await till.jump(timedelta(hours=1))
    await till.must(till.grant("20", effective_at=began + timedelta(minutes=90)))
    await till.must(till.burn("6", occurred_at=began + timedelta(minutes=80)))
    assert await standing(till) == [(3, 17, 0)]
    await till.check()


async def test_burns_that_a_grant_in_the_past_took_over_go_back_to_it_whatever_else_was_owed(till: Till):
    began = await till.now()
    await till.policy("SOFT")
    await till.jump(5 * HOUR)
    first = await till.must(till.burn("39"))  # overdraft
    await till.must(till.grant("40", effective_at=began + HOUR))  # bears it now
    second = await till.must(till.burn("35"))  # one of it, and 34 overdraft
    await till.must(till.reverse(first.entry))
    await till.must(till.reverse(second.entry))
    assert await till.available() == Decimal(40)
    await till.check()
