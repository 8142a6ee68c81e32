"""Reconciliation: a sound book agrees with itself, and whatever is changed beside the entries is told, and only that."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from credits.db import Database
from credits.ledger.rows import flatten
from credits.posting.standings import Keeper
from credits.proof.reconcile import Reconciled, reconcile
from credits.proof.reports import claim, keep, read_last
from credits.usage.envelope import from_attributes
from credits.usage.rollups import roll_up
from credits.workspaces import ensure_workspace
from tests.credits.ledger.test_verify import fill
from tests.credits.posting.limiting import limit
from tests.credits.posting.till import Till, open_till


async def reconciled(till: Till) -> Reconciled:
    async def rest() -> None:
        pass

    return await reconcile(till.database, till.workspace_id, rest=rest, tell=lambda _: None)


async def checks(till: Till) -> dict[str, tuple[Decimal, Decimal]]:
    """What does not agree, without the ids in it: expected and actual."""
    found = await reconciled(till)
    assert found.found == len(found.mismatches)
    return {each.check.partition(" (")[0]: (each.expected, each.actual) for each in found.mismatches}


async def test_a_book_of_every_kind_of_entry_agrees_with_itself(till: Till):
    await fill(till)
    found = await reconciled(till)
    (count,) = await till.rows("SELECT count(*) AS n FROM entries")
    assert found.mismatches == []
    assert (found.accounts, found.entries, found.drift) == (3, count["n"], 0)
    assert (found.chains_broken, found.events_unaccounted, found.ok) == (0, 0, True)


async def test_overdraft_repaid_by_a_release_by_a_settlement_and_by_grants_agrees(till: Till):
    now = await till.now()
    await till.policy("SOFT")
    await till.must(till.grant("10", expires_at=now + timedelta(hours=1)))
    kept, closed = await till.open_hold("4"), await till.open_hold("9")
    await till.must(till.burn("20"))
    assert (await reconciled(till)).ok
    await till.must(till.settle(closed, "1"))
    assert (await reconciled(till)).ok
    await till.advance(timedelta(hours=2))  # the grant ends while a hold keeps some of it; the holds lapse
    assert (await reconciled(till)).ok
    await till.must(till.grant("5"))
    await till.must(till.grant("50", effective_at=await till.now() + timedelta(days=1)))
    assert kept is not None
    assert (await reconciled(till)).ok
    await till.advance(timedelta(days=2))
    assert (await reconciled(till)).ok


async def test_a_book_that_is_being_written_agrees_at_any_moment(till: Till):
    await till.must(till.grant("1000"))
    for _ in range(3):
        await till.many(*(till.burn("0.5") for _ in range(10)), till.hold("1"))
        assert (await reconciled(till)).ok


# What is changed → (SQL, what is told of it). Each row of the SQL is one of acme's account `ai`.
CHANGES: dict[str, tuple[str, set[str]]] = {
    "a balance": (
        "UPDATE accounts SET balance = balance + 5000000, granted = granted + 5000000 WHERE {at}",
        {"balance", "balance after the last entry", "granted", "what remains of grants, less overdraft"},
    ),
    "what is held": (
        "UPDATE accounts SET held = held + 1 WHERE {at}",
        {"held", "held after the last entry", "held by open holds"},
    ),
    "the totals": ("UPDATE accounts SET burned = burned + 1, granted = granted + 1 WHERE {at}", {"burned", "granted"}),
    "what expired": (
        "UPDATE accounts SET expired = expired + 1, granted = granted + 1 WHERE {at}",
        {"expired", "granted"},
    ),
    "an overdraft": (
        "UPDATE accounts SET overdraft = overdraft + 1 WHERE {at}",
        {"overdraft", "what remains of grants, less overdraft"},
    ),
    "the number of entries": (
        "UPDATE accounts SET sequence = sequence - 1 WHERE {at}",
        {"entries", "held after the last entry"},
    ),
    "a grant's remainder": (
        "UPDATE grants SET remaining = remaining + 1, burned = burned - 1 WHERE {at} AND burned > 0 AND number = 1",
        {"grant: burned", "what remains of grants, less overdraft"},
    ),
    "a grant's amount": (
        "UPDATE grants SET amount = amount + 1, voided = voided + 1 WHERE {at} AND number = 1",
        {"grant: given", "grant: voided"},
    ),
    "what a grant gave": (
        "UPDATE grants SET amount = amount + 1, clawed_back = clawed_back + 1 WHERE {at} AND number = 1",
        {"grant: given", "grant: clawed back"},
    ),
    "what is held of a grant": ("UPDATE grants SET held = 0 WHERE {at} AND held > 0", {"grant: held"}),
    "a grant gone": (
        "DELETE FROM grants WHERE {at} AND number = 1",
        {"grant: given", "grant: burned", "grant: expired", "grant: burned in its phases"},
    ),
    "a hold": (
        "UPDATE holds SET remaining = remaining - 1 WHERE {at} AND status = 'OPEN'",
        {"hold: held", "held by open holds"},
    ),
    "a hold's parts": (
        "UPDATE holds SET parts = '{{}}' WHERE {at} AND status = 'OPEN'",
        {"hold: parts", "grant: held"},
    ),
    "what a hold settled": ("UPDATE holds SET settled = settled + 1 WHERE {at} AND settled > 0", {"hold: settled"}),
    "a hold gone": (
        "DELETE FROM holds WHERE {at} AND status = 'OPEN'",
        {"hold: held", "hold: parts", "grant: held", "held by open holds"},
    ),
    "an allocation": (
        "UPDATE entries SET grant_number = NULL, allocations = ARRAY[1, 1] WHERE {at} AND kind = 2 AND event IS NOT NULL",
        {"entry: allocations", "grant: burned"},
    ),
    "an event gone": (
        "DELETE FROM usage_events WHERE workspace_id = {workspace} AND entries IS NOT NULL",
        {"event of the burn"},
    ),
    "an event that forgot": (
        "UPDATE usage_events SET entries = NULL WHERE workspace_id = {workspace} AND entries IS NOT NULL",
        {"event of the burn"},
    ),
    "an event that did not burn": (
        "UPDATE usage_events SET outcome = 9 WHERE workspace_id = {workspace} AND entries IS NOT NULL",
        {"event of the burn", "burn of the event"},
    ),
    "a burn of another event": (
        "UPDATE entries SET event = gen_random_uuid() WHERE {at} AND event IS NOT NULL",
        {"event of the burn", "burn of the event"},
    ),
}


async def fill_account(till: Till) -> str:
    """A book with an open hold, a closed one, an expiry, and an event; SQL that finds acme's account in it."""
    now = await till.now()
    await till.must(till.grant("30", expires_at=now + timedelta(hours=1)))
    await till.must(till.grant("100"))
    await till.must(till.settle(await till.open_hold("5"), "3"))
    await till.must(till.burn("2"))
    await till.many(from_attributes("e", "tests", "chat", "acme", None, {"tokens": "2.5"}))
    await till.advance(timedelta(hours=2))
    await till.open_hold("7", ttl="PT24H")
    customer = await till.customer()
    return f"customer_id = {customer.id}"


