"""Killed in the middle of what runs beside the requests: roll-ups of usage, checkpoints, and dead letters tried again.

The server is stopped at a row that it is about to write, killed there (SIGKILL), and started again: what it had begun is
not there, or is there as a whole, and is made once.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.harness.client import Client, Json
from tests.harness.pause import paused
from tests.harness.server import Server
from tests.harness.wire import Lost
from tests.harness.world import build_world, give
from tests.model.rating import micro

# As `scrip serve`, but that it rolls up more often than a test would wait for.
_HURRIED = "import server.jobs as jobs; jobs._ROLL_UP_EVERY_S = 0.3; from server.cli import main; main()"
EVENTS = 700  # one look rolls up accounts that are 500 entries behind
TOKENS = 100
PRICE = TOKENS * 1_000  # micro-credits that each of them burns
WITHIN_S = 60.0

RETRY = "mutation($ids: [ID!]!) { retryDeadLetters(ids: $ids) { accepted duplicates rejected { outcome message } } }"
LETTERS = "query { deadLetters(first: 500) { edges { node { id outcome } } } }"


@pytest.fixture
async def hurried(scratch: Path, database_url: str) -> AsyncIterator[Server]:
    """A server on a database of this test's own, which the tests can reach besides; running."""
    program = (sys.executable, "-c", _HURRIED, "serve")
    own = Server(scratch / "data", database_url=database_url, program=program, checkpoint_every="PT1S")
    await own.start()
    yield own
    await own.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def events(subject: str, count: int) -> list[Json]:
    data = {"input_tokens": TOKENS, "output_tokens": 0}
    fields = {"specversion": "1.0", "source": "kills", "type": "llm.tokens", "subject": subject, "data": data}
    return [{**fields, "id": str(uuid4())} for _ in range(count)]


async def send(client: Client, sent: list[Json]) -> None:
    response = await client.send_events(sent)
    assert response.status == 202, response


async def until(holds: Callable[[], Coroutine[Any, Any, bool]], what: str) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while not await holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {WITHIN_S} s") from None


async def check_book(server: Server) -> None:
    """Chains, checkpoints, and all that is kept beside the entries, roll-ups among it."""
    for command in (("audit", "verify"), ("reconcile",)):
        done = await server.command(*command)
        assert done.returncode == 0, done


# ─── roll-ups ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("when", "table"),
    [("BEFORE INSERT", "usage_rollups"), ("BEFORE UPDATE", "usage_watermarks")],
    ids=["before the first roll-up", "between roll-ups and watermark"],
)
async def test_a_kill_during_the_roll_up_of_usage_counts_nothing_twice(
    hurried: Server, database_url: str, owner: asyncpg.Connection, when: str, table: str
):
    secret = await hurried.create_key("rolled", "ADMIN")
    async with Client(hurried.url, secret) as client:
        await build_world(client, ["meter"])
        await give(client, "meter", "1000", "g")
    for number in (1, 2):  # into an empty table, then onto what is there
        async with paused(database_url, when, table) as pause:
            async with Client(hurried.url, secret) as client:
                await send(client, events("meter", EVENTS))
            await pause.until_met()
            await hurried.kill()
            rolled = await owner.fetchval("SELECT coalesce(sum(amount), 0)::bigint FROM usage_rollups")
            assert rolled == (number - 1) * EVENTS * PRICE, "what was begun is seen already"
        await hurried.start()

        async def all_rolled_up() -> bool:
            behind = "SELECT bool_and(sequence = a.sequence) FROM accounts a LEFT JOIN usage_watermarks w USING (customer_id)"
            return bool(await owner.fetchval(behind.replace("(sequence", "(w.sequence")))

        await until(all_rolled_up, "roll-ups up to the last entry")
        totals = await owner.fetchrow(
            "SELECT sum(amount)::bigint AS amount, sum(burns)::bigint AS burns, sum(events)::bigint AS events FROM usage_rollups"
        )
        assert tuple(totals) == (number * EVENTS * PRICE, number * EVENTS, number * EVENTS)
    await check_book(hurried)


