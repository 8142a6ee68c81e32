"""Asking a till for usage, rolling it up, and giving some of it back."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.db import Database
from credits.posting.corrections import EntryId
from credits.usage import rollups
from credits.usage.envelope import from_attributes
from credits.usage.series import UsageSeries, read_series
from credits.workspaces import WorkspaceName
from tests.credits.posting.till import Till, open_till

HOUR, DAY, QUARTER = timedelta(hours=1), timedelta(days=1), timedelta(minutes=15)
MEMBERS = (None, "ann", "bob")
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Africa/Monrovia")
GROUPS = ("NONE", "FEATURE", "MEMBER", "SOURCE")


@pytest.fixture
async def till(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Till]:
    async with open_till(database, owner_url, workspace) as opened:
        yield opened


async def series(till: Till, since: datetime, until: datetime, customer: str = "acme", **asked: Any) -> UsageSeries:
    found = await till.customer(customer)
    more = {"interval": "DAY", "group_by": "NONE", "timezone": None, **asked}
    async with till.reader.page(till.workspace_id) as page:
        kind = page.catalog.credit_type_by_key("ai")
        assert kind is not None
        return await read_series(page.connection, till.workspace_id, found, kind.id, since=since, until=until, **more)


async def place(till: Till, customer: str = "acme") -> tuple[int, int]:
    (row,) = await till.rows("SELECT id FROM credit_types WHERE key = 'ai'")
    return (await till.customer(customer)).id, row["id"]


async def differences(till: Till) -> list[rollups.RollupDifference]:
    async with till.database.snapshot(till.workspace_id) as connection:
        return await rollups.compare_rollups(connection, till.workspace_id, *await place(till))


async def roll_up(till: Till, **more: Any) -> int:
    return await rollups.roll_up(till.database, till.workspace_id, **{"behind": 1, **more})


async def send(till: Till, name: str, kind: str = "chat", time: datetime | None = None, **data: Any) -> None:
    source = data.pop("source", "tests")
    await till.must(from_attributes(name, source, kind, "acme", time, data))


async def reverse(till: Till, sequence: int, amount: Decimal) -> None:
    await till.must(till.reverse_by_place(EntryId(*(await place(till)), sequence), str(amount)))