@pytest.mark.parametrize("name", CHANGES)
async def test_what_is_changed_beside_the_entries_is_told_and_nothing_else(
    till: Till, owner: asyncpg.Connection, name: str
):
    at = await fill_account(till)
    assert (await reconciled(till)).ok
    sql, told = CHANGES[name]
    changed = await owner.execute(sql.format(at=at, workspace=till.workspace_id))
    assert changed in ("UPDATE 1", "DELETE 1"), changed
    found = await checks(till)
    assert set(found) == told
    assert all(expected != actual for expected, actual in found.values())


# What is derived from the entries → the same.
DERIVED: dict[str, tuple[str, set[str]]] = {
    "a roll-up": ("UPDATE usage_rollups SET amount = amount + 1 WHERE {at} AND source <> ''", {"usage roll-up"}),
    "a roll-up gone": ("DELETE FROM usage_rollups WHERE {at} AND source <> ''", {"usage roll-up"}),
    "a standing": (
        r"UPDATE standings SET state = regexp_replace(convert_from(state, 'UTF8'), '^\[\d', '[7')::bytea WHERE {at} AND sequence = 9",
        {"standing: balance"},
    ),
    "a standing that cannot be read": (
        "UPDATE standings SET state = 'so be it' WHERE {at} AND sequence = 9",
        {"standing: balance"},
    ),
    "what a limit counts": ("UPDATE limit_windows SET used = used + 1 WHERE {at}", {"spend limit: used"}),
    "what burned in a phase": (
        "UPDATE accounts SET drawn = ARRAY[2, 200000000] WHERE {at}",
        {"grant: burned in its phases"},
    ),
}


