"""Law 10 through the writer: usage told of late, in any order and any batches, ends as if it had come in time."""

import asyncio
import logging
import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from credits.ledger.account import Grant
from credits.ledger.rows import grant_of
from credits.posting.commands import TakeEvent
from credits.posting.outcomes import Burned, EventOutcome, EventTaken, Granted
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import CATALOG, Till

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def usage(name: str, tokens: int, customer: str, at: datetime, **more: Any) -> TakeEvent:
    """Half a credit for each token."""
    return from_attributes(name, "tests", "chat", customer, at, {"tokens": str(tokens)}, **more)


async def ends_with(till: Till, customer: str) -> list[Any]:
    """What every grant ends with, and the account; the entries of both customers differ in number alone."""
    columns = "number, state, amount, remaining, burned, expired, effective_at, expires_at"
    grants = await till.rows(
        f"SELECT {columns} FROM grants g JOIN customers c ON c.id = g.customer_id WHERE c.key = :key ORDER BY number",
        key=customer,
    )
    totals = "balance, held, overdraft, granted, burned, expired"
    accounts = await till.rows(
        f"SELECT a.{totals.replace(', ', ', a.')} FROM accounts a JOIN customers c ON c.id = a.customer_id WHERE c.key = :key",
        key=customer,
    )
    return [tuple(row.values()) for row in [*grants, *accounts]]


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_and_any_batches_end_as_in_time(till: Till, seed: int) -> None:
    """`acme` is told at once, `other` late: a day of grants that begin, end and run dry, and two hundred events."""
    draw = random.Random(seed)
    await till.policy("SOFT")
    waiting: list[TakeEvent] = []
    for number in range(60):
        await till.jump(timedelta(minutes=draw.randint(5, 40)))
        now = await till.now()
        if draw.random() < 0.25:
            begins = now + draw.choice((timedelta(), HOUR, 3 * HOUR)) + timedelta(microseconds=number)
            more: dict[str, Any] = {"effective_at": begins, "priority": draw.choice((10, 50))}
            if draw.random() < 0.7:
                more["expires_at"] = begins + draw.randint(1, 400) * MINUTE
            if draw.random() < 0.5:
                more |= {"cost_amount": Decimal("0.05"), "cost_currency": "USD"}
            size = str(draw.randint(1, 40))
            await till.many(*(till.grant(size, customer, "ai", **more) for customer in ("acme", "other")))
        for each in range(draw.randint(0, 5)):
            at = now - draw.randint(0, 3) * timedelta(seconds=1)
            tokens = draw.randint(1, 30)
            await till.many(usage(f"acme-{number}-{each}", tokens, "acme", at))
            waiting.append(usage(f"other-{number}-{each}", tokens, "other", at))
        if draw.random() < 0.3:
            told = draw.sample(waiting, draw.randint(0, len(waiting)))
            waiting = [event for event in waiting if event not in told]
            await till.many(*told)
    draw.shuffle(waiting)
    while waiting:
        batch, waiting = waiting[:7], waiting[7:]
        answers = await till.many(*batch)
        assert all(isinstance(answer, EventTaken) and answer.outcome is EventOutcome.BURNED for answer in answers)
    await till.sweep()
    assert await ends_with(till, "other") == await ends_with(till, "acme")
    await till.check()


