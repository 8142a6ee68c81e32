"""Lost connections, dead locks, a store that is away: nothing is half done, nothing twice, nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from credits import bounds
from credits.db import Connection, Database
from credits.errors import Busy, InsufficientCredits, Unavailable
from credits.posting import writer as writer_module
from credits.posting.configuration import Configuration
from credits.posting.outcomes import Burned, EventOutcome, EventTaken
from credits.posting.writer import Writer
from credits.usage.envelope import from_attributes
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till

SERVED_S = 2.0


def burned(answers: list[Any]) -> list[bool]:
    return [isinstance(answer, Burned) for answer in answers]


@dataclass
class Cut:
    """Cuts the writer's connection at its next COMMIT: really, by ending the backend behind it."""

    admin: asyncpg.Connection
    armed: str = ""
    cuts: int = 0

    async def end(self, connection: asyncpg.Connection) -> None:
        self.armed = ""
        self.cuts += 1
        pid = connection.get_server_pid()
        await self.admin.execute("SELECT pg_terminate_backend($1)", pid)
        while await self.admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
            await asyncio.sleep(0)


@pytest.fixture
async def cut(owner_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cut]:
    admin = await asyncpg.connect(owner_url)
    cutting = Cut(admin)
    execute: Callable[..., Awaitable[str]] = asyncpg.Connection.execute

    async def cut_at_commit(self: asyncpg.Connection, query: str, *arguments: Any, **options: Any) -> str:
        if not query.endswith("COMMIT") or not cutting.armed:
            return await execute(self, query, *arguments, **options)
        if cutting.armed == "before":
            await cutting.end(self)
            return await execute(self, query)
        await execute(self, query)
        await cutting.end(self)
        return await execute(self, "SELECT 'the answer to COMMIT is lost'")

    monkeypatch.setattr(Connection, "execute", cut_at_commit)
    yield cutting
    await admin.close()


@pytest.mark.parametrize(("when", "happened"), [("before", False), ("after", True)])
async def test_a_connection_lost_at_commit_is_unknown_and_the_key_finds_out(
    till: Till, cut: Cut, when: str, happened: bool
):
    await till.must(till.grant("100"))
    commands = [till.burn("1") for _ in range(5)]
    before = await till.state()
    cut.armed = when
    answers = await asyncio.gather(*(till.post(command) for command in commands), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 5
    assert cut.cuts == 1
    assert (await till.state() == before) is not happened
    again = await till.many(*commands)
    assert [answer.replayed for answer in again if isinstance(answer, Burned)] == [happened] * 5
    assert await till.available() == 95
    await till.check()


async def test_events_whose_commit_is_unknown_burn_once(till: Till, cut: Cut):
    events = [from_attributes(str(n), "tests", "chat", "acme", None, {"tokens": 2}) for n in range(5)]
    for when, outcome in (("before", EventOutcome.BURNED), ("after", EventOutcome.DUPLICATE)):
        cut.armed = when
        with pytest.raises(Unavailable):
            await till.many(*events)
        answers = await till.many(*events)
        assert {answer.outcome for answer in answers if isinstance(answer, EventTaken)} == {outcome}
        if when == "before":
            assert await till.available() == -5
            events = [from_attributes(f"b{n}", "tests", "chat", "acme", None, {"tokens": 2}) for n in range(5)]
    assert await till.available() == -10
    await till.check()


async def test_a_deadlock_that_the_writer_loses_is_tried_again_and_happens_once(till: Till):
    """Somebody else locks in another order. The writer is made to notice first, so it is the one to give way."""
    await till.many(till.grant("100"), till.grant("100", customer="other"))
    low, high = sorted([await till.customer("acme"), await till.customer("other")], key=lambda customer: customer.id)
    enemy = await till.as_owner()
    await enemy.execute("SET deadlock_timeout = '60s'")
    await enemy.execute("BEGIN")
    await enemy.execute("SELECT FROM customers WHERE id = $1 FOR UPDATE", high.id)
    own = await Database.connect(till.owner_url, size=1)
    writer = Writer(own, Configuration(timedelta(days=7)), publish=lambda *_: None)
    commands = [till.burn("1", customer=customer.key) for customer in (low, high)]
    asking = asyncio.create_task(till.many(*commands, writer=writer))
    monitor = await till.as_owner()
    while not await monitor.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
        await asyncio.sleep(0.005)
    await enemy.execute("SELECT FROM customers WHERE id = $1 FOR UPDATE", low.id)  # waits until the writer gives way
    await enemy.execute("COMMIT")
    assert [type(answer) for answer in await asking] == [Burned, Burned]
    assert (await till.available("acme"), await till.available("other")) == (99, 99)
    await till.check()
    await monitor.close()
    await enemy.close()
    await writer.close()
    await own.close()


@asynccontextmanager
async def kept_locked(till: Till, key: str) -> AsyncIterator[None]:
    """Somebody outside of Scrip keeps the customer's row locked."""
    enemy = await till.as_owner()
    try:
        await enemy.execute("BEGIN")
        await enemy.fetch(
            "SELECT FROM customers WHERE workspace_id = $1 AND key = $2 FOR UPDATE", till.workspace_id, key
        )
        yield
        await enemy.execute("ROLLBACK")
    finally:
        await enemy.close()


async def test_a_lock_that_somebody_keeps_is_unavailable_within_two_seconds_and_stops_nobody_else(
    till: Till, database: Database
):
    """C14. Who asks for the locked customer waits by itself; others of the same batch, and of later ones, are served."""
    await till.many(till.grant("100"), till.grant("100", customer="other"))
    neighbour = await ensure_workspace(database, f"elsewhere-{uuid4()}", test_mode=True, now=datetime.now(UTC))
    loop = asyncio.get_running_loop()
    async with kept_locked(till, "acme"), open_till(database, till.owner_url, neighbour) as elsewhere:
        began = loop.time()
        stuck = [asyncio.create_task(till.post(till.burn("1"))) for _ in range(3)]
        others = [asyncio.create_task(till.post(till.burn("1", customer="other"))) for _ in range(3)]
        assert burned(await asyncio.gather(*others)) == [True] * 3
        late = asyncio.create_task(till.post(till.burn("1")))
        for _ in range(5):
            assert isinstance(await till.post(till.burn("1", customer="other")), Burned)
        await elsewhere.must(elsewhere.grant("1"))
        assert not any(task.done() for task in stuck), "nobody was told yet: the others did not wait for the lock"
        answers = await asyncio.gather(*stuck, late, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable] * 4, "also whoever came later"
        assert loop.time() - began < SERVED_S
    answer = await till.post(till.burn("1"))
    assert isinstance(answer, Burned)
    assert not answer.replayed
    assert (await till.available("acme"), await till.available("other")) == (99, 92)
    await till.check()


async def test_a_lock_that_is_given_back_in_time_keeps_the_order_of_who_waited(till: Till):
    await till.must(till.grant("2"))
    async with kept_locked(till, "acme"):
        burns = [asyncio.create_task(till.post(till.burn("1"))) for _ in range(2)]
        while not till.writer._lanes[till.workspace_id].commands.aside:
            await asyncio.sleep(0.01)
        burns += [asyncio.create_task(till.post(till.burn("1"))) for _ in range(2)]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*burns)
    assert [type(answer) for answer in answers] == [Burned] * 2 + [InsufficientCredits] * 2
    await till.check()


