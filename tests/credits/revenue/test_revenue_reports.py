"""Reports and the journal on real accounts: exact whatever is kept, booked or told already."""

import asyncio
import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from credits import bounds
from credits.db import Database
from credits.revenue import projection, telling
from credits.revenue import reports as revenue_reports
from credits.revenue.reports import span_of
from tests.credits.ledger.histories import History
from tests.credits.posting.till import Till
from tests.credits.revenue.asking import (
    DAY,
    EVER,
    cost,
    differences,
    kept,
    lines,
    moved,
    moved_alone,
    place,
    refund,
    reports,
    sell,
    tell,
    till,
    totals,
)

__all__ = ["till"]


async def test_a_sale_is_deferred_and_earned_as_it_burns(till: Till):
    await sell(till, "10", 1000)
    await till.must(till.burn("3"))
    assert await totals(till) == {"sold": 1000, "recognized": 300, "deferred": 700}
    assert await tell(till) == 2
    assert await totals(till) == {"sold": 1000, "recognized": 300, "deferred": 700}
    await till.must(till.burn("3"))
    assert await totals(till) == {"sold": 1000, "recognized": 600, "deferred": 400}, "the tail is told on the way"


async def test_a_cost_basis_counts_as_sold_and_what_has_none_is_free(till: Till):
    await till.must(till.grant("3", **cost("0.333333333333", "USD")))
    await till.must(till.grant("50", source="PROMOTION"))
    await till.must(till.grant("7", customer="other", **cost("0.5", "BHD")))
    await till.must(till.burn("1"))
    assert await totals(till) == {"sold": 100, "recognized": 33, "deferred": 67}
    assert await totals(till, "BHD") == {"sold": 3500, "deferred": 3500}
    assert [report.currency for report in await reports(till)] == ["BHD", "USD"]


async def test_what_fell_due_counts_before_anybody_has_booked_it(till: Till):
    """A late sweep changes no report, of a period that is over neither."""
    now = await till.now()
    await sell(till, "10", 1000, expires_at=now + 40 * DAY)
    await till.must(till.burn("1"))
    await till.jump(100 * DAY)
    span = (now.date(), (now + 100 * DAY).date())
    unbooked = await reports(till, *span, interval="DAY"), await lines(till)
    assert await totals(till) == {"sold": 1000, "recognized": 100, "breakage": 900}
    await tell(till)
    assert (await reports(till, *span, interval="DAY"), await lines(till)) == unbooked
    assert await till.sweep()
    assert (await reports(till, *span, interval="DAY"), await lines(till)) == unbooked
    await tell(till)
    assert (await reports(till, *span, interval="DAY"), await lines(till)) == unbooked
    assert await differences(till) == []


async def test_a_grant_that_begins_is_sold_at_its_instant(till: Till):
    later = await till.now() + 3 * DAY
    await till.must(till.grant("10", effective_at=later, **cost("1", "USD")))
    assert await totals(till) == {}
    await till.jump(4 * DAY)
    assert await totals(till) == {"sold": 1000, "deferred": 1000}
    (row,) = list((await reports(till, interval="DAY", since=later.date(), until=later.date() + DAY))[0].rows)
    assert (row.span.start, row.sold, row.closing) == (later.date(), 1000, 1000)


async def test_late_usage_is_booked_when_it_is_recorded_and_closed_days_stay(till: Till):
    await till.policy("SOFT")
    now = await till.now()
    await sell(till, "10", 1000, expires_at=now + DAY)
    await till.advance(3 * DAY)
    await tell(till)
    before = (await reports(till, now.date(), (now + 3 * DAY).date(), interval="DAY"))[0].rows
    await till.must(till.burn("4", occurred_at=now + timedelta(hours=1)))
    assert (await reports(till, now.date(), (now + 3 * DAY).date(), interval="DAY"))[0].rows == before
    assert await totals(till) == {"sold": 1000, "recognized": 400, "breakage": 600}


