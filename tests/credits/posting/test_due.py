"""Nothing that falls due is lost, whatever was loaded when; a sweep that comes late is invisible."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from credits.errors import Conflict, InsufficientCredits, InvalidInput, NotAllowed
from credits.ledger.entries import Kind
from credits.posting.clock import ClockMoved, advance_clock
from credits.posting.commands import Advance, ExtendHold
from credits.posting.outcomes import Burned, HoldTaken
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def book(till: Till) -> list[tuple[str, int, int, float]]:
    """Kind, effects in credits, and the hours after the first entry at which it was recorded."""
    rows = await till.rows("SELECT * FROM entries ORDER BY credit_type_id, sequence")
    begin = rows[0]["recorded_at"]
    return [
        (
            Kind(row["kind"]).name,
            row["amount"] // 10**6,
            (row["held_amount"] or 0) // 10**6,
            round((row["recorded_at"] - begin) / HOUR, 2),
        )
        for row in rows
    ]


async def due_at(till: Till) -> datetime | None:
    (row,) = await till.rows("SELECT due_at FROM accounts")
    found: datetime | None = row["due_at"]
    return found


async def test_holds_that_a_batch_did_not_load_lapse_at_their_own_instants(till: Till):
    """Only what is due is loaded; the next end is asked of the index each time."""
    await till.must(till.grant("100"))
    for hours in (5, 1, 3, 2, 4):
        await till.open_hold("1", ttl=f"PT{hours}H")
    for hours in (1.5, 2.5, 3.5):
        await till.jump(timedelta(hours=hours) - (await till.now() - await begun(till)))
        await till.must(till.burn("1"))
        await till.check()
    await till.jump(2 * DAY)
    await till.must(till.burn("1"))
    lines = [line for line in await book(till) if line[0] in ("LAPSE", "BURN")]
    assert [line[0] for line in lines] == ["LAPSE", "BURN"] * 3 + ["LAPSE", "LAPSE", "BURN"]
    assert [line[3] for line in lines if line[0] == "LAPSE"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert await due_at(till) is None
    await till.check()


async def begun(till: Till) -> datetime:
    (row,) = await till.rows("SELECT min(recorded_at) AS at FROM entries")
    at: datetime = row["at"]
    return at


async def test_a_hold_that_is_extended_lapses_at_its_new_end_and_one_that_is_shortened_too(till: Till):
    await till.must(till.grant("100"))
    longer, shorter = await till.open_hold("1", ttl="PT2H"), await till.open_hold("1", ttl="PT9H")
    await till.must(ExtendHold(longer, "PT5H"))
    await till.must(ExtendHold(shorter, "PT1H"))
    await till.check()
    await till.jump(3 * HOUR)
    assert await till.sweep(), "the shortened one"
    await till.check()
    assert isinstance(await till.post(till.settle(shorter, "1")), Conflict)
    await till.must(till.settle(longer, "1", partial=True))
    await till.jump(3 * HOUR)
    assert isinstance(await till.post(till.settle(longer, "0.5")), Conflict)
    assert [line for line in await book(till) if line[0] == "LAPSE"] == [
        ("LAPSE", 0, -1, 1.0),
        ("LAPSE", 0, 0, 5.0),  # settled to its last credit, but not closed
    ]
    await till.sweep()
    assert await till.available() == 99
    await till.check()


async def test_a_batch_that_names_one_hold_of_an_account_loses_no_other_ones_end(till: Till):
    """The named hold is loaded beside those that are due, or alone; the account's due instant must know the rest."""
    await till.must(till.grant("100"))
    first, second = await till.open_hold("1", ttl="PT1H"), await till.open_hold("1", ttl="PT3H")
    third = await till.open_hold("1", ttl="PT2H")
    await till.must(till.release(third))
    await till.check()
    await till.jump(1.5 * HOUR)
    await till.must(ExtendHold(second, "PT4H"))
    await till.check()
    assert isinstance(await till.post(ExtendHold(first, "PT4H")), Conflict)
    taken = await till.open_hold("1", ttl="PT1H")
    await till.must(till.settle(taken, "1"))
    await till.jump(10 * HOUR)
    await till.sweep()
    assert [line[0] for line in await book(till)].count("LAPSE") == 2
    assert await due_at(till) is None
    await till.check()


async def test_settled_released_and_given_up_due_instants_are_forgotten_by_the_sweep_alone(till: Till):
    """The due instant is a lower bound: an account may look due and have nothing. The sweep must not turn for ever."""
    await till.must(till.grant("100"))
    hold = await till.open_hold("1", ttl="PT1H")
    await till.must(till.release(hold))
    await till.jump(2 * HOUR)
    assert await due_at(till) is not None
    async with asyncio.timeout(10):
        assert await till.sweep() == []
    assert await due_at(till) is None
    await till.check()


