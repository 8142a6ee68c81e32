"""Disputes on the real tables: what can be contested, what becomes of it, and that upheld means given back, or neither."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from credits.amount import MICRO
from credits.db import HotConnection
from credits.disputes import reads
from credits.disputes.change import update_dispute, withdraw_dispute
from credits.disputes.disputes import Dispute, place_of
from credits.disputes.resolve import Resolution, resolving
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from credits.ledger.entries import Entry, Kind
from credits.posting.companions import Made
from credits.posting.corrections import EntryId, ReverseTogether
from credits.posting.outcomes import GivenBack
from tests.credits.posting.till import Till

DAY = timedelta(days=1)


async def burned(till: Till, *amounts: str, **more: Any) -> list[Entry]:
    await till.must(till.grant("100", **more))
    return [(await till.must(till.burn(amount, **more))).entry for amount in amounts]


async def contested(till: Till, *entries: Entry, **more: Any) -> Dispute:
    opened = await till.contest(*entries, **more)
    assert isinstance(opened, Dispute), opened
    return opened


def decision(dispute: Dispute, *, upheld: bool = True, amount: str | None = None, **more: Any) -> ReverseTogether:
    given = {"resolution": "so it is", "key": "resolve", "actor_id": None, **more}
    command = resolving(dispute, upheld=upheld, amount=None if amount is None else Decimal(amount), **given)
    assert isinstance(command, ReverseTogether), command
    return command


async def read(till: Till, dispute: Dispute) -> Dispute:
    async with till.reader.page(till.workspace_id) as page:
        return (await reads.read_disputes(page.connection, [dispute.place]))[dispute.place]


async def timeline(till: Till, dispute: Dispute) -> list[str]:
    async with till.reader.page(till.workspace_id) as page:
        return [event.action for event in (await reads.read_timelines(page.connection, [dispute.place]))[dispute.place]]


async def change(till: Till, dispute: Dispute, **changes: Any) -> Any:
    async with till.reader.changing(till.workspace_id) as page:
        return await update_dispute(page, dispute.place, changes, actor_id=None)


async def withdraw(till: Till, dispute: Dispute) -> Any:
    async with till.reader.changing(till.workspace_id) as page:
        return await withdraw_dispute(page, dispute.place, actor_id=None)


# ─── opening ───────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_contested_is_what_of_the_entries_has_not_been_given_back(till: Till):
    first, second = await burned(till, "5", "7")
    await till.must(till.reverse(first, "2"))
    dispute = await contested(till, second, first, second)
    assert (dispute.amount_micro, dispute.status, dispute.version) == (10 * MICRO, "OPEN", 1)
    assert dispute.sequences == (first.sequence, second.sequence)
    assert dispute.due_at - dispute.opened_at == 5 * DAY
    assert place_of(dispute.id) == dispute.place
    assert await timeline(till, dispute) == ["opened"]


async def test_an_entry_is_in_one_open_dispute_and_again_in_another_once_that_is_over(till: Till):
    first, second = await burned(till, "5", "7")
    dispute = await contested(till, first)
    refused = await till.contest(second, first)
    assert isinstance(refused, Conflict)
    assert dispute.id in refused.message
    await contested(till, second)  # nothing of the refused one was kept
    await withdraw(till, dispute)
    again = await contested(till, first)
    async with till.reader.page(till.workspace_id) as page:
        place = (first.customer_id, first.credit_type_id, first.sequence)
        found = await reads.read_disputes_of_entries(page.connection, [place])
    assert (found[place].number, again.number) == (3, 3)


async def test_what_cannot_be_contested_is_said(till: Till):
    entry, whole = await burned(till, "5", "7")
    await till.must(till.reverse(whole))
    elsewhere, *_ = await burned(till, "1", credit_type="oldest")
    others, *_ = await burned(till, "1", customer="other")
    (grant,) = [row for row in await till.rows("SELECT * FROM entries WHERE sequence = 1 ORDER BY customer_id") if row][
        :1
    ]
    gift = EntryId(grant["customer_id"], grant["credit_type_id"], 1)
    nowhere = EntryId(entry.customer_id, entry.credit_type_id, 99)
    cases: list[tuple[Sequence[Any], str, type]] = [
        ([], "r", InvalidInput),
        ([entry] * 101, "r", InvalidInput),
        ([entry], "  ", InvalidInput),
        ([entry], "x" * 2_001, InvalidInput),
        ([entry], "a\0b", InvalidInput),
        ([entry, elsewhere], "r", InvalidInput),
        ([entry, others], "r", InvalidInput),
        ([whole], "r", Conflict),
        ([entry, whole], "r", Conflict),
    ]
    before = await till.rows("SELECT * FROM disputes")
    for entries, reason, kind in cases:
        assert isinstance(await till.contest(*entries, reason=reason), kind), (entries, reason)
    for place, kind in ((gift, InvalidInput), (nowhere, NotFound), (EntryId(17, entry.credit_type_id, 1), NotFound)):
        assert isinstance(await till.contest(place), kind), place
    assert await till.rows("SELECT * FROM disputes") == before == []


async def test_two_who_contest_an_entry_at_once_open_one_dispute(till: Till):
    (entry,) = await burned(till, "5")
    answers = await asyncio.gather(*(till.contest(entry) for _ in range(6)))
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 5 + ["Dispute"]


async def test_a_workspace_says_how_long_it_takes(till: Till):
    (entry,) = await burned(till, "5")
    async with till.database.transaction(till.workspace_id) as connection:
        await connection.execute(text("UPDATE workspaces SET dispute_sla_s = 3600"))
    dispute = await contested(till, entry)
    assert dispute.due_at - dispute.opened_at == timedelta(hours=1)


# ─── working on it ─────────────────────────────────────────────────────────────────────────────────
async def test_whoever_works_on_a_dispute_leaves_a_trace_in_its_timeline(till: Till):
    (entry,) = await burned(till, "5")
    dispute = await contested(till, entry)
    await change(till, dispute, status="INVESTIGATING", assignee="opr_ada", note="looking")
    await change(till, dispute, status="INVESTIGATING", assignee=None)
    updated = await change(till, dispute, status="OPEN")
    assert (updated.status, updated.assignee, updated.version) == ("OPEN", None, 4)
    assert await timeline(till, dispute) == [
        *("opened", "assigned", "investigating", "note", "unassigned", "reopened"),
    ]
    for wrong in ({}, {"status": "UPHELD"}, {"status": "WITHDRAWN"}, {"assignee": ""}, {"note": "a\0"}):
        assert isinstance(await change(till, dispute, **wrong), InvalidInput), wrong
    await withdraw(till, dispute)
    assert isinstance(await change(till, dispute, note="too late"), Conflict)
    assert (await withdraw(till, dispute)).version == 5, "once more changes nothing"
    assert (await timeline(till, dispute))[-1] == "withdrawn"


async def test_the_overdue_are_listed_by_when_they_were_due(till: Till):
    entries = await burned(till, "1", "2", "3", "4")
    opened = [await contested(till, entry, sla=days * DAY) for entry, days in zip(entries, (3, 1, 2, 9), strict=True)]
    await withdraw(till, opened[2])
    await till.jump(4 * DAY)

    async def listed(status: str | None, overdue: bool | None) -> list[int]:
        async with till.reader.page(till.workspace_id) as page:
            found = await reads.list_disputes(page.connection, status, overdue, page.workspace.now)
            return [dispute.number for dispute in found]

    assert await listed(None, None) == [2, 3, 1, 4]
    assert await listed(None, True) == [2, 1]
    assert await listed(None, False) == [3, 4]
    assert await listed("OPEN", None) == [2, 1, 4]
    assert await listed("WITHDRAWN", True) == []


# ─── deciding ──────────────────────────────────────────────────────────────────────────────────────
async def test_upheld_gives_back_all_that_is_left_with_the_dispute(till: Till):
    first, second = await burned(till, "5", "7")
    dispute = await contested(till, first, second)
    await till.must(till.reverse(second, "3"))
    given = await till.must(decision(dispute))
    assert [(entry.kind, entry.amount, entry.cause.reverses) for entry in given.entries] == [
        (Kind.REVERSE, 5 * MICRO, first.sequence),
        (Kind.REVERSE, 4 * MICRO, second.sequence),
    ]
    assert {entry.cause.reason for entry in given.entries} == {"DISPUTE_UPHELD"}
    closed = await read(till, dispute)
    assert (closed.status, closed.given_back_micro, closed.resolution) == ("UPHELD", 9 * MICRO, "so it is")
    assert closed.resolved_at == given.entries[0].recorded_at
    assert await till.available() == 100
    assert await timeline(till, dispute) == ["opened", "upheld"]
    await till.check()


async def test_a_part_is_given_back_of_the_oldest_first_and_more_than_is_left_is_refused(till: Till):
    first, second = await burned(till, "5", "7")
    dispute = await contested(till, first, second)
    before = await till.state(), await till.rows("SELECT * FROM disputes")
    over = await till.post(decision(dispute, amount="12.000001"))
    assert isinstance(over, Conflict)
    assert over.code == "OVER_REVERSED"
    assert before == (await till.state(), await till.rows("SELECT * FROM disputes"))
    given = await till.must(decision(dispute, amount="6"))
    assert [(entry.amount // MICRO, entry.cause.reverses) for entry in given.entries] == [
        (5, first.sequence),
        (1, second.sequence),
    ]
    await contested(till, second)
    await till.check()


async def test_rejected_gives_back_nothing(till: Till):
    (entry,) = await burned(till, "5")
    dispute = await contested(till, entry)
    before = await till.state()
    assert await till.must(decision(dispute, upheld=False)) == GivenBack([])
    assert await till.state() == before
    closed = await read(till, dispute)
    assert (closed.status, closed.given_back_micro, closed.version) == ("REJECTED", 0, 2)
    assert isinstance(
        resolving(dispute, upheld=False, amount=Decimal(1), resolution="r", key="k", actor_id=None), InvalidInput
    )
    assert isinstance(
        resolving(dispute, upheld=True, amount=None, resolution=" ", key="k", actor_id=None), InvalidInput
    )


async def test_upheld_after_everything_came_back_by_hand_closes_the_dispute(till: Till):
    (entry,) = await burned(till, "5")
    dispute = await contested(till, entry)
    await till.must(till.reverse(entry))
    assert await till.must(decision(dispute)) == GivenBack([])
    assert (await read(till, dispute)).status == "UPHELD"


@pytest.mark.parametrize("upheld", [True, False])
async def test_a_decision_is_repeated_under_its_key_and_stands_against_every_other(till: Till, upheld: bool):
    first, second = await burned(till, "5", "7")
    dispute, other = await contested(till, first), await contested(till, second)
    command = decision(dispute, upheld=upheld)
    await till.must(command)
    before = await till.state(), await till.rows("SELECT * FROM disputes ORDER BY number")
    assert await till.must(command) == GivenBack([], replayed=True)
    for contradiction in (
        decision(dispute, upheld=not upheld),
        decision(dispute, upheld=upheld, resolution="another"),
        decision(other, upheld=upheld),
    ):
        assert isinstance(await till.post(contradiction), IdempotencyConflict)
    decided = await till.post(decision(dispute, upheld=upheld, key="another"))
    assert isinstance(decided, Conflict)
    assert decided.code == "CONFLICT"
    assert before == (await till.state(), await till.rows("SELECT * FROM disputes ORDER BY number"))
    burn = till.burn("1")
    await till.must(burn)
    assert isinstance(await till.post(decision(other, key=burn.key)), IdempotencyConflict)
    if upheld:
        assert isinstance(await till.post(till.burn("1", key="resolve")), IdempotencyConflict)
    await withdraw(till, other)
    assert isinstance(await till.post(decision(other, key="too late")), Conflict)


async def test_decisions_in_one_batch_know_of_each_other(till: Till):
    first, second = await burned(till, "5", "7")
    dispute, other = await contested(till, first), await contested(till, second)
    one = decision(dispute)
    answers = await till.many(
        one, decision(dispute), decision(dispute, upheld=False), decision(dispute, key="k2"), decision(other, key="k3")
    )
    assert [type(answer) for answer in answers] == [GivenBack, GivenBack, IdempotencyConflict, Conflict, GivenBack]
    assert answers[1] == GivenBack([], replayed=True)
    assert await till.available() == 100
    await till.check()


async def test_many_decisions_at_once_in_two_processes_are_one(till: Till):
    (entry,) = await burned(till, "5")
    dispute = await contested(till, entry)
    writers = [till.writer, await till.another_process()]
    answers = await asyncio.gather(
        *(till.post(decision(dispute, upheld=n % 3 != 0, key=f"k{n}"), writers[n % 2]) for n in range(12)),
        *(till.post(till.reverse(entry, "1")) for _ in range(3)),
    )
    assert sum(isinstance(answer, GivenBack) for answer in answers[:12]) == 1
    closed = await read(till, dispute)
    (back,) = await till.rows("SELECT sum(amount) AS n FROM entries WHERE kind = 11 AND reason = 'DISPUTE_UPHELD'")
    assert closed.given_back_micro == (back["n"] or 0)
    await till.check()


@dataclass(slots=True)
class _Breaking(Resolution):
    async def write(self, connection: HotConnection, now: datetime, made: Made) -> None:
        await Resolution.write(self, connection, now, made)
        raise RuntimeError("the last statement fails")


async def test_the_dispute_and_its_reversal_happen_together_or_not_at_all(till: Till):
    (entry,) = await burned(till, "5")
    dispute = await contested(till, entry)
    before = (
        await till.state(),
        await till.rows("SELECT * FROM disputes"),
        await till.rows("SELECT * FROM dispute_events"),
    )
    breaking = _Breaking.of(dispute, upheld=True, amount=None, text="t", key="k", by=None)
    command = ReverseTogether(
        customer=dispute.customer_id,
        entries=tuple(EntryId(*place) for place in dispute.entries),
        companion=breaking,
        key="k",
        actor_id=None,
    )
    with pytest.raises(RuntimeError, match="last statement"):
        await till.post(command)
    after = (
        await till.state(),
        await till.rows("SELECT * FROM disputes"),
        await till.rows("SELECT * FROM dispute_events"),
    )
    assert after == before
    await till.must(decision(dispute, key="k"))
    assert await till.available() == 100