# ─── after the commit ──────────────────────────────────────────────────────────────────────────────
async def test_what_goes_wrong_after_the_commit_does_not_send_the_batch_through_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
):
    await till.must(till.grant("100"))
    used = till.burn("1")
    await till.must(used)
    events = [from_attributes(str(n), "tests", "chat", "acme", None, {"tokens": 2}) for n in range(3)]

    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(writer_module, "read_firsts", broken)
    answers = await asyncio.gather(
        *(till.post(command) for command in [till.burn("1"), used, *events]), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Burned, ZeroDivisionError, *[EventTaken] * 3]
    assert [answer.outcome for answer in answers[2:] if isinstance(answer, EventTaken)] == [EventOutcome.BURNED] * 3
    assert isinstance(answers[0], Burned)
    assert not answers[0].replayed
    monkeypatch.undo()
    assert (await till.must(used)).replayed
    assert await till.available() == 95
    await till.check()


async def test_a_store_that_goes_away_after_the_commit_leaves_only_the_repeats_in_doubt(
    till: Till, monkeypatch: pytest.MonkeyPatch
):
    await till.must(till.grant("100"))
    used = till.burn("1")
    await till.must(used)

    async def gone(*_: Any) -> Any:
        raise ConnectionResetError("the network has gone")

    monkeypatch.setattr(writer_module, "read_firsts", gone)
    answers = await asyncio.gather(till.post(till.burn("1")), till.post(used), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Burned, Unavailable]


# ─── the queue ─────────────────────────────────────────────────────────────────────────────────────
async def test_a_writer_that_closes_finishes_what_waits_and_takes_no_more(till: Till):
    await till.must(till.grant("100"))
    writer = await till.another_process()
    asked = [asyncio.create_task(till.post(till.burn("1"), writer)) for _ in range(50)]
    await asyncio.sleep(0)
    await writer.close()
    assert [type(answer) for answer in await asyncio.gather(*asked)] == [Burned] * 50
    with pytest.raises(Unavailable, match="shutting down"):
        await till.post(till.burn("1"), writer)
    assert await till.available() == 50