async def test_a_refusal_that_finds_a_stale_due_instant_corrects_it_and_writes_no_entry(till: Till):
    await till.must(till.grant("1"))
    hold = await till.open_hold("1", ttl="PT1H")
    await till.must(till.release(hold))
    await till.jump(2 * HOUR)
    assert isinstance(await till.post(till.burn("5")), InsufficientCredits)
    assert await due_at(till) is None
    assert len(await book(till)) == 3


async def test_a_grant_that_begins_and_ends_between_two_looks_was_there(till: Till):
    now = await till.now()
    await till.must(till.grant("5", effective_at=now + HOUR, expires_at=now + 2 * HOUR))
    await till.must(till.grant("7", effective_at=now + 3 * HOUR))
    await till.jump(DAY)
    assert await till.available() == 7
    await till.must(till.burn("1"))
    assert [line[0] for line in await book(till)] == ["GRANT", "EXPIRE", "GRANT", "BURN"]
    await till.check()


async def test_a_scheduled_grant_alone_is_an_account_that_falls_due(till: Till):
    now = await till.now()
    await till.must(till.grant("5", effective_at=now + HOUR))
    assert (await till.balance()).version == 0
    await till.check()
    await till.jump(2 * HOUR)
    (entry,) = await till.sweep()
    assert (entry.kind, entry.recorded_at, entry.sequence) == (Kind.GRANT, now + HOUR, 1)
    await till.check()


async def test_debt_is_paid_by_what_begins_between_two_looks_before_it_can_expire(till: Till):
    now = await till.now()
    await till.policy("SOFT")
    await till.must(till.burn("8"))
    await till.must(till.grant("5", effective_at=now + HOUR, expires_at=now + 2 * HOUR))
    await till.must(till.grant("5", effective_at=now + 3 * HOUR, expires_at=now + 4 * HOUR))
    await till.jump(DAY)
    assert await till.available() == 0
    await till.sweep()
    lines = [(kind, amount) for kind, amount, _, _ in await book(till)]
    assert lines == [("BURN", -8), ("GRANT", 5), ("GRANT", 5), ("EXPIRE", -2)]
    await till.check()


async def test_credits_held_past_their_grants_end_are_honoured_then_expire(till: Till):
    """C6, C7."""
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + HOUR))
    kept, given_up = await till.open_hold("4", ttl="P2D"), await till.open_hold("3", ttl="P1D")
    await till.jump(2 * HOUR)
    assert await till.available() == 0
    assert isinstance(await till.post(till.hold("1")), InsufficientCredits)
    settled = await till.must(till.settle(kept, "3"))
    assert settled.balance.balance == 3_000_000, "of the four one has expired at once; three are held by the other"
    await till.must(till.release(given_up))
    assert await till.available() == 0
    assert [(kind, amount) for kind, amount, _, _ in await book(till) if kind != "HOLD"] == [
        ("GRANT", 10),
        ("EXPIRE", -3),
        ("SETTLE", -3),
        ("EXPIRE", -1),
        ("RELEASE", 0),
        ("EXPIRE", -3),
    ]
    await till.check()


# ─── thousands ─────────────────────────────────────────────────────────────────────────────────────
MANY = 1_000


async def test_thousands_of_open_holds_cost_a_burn_nothing_and_lapse_in_time(till: Till):
    await till.must(till.grant("100000"))
    await till.many(*(till.hold("1", ttl=f"PT{1 + n % 7}H") for n in range(MANY)))
    await till.check()
    began = time.monotonic()
    for _ in range(20):
        await till.must(till.burn("1"))
    each_s = (time.monotonic() - began) / 20
    assert each_s < 0.25, f"{each_s * 1000:.0f} ms a burn: are the holds read each time?"
    await till.jump(8 * HOUR)
    began = time.monotonic()
    assert await till.available() == 100_000 - 20
    read_s = time.monotonic() - began
    began = time.monotonic()
    await till.sweep()
    sweep_s = time.monotonic() - began
    assert max(read_s, sweep_s) < 5, f"reading took {read_s:.1f} s, booking {sweep_s:.1f} s"
    assert [line[0] for line in await book(till)].count("LAPSE") == MANY
    assert await due_at(till) is None
    await till.check()


