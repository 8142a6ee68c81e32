"""A till that sells for money, and what is asked of its revenue."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.db import Database
from credits.ledger.entries import Entry
from credits.money.movements import Movement, MovementKind, add_movement
from credits.posting.outcomes import Granted
from credits.revenue import projection
from credits.revenue.journal import Posting
from credits.revenue.projection import RevenueDifference
from credits.revenue.reports import Report, journal, read_reports, span_of
from credits.windows import Interval
from credits.workspaces import WorkspaceName
from tests.credits.posting.till import Till, open_till

DAY = timedelta(days=1)
EVER = (date(2020, 1, 1), date(2100, 1, 1))


@pytest.fixture
async def till(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Till]:
    """Its clock shows noon, so that no test sees a day end by itself."""
    async with open_till(database, owner_url, workspace) as opened:
        now = await opened.now()
        await opened.jump(datetime.combine(now.date() + DAY, time(12), UTC) - now)
        yield opened


async def moved(till: Till, entry: Entry, kind: MovementKind, money: tuple[int, str], grant: int) -> None:
    """Money beside an entry that is booked, before anybody has told it."""
    movement = Movement(entry.customer_id, entry.credit_type_id, grant, entry.sequence, kind, *money, "top_1")
    async with till.database.hot(till.workspace_id) as connection:
        await add_movement(connection, movement, entry.recorded_at)


async def moved_alone(till: Till, granted: Granted, kind: MovementKind, minor: int, currency: str = "USD") -> None:
    """Money that moved no credits."""
    place = (granted.customer_id, granted.credit_type_id, granted.grant.number)
    now = await till.now()
    async with till.database.hot(till.workspace_id) as connection:
        await add_movement(connection, Movement(*place, None, kind, minor, currency, "top_1"), now)


async def sell(till: Till, amount: str, price: int, currency: str = "USD", **more: Any) -> Granted:
    """A purchased grant; its price in smallest units."""
    granted: Granted = await till.must(till.grant(amount, source="PURCHASE", **more))
    assert granted.entry is not None
    await moved(till, granted.entry, "SALE", (price, currency), granted.grant.number)
    return granted


async def refund(till: Till, granted: Granted, amount: str, minor: int, currency: str = "USD") -> Entry:
    taken: Granted = await till.must(till.claw_back(granted, amount))
    assert taken.entry is not None
    await moved(till, taken.entry, "REFUND", (minor, currency), granted.grant.number)
    return taken.entry


async def tell(till: Till) -> int:
    return await projection.tell_all(till.database, till.workspace_id)


async def place(till: Till, customer: str = "acme", credit_type: str = "ai") -> tuple[int, int]:
    (row,) = await till.rows("SELECT id FROM credit_types WHERE key = :key", key=credit_type)
    return (await till.customer(customer)).id, row["id"]


async def differences(till: Till, customer: str = "acme") -> list[RevenueDifference]:
    at = await place(till, customer)
    async with till.database.snapshot(till.workspace_id) as view:
        return await projection.compare_told(view, *at)


async def reports(
    till: Till,
    since: date = EVER[0],
    until: date = EVER[1],
    *,
    interval: Interval = "MONTH",
    credit_type: str | None = None,
    currency: str | None = None,
) -> list[Report]:
    credit_type_id = None if credit_type is None else (await place(till, credit_type=credit_type))[1]
    async with till.reader.page(till.workspace_id) as page:
        return await read_reports(page, span_of(since, until), interval, credit_type_id, currency)


async def totals(till: Till, currency: str = "USD") -> dict[str, int]:
    """All that was told of a currency; what is not zero."""
    found = {"sold": 0, "recognized": 0, "breakage": 0, "refunded": 0, "deferred": 0}
    for report in await reports(till, currency=currency):
        for row in report.rows:
            for name in ("sold", "recognized", "breakage", "refunded"):
                found[name] += getattr(row, name)
        last = max((row.span.start for row in report.rows), default=None)
        found["deferred"] = sum(row.closing for row in report.rows if row.span.start == last)
    return {name: value for name, value in found.items() if value}


async def lines(till: Till, since: date = EVER[0], until: date = EVER[1]) -> list[Posting]:
    async with till.reader.page(till.workspace_id) as page:
        return [posting async for posting in journal(page, span_of(since, until))]


async def kept(till: Till) -> dict[str, list[Any]]:
    """Everything that is derived."""
    tables = {
        "revenue_watermarks": "customer_id, credit_type_id",
        "revenue_grants": "customer_id, credit_type_id, number",
        "revenue_lines": "customer_id, credit_type_id, sequence, currency",
        "revenue_days": "customer_id, credit_type_id, day, currency",
    }
    return {
        name: [dict(row) for row in await till.rows(f"SELECT * FROM {name} ORDER BY {order}")]
        for name, order in tables.items()
    }


def cost(amount: str, currency: str) -> dict[str, Any]:
    return {"cost_amount": Decimal(amount), "cost_currency": currency}
