"""The job that asks rules: after a commit, by a sweep, beside what breaks, and until it is told to end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from credits.db import Database
from credits.errors import Unavailable
from credits.recharge.recharger import Recharger, Ruled
from credits.workspaces import WorkspaceName, ensure_workspace
from server.jobs import for_ever
from server.recharging import Recharging
from tests.credits.recharge.counter import open_counter
from tests.credits.recharge.ruling import MINUTE, Ruling, open_ruling

ACCOUNT = (1, 1)
OTHER = (2, 1)


@dataclass
class Rules:
    """In place of the recharger: which accounts are ruled and below, and what was asked of it, each as it says."""

    watched: set[tuple[int, int]] = field(default_factory=lambda: {ACCOUNT})
    under: set[tuple[int, int]] = field(default_factory=set)
    looks: list[Collection[tuple[int, int]] | None] = field(default_factory=list)
    fired: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    breaks: Callable[[str], None] = lambda _: None
    gate: asyncio.Event | None = None

    async def ruled(self, _workspace_id: int, known: Ruled) -> Ruled:
        self.breaks("ruled")
        known.accounts |= self.watched
        return known

    async def below(self, _workspace_id: int, _first: int, of: Any = None) -> list[tuple[int, int]]:
        self.looks.append(of)
        self.breaks("below")
        return [account for account in self.under if of is None or account in of]

    async def give_up_unconfirmed(self, _workspace_id: int, _first: int) -> None:
        self.breaks("give up")

    async def fire(self, workspace_id: int, account: tuple[int, int]) -> None:
        self.fired.append((workspace_id, account))
        self.breaks("fire")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            self.under.discard(account)
        finally:
            self.at_once -= 1


@pytest.fixture
async def named(database_url: str) -> AsyncIterator[tuple[Database, WorkspaceName]]:
    """A database of this test's own with one workspace."""
    database = await Database.connect(database_url)
    yield database, await ensure_workspace(database, f"ruled-{uuid4()}", test_mode=True, now=datetime.now(UTC))
    await database.close()


@asynccontextmanager
async def running(
    database: Database, rules: Any, *, every: float = 1_000, full: bool = False
) -> AsyncIterator[Recharging]:
    job = Recharging(database, rules, lambda: full, sweep_every_s=every)
    async with for_ever(job.run(), "recharge"):
        yield job