async def test_refunds_are_paid_back_of_what_is_deferred_and_then_of_what_was_earned(till: Till):
    granted = await sell(till, "10", 1000)
    await till.must(till.burn("8"))
    await tell(till)
    await refund(till, granted, "5", 500)
    assert await totals(till) == {"sold": 1000, "recognized": 500, "refunded": 500}
    found = await lines(till)
    assert [(each.account, each.debit, each.credit) for each in found[-3:]] == [
        ("deferred revenue", 200, 0),
        ("refunds", 300, 0),
        ("cash", 0, 500),
    ]


async def test_money_without_credits_is_returned_at_its_instant(till: Till):
    granted = await sell(till, "10", 1000)
    await tell(till)
    await moved_alone(till, granted, "REFUND", 3)
    assert await totals(till) == {"sold": 1000, "recognized": -3, "refunded": 3, "deferred": 1000}
    last = (await lines(till))[-2:]
    assert [(each.account, each.debit, each.credit, each.entry) for each in last] == [
        ("refunds", 3, 0, None),
        ("cash", 0, 3, None),
    ]
    await moved_alone(till, granted, "REFUND_FAILED", 3)
    assert await totals(till) == {"sold": 1000, "deferred": 1000}


async def test_each_period_opens_with_what_the_last_one_closed(till: Till):
    now = await till.now()
    await sell(till, "100", 9_999)
    for _ in range(8):
        await till.advance(9 * DAY)
        await till.must(till.burn("7"))
    for interval in ("DAY", "WEEK", "MONTH"):
        (report,) = await reports(till, now.date() - DAY, (now + 80 * DAY).date(), interval=interval)
        assert report.rows[0].opening == 0
        assert report.rows[-1].closing == 9_999 - round(9_999 * Decimal("0.56"))
        for row, following in zip(report.rows, report.rows[1:], strict=False):
            assert row.closing == following.opening
            assert row.span.end == following.span.start
        assert sum(row.recognized for row in report.rows) == round(9_999 * Decimal("0.56"))


async def test_a_period_without_movement_shows_the_balance_and_before_the_first_there_is_none(till: Till):
    now = await till.now()
    await sell(till, "10", 1000)
    assert await reports(till, date(2020, 1, 1), date(2021, 1, 1)) == []
    await till.jump(60 * DAY)
    since = (now + 40 * DAY).date()
    (report,) = await reports(till, since, since + 3 * DAY, interval="DAY")
    assert [(row.opening, row.closing) for row in report.rows] == [(1000, 1000)] * 3


async def test_rows_are_told_by_credit_type_and_may_be_asked_for_one(till: Till):
    await sell(till, "10", 1000)
    await sell(till, "10", 500, credit_type="soonest")
    await tell(till)
    await sell(till, "10", 70, "JPY", credit_type="oldest")
    (row,) = (
        await reports(
            till,
            credit_type="soonest",
            interval="MONTH",
            since=(await till.now()).date(),
            until=(await till.now()).date() + DAY,
        )
    )[0].rows
    assert (row.sold, row.closing) == (500, 500)
    found = await reports(till, (await till.now()).date(), (await till.now()).date() + DAY)
    assert [(report.currency, [each.sold for each in report.rows]) for report in found] == [
        ("JPY", [70]),
        ("USD", [1000, 500]),
    ]