async def test_below_the_floor_of_free_space_nothing_is_written(till: Till, database: Database):
    low = True
    writer = Writer(database, till.configuration, publish=lambda *_: None, refuse_writes=lambda: low)
    with pytest.raises(Unavailable, match="disk"):
        await till.post(till.grant("1"), writer)
    low = False
    await till.post(till.grant("1"), writer)
    assert await till.available() == 1
    await writer.close()


async def test_beyond_the_bound_of_the_queue_callers_are_told_to_come_back(till: Till, monkeypatch: pytest.MonkeyPatch):
    await till.must(till.grant("100"))
    monkeypatch.setattr(bounds, "QUEUE_COMMANDS_MAX", 10)
    asked = [asyncio.create_task(till.post(till.burn("1"))) for _ in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, Busy)]
    assert 0 < len(busy) < 20
    assert await till.available() == 100 - (20 - len(busy)), "who was told so has changed nothing"
    assert isinstance(await till.post(till.burn("1")), Burned)


async def test_events_behind_commands_are_not_starved_and_commands_before_events_do_not_wait(till: Till):
    await till.must(till.grant("10000"))
    order: list[str] = []

    async def ask(name: str, command: Any) -> None:
        await till.post(command)
        order.append(name)

    events = [from_attributes(str(n), "tests", "chat", "acme", None, {"tokens": 2}) for n in range(3_000)]
    async with asyncio.TaskGroup() as group:
        for event in events:
            group.create_task(ask("event", event))
        await asyncio.sleep(0)
        group.create_task(ask("burn", till.burn("1")))
    assert order.index("burn") <= 2 * bounds.BATCH_EVENTS_MAX, "a burn waits for one batch of a backfill, or two"
    await till.check()


# ─── two processes ─────────────────────────────────────────────────────────────────────────────────
async def test_two_processes_spend_exactly_what_is_there_in_any_order_of_customers(till: Till):
    await till.many(till.grant("100"), till.grant("100", customer="other"))
    writers = [till.writer, await till.another_process(), await till.another_process()]
    asked = []
    for number in range(180):
        first, second = ("acme", "other") if number % 2 else ("other", "acme")
        commands = [till.burn("1", customer=first), till.hold("1", customer=second, ttl="PT1H")]
        asked.append(till.many(*commands, writer=writers[number % 3]))
    async with asyncio.timeout(60):
        answers = [answer for pair in await asyncio.gather(*asked) for answer in pair]
    done = [answer for answer in answers if not hasattr(answer, "code")]
    assert len(done) == 200
    assert (await till.available("acme"), await till.available("other")) == (0, 0)
    await till.check()


async def test_one_key_from_three_processes_at_once_has_one_effect(till: Till):
    await till.must(till.grant("100"))
    writers = [till.writer, await till.another_process(), await till.another_process()]
    command = till.burn("7")
    answers = await asyncio.gather(*(till.post(command, writer) for writer in writers * 11))
    assert {answer.entry.sequence for answer in answers if isinstance(answer, Burned)} == {2}
    assert sum(not answer.replayed for answer in answers if isinstance(answer, Burned)) == 1
    assert await till.available() == 93


async def test_one_event_under_two_customers_in_two_processes_burns_for_one_of_them(till: Till):
    """The customers' locks do not keep these apart: the event's own row does."""
    second = await till.another_process()
    for number in range(6):
        events = [from_attributes(f"{number}", "tests", "chat", who, None, {"tokens": 2}) for who in ("acme", "other")]
        padding = [from_attributes(f"{number}.{n}", "tests", "chat", "other", None, {"tokens": 2}) for n in range(5)]
        answers = await asyncio.gather(till.many(events[0]), till.many(*padding, events[1], writer=second))
        outcomes = [answer.outcome for batch in answers for answer in batch if isinstance(answer, EventTaken)]
        assert sorted(outcomes) == [EventOutcome.BURNED] * 6 + [EventOutcome.INVALID], "the second one contradicts"
    assert await till.available("acme") + await till.available("other") == -36
    await till.check()


async def test_an_account_that_two_processes_open_at_once_is_one(till: Till):
    second = await till.another_process()
    answers = await asyncio.gather(
        *(
            till.post(till.grant("1", credit_type="oldest"), writer)
            for writer in (till.writer, second)
            for _ in range(8)
        )
    )
    assert len({answer.grant.number for answer in answers}) == 16  # type: ignore[union-attr]
    assert await till.available(credit_type="oldest") == 16
    await till.check()
