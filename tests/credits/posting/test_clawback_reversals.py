"""A clawback whose payment stands after all is given back: over the tables, in part, once, and nowhere counted as usage."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from credits.amount import INT64_MAX, MICRO, from_micro
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from credits.ledger.entries import Entry, Kind
from credits.ledger.explanation import label, sentence
from credits.ledger.history import burn_rate
from credits.ledger.reads import read_grants, read_reversed_amounts
from credits.posting.corrections import EntryId
from credits.posting.keys import system_key
from credits.posting.outcomes import Granted, HappenedBefore
from credits.proof.reconcile import reconcile
from tests.credits.ledger.histories import asked, look
from tests.credits.ledger.test_history import explained
from tests.credits.posting.limiting import check_windows, limit, used
from tests.credits.posting.test_companions import Receipt, receipts
from tests.credits.posting.till import Till
from tests.credits.usage.asking import differences, roll_up

DAY = timedelta(days=1)
HALF = str(from_micro(INT64_MAX // 2))


async def clawed(till: Till, amount: str = "10", of: str = "10", **more: Any) -> Entry:
    """The CLAWBACK entry, of a grant of its own."""
    granted = await till.must(till.grant(of, source="PURCHASE", **more))
    entry: Entry = (await till.must(till.claw_back(granted, amount))).entry
    return entry


async def told(till: Till, entry: Entry) -> str:
    async with till.reader.page(till.workspace_id) as page:
        places = [(entry.customer_id, entry.credit_type_id, abs(number)) for number, _ in entry.allocations if number]
        found = await read_grants(page.connection, places)
        grants = {grant.number: grant for grant in found.values()}
        return sentence(entry, page.catalog, grants, ZoneInfo("UTC"))


# ─── once, in part, whole ──────────────────────────────────────────────────────────────────────────
async def test_a_clawback_is_given_back_in_parts_and_no_more_than_was_taken(till: Till):
    entry = await clawed(till, "14")
    first = till.reverse_clawback(entry, "5", note="won in part")
    (part,) = (await till.must(first)).entries
    assert (part.kind, part.amount, part.cause.reverses) == (Kind.REVERSE, 5 * MICRO, entry.sequence)
    assert list(part.allocations) == [(1, 0), (0, 4 * MICRO), (1, MICRO)]
    again = await till.must(first)
    assert (again.entries, again.replayed) == ([part], True)
    assert isinstance(await till.post(replace(first, note="another")), IdempotencyConflict)
    assert isinstance(await till.post(till.burn("1", key=first.key)), IdempotencyConflict)
    over = await till.post(till.reverse_clawback(entry, "9.000001"))
    assert isinstance(over, Conflict)
    assert over.code == "OVER_REVERSED"
    (rest,) = (await till.must(till.reverse_clawback(entry))).entries
    assert rest.amount == 9 * MICRO
    nothing = await till.post(till.reverse_clawback(entry))
    assert isinstance(nothing, Conflict)
    assert nothing.code == "OVER_REVERSED"
    place = (entry.customer_id, entry.credit_type_id, entry.sequence)
    async with till.reader.page(till.workspace_id) as page:
        assert await read_reversed_amounts(page.connection, [place]) == {place: 14 * MICRO}
    balance = await till.balance()
    assert (balance.balance, balance.clawed_back, balance.given_back) == (10 * MICRO, 14 * MICRO, 14 * MICRO)
    (grant,) = await till.rows("SELECT remaining, clawed_back, given_back, reversed, state FROM grants")
    assert tuple(grant.values()) == (10 * MICRO, 10 * MICRO, 10 * MICRO, 0, "ACTIVE")
    await till.check()


async def test_only_a_clawback_is_meant_and_whoever_reverses_burns_reverses_none(till: Till):
    entry = await clawed(till, "4")
    burned = (await till.must(till.burn("1"))).entry
    (back,) = (await till.must(till.reverse_clawback(entry, "1"))).entries
    before = await till.state()
    nowhere = EntryId(entry.customer_id, entry.credit_type_id, 99)
    cases: dict[str, tuple[Any, type]] = {
        "a clawback as a burn": (till.reverse(entry), InvalidInput),
        "its reversal as a burn": (till.reverse(back), InvalidInput),
        "a burn": (till.reverse_clawback(burned), InvalidInput),
        "a reversal": (till.reverse_clawback(back), InvalidInput),
        "nothing": (till.reverse_clawback(entry, "0"), InvalidInput),
        "less than nothing": (till.reverse_clawback(entry, "-1"), InvalidInput),
        "no such entry": (replace(till.reverse_clawback(entry), entry=nowhere), NotFound),
        "no such customer": (replace(till.reverse_clawback(entry), entry=EntryId(17, 1, 1)), NotFound),
    }
    for case, (command, kind) in cases.items():
        assert isinstance(command.form() or await till.post(command), kind), case
    assert await till.state() == before
    assert isinstance(await till.contest(entry), InvalidInput), "nor is it contested"


@pytest.mark.parametrize("writers", [1, 2])
async def test_however_many_hear_that_it_was_won_no_more_comes_back_than_was_taken(till: Till, writers: int):
    entry = await clawed(till, "9")
    own = [till.writer, *[await till.another_process() for _ in range(writers - 1)]]
    answers = await asyncio.gather(
        *(till.post(till.reverse_clawback(entry, "2"), own[number % writers]) for number in range(24))
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 20
    assert await till.available() == 9
    await till.check()


async def test_a_clawback_and_its_reversal_in_one_batch_know_of_each_other(till: Till):
    granted = await till.must(till.grant("10"))
    entry = replace((await till.must(till.claw_back(granted, "1"))).entry, sequence=4)  # the second one's
    answers = await till.many(
        till.burn("5"), till.claw_back(granted, "6"), till.reverse_clawback(entry, "4"), till.reverse_clawback(entry)
    )
    assert isinstance(answers[1], Granted)
    assert await till.available() == 4
    await till.check()


async def test_a_reversal_and_its_companion_are_there_together_or_neither_is(till: Till):
    entry = await clawed(till)
    key = system_key("dispute", "dp_1")
    with pytest.raises(AssertionError):  # `Receipt` wants a grant: its write fails
        await till.post(till.reverse_clawback(entry, key=key, companion=Receipt(1)))
    assert (await till.available(), await receipts(till)) == (0, [])
    refused = till.reverse_clawback(entry, key=key, companion=Receipt(1, refusal=Conflict("it was lost")))
    assert await till.post(refused) == Conflict("it was lost")
    winning = till.reverse_clawback(entry, key=key, companion=Receipt(1, points=False))
    (back,) = (await till.must(winning)).entries
    assert await receipts(till) == [("rcp_1", "paid", [back.sequence], None)]
    assert (await till.must(winning)).replayed
    assert await till.must(replace(winning, key="another")) == HappenedBefore()
    assert (await till.available(), len(await receipts(till))) == (10, 1)
    await till.check()


# ─── what is closed, what has repaid ───────────────────────────────────────────────────────────────
async def test_it_reads_grants_that_are_closed_and_those_that_have_repaid(till: Till):
    await till.policy("SOFT")
    await till.must(till.grant("4", expires_at=await till.now() + DAY))
    granted = await till.must(till.grant("10", source="PURCHASE", expires_at=await till.now() + DAY))
    await till.must(till.burn("6"))
    entry = (await till.must(till.claw_back(granted, "20"))).entry
    assert list(entry.allocations) == [(2, 8 * MICRO), (0, 12 * MICRO)]
    await till.many(till.burn("3"), till.burn("2"))
    await till.must(till.grant("5"))
    await till.must(till.grant("2"))
    await till.jump(2 * DAY)
    (back,) = (await till.must(till.reverse_clawback(entry))).entries
    # 5 of it is owed still, 7 were repaid by grants 3 and 4, which pay the burns since with it; 8 came from grant 2.
    assert sum(part for _, part in back.allocations) == 20 * MICRO
    grants = {row["number"]: row for row in await till.rows("SELECT * FROM grants ORDER BY number")}
    assert (grants[5]["source"], grants[5]["rolled_from"], grants[5]["amount"]) == ("REFUND", 2, 8 * MICRO)
    assert grants[5]["expires_at"] == back.recorded_at + 30 * DAY
    assert (await till.balance()).balance == (4 + 10 + 5 + 2 - 6 - 3 - 2) * MICRO
    await till.check()


async def test_usage_reported_late_around_a_clawback_and_its_reversal_leaves_both_as_they_were(till: Till):
    granted = await till.must(till.grant("10"))
    await till.jump(DAY)
    entry = (await till.must(till.claw_back(granted, "8"))).entry
    await till.jump(DAY)
    (back,) = (await till.must(till.reverse_clawback(entry, "6"))).entries
    await till.jump(DAY)
    await till.must(till.burn("1", occurred_at=entry.occurred_at - timedelta(hours=1)))
    await till.must(till.burn("2", occurred_at=back.occurred_at - timedelta(hours=1)))
    await till.must(till.burn("3", occurred_at=back.occurred_at + timedelta(hours=1)))
    (grant,) = await till.rows("SELECT remaining, burned, clawed_back, given_back FROM grants")
    assert tuple(grant.values()) == (2 * MICRO, 6 * MICRO, 8 * MICRO, 6 * MICRO)
    assert await till.available() == 2
    await till.check()


# ─── the whole range ───────────────────────────────────────────────────────────────────────────────
async def test_half_the_range_is_clawed_back_and_given_back_and_beyond_the_range_it_is_refused(till: Till):
    entry = await clawed(till, HALF, of=HALF)
    await till.must(till.reverse_clawback(entry))
    (again,) = await till.rows("SELECT number FROM grants")
    granted = await till.must(till.grant("0.000001"))
    grant = replace(till.claw_back(granted, HALF).grant, number=again["number"])
    taken = (await till.must(replace(till.claw_back(granted, HALF), grant=grant))).entry
    refused = await till.post(till.reverse_clawback(taken))
    assert isinstance(refused, InvalidInput), "the grant would have been given more than 64 bits in all"
    over = await till.post(replace(till.claw_back(granted, "0.000002"), grant=grant))
    assert isinstance(over, InvalidInput)
    await till.check()


async def test_the_smallest_and_the_largest_amount_are_given_back_exactly(till: Till):
    whole = str(from_micro(INT64_MAX))
    entry = await clawed(till, whole, of="1")  # all but one credit of it is debt
    (smallest,) = (await till.must(till.reverse_clawback(entry, "0.000001"))).entries
    assert smallest.amount == 1
    (rest,) = (await till.must(till.reverse_clawback(entry))).entries
    assert rest.amount == INT64_MAX - 1
    assert await till.available() == 1
    await till.check()


# ─── what it is not ────────────────────────────────────────────────────────────────────────────────
async def test_it_is_no_usage_and_counts_towards_no_limit_and_no_rate(till: Till):
    await limit(till, "100")
    granted = await till.must(till.grant("50", source="PURCHASE"))
    await till.must(till.burn("7"))
    entry = (await till.must(till.claw_back(granted, "60"))).entry
    await till.must(till.reverse_clawback(entry, "25"))
    assert await used(till) == [7]
    await limit(till, "100", "MONTH")  # counted from the entries
    assert await used(till) == [7, 7]
    await till.must(till.reverse_clawback(entry))
    await check_windows(till)
    assert await roll_up(till) > 0
    assert await differences(till) == []
    (rolled,) = await till.rows("SELECT sum(amount)::bigint AS n FROM usage_rollups")
    assert rolled["n"] == 7 * MICRO
    async with till.reader.page(till.workspace_id) as page:
        rate = await burn_rate(page.connection, await asked(till), page.workspace.now, ZoneInfo("UTC"))
    assert rate.per_day == 7 * MICRO
    assert await till.available() == 43
    await till.check()


# ─── what is said of it ────────────────────────────────────────────────────────────────────────────
async def test_it_has_a_line_of_its_own_a_sentence_and_an_act(till: Till):
    begin = await till.now()
    await till.must(till.grant("3"))
    await till.must(till.reverse((await till.must(till.burn("2"))).entry))
    entry = await clawed(till, "14")
    (back,) = (await till.must(till.reverse_clawback(entry))).entries
    lines = await explained(till, begin, await till.now() + DAY)
    assert lines["CLAWBACK PURCHASE"] == (1, -14 * MICRO)
    assert (lines["REVERSE PURCHASE"], lines["REVERSE"]) == ((1, 14 * MICRO), (1, 2 * MICRO))
    async with till.reader.page(till.workspace_id) as page:
        assert label(Kind.REVERSE, None, "PURCHASE", page.catalog) == "Given back: purchased credits"
        assert label(Kind.REVERSE, None, None, page.catalog) == "Given back: credits used"
    assert await told(till, back) == (
        "14 credits given back, because their payment stands after all: 3 to 3 credits that never expire and 10 to "
        "10 credits that never expire; 1 of it no longer owed"
    )
    (act,) = await till.rows("SELECT action, subject, before, after FROM audit_log WHERE action LIKE 'clawback%'")
    assert act["action"] == "clawback.reversed"
    assert (act["before"], act["after"]["givenBack"]) == ({"givenBack": "0"}, "14")


async def test_the_past_knows_of_it_from_when_it_was_booked(till: Till):
    entry = await clawed(till, "4")
    await till.jump(DAY)
    between = await till.now()
    await till.jump(DAY)
    (back,) = (await till.must(till.reverse_clawback(entry, "3"))).entries
    assert (await look(till, between)).balance == 6 * MICRO
    assert (await look(till, back.occurred_at, between)).balance == 6 * MICRO
    then = await look(till, back.occurred_at)
    assert (then.balance, then.clawed_back, then.given_back) == (9 * MICRO, 4 * MICRO, 3 * MICRO)
    found = await reconcile(till.database, till.workspace_id, rest=lambda: asyncio.sleep(0), tell=lambda _: None)
    assert found.ok, found.mismatches