async def until(so: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not so():
            await asyncio.sleep(0.01)


async def test_what_no_rule_watches_is_not_looked_at(named: tuple[Database, WorkspaceName]):
    database, workspace = named
    rules = Rules()
    async with running(database, rules) as job:
        await until(lambda: rules.looks == [None])  # the first sweep
        job.note(workspace.id, *OTHER)
        job.note(workspace.id + 1, *ACCOUNT)
        await asyncio.sleep(0.2)
        assert rules.looks == [None]
        job.note(workspace.id, *ACCOUNT)
        await until(lambda: len(rules.looks) == 2)
        assert rules.looks[1] == [ACCOUNT]
        assert rules.fired == []  # it is not below


async def test_a_thousand_commits_of_a_busy_account_are_a_few_looks_and_no_attempt(
    named: tuple[Database, WorkspaceName],
):
    database, workspace = named
    rules = Rules()
    async with running(database, rules) as job:
        await until(lambda: rules.looks == [None])
        for _ in range(1_000):
            job.note(workspace.id, *ACCOUNT)
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        assert 2 <= len(rules.looks) < 20
        assert rules.fired == []


async def test_a_rule_that_was_set_here_is_asked_at_once(named: tuple[Database, WorkspaceName]):
    database, workspace = named
    rules = Rules(under={OTHER})
    async with running(database, rules) as job:
        await until(lambda: rules.fired == [(workspace.id, OTHER)])  # the sweep finds it, too
        rules.under.add(OTHER)
        job.watch(workspace.id, *OTHER)
        await until(lambda: rules.fired == [(workspace.id, OTHER)] * 2)


async def test_what_is_written_while_an_attempt_is_under_way_is_looked_at_after_it(
    named: tuple[Database, WorkspaceName],
):
    database, workspace = named
    rules = Rules(under={ACCOUNT}, gate=asyncio.Event())
    assert rules.gate is not None
    async with running(database, rules) as job:
        await until(lambda: rules.at_once == 1)
        for _ in range(5):
            job.note(workspace.id, *ACCOUNT)
            await asyncio.sleep(0.06)
        assert len(rules.fired) == 1  # one at a time
        looks = len(rules.looks)
        rules.gate.set()
        await until(lambda: len(rules.looks) > looks)


async def test_no_more_than_a_few_attempts_are_under_way_at_once(named: tuple[Database, WorkspaceName]):
    database, _ = named
    accounts = {(number, 1) for number in range(100)}
    rules = Rules(watched=accounts, under=set(accounts), gate=asyncio.Event())
    assert rules.gate is not None
    async with running(database, rules):
        await until(lambda: rules.at_once == 8)
        rules.gate.set()
        await until(lambda: len(rules.fired) == 100)
    assert rules.most == 8


@pytest.mark.parametrize("verb", ["ruled", "below", "fire", "give up"])
@pytest.mark.parametrize("error", [ZeroDivisionError("unexpected"), Unavailable("gone")], ids=["bug", "store"])
async def test_what_breaks_does_not_end_the_job(named: tuple[Database, WorkspaceName], verb: str, error: Exception):
    database, workspace = named
    left = [3]

    def breaks(asked: str) -> None:
        if asked == verb and left[0]:
            left[0] -= 1
            raise error

    rules = Rules(under={ACCOUNT}, breaks=breaks)
    async with running(database, rules, every=0.1):
        await until(lambda: not left[0] and ACCOUNT not in rules.under)
    assert rules.fired[-1] == (workspace.id, ACCOUNT)


async def test_a_workspace_that_breaks_keeps_no_other_from_its_own(named: tuple[Database, WorkspaceName]):
    database, first = named
    second = await ensure_workspace(database, f"ruled-{uuid4()}", test_mode=True, now=datetime.now(UTC))

    class Broken(Rules):
        async def ruled(self, workspace_id: int, known: Ruled) -> Ruled:
            if workspace_id == first.id:
                raise ZeroDivisionError
            return await super().ruled(workspace_id, known)

    rules = Broken(under={ACCOUNT})
    async with running(database, rules):
        await until(lambda: rules.fired == [(second.id, ACCOUNT)])


async def test_nothing_is_asked_while_the_disk_is_too_full(named: tuple[Database, WorkspaceName]):
    database, workspace = named
    rules = Rules(under={ACCOUNT})
    async with running(database, rules, every=0.05, full=True) as job:
        job.watch(workspace.id, *ACCOUNT)
        await asyncio.sleep(0.3)
        assert rules.fired == []


async def test_it_ends_soon_when_it_is_told_to_whatever_is_under_way(named: tuple[Database, WorkspaceName]):
    database, _ = named
    accounts = {(number, 1) for number in range(20)}
    rules = Rules(watched=accounts, under=set(accounts), gate=asyncio.Event())
    before = asyncio.all_tasks()
    async with running(database, rules):
        await until(lambda: rules.at_once == 8)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert rules.at_once == 0
    assert asyncio.all_tasks() == before


# ─── with the real rule ────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
async def ruling(named: tuple[Database, WorkspaceName], database_url: str) -> AsyncIterator[Ruling]:
    database, workspace = named
    async with open_counter(database, database_url, workspace) as counter, open_ruling(counter) as opened:
        yield opened


async def test_burns_of_a_busy_account_do_not_wait_for_its_rule(ruling: Ruling):
    """No attempt, so no lock but the burns' own: an account far above its threshold, or one whose rule rests."""
    fired: list[Any] = []

    class Seen(Recharger):
        async def fire(self, *of: Any) -> Any:
            fired.append(of)
            return await super().fire(*of)

    till = ruling.till
    await till.must(till.grant("1000"))
    await ruling.card("declining")
    await ruling.rule()
    account = await ruling.account()
    seen = Seen(till.reader, ruling.counter.cashier, lambda _: ruling.bank, lambda: ruling.counter.real[0])
    async with running(till.database, seen) as job:
        job.watch(till.workspace_id, *account)
        await asyncio.sleep(0.3)
        for _ in range(50):
            await ruling.spend("18")
            job.note(till.workspace_id, *account)
        assert fired == []
        await ruling.spend("1")  # 99 are left
        job.note(till.workspace_id, *account)
        await until(lambda: fired)
        async with asyncio.timeout(20):
            while not (await ruling.read()).failures:
                await asyncio.sleep(0.02)
        for _ in range(50):
            await ruling.spend("1")
            job.note(till.workspace_id, *account)
        await asyncio.sleep(0.3)
    assert len(fired) == 1  # it rests
    assert await ruling.statuses() == ["FAILED"]


async def test_two_jobs_that_see_the_same_account_make_one_attempt(ruling: Ruling):
    till = ruling.till
    await ruling.filled()
    there = (await ruling.process()).recharger
    await ruling.spend("60")
    async with running(till.database, ruling.recharger, every=0.2), running(till.database, there, every=0.2):
        async with asyncio.timeout(30):
            while await ruling.statuses() != ["SUCCEEDED"]:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
    assert await ruling.statuses() == ["SUCCEEDED"]
    assert len(ruling.bank.charges) == 1


async def test_only_what_was_set_since_is_read_again_and_what_is_switched_off_is_forgotten(ruling: Ruling):
    till, account = ruling.till, await ruling.account()
    await ruling.rule()
    known = await ruling.recharger.ruled(till.workspace_id, Ruled())
    assert known.accounts == {account}
    await till.advance(2 * MINUTE)
    await ruling.rule(customer="other")
    assert len((await ruling.recharger.ruled(till.workspace_id, known)).accounts) == 2
    known.accounts.discard(account)  # as if it had never been read
    await ruling.recharger.ruled(till.workspace_id, known)
    assert known.accounts == {await ruling.account("other")}
    await ruling.rule(customer="other", enabled=False)
    assert (await ruling.recharger.ruled(till.workspace_id, known)).accounts == set()