async def test_a_late_burn_takes_back_what_had_expired_and_the_books_say_so(till: Till) -> None:
    began = await till.now()
    await till.must(till.grant("100", expires_at=began + HOUR))
    await till.must(till.grant("50"))
    await till.jump(2 * HOUR)
    await till.must(till.burn("10"))
    assert await till.available() == Decimal(40)
    late = await till.must(till.burn("30", occurred_at=began + 30 * MINUTE))
    assert isinstance(late, Burned)
    assert await till.available() == Decimal(40), "it drew on what was there at its time"
    entries = await till.rows(
        "SELECT kind, amount, occurred_at, grant_number, allocations FROM entries ORDER BY sequence"
    )
    assert [(row["kind"], row["amount"] // 10**6) for row in entries] == [
        *((1, 100), (1, 50), (7, -100), (2, -10)),
        *((8, 30), (2, -30)),
    ]
    assert entries[4]["occurred_at"] == began + HOUR, "the expiry that it undoes"
    assert [(grant.number, grant.remaining, grant.expired) for grant in await grants_of(till)] == [
        (1, 0, 70_000_000),
        (2, 40_000_000, 0),
    ]
    await till.check()


async def test_what_it_moves_between_grants_is_one_reallocate_entry(till: Till) -> None:
    began = await till.now()
    await till.must(till.grant("10", priority=1))
    await till.must(till.grant("10", priority=2))
    await till.jump(HOUR)
    await till.must(till.grant("5", priority=0, expires_at=began + 90 * MINUTE))
    await till.must(till.burn("12"))  # 5 of the third, 7 of the first
    await till.jump(HOUR)
    answers = await till.many(
        usage("one", 8, "acme", began + 10 * MINUTE), usage("two", 4, "acme", began + 20 * MINUTE)
    )  # 4 and 2 credits of the first, an hour before the third began
    assert len(answers) == 2
    rows = await till.rows("SELECT kind, grant_number, allocations FROM entries WHERE sequence > 4 ORDER BY sequence")
    assert [(row["kind"], row["grant_number"], row["allocations"]) for row in rows] == [
        (2, 1, None),
        (2, 1, None),
        (9, None, [1, -3_000_000, 2, 3_000_000]),
    ], "one for both of them"
    await till.check()


async def test_a_grant_in_the_past_takes_over_what_burned_since(till: Till) -> None:
    began = await till.now()
    await till.policy("SOFT")
    await till.must(till.grant("10", expires_at=began + 2 * HOUR))
    await till.jump(HOUR)
    await till.must(till.burn("8"))
    await till.jump(2 * HOUR)
    await till.must(till.burn("1"))
    given = await till.must(till.grant("20", effective_at=began + 30 * MINUTE, priority=1, expires_at=began + 9 * HOUR))
    assert isinstance(given, Granted)
    numbers = [
        (grant.number, grant.state, grant.remaining, grant.burned, grant.expired) for grant in await grants_of(till)
    ]
    assert numbers == [(1, "EXPIRED", 0, 0, 10_000_000), (2, "ACTIVE", 11_000_000, 9_000_000, 0)]
    await till.check()


@pytest.mark.parametrize("first", ["hold", "grant", "reversal"])
async def test_what_ends_a_phase_and_usage_from_before_it_go_through_in_one_batch(
    till: Till, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """What the phase drew on may be used up since, and nothing else reads that."""
    await till.must(till.grant("10", priority=1))
    await till.must(till.grant("100"))
    await till.jump(HOUR)
    burned = (await till.must(till.burn("20"))).entry
    await till.jump(HOUR)
    before = {"hold": till.hold("5"), "grant": till.grant("5"), "reversal": till.reverse(burned, "5")}[first]
    answers = await till.many(before, till.burn("3", occurred_at=await till.now() - timedelta(seconds=1)))
    assert not any(hasattr(answer, "code") for answer in answers)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    await till.check()


async def test_a_grant_in_the_past_begins_behind_a_reversal_of_debt_also_when_it_is_laid_again(till: Till) -> None:
    began = await till.now()
    await till.policy("SOFT")
    burned = await till.must(till.burn("10"))
    await till.jump(HOUR)
    await till.must(till.reverse(burned.entry, "4"))
    await till.jump(HOUR)
    await till.must(till.grant("20", effective_at=began + MINUTE))
    await till.must(till.burn("3", occurred_at=began + 30 * MINUTE))
    assert await till.available() == Decimal(11)
    await till.check()


async def test_late_usage_is_priced_as_of_its_time_and_keeps_both_times(till: Till) -> None:
    began = await till.now()
    await till.must(till.grant("100"))
    await till.jump(HOUR)
    dearer = {"feature": "chat", "creditType": "ai", "perUnit": "5"}
    others = [rate for rate in CATALOG["rateCards"][0]["rates"] if rate["feature"] != "chat"]
    card = {"cohort": "default", "effectiveAt": (await till.now()).isoformat(), "existing": "follow"}
    await till.apply({"rateCards": [{**card, "rates": [dearer, *others]}]})
    await till.jump(HOUR)
    await till.many(usage("before", 2, "acme", began + MINUTE), usage("after", 2, "acme", began + 90 * MINUTE))
    rows = await till.rows("SELECT amount, occurred_at, recorded_at FROM entries WHERE kind = 2 ORDER BY occurred_at")
    assert [row["amount"] for row in rows] == [-1_000_000, -10_000_000]
    assert [row["occurred_at"] for row in rows] == [began + MINUTE, began + 90 * MINUTE]
    assert all(row["recorded_at"] > began + 2 * HOUR for row in rows)


async def test_placing_late_usage_touches_no_more_the_more_has_burned(till: Till) -> None:
    """The cost is that of the phases since: after a hundred burns and after a thousand there are as many, and one entry."""
    touched = []
    for customer, burns in (("acme", 100), ("other", 1_000)):
        began = await till.now()
        await till.must(till.grant("100000", customer))
        await till.jump(HOUR)
        await till.must(till.grant("50", customer, priority=1))
        await till.many(*(till.burn("1", customer) for _ in range(burns)))
        phases, before = await count(till, "phases", customer), await count(till, "entries", customer)
        await till.many(usage(f"late-{customer}", 2, customer, began + MINUTE))
        touched.append((phases, await count(till, "entries", customer) - before))
    assert touched[0] == touched[1] == (2, 1)


async def test_a_backfill_does_not_make_a_burn_wait_for_its_end(till: Till) -> None:
    began = await till.now()
    await till.must(till.grant("100"))
    backfill = asyncio.create_task(
        till.many(*(usage(f"b-{number}", 1, "other", began - HOUR) for number in range(15_000)))
    )
    await asyncio.sleep(0)
    for _ in range(5):
        await till.must(till.burn("1"))
    assert not backfill.done(), "burns have a lane of their own"
    assert {answer.outcome for answer in await backfill} == {EventOutcome.BURNED}  # type: ignore[union-attr]


async def count(till: Till, table: str, customer: str) -> int:
    query = f"SELECT count(*) AS n FROM {table} t JOIN customers c ON c.id = t.customer_id WHERE c.key = :key"
    return int((await till.rows(query, key=customer))[0]["n"])


async def test_the_cutoff_of_a_customer_wins_over_the_workspaces(till: Till) -> None:
    async with till.database.transaction(till.workspace_id) as connection:
        await connection.execute(text("UPDATE customers SET late_cutoff_s = 3600 WHERE key = 'acme'"))
    now = await till.now()
    await till.must(till.grant("10"))
    answers = await till.many(*(usage(f"e-{c}", 2, c, now - 2 * HOUR) for c in ("acme", "other")))
    assert [answer.outcome for answer in answers] == [EventOutcome.LATE, EventOutcome.BURNED]  # type: ignore[union-attr]


async def test_a_late_event_past_the_cutoff_is_placed_when_it_is_accepted(till: Till) -> None:
    began = await till.now()
    await till.must(till.grant("10", expires_at=began + DAY))
    await till.jump(30 * DAY)
    await till.sweep()
    (answer,) = await till.many(usage("old", 8, "acme", began + HOUR, accept_late=True))
    assert isinstance(answer, EventTaken)
    assert (await till.balance()).balance == 0, "it burned what has expired since"
    await till.check()


async def grants_of(till: Till, customer: str = "acme") -> list[Grant]:
    query = "SELECT g.* FROM grants g JOIN customers c ON c.id = g.customer_id WHERE c.key = :key ORDER BY number"
    return [grant_of(row) for row in await till.rows(query, key=customer)]