@pytest.mark.parametrize("name", DERIVED)
async def test_what_is_changed_of_what_is_derived_from_the_entries_is_told(
    till: Till, owner: asyncpg.Connection, name: str
):
    at = await fill_account(till)
    await limit(till, "500", "MONTH")
    await till.must(till.burn("4"))
    await roll_up(till.database, till.workspace_id, behind=1)
    keeper = Keeper(till.database, spacing=3)
    await keeper.look_through(till.workspace_id)
    await keeper.keep()
    assert (await reconciled(till)).ok
    sql, told = DERIVED[name]
    changed = await owner.execute(sql.format(at=at))
    assert changed in ("UPDATE 1", "DELETE 1"), changed
    assert {check.partition(" of 2")[0] for check in await checks(till)} == told


async def test_a_mismatch_names_customer_credit_type_and_what_it_is_in_credits(till: Till, owner: asyncpg.Connection):
    at = await fill_account(till)
    await owner.execute(f"UPDATE accounts SET balance = balance + 5000000, granted = granted + 5000000 WHERE {at}")
    found = await reconciled(till)
    (balance,) = [each for each in found.mismatches if each.check == "balance"]
    assert (balance.customer, balance.credit_type) == ("acme", "ai")
    assert balance.actual - balance.expected == found.drift == 5
    assert not found.ok


async def test_broken_chains_and_events_are_counted(till: Till, owner: asyncpg.Connection):
    at = await fill_account(till)
    await owner.execute(f"UPDATE entries SET event = gen_random_uuid() WHERE {at} AND event IS NOT NULL")
    found = await reconciled(till)
    assert (found.chains_broken, found.events_unaccounted) == (1, 2), "the event that lost its burn, and the other one"


# ─── the kinds that others write ───────────────────────────────────────────────────────────────────
GRANT, BURN, EXPIRE, UNEXPIRE, REALLOCATE, VOID, REVERSE, CLAWBACK, ADJUST = 1, 2, 7, 8, 9, 10, 11, 12, 13
# Entries as (kind, amount, allocations) → grants as (amount, remaining, burned, expired, voided, clawed back, given back),
# and the overdraft they come to.
STORIES: dict[str, tuple[list[tuple[int, int, list[tuple[int, int]]]], list[tuple[int, ...]], int]] = {
    "voided": ([(GRANT, 9, [(1, 9)]), (BURN, -2, [(1, 2)]), (VOID, -7, [(1, 7)])], [(9, 0, 2, 0, 7, 0, 0)], 0),
    "voided before it began": ([(VOID, 0, [(1, 0)])], [(9, 0, 0, 0, 9, 0, 0)], 0),
    "reversed home": ([(GRANT, 9, [(1, 9)]), (BURN, -4, [(1, 4)]), (REVERSE, 3, [(1, 3)])], [(9, 8, 4, 0, 0, 0, 3)], 0),
    "reversed into a new grant": (
        [(GRANT, 9, [(1, 9)]), (BURN, -4, [(1, 4)]), (EXPIRE, -5, [(1, 5)]), (REVERSE, 3, [(2, 3)])],
        [(9, 0, 4, 5, 0, 0, 0), (3, 3, 0, 0, 0, 0, 0)],
        0,
    ),
    "reversed debt": (
        [(GRANT, 2, [(1, 2)]), (BURN, -5, [(1, 2), (0, 3)]), (REVERSE, 4, [(0, 2), (1, 1), (-1, 1)])],
        [(2, 1, 3, 0, 0, 0, 2)],
        0,
    ),
    "clawed back into debt": (
        [(GRANT, 9, [(1, 9)]), (BURN, -4, [(1, 4)]), (CLAWBACK, -7, [(1, 5), (0, 2)])],
        [(9, 0, 4, 0, 0, 5, 0)],
        2,
    ),
    "clawed back, and another grant pays": (
        [(GRANT, 5, [(1, 5)]), (BURN, -5, [(1, 5)]), (GRANT, 4, [(2, 4)]), (CLAWBACK, -5, [(1, 0), (0, 5), (-2, 4)])],
        [(5, 0, 5, 0, 0, 0, 0), (4, 0, 4, 0, 0, 0, 0)],
        1,
    ),
    "adjusted": (
        [(GRANT, 9, [(1, 9)]), (ADJUST, -2, [(1, 2)]), (ADJUST, 5, [(1, 5)])],
        [(9, 12, 0, 0, 2, 0, 5)],
        0,
    ),
    "moved into another grant": (
        [(GRANT, 9, [(1, 9)]), (ADJUST, -9, [(1, 9)]), (ADJUST, 9, [(2, 9)])],
        [(9, 0, 0, 0, 9, 0, 0), (9, 9, 0, 0, 0, 0, 0)],
        0,
    ),
    "laid again": (
        [
            (GRANT, 5, [(1, 5)]),
            (GRANT, 9, [(2, 9)]),
            (BURN, -2, [(2, 2)]),
            (EXPIRE, -5, [(1, 5)]),
            (UNEXPIRE, 3, [(1, 3)]),
            (BURN, -3, [(1, 3)]),
            (UNEXPIRE, 2, [(1, 2)]),
            (REALLOCATE, 0, [(1, 2), (2, -2)]),
        ],
        [(5, 0, 5, 0, 0, 0, 0), (9, 9, 0, 0, 0, 0, 0)],
        0,
    ),
    "debt laid again": (
        [
            (BURN, -6, [(0, 6)]),
            (GRANT, 4, [(-1, 4)]),
            (GRANT, 9, [(2, 7), (-2, 2)]),
            (REALLOCATE, 0, [(0, -3), (2, 3), (-1, -3)]),
        ],
        [(4, 3, 1, 0, 0, 0, 0), (9, 4, 5, 0, 0, 0, 0)],
        0,
    ),
}