@pytest.mark.parametrize(
    ("since", "until", "interval", "word"),
    [
        (EVER[0], EVER[1], "HOUR", "interval"),
        (date(1000, 1, 1), date(2999, 1, 1), "DAY", "interval"),
        (EVER[1], EVER[0], "DAY", "to"),
        (EVER[0], EVER[0], "DAY", "to"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(till: Till, since: date, until: date, interval: str, word: str):
    with pytest.raises(ValueError, match=f"^{word}: "):
        await reports(till, since, until, interval=interval)  # type: ignore[arg-type]


async def test_no_more_rows_are_made_than_the_bound_whatever_there_is(till: Till, monkeypatch: pytest.MonkeyPatch):
    await sell(till, "10", 1000)
    await sell(till, "10", 1000, credit_type="soonest")
    monkeypatch.setattr(bounds, "REVENUE_ROWS_MAX", 3)
    assert len(await reports(till, date(2026, 1, 1), date(2026, 2, 1))) <= 1
    with pytest.raises(ValueError, match="interval: would be more than 3 rows"):
        await reports(till, date(2026, 1, 1), date(2026, 1, 3), interval="DAY")


async def test_money_of_any_size_is_told(till: Till):
    """A cost basis of thirteen digits times a billion credits leaves 64 bits; the sums of two such leave them again."""
    for _ in range(2):
        await till.must(till.grant("1000000000", **cost("9999999999999", "BHD")))
    each = 9999999999999 * 10**9 * 10**3
    assert await totals(till, "BHD") == {"sold": 2 * each, "deferred": 2 * each}
    assert await tell(till) == 2
    await till.must(till.burn("500000000"))
    await tell(till)
    assert await totals(till, "BHD") == {"sold": 2 * each, "recognized": each // 2, "deferred": 2 * each - each // 2}
    assert await differences(till) == []


# ─── kept and told ─────────────────────────────────────────────────────────────────────────────────────────
class Market(History):
    """Random histories in which grants cost money, in three currencies, and money is paid back."""

    async def grant(self, now) -> None:  # type: ignore[no-untyped-def]
        await super().grant(now)
        granted = self.granted[-1]
        if granted.entry is not None and self.draw.random() < 0.7:
            money = (self.draw.randint(0, 99_999), self.draw.choice(("USD", "JPY", "BHD")))
            await moved(self.till, granted.entry, "SALE", money, granted.grant.number)

    async def step(self) -> None:
        before = len(self.granted)
        await super().step()
        if self.draw.random() < 0.1 and before:
            granted = self.draw.choice(self.granted)
            if granted.grant.effective_at <= await self.till.now():
                await refund(self.till, granted, "2", self.draw.randint(1, 500), self.draw.choice(("USD", "JPY")))


@pytest.mark.parametrize("seed", range(6))
async def test_told_bit_by_bit_or_at_once_or_only_in_memory_is_the_same(
    till: Till, seed: int, monkeypatch: pytest.MonkeyPatch
):
    draw = random.Random(seed)
    await till.policy("SOFT")
    history = Market(till, seed)
    for _ in range(60):
        await history.step()
        if draw.random() < 0.3:
            monkeypatch.setattr(telling, "ENTRIES_AT_ONCE", draw.choice((1, 2, 3, 1000)))
            await tell(till)
            assert await differences(till) == []
    monkeypatch.undo()
    await till.sweep()
    in_part = await reports(till), await lines(till)
    assert in_part[0]
    await tell(till)
    whole = await kept(till)
    assert await differences(till) == []
    assert (await reports(till), await lines(till)) == in_part
    await projection.tell_again(till.database, till.workspace_id, *(await place(till)))
    assert await kept(till) == whole, "made anew it is the same"
    connection = await till.as_owner()
    for table in whole:
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", till.workspace_id)
    await connection.close()
    assert (await reports(till), await lines(till)) == in_part, "nothing kept is needed"
    await check_journal(till)


async def check_journal(till: Till) -> None:
    """Debits are credits for every entry, day and currency; the accounts are what the reports say."""
    by_entry: dict[object, int] = defaultdict(int)
    accounts: dict[tuple[str, str], int] = defaultdict(int)
    for each in await lines(till):
        by_entry[each.date, each.entry, each.currency] += each.debit - each.credit
        accounts[each.currency, each.account] += each.debit - each.credit
    assert not any(by_entry.values())
    for currency in ("USD", "JPY", "BHD"):
        told = defaultdict(int, await totals(till, currency))
        assert accounts[currency, "deferred revenue"] == -told["deferred"]
        assert accounts[currency, "revenue"] + accounts[currency, "refunds"] == -told["recognized"]
        assert accounts[currency, "breakage"] == -told["breakage"]
        assert accounts[currency, "cash"] + accounts[currency, "clearing"] == told["sold"] - told["refunded"]


async def test_two_processes_tell_each_entry_once(till: Till, owner_url: str):
    for customer in ("acme", "other"):
        await sell(till, "1000", 99_999, customer=customer)
    own = await Database.connect(owner_url, size=2)
    try:
        for _ in range(5):
            await till.many(*(till.burn("0.37", customer=who) for who in ("acme", "other") for _ in range(40)))
            counts = await asyncio.gather(
                *(
                    projection.tell_all(database, till.workspace_id)
                    for database in (till.database, own)
                    for _ in range(2)
                )
            )
            assert sum(counts) <= 82
        await tell(till)
    finally:
        await own.close()
    assert await differences(till) == await differences(till, "other") == []
    (row,) = await till.rows("SELECT sum(sequence) AS n FROM revenue_watermarks")
    assert row["n"] == 402


async def test_a_process_that_ends_in_between_has_told_nothing(till: Till, monkeypatch: pytest.MonkeyPatch):
    await sell(till, "10", 1000)
    await tell(till)
    await till.must(till.burn("3"))
    before = await kept(till)

    async def ends(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(projection, "_write", ends)
    with pytest.raises(ConnectionError):
        await tell(till)
    assert await kept(till) == before
    monkeypatch.undo()
    assert await tell(till) == 1
    assert await differences(till) == []


async def test_a_changed_line_a_changed_day_and_a_changed_grant_are_told(till: Till):
    await sell(till, "10", 1000)
    await till.must(till.burn("3"))
    await tell(till)
    owner = await till.as_owner()
    changes = {
        "revenue lines of": "UPDATE revenue_lines SET earned = earned + 1 WHERE earned > 0 AND workspace_id = $1",
        "revenue of 2": "UPDATE revenue_days SET sold = sold + 1 WHERE workspace_id = $1",
        "revenue of grant": "UPDATE revenue_grants SET deferred = deferred - 1 WHERE workspace_id = $1",
    }
    for what, change in changes.items():
        await owner.execute(change, till.workspace_id)
        (found,) = await differences(till)
        assert found.what.startswith(what)
        assert abs(found.wanted - found.found) == 1
        await projection.tell_again(till.database, till.workspace_id, *(await place(till)))
        assert await differences(till) == []
    await owner.close()


async def test_a_workspace_without_money_costs_nothing(till: Till):
    await till.must(till.grant("10"))
    await till.must(till.burn("3"))
    assert await tell(till) == 0
    assert await reports(till) == []
    assert await lines(till) == []
    assert (await kept(till))["revenue_watermarks"] == []


async def test_the_journal_is_read_page_by_page_in_the_order_of_the_book(till: Till, monkeypatch: pytest.MonkeyPatch):
    for customer in ("acme", "other"):
        await sell(till, "100", 10_000, customer=customer)
        await till.many(*(till.burn("1", customer=customer) for _ in range(9)))
    await tell(till)
    await till.many(*(till.burn("1", customer=who) for _ in range(3) for who in ("other", "acme")))
    whole = await lines(till)
    monkeypatch.setattr(revenue_reports, "_PAGE", 3)
    assert await lines(till) == whole
    async with till.reader.page(till.workspace_id) as page:
        assert await revenue_reports.read_journal(page, span_of(*EVER), len(whole)) == whole
        with pytest.raises(ValueError, match=f"^to: would be more than {len(whole) - 1} lines"):
            await revenue_reports.read_journal(page, span_of(*EVER), len(whole) - 1)
