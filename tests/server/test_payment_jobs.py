"""The reconciler: whoever is due is looked at, and nobody keeps anybody from it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits.db import Database
from credits.errors import Unavailable
from credits.recharge.provider import ProviderRefused, ProviderUnavailable
from credits.workspaces import Workspace, ensure_workspace
from server.payment_jobs import AT_ONCE, Reconciler
from server.payments import providers

NOW = datetime.now(UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url)
    yield opened
    await opened.close()


class Till:
    """A cashier with so many looks due in each workspace; `fails` says at which it fails."""

    def __init__(self, due: int, fails: dict[int, Exception] | None = None) -> None:
        self.waiting = due
        self.due_in: dict[int, list[int]] = {}
        self.fails = fails or {}
        self.looked: list[tuple[int, int]] = []
        self.asked = 0
        self.answers = asyncio.Event()  # until then nobody is answered
        self.answers.set()

    async def due(self, workspace_id: int, real_now: datetime, first: int) -> list[Any]:
        left = self.due_in.setdefault(workspace_id, list(range(self.waiting)))
        taken, left[:] = left[:first], left[first:]
        return [(1, number) for number in taken]

    async def look(self, workspace_id: int, place: Any) -> Any:
        self.asked += 1
        await self.answers.wait()
        if place[1] in self.fails:
            raise self.fails[place[1]]
        self.looked.append((workspace_id, place[1]))


def reconciler(database: Database, till: Till) -> Reconciler:
    return Reconciler(
        database, till, None, every=timedelta(seconds=20), real_now=lambda: NOW, turn=asyncio.Semaphore(AT_ONCE)
    )  # type: ignore[arg-type]


async def test_all_that_is_due_is_looked_at_in_every_workspace(database):
    shops = [(await ensure_workspace(database, name, test_mode=True, now=NOW)).id for name in ("a", "b")]
    till = Till(120)
    await reconciler(database, till).looks()
    assert sorted(till.looked) == [(shop, number) for shop in shops for number in range(120)]


@pytest.mark.parametrize("error", [ProviderUnavailable("no"), ProviderRefused("no"), ZeroDivisionError()])
async def test_one_that_fails_keeps_no_other_from_its_own(database, error):
    await ensure_workspace(database, "a", test_mode=True, now=NOW)
    till = Till(20, {7: error})
    await reconciler(database, till).looks()
    assert [number for _, number in sorted(till.looked)] == [*range(7), *range(8, 20)]


async def test_a_provider_that_is_down_is_not_asked_about_everybody(database):
    await ensure_workspace(database, "a", test_mode=True, now=NOW)
    till = Till(200, {number: ProviderUnavailable("down") for number in range(200)})
    await reconciler(database, till).looks()
    assert till.asked <= 10


async def test_a_store_that_is_down_ends_the_round(database):
    await ensure_workspace(database, "a", test_mode=True, now=NOW)
    with pytest.raises(Unavailable):
        await reconciler(database, Till(1, {0: Unavailable("down")})).looks()


class List:
    def __init__(self) -> None:
        self.was_read = asyncio.Event()

    async def read(self) -> int:
        self.was_read.set()
        return 0


async def test_looks_that_last_keep_nobody_from_the_providers_list_and_claim_few(database):
    await ensure_workspace(database, "a", test_mode=True, now=NOW)
    till, events = Till(200), List()
    till.answers.clear()
    asking = Reconciler(
        database, till, events, every=timedelta(milliseconds=50), real_now=lambda: NOW, turn=asyncio.Semaphore(AT_ONCE)
    )  # type: ignore[arg-type]
    running = asyncio.create_task(asking.run())
    try:
        async with asyncio.timeout(10):
            while till.asked < AT_ONCE:
                await asyncio.sleep(0.01)
            for _ in range(5):
                events.was_read.clear()
                await events.was_read.wait()
        assert till.asked == AT_ONCE
        claimed = [200 - len(left) for left in till.due_in.values()]
        assert max(claimed) <= 2 * AT_ONCE  # who dies now leaves so many waiting for their claims to lapse
        till.answers.set()
        async with asyncio.timeout(10):
            while len(till.looked) < 200:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()


class Taker:
    def __init__(self, *, live: bool) -> None:
        self.live = live


LIVE, TEST, SANDBOX = Taker(live=True), Taker(live=False), Taker(live=False)
TAKERS = [
    (None, True, SANDBOX),
    (None, False, None),
    (LIVE, True, SANDBOX),
    (LIVE, False, LIVE),
    (TEST, True, TEST),
    (TEST, False, TEST),
]


@pytest.mark.parametrize(("stripe", "test_mode", "taker"), TAKERS)
def test_no_live_workspace_is_paid_with_play_money_of_the_sandbox(stripe, test_mode, taker):
    day = timedelta(days=1)
    workspace = Workspace(1, "a", test_mode, timedelta(0), day, 0, 0, NOW)
    assert providers(stripe, SANDBOX)(workspace) is taker  # type: ignore[arg-type]