async def test_thousands_of_grants_that_end_while_nobody_looks_are_booked_in_time(till: Till):
    now = await till.now()
    await till.many(*(till.grant("1", expires_at=now + (1 + n % 50) * HOUR) for n in range(MANY)))
    await till.many(*(till.grant("1", effective_at=now + HOUR, expires_at=now + 2 * HOUR) for n in range(500)))
    await till.jump(3 * DAY)
    began = time.monotonic()
    assert await till.available() == 0
    read_s = time.monotonic() - began
    assert read_s < 5, f"reading took {read_s:.1f} s"
    await till.sweep()
    lines = await book(till)
    assert len(lines) == 2 * (MANY + 500)
    assert [line[3] for line in lines] == sorted(line[3] for line in lines)
    await till.check()


# ─── the sweep ─────────────────────────────────────────────────────────────────────────────────────
async def test_sweeps_at_once_in_several_processes_book_everything_once(till: Till):
    now = await till.now()
    grants = [
        till.grant("1", who, kind, expires_at=now + HOUR) for who in ("acme", "other") for kind in ("ai", "oldest")
    ]
    await till.many(*grants)
    await till.jump(2 * HOUR)
    writers = [till.writer, await till.another_process(), await till.another_process()]
    customers = [await till.customer(who) for who in ("acme", "other")]
    answers = await asyncio.gather(
        *(till.post(Advance(customer.id), writer) for writer in writers for customer in customers)
    )
    assert sum(len(answer.entries) for answer in answers) == 4  # type: ignore[union-attr]
    assert await till.sweep() == []
    await till.check()


async def test_a_sweep_among_burns_changes_nothing_that_anyone_can_see(till: Till):
    now = await till.now()
    await till.must(till.grant("1000"))
    await till.many(*(till.grant("1", expires_at=now + n * HOUR, priority=90) for n in range(1, 20)))
    second = await till.another_process()
    for _ in range(10):
        await till.jump(2 * HOUR)
        before = (await till.balance()).available
        customer = await till.customer()
        answers = await asyncio.gather(
            *(till.post(till.burn("1"), writer) for writer in (till.writer, second)), till.post(Advance(customer.id))
        )
        assert [type(answer) for answer in answers[:2]] == [Burned, Burned]
        assert (await till.balance()).available == before - 2_000_000
    await till.check()


async def test_two_who_move_the_clock_at_once_never_move_it_back(till: Till):
    now = await till.now()
    instants = [now + n * DAY for n in (3, 1, 2, 5, 4)]
    moved = await asyncio.gather(*(advance_clock(till.reader, till.writer, till.workspace_id, to) for to in instants))
    for to, answer in zip(instants, moved, strict=True):
        assert isinstance(answer, InvalidInput) or answer.now >= to  # type: ignore[union-attr]
    assert now + 5 * DAY <= await till.now() < now + 5 * DAY + HOUR
    assert isinstance(await advance_clock(till.reader, till.writer, till.workspace_id, now), InvalidInput)
    assert await till.now() >= now + 5 * DAY


async def test_a_clock_cannot_be_moved_out_of_the_calendar(till: Till):
    """T6. What lies ahead of the clock must fit the calendar, too."""
    await till.must(till.grant("1"))
    now = await till.now()
    refused = await advance_clock(till.reader, till.writer, till.workspace_id, now + 36_600 * DAY)
    assert isinstance(refused, InvalidInput)
    moved: Any = None
    for _ in range(90):
        now += 36_400 * DAY
        moved = await advance_clock(till.reader, till.writer, till.workspace_id, now)
        if isinstance(moved, InvalidInput):
            break
    assert isinstance(moved, InvalidInput)
    assert isinstance(await till.post(till.hold("1", ttl="P30D")), HoldTaken), "the workspace goes on"


async def test_the_clock_of_a_workspace_that_is_no_test_stands_firm(till: Till):
    now = await till.now()
    name = await ensure_workspace(till.database, f"real-{till.workspace_id}", test_mode=False, now=now)
    async with open_till(till.database, till.owner_url, name) as real:
        moved = await advance_clock(real.reader, real.writer, real.workspace_id, now + DAY)
        assert isinstance(moved, NotAllowed)
        assert await real.now() < now + HOUR


async def test_what_happened_on_the_way_is_told_in_order(till: Till):
    now = await till.now()
    await till.must(till.grant("3", expires_at=now + 2 * HOUR))
    await till.must(till.grant("4", customer="other", effective_at=now + HOUR, expires_at=now + 3 * HOUR))
    moved = await till.advance(DAY)
    assert isinstance(moved, ClockMoved)
    assert [line.split()[1:3] for line in moved.happened] == [["GRANT", "4"], ["EXPIRE", "3"], ["EXPIRE", "4"]]
    await till.check()
