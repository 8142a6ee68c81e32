"""The past in cases that have a name: late usage, what falls due, the ends of the calendar, standings that are missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from credits.ledger import travel as travelling
from credits.ledger.entries import Kind
from credits.ledger.history import balance_at, burn_rate, explain
from credits.ledger.standing import FORM
from credits.posting.commands import ExtendHold
from credits.posting.standings import Keeper
from credits.usage.envelope import from_attributes
from tests.credits.ledger.histories import DAY, EPOCH, HOUR, SECOND, US, History, asked, instants_of, look, micros
from tests.credits.posting.till import Till

C = 1_000_000  # micro-credits in a credit
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


async def kept(till: Till, spacing: int = 4) -> int:
    """Makes the standings that are missing; how many."""
    keeper = Keeper(till.database, spacing=spacing)
    await keeper.look_through(till.workspace_id)
    return await keeper.keep()


async def explained(till: Till, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
    """Kind and source or feature → how many, and how much."""
    of = await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        found = await explain(page.connection, of, since, until)
        names = {feature.id: feature.key for feature in page.catalog.features}
    assert found.opening + sum(line.amount for line in found.lines) == found.closing
    return {
        " ".join(filter(None, (line.kind.name, line.source, names.get(line.feature_id or 0)))): (
            line.count,
            line.amount,
        )
        for line in found.lines
    }


# ─── two times ─────────────────────────────────────────────────────────────────────────────────────
async def test_a_late_burn_is_in_the_past_as_we_know_it_now_and_not_as_we_knew_it_then(till: Till):
    await till.must(till.grant("100"))
    await till.jump(DAY)
    then = await till.now()
    await till.jump(HOUR)
    burned = await till.must(till.burn("30", occurred_at=then - HOUR))
    recorded = burned.entry.recorded_at
    assert (await look(till, then)).balance == 70 * C
    assert (await look(till, then, recorded - US)).balance == 100 * C
    assert (await look(till, then, recorded)).balance == 70 * C
    assert (await look(till, then - HOUR - US)).balance == 100 * C
    assert (await look(till, then - HOUR)).burned == 30 * C
    assert (await look(till, then, recorded - US)).version == 1


async def test_a_backdated_grant_was_there_before_it_was_given(till: Till):
    await till.policy("SOFT")
    await till.must(till.burn("30"))
    await till.jump(DAY)
    now = await till.now()
    await till.must(till.grant("100", effective_at=now - DAY / 2))
    then = await look(till, now - DAY / 2)
    assert (then.balance, then.granted) == (70 * C, 100 * C)
    assert [bucket.amount for bucket in then.buckets] == [70 * C]
    before = await look(till, now - DAY / 2 - US)
    assert (before.balance, before.buckets) == (-30 * C, [])
    assert (await look(till, now - DAY / 4, now - DAY / 8)).balance == -30 * C


async def test_a_late_burn_on_a_grant_that_had_not_begun_makes_no_bucket_negative(till: Till):
    """Wherever it is placed: at its own time the later grant was not there, so the other one is shown with less."""
    await till.must(till.grant("10", priority=90))
    await till.jump(DAY)
    await till.must(till.grant("10", priority=10))
    await till.must(till.burn("4", occurred_at=await till.now() - DAY / 2))
    then = await look(till, await till.now() - DAY / 4)
    assert then.balance == 6 * C
    assert [bucket.amount for bucket in then.buckets] == [6 * C]
    assert [bucket.amount for bucket in (await look(till, await till.now())).buckets] == [16 * C]


async def test_now_is_what_the_present_balance_says_whatever_is_unbooked(till: Till):
    await till.must(till.grant("10", expires_at=await till.now() + HOUR))
    await till.must(till.grant("5", effective_at=await till.now() + 2 * HOUR))
    await till.open_hold("3", ttl="PT3H")
    for _ in range(5):
        await till.jump(HOUR - SECOND)
        present = await till.balance()
        past = await look(till, present.as_of)
        assert (past.balance, past.held, past.granted, past.burned, past.expired) == (
            *(present.balance, present.held, present.granted, present.burned, present.expired),
        )
        assert (past.buckets, past.overdraft_limit) == (present.buckets, present.overdraft_limit)
    assert await till.rows("SELECT sequence FROM entries WHERE kind = 7") == [], "nothing of it was booked"


# ─── what falls due ────────────────────────────────────────────────────────────────────────────────
async def test_the_future_is_what_is_known_to_fall_due(till: Till):
    now = await till.now()
    await till.must(till.grant("10", expires_at=now + DAY))
    await till.must(till.grant("7", effective_at=now + 2 * DAY, expires_at=now + 3 * DAY))
    await till.open_hold("4", ttl="PT30H")
    for at, balance, held in (
        (now + DAY - SECOND, 10, 4),
        (now + DAY, 4, 4),
        (now + 30 * HOUR + SECOND, 0, 0),
        (now + 2 * DAY, 7, 0),
        (now + 3 * DAY, 0, 0),
        (LAST, 0, 0),
    ):
        told = await look(till, at)
        assert (told.balance, told.held, told.as_of) == (balance * C, held * C, at)
    assert (await look(till, LAST)).expired == 17 * C


async def test_three_periods_that_nobody_swept_are_three_grants_in_order(till: Till):
    """T8."""
    now = await till.now()
    for number in range(1, 4):
        begins = now + number * DAY
        await till.must(till.grant("10", effective_at=begins, expires_at=begins + DAY, source="PLAN"))
    await till.jump(5 * DAY)
    seen = [(await look(till, now + number * DAY)).balance for number in range(6)]
    assert seen == [0, 10 * C, 10 * C, 10 * C, 0, 0]
    booked = [(entry.kind, entry.occurred_at) for entry in await till.sweep()]
    expected = [(Kind.GRANT, 1), (Kind.EXPIRE, 2), (Kind.GRANT, 2), (Kind.EXPIRE, 3), (Kind.GRANT, 3), (Kind.EXPIRE, 4)]
    assert booked == [(kind, now + number * DAY) for kind, number in expected]
    assert [(await look(till, now + number * DAY)).balance for number in range(6)] == seen
    assert await till.sweep() == []


async def test_a_hold_is_known_to_end_when_it_was_known_to(till: Till):
    now = await till.now()
    await till.must(till.grant("10"))
    hold = await till.open_hold("4", ttl="PT1H")
    await till.jump(HOUR / 2)
    for _ in range(2):
        await till.must(ExtendHold(hold, "P2D"))
    extended = await till.now()
    await till.jump(HOUR)
    assert (await look(till, now + 2 * HOUR, extended - SECOND)).held == 0, "it was to lapse after an hour"
    assert (await look(till, now + 2 * HOUR, extended)).held == 4 * C
    assert (await look(till, now + 2 * HOUR)).held == 4 * C
    assert len(await till.rows("SELECT * FROM hold_ends")) == 2


async def test_a_grant_that_was_scheduled_later_was_not_known_before(till: Till):
    await till.must(till.grant("1"))
    await till.jump(HOUR)
    given = await till.must(till.grant("5", effective_at=await till.now() + DAY))
    created = given.grant.created_at
    at = given.grant.effective_at
    assert (await look(till, at, created - US)).balance == C
    assert (await look(till, at, created)).balance == 6 * C
    await till.advance(2 * DAY)
    assert (await look(till, at, created - US)).balance == C, "also when it is booked"
    assert (await look(till, at, created)).balance == 6 * C


# ─── instants ──────────────────────────────────────────────────────────────────────────────────────
async def test_two_events_at_one_instant_both_count_and_only_from_then_on(till: Till):
    """E14."""
    await till.must(till.grant("100"))
    await till.jump(HOUR)
    at = await till.now() - HOUR / 2
    await till.many(*(from_attributes(f"e{n}", "s", "chat", "acme", at, {"tokens": 2}) for n in range(2)))
    assert (await look(till, at - US)).burned == 0
    assert (await look(till, at)).burned == 2 * C
    assert await explained(till, at, at + US) == {"BURN chat": (2, -2 * C)}
    assert await explained(till, at + US, LAST) == {}


async def test_the_ends_of_the_calendar_are_instants_like_others(till: Till):
    """T6."""
    await till.must(till.grant("5", expires_at=datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)))
    await till.must(till.grant("7", expires_at=LAST))
    assert (await look(till, FIRST)).balance == 0
    assert (await look(till, FIRST, FIRST)).version == 0
    assert (await look(till, LAST)).balance == 0
    assert (await look(till, LAST - US)).balance == 7 * C
    assert (await look(till, datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC))).balance == 12 * C
    assert (await look(till, datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC))).balance == 7 * C
    whole = await explained(till, FIRST, LAST)
    assert whole == {"GRANT MANUAL": (2, 12 * C), "EXPIRE MANUAL": (1, -5 * C)}


async def test_an_account_that_is_not_there_yet_was_always_zero(till: Till):
    told = await look(till, await till.now())
    assert (told.balance, told.version, told.buckets) == (0, 0, [])
    await till.must(till.grant("5", effective_at=await till.now() + DAY))
    assert (await look(till, await till.now())).version == 0, "an account without an entry"
    assert (await look(till, await till.now() + DAY)).balance == 5 * C


# ─── why ───────────────────────────────────────────────────────────────────────────────────────────
async def test_why_is_told_by_kind_feature_and_source_also_of_what_nobody_booked(till: Till):
    begin = await till.now()
    await till.must(till.grant("100", source="PLAN", expires_at=begin + DAY))
    await till.must(till.grant("50", source="PURCHASE"))
    await till.must(till.chat("20"))
    await till.must(till.burn("5"))
    hold = await till.open_hold("30")
    await till.must(till.settle(hold, "10"))
    await till.jump(2 * DAY)
    assert await explained(till, begin, await till.now()) == {
        "GRANT PLAN": (1, 100 * C),
        "GRANT PURCHASE": (1, 50 * C),
        "BURN chat": (1, -10 * C),
        "BURN": (1, -5 * C),
        "SETTLE": (1, -10 * C),
        "EXPIRE PLAN": (1, -75 * C),
    }
    assert await explained(till, begin + DAY, begin + DAY + US) == {"EXPIRE PLAN": (1, -75 * C)}
    assert await explained(till, begin + DAY + US, begin + DAY + US) == {}
    before = await explained(till, begin, begin + DAY)
    await till.sweep()
    assert await explained(till, begin, begin + DAY) == before


# ─── how fast ──────────────────────────────────────────────────────────────────────────────────────
async def test_the_rate_is_that_of_the_customers_own_days_with_usage(till: Till):
    await till.must(till.grant("1000"))
    await till.must(till.burn("10"))
    await till.jump(3 * DAY)
    await till.must(till.burn("20"))
    await till.must(till.burn("6", occurred_at=await till.now() - 3 * DAY))
    of = await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        rate = await burn_rate(page.connection, of, page.workspace.now, UTC)
        assert (rate.per_day, rate.days) == (18 * C, 2)
        later = await burn_rate(page.connection, of, page.workspace.now + 40 * DAY, UTC)
        assert (later.per_day, later.days) == (0, 0)


# ─── standings ─────────────────────────────────────────────────────────────────────────────────────
async def test_a_standing_changes_no_answer_whether_it_is_there_or_gone_or_of_another_form(till: Till):
    await till.policy("SOFT")
    history = History(till, 77)
    for _ in range(40):
        await history.step()
    of, marks = await asked(till), instants_of(await history.book(), micros(await till.now()))

    async def answers() -> list[Any]:
        async with till.reader.page(till.workspace_id) as page:
            return [
                (told.balance, told.held, told.granted, told.burned, told.expired, told.buckets)
                for mark in marks[::7]
                for told in [await balance_at(page.connection, of, EPOCH + mark * US, 0)]
            ]

    without = await answers()
    assert await kept(till) > 3
    assert await answers() == without
    owner = await till.as_owner()
    await owner.execute("UPDATE standings SET form = form + 1, state = 'of another time'")
    assert await answers() == without
    assert await kept(till, 9) > 1, "they are made again"
    assert await answers() == without
    await owner.execute("DELETE FROM standings")
    assert await answers() == without
    await owner.close()


async def test_standings_are_made_every_few_entries_of_accounts_that_have_grown(till: Till):
    await till.must(till.grant("1000"))
    await till.many(*(till.burn("1") for _ in range(18)))
    assert await kept(till) == 4
    rows = await till.rows("SELECT sequence, form FROM standings ORDER BY sequence")
    assert [tuple(row.values()) for row in rows] == [(sequence, FORM) for sequence in (4, 8, 12, 16)]
    assert await kept(till) == 0
    keeper = Keeper(till.database, spacing=4)
    customer, kind = (await till.rows("SELECT customer_id, credit_type_id FROM accounts"))[0].values()
    keeper.note(till.workspace_id, customer, kind, 19)
    assert await keeper.keep() == 0, "nothing new"
    await till.must(till.burn("1"))
    for version in (20, 20):
        keeper.note(till.workspace_id, customer, kind, version)
    assert (await keeper.keep(), await keeper.keep()) == (1, 0)


async def test_a_standing_with_much_in_it_is_made_more_rarely(till: Till):
    await till.many(*(till.grant("1") for _ in range(400)))
    assert await kept(till) == 58, "4 entries apart at first, then 8, then more: not 100"


async def test_a_standing_that_somebody_else_is_making_is_left_to_them(till: Till):
    await till.must(till.grant("1000"))
    await till.many(*(till.burn("1") for _ in range(8)))
    customer, kind = (await till.rows("SELECT customer_id, credit_type_id FROM accounts"))[0].values()
    async with till.database.hot(till.workspace_id) as connection:
        name = f"standings {till.workspace_id} {customer} {kind}"
        assert await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", name)
        assert await kept(till) == 0
    assert await kept(till) == 2


async def test_what_was_granted_since_a_standing_is_seen_at_once(till: Till):
    """C18: a standing is of an entry, never of the present; nothing between a grant and its reader is remembered."""
    await till.must(till.grant("1"))
    async with till.reader.page(till.workspace_id) as early:
        await till.many(*(till.grant("1") for _ in range(8)))
        await kept(till)
        of = await asked(till)
        seen = await balance_at(early.connection, of, LAST, 0)
        assert (seen.balance, seen.version) == (C, 1), "who began to read before sees what was before"
    now = await look(till, LAST)
    assert (now.balance, now.version) == (9 * C, 9)


@pytest.mark.parametrize("part", ["behind", "ahead", "far ahead", "late", "far late"])
async def test_only_a_range_of_an_index_is_read_behind_row_level_security(till: Till, part: str):
    """Each condition that bounds the range is the index's own: as a mere filter it would read all entries before."""
    await till.must(till.grant("1000"))
    await till.many(*(till.burn("1") for _ in range(30)))
    of = await asked(till)
    values = {**of.place, "known": 31, "skew": timedelta(minutes=5), "lags": [1], "reaches": [HOUR]}
    now = await till.now()
    values |= {"numbers": [0], "ats": [now], "standings": [0], "aheads": [1], "places": [9], "lates": [9]}
    async with till.database.transaction(till.workspace_id) as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        statement = text(f"EXPLAIN (COSTS OFF) {travelling._COUNTED.text}")
        plan = [row[0].strip() for row in await connection.execute(statement, values)]
    conditions = [line for line in plan if line.startswith("Index Cond") and ("sequence" in line or "lag" in line)]
    bounds = dict(zip(("behind", "ahead", "far ahead", "late", "far late"), conditions, strict=True))
    column = "occurred_at" if part.startswith("far") else "sequence"
    assert f"({column} >" in bounds[part], plan
    assert f"({column} <=" in bounds[part], plan