@pytest.fixture
async def alone(database_url: str) -> AsyncIterator[Till]:
    """A till on a database of its own, whose laws can be loosened: today's know fewer kinds of entries."""
    database = await Database.connect(database_url)
    workspace = await ensure_workspace(database, "alone", test_mode=True, now=datetime.now(UTC))
    async with open_till(database, database_url, workspace) as opened:
        yield opened
    await database.close()


async def store(till: Till, owner: asyncpg.Connection, story: str) -> None:
    """An account whose entries are these, as another part of us would have written them; its grants and totals too."""
    entries, grants, overdraft = STORIES[story]
    now, customer = await till.now(), await till.customer()
    credit_type = await owner.fetchval("SELECT id FROM credit_types WHERE workspace_id = $1 LIMIT 1", till.workspace_id)
    place = (till.workspace_id, customer.id, credit_type)
    balance = 0
    for number, (kind, amount, allocations) in enumerate(entries, 1):
        balance += amount
        await owner.execute(
            """INSERT INTO entries (workspace_id, customer_id, credit_type_id, sequence, kind, amount, balance_after,
                                    recorded_at, hash, allocations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9)""",
            *(*place, number, kind, amount, balance, now, flatten(allocations)),
        )
    for number, (amount, remaining, burned, expired, voided, clawed, given) in enumerate(grants, 1):
        await owner.execute(
            """INSERT INTO grants (workspace_id, customer_id, credit_type_id, number, amount, remaining, burned, expired,
                                   voided, clawed_back, given_back, effective_at, created_at, priority, open, state, source)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, 50, $6::bigint > 0, $13, 'MANUAL')""",
            *(*place, number, amount, remaining, burned, expired, voided, clawed, given, now),
            "VOIDED" if voided == amount else "ACTIVE",
        )
    sums = {kind: sum(amount for each, amount, _ in entries if each == kind) for kind in range(1, 14)}
    expired = -sums[EXPIRE] - sums[UNEXPIRE]
    await owner.execute(
        """INSERT INTO accounts (workspace_id, customer_id, credit_type_id, balance, overdraft, granted, burned, expired,
                                 voided, given_back, clawed_back, adjusted, recorded_at, sequence, head)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '')""",
        *(*place, balance, overdraft, sums[GRANT], -sums[BURN], expired),
        *(-sums[VOID], sums[REVERSE], -sums[CLAWBACK], sums[ADJUST], now, len(entries)),
    )


@pytest.mark.parametrize("story", STORIES)
async def test_every_kind_of_entry_adds_up(alone: Till, story: str):
    owner = await alone.as_owner()
    await store(alone, owner, story)
    await owner.close()
    found = await reconciled(alone)
    assert found.mismatches == []


# ─── who reconciles, and what is kept of it ────────────────────────────────────────────────────────
async def test_one_of_many_processes_reconciles_a_workspace_and_the_next_not_before_its_time(till: Till):
    async with till.database.hot(till.workspace_id) as connection:
        assert await claim(await connection.driver(), timedelta(hours=1))
        assert not await claim(await connection.driver(), timedelta(hours=1))
        assert await claim(await connection.driver(), timedelta(0))


async def test_the_last_report_is_kept_to_the_digit(till: Till, owner: asyncpg.Connection):
    at = await fill_account(till)
    await owner.execute(f"UPDATE accounts SET balance = balance + 1, granted = granted + 1 WHERE {at}")
    found = await reconciled(till)
    async with till.database.hot(till.workspace_id) as connection:
        assert await read_last(connection) is None
        kept = await keep(connection, found)
        assert await read_last(connection) == kept
        await keep(connection, Reconciled())
        last = await read_last(connection)
    assert last is not None
    assert last.found.ok