# ─── checkpoints ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.timeout(240)
@pytest.mark.parametrize("table", ["checkpoints", "checkpoint_heads"])
async def test_a_kill_while_a_checkpoint_is_made_leaves_none_or_a_whole_one(
    hurried: Server, database_url: str, owner: asyncpg.Connection, table: str
):
    secret = await hurried.create_key("sealed", "ADMIN")
    for number in (1, 2):
        async with paused(database_url, "BEFORE INSERT", table) as pause:
            async with Client(hurried.url, secret) as client:
                await build_world(client, [f"c{number}"])
                await give(client, f"c{number}", "10", "g")
            await pause.until_met()
            await hurried.kill()
            assert await owner.fetchval("SELECT count(*) FROM checkpoints") == number - 1
        assert await owner.fetchval("SELECT count(*) FROM checkpoints") == number - 1, "half of it was kept"
        await hurried.start()

        async def made(wanted: int = number) -> bool:
            return int(await owner.fetchval("SELECT count(*) FROM checkpoints")) >= wanted

        await until(made, "a checkpoint")
    checkpoints = await owner.fetch("SELECT number, accounts, entries FROM checkpoints ORDER BY number")
    assert [tuple(row) for row in checkpoints] == [(1, 1, 1), (2, 2, 2)]
    heads = await owner.fetch("SELECT number, sequence FROM checkpoint_heads ORDER BY number")
    assert [tuple(row) for row in heads] == [(1, 1), (2, 1)]
    await check_book(hurried)


# ─── dead letters ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "where",
    [None, "BEFORE UPDATE usage_events", "BEFORE INSERT entries", "BEFORE UPDATE accounts", "BEFORE INSERT audit_log"],
)
async def test_a_kill_while_dead_letters_are_tried_again_burns_each_of_them_once(
    hurried: Server, database_url: str, owner: asyncpg.Connection, where: str | None
):
    secret = await hurried.create_key("letters", "ADMIN")
    async with Client(hurried.url, secret) as client:
        await build_world(client, [])
        await send(client, events("late-comer", 40))
        await client.must("upsertCustomer", key="late-comer")
        await give(client, "late-comer", "100", "g")
        found = await client.ask(LETTERS)
        ids = [edge["node"]["id"] for edge in found["deadLetters"]["edges"]]
        assert len(ids) == 40
        asking: asyncio.Task[Json]
        if where is None:  # the letters are locked by us: it waits where it has only looked
            async with owner.transaction():
                await owner.execute("SELECT FROM usage_events FOR UPDATE")
                asking = asyncio.create_task(client.ask(RETRY, ids=ids))
                await until(lambda: _waits(owner), "a retry that waits")
                await hurried.kill()
        else:
            when, _, table = where.rpartition(" ")
            async with paused(database_url, when, table) as pause:
                asking = asyncio.create_task(client.ask(RETRY, ids=ids))
                await pause.until_met()
                await hurried.kill()
        with pytest.raises(Lost):
            await asking
    await hurried.start()
    async with Client(hurried.url, secret) as client:
        burned = micro((await client.balance("late-comer"))["burned"])
        assert burned in (0, 40 * PRICE), "all of it or nothing: what was sent with its COMMIT, PostgreSQL does alone"
        kept = burned > 0
        again = (await client.ask(RETRY, ids=ids))["retryDeadLetters"]
        assert again == {"accepted": 0 if kept else 40, "duplicates": 40 if kept else 0, "rejected": []}
        once_more = (await client.ask(RETRY, ids=ids))["retryDeadLetters"]
        assert once_more == {"accepted": 0, "duplicates": 40, "rejected": []}
        assert micro((await client.balance("late-comer"))["burned"]) == 40 * PRICE
        assert (await client.ask(LETTERS))["deadLetters"]["edges"] == []
    assert await owner.fetchval("SELECT count(*) FROM entries WHERE kind = 2") == 40
    acts = await owner.fetchval("SELECT count(*) FROM audit_log WHERE action = 'deadLetter.retried'")
    assert acts == 40
    await check_book(hurried)


async def _waits(owner: asyncpg.Connection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await owner.fetchval(query))
