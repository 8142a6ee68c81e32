"""Time travel against its reference: every pair of instants of random histories is what the contract says."""

from itertools import pairwise

import pytest

from credits.ledger.history import balance_at, explain
from credits.ledger.travel import LATE, Asked
from credits.posting.standings import Keeper
from tests.credits.ledger.histories import DAY, EPOCH, SECOND, US, History, asked, instants_of, look, micros
from tests.credits.posting.till import Till
from tests.model.records import NEVER
from tests.model.travel import travel

SEEDS = range(12)
STEPS = 60
PAIRS = 200
WINDOWS = 15


async def lived(till: Till, seed: int) -> History:
    """A history of so many steps, with standings made now and then, or never."""
    await till.policy("SOFT")
    await till.jump(DAY)  # room for clocks that go back
    history = History(till, seed)
    keeper = Keeper(till.database, spacing=history.draw.choice((3, 7, 1_000)))
    for number in range(STEPS):
        await history.step()
        if number % 9 == 8:
            await keeper.look_through(till.workspace_id)
            await keeper.keep()
    return history


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_pair_of_instants_of_a_random_history_is_what_the_reference_says(till: Till, seed: int):
    history = await lived(till, seed)
    await ask_pairs(till, history, PAIRS)
    await ask_why(till, history)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(1_000, 1_100))
async def test_a_hundred_thousand_pairs_of_instants_are_what_the_reference_says(till: Till, seed: int):
    """R15."""
    await ask_pairs(till, await lived(till, seed), 1_000)


async def test_what_an_adjusted_grant_has_more_than_it_was_given_stays_its_own(till: Till):
    granted = await till.must(till.grant("10"))
    await till.must(till.grant("10", priority=60))
    await till.must(till.adjust(granted, "5"))
    told = await look(till, await till.now())
    assert [left for _, _, left in told.lots] == [15_000_000, 10_000_000]


async def ask_pairs(till: Till, history: History, count: int) -> None:
    book, of = await history.book(), await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        now = micros(page.workspace.now)
        marks = instants_of(book, now)
        for _ in range(count):
            at, known = history.draw.choice(marks), history.draw.choice(marks)
            known_at = EPOCH + known * US if known < now else None
            known = known if known < now else NEVER  # all that is known, also where the clock went back behind the book
            wanted = Asked(of.workspace_id, of.customer_id, of.credit_type_id, of.burn_order, known_at)
            told = await balance_at(page.connection, wanted, EPOCH + at * US, 0)
            expected = travel(book, at, known)
            assert {name: getattr(told, name) for name in expected} == expected, (at, known)
            assert told.version == sum(entry.recorded <= known for entry in book.entries)
            assert all(bucket.amount > 0 for bucket in told.buckets), (at, known)


async def ask_why(till: Till, history: History) -> None:
    book, of = await history.book(), await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        now = micros(page.workspace.now)
        marks = instants_of(book, now)
        for _ in range(WINDOWS):
            since, until = sorted(history.draw.sample(marks, 2))
            told_why = await explain(page.connection, of, EPOCH + since * US, EPOCH + until * US)
            before, after = travel(book, since - 1, NEVER), travel(book, until - 1, NEVER)
            assert (told_why.opening, told_why.closing) == (before["balance"], after["balance"])
            assert told_why.opening + sum(line.amount for line in told_why.lines) == told_why.closing
            booked = [entry for entry in book.entries if since <= entry.occurred < until and entry.kind == "BURN"]
            assert sum(line.count for line in told_why.lines if line.kind.name == "BURN") == len(booked)


@pytest.mark.parametrize("seed", SEEDS[:3])
async def test_how_far_an_entry_is_out_of_order_is_told_by_its_column(till: Till, seed: int):
    """The classes in the table are those that the reading counts on."""
    await lived(till, seed)
    rows = await till.rows("SELECT lag, recorded_at, occurred_at FROM entries WHERE occurred_at IS NOT NULL")
    assert len({row["lag"] for row in rows}) > 3
    for row in rows:
        late = row["recorded_at"] - row["occurred_at"]
        within = sum(late >= bound for bound in LATE)
        assert row["lag"] == (within or (-1 if -late > 10 * SECOND else None)), row


async def test_a_grant_that_was_corrected_upwards_shows_all_it_has_at_any_instant(till: Till):
    await till.must(till.adjust(await till.must(till.grant("10")), "5"))
    of = await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        told = await balance_at(page.connection, of, page.workspace.now, 0)
    assert told.balance == sum(bucket.amount for bucket in told.buckets) == 15_000_000


def test_each_class_of_lateness_reaches_four_times_as_far_as_the_one_before():
    assert LATE[0] == 30 * SECOND
    assert all(further == 4 * near for near, further in pairwise(LATE))
    assert len(LATE) == 12
