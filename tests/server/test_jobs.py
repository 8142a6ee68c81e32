"""What happens by itself: the sweep of every workspace, also beside one that cannot be swept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from credits.db import Database
from credits.usage import rollups
from credits.workspaces import ensure_workspace
from server import jobs
from server.jobs import rolling_up, sweeping, telling_revenue
from tests.credits.posting.limiting import limit
from tests.credits.posting.till import Till, open_till
from tests.credits.revenue.asking import sell

HOUR = timedelta(hours=1)


@pytest.fixture
async def tills(database_url: str) -> AsyncIterator[list[Till]]:
    """Three workspaces of a database of their own."""
    database = await Database.connect(database_url)
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(3):
            name = await ensure_workspace(database, f"swept-{uuid4()}", test_mode=True, now=datetime.now(UTC))
            opened.append(await stack.enter_async_context(open_till(database, database_url, name)))
        yield opened
    await database.close()


async def until_booked(till: Till, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not await till.rows("SELECT sequence FROM entries WHERE kind = 7"):
            await asyncio.sleep(0.05)


async def test_a_workspace_that_cannot_be_swept_keeps_no_other_from_its_own(tills: list[Till]):
    broken = tills[0]
    for till in tills:
        await till.must(till.grant("5", expires_at=await till.now() + HOUR))
        await till.jump(2 * HOUR)
    owner = await asyncpg.connect(broken.owner_url)
    await owner.execute("UPDATE accounts SET credit_type_id = 0 WHERE workspace_id = $1", broken.workspace_id)
    async with sweeping(broken.database, broken.reader, broken.writer):
        for till in tills[1:]:
            await until_booked(till)
        kinds = await owner.fetchval("SELECT min(id) FROM credit_types WHERE workspace_id = $1", broken.workspace_id)
        await owner.execute(
            "UPDATE accounts SET credit_type_id = $1 WHERE workspace_id = $2", kinds, broken.workspace_id
        )
        await until_booked(broken)
    await owner.close()
    for till in tills:
        await till.check()


async def test_a_sweep_outlives_a_database_that_goes_away(tills: list[Till]):
    till = tills[0]
    owner = await asyncpg.connect(till.owner_url)
    async with sweeping(till.database, till.reader, till.writer):
        for number in range(3):
            await till.must(till.grant("5", expires_at=await till.now() + HOUR))
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await owner.execute("UPDATE workspaces SET clock_offset_us = clock_offset_us + 7200000000")
            async with asyncio.timeout(30):
                while await owner.fetchval("SELECT count(*) FROM entries WHERE kind = 7") <= number:
                    await asyncio.sleep(0.05)
    await owner.close()
    await till.check()


async def test_usage_is_rolled_up_and_old_windows_forgotten_in_the_background_but_not_on_a_full_disk(
    tills: list[Till], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "_ROLL_UP_EVERY_S", 0.02)
    for till in tills:
        await till.must(till.grant("10000"))
        await limit(till, "10000", "HOUR")
        await till.many(*(till.burn("1") for _ in range(rollups.BEHIND)))
        await till.jump(100 * 24 * HOUR)
    async with rolling_up(tills[0].database, refuse_writes=lambda: True):
        await asyncio.sleep(0.3)
    assert [await till.rows("SELECT * FROM usage_rollups") for till in tills] == [[], [], []]
    async with asyncio.timeout(20), rolling_up(tills[0].database, refuse_writes=lambda: False):
        for till in tills:
            while not await till.rows("SELECT * FROM usage_rollups") or await till.rows("SELECT * FROM limit_windows"):
                await asyncio.sleep(0.05)


async def test_revenue_is_told_in_the_background_also_beside_what_cannot_be_but_not_on_a_full_disk(
    tills: list[Till], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "_ROLL_UP_EVERY_S", 0.02)
    for till in tills:
        await sell(till, "10", 1000)
        await till.must(till.burn("1"))
    broken = await asyncpg.connect(tills[0].owner_url)
    await broken.execute("SET session_replication_role = replica")
    await broken.execute(
        "UPDATE money_movements SET kind = 'REFUND', sequence = 2 WHERE workspace_id = $1", tills[0].workspace_id
    )
    await broken.execute("UPDATE grants SET number = 7 WHERE workspace_id = $1", tills[0].workspace_id)
    async with telling_revenue(tills[0].database, refuse_writes=lambda: True):
        await asyncio.sleep(0.3)
    assert [await till.rows("SELECT * FROM revenue_lines") for till in tills] == [[], [], []]
    async with asyncio.timeout(20), telling_revenue(tills[0].database, refuse_writes=lambda: False):
        for till in tills[1:]:
            while len(await till.rows("SELECT * FROM revenue_lines")) < 2:
                await asyncio.sleep(0.05)
    assert await tills[0].rows("SELECT * FROM revenue_lines") == []
    await broken.close()


async def test_a_job_that_loses_a_cancellation_ends_all_the_same():
    """A ROLLBACK that fails while a job is cancelled makes another error of it, which a loop takes for one of its own."""
    lost: list[str] = []

    async def job() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lost.append("once")
        await asyncio.sleep(60)

    async with asyncio.timeout(10), jobs.for_ever(job(), "job"):
        await asyncio.sleep(0)
    assert lost == ["once"]
