"""What a till can do with spend limits and members."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.customers.customers import find_customer, lock_customer, upsert_customer
from credits.customers.members import upsert_member
from credits.db import bare
from credits.enforcement.counting import count_window
from credits.enforcement.limits import Limits
from credits.enforcement.spend_limits import open_limits, recount, remove_limit, set_limit
from credits.enforcement.values import Metered, SpendLimit
from credits.posting.commands import Spend
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import Till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def limit(till: Till, amount: str, interval: str = "DAY", customer: str = "acme", **scope: Any) -> SpendLimit:
    async with till.reader.changing(till.workspace_id) as page:
        found = await find_customer(page.connection, customer)
        assert found is not None
        made = await set_limit(
            page.connection,
            till.workspace_id,
            found,
            page.catalog,
            **{
                "credit_type": "ai",
                "amount": Decimal(amount),
                "interval": interval,
                "now": page.workspace.now,
                **scope,
            },
        )
    assert isinstance(made, SpendLimit), made
    return made


async def unlimit(till: Till, limit_id: str) -> Any:
    async with till.reader.changing(till.workspace_id) as page:
        return await remove_limit(page.connection, page.catalog, limit_id)


async def member(till: Till, key: str, **changes: Any) -> None:
    async with till.reader.changing(till.workspace_id) as page:
        found = await find_customer(page.connection, "acme")
        assert found is not None
        locked = await lock_customer(page.connection, found.id)
        assert locked is not None
        now = page.workspace.now
        await upsert_member(page.connection, locked.id, key, changes, workspace_id=till.workspace_id, now=now)
        await recount(page.connection, locked, now)


async def live_in(till: Till, timezone: str) -> None:
    async with till.reader.changing(till.workspace_id) as page:
        made = await upsert_customer(
            page.connection, till.workspace_id, "acme", {"timezone": timezone}, page.workspace.now
        )
        assert isinstance(made, tuple)
        await recount(page.connection, made[0], page.workspace.now)


async def metered(till: Till, customer: str = "acme") -> list[Metered]:
    found = await till.customer(customer)
    async with till.reader.page(till.workspace_id) as page:
        return await page.limits(found)


async def used(till: Till) -> list[Decimal]:
    return [Decimal(each.used_micro).scaleb(-6) for each in await metered(till)]


def spend(amount: str, who: str | None = None, feature: str | None = None) -> Spend:
    if feature is None:
        return Spend(credit_type="ai", amount=Decimal(amount), member=who)
    return Spend(feature=feature, quantity=2 * Decimal(amount), member=who)  # half a credit a token


async def burn(till: Till, amount: str, who: str | None = None, **more: Any) -> Any:
    return await till.post(till.burn(spend=spend(amount, who), **more))


async def event(till: Till, name: str, tokens: int, time: datetime | None = None, who: str | None = None) -> None:
    data: dict[str, Any] = {"tokens": tokens, **({"member": who} if who else {})}
    await till.must(from_attributes(name, "tests", "chat", "acme", time, data))


@pytest.fixture
async def rich(till: Till) -> Till:
    """At ten in the morning on a Wednesday in the middle of a month, with more credits than limits let through."""
    now = await till.now()
    morning = (now + 40 * DAY).replace(day=14, hour=10, minute=0, second=0)
    morning += ((2 - morning.weekday()) % 7) * DAY
    await till.jump(morning - now)
    await till.must(till.grant("1000000"))
    return till


async def check_windows(till: Till) -> None:
    """Every window that is written down is what the entries say, once everything due is booked."""
    await till.sweep()
    found = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        limits: Limits = await open_limits(page.connection, found, page.workspace.now)
        by_number = {each.number: each for each in limits.all}
        driver = await bare(page.connection)
        rows = await driver.fetch("SELECT number, starts_at, used FROM limit_windows WHERE customer_id = $1", found.id)
        for row in rows:
            each = by_number[row["number"]]
            within = limits.window(each, row["starts_at"])
            assert within.start == row["starts_at"]
            assert await count_window(driver, each, limits.members_of(each), within) == row["used"], each
