"""What is done to the book behind our back, as the owner and past every trigger, is found and named."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from credits import ids
from credits.ledger import links
from credits.ledger.entries import canonical, chain
from credits.ledger.rows import entry_of
from credits.ledger.verify import Broken, Verified, plan, together, verify, verify_span
from credits.posting.commands import HoldId
from credits.usage.envelope import from_attributes
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till


async def fill(till: Till) -> None:
    """A dozen entries of every kind there is, of `acme`; a few of `other`; two credit types."""
    now = await till.now()
    await till.policy("SOFT")
    await till.must(till.grant("100", note="a gift", reason="GOODWILL", expires_at=now + timedelta(days=1)))
    await till.must(till.burn("3", note="n", occurred_at=now - timedelta(hours=1)))
    await till.must(till.chat("7"))
    taken = await till.must(till.hold("20"))
    hold = HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number)
    await till.must(till.settle(hold, "2", partial=True))
    await till.must(till.settle(hold, "4"))
    await till.must(till.release(await till.open_hold("1")))
    await till.open_hold("1", ttl="PT1H")
    await till.many(
        from_attributes("e", "tests", "chat", "acme", None, {"tokens": "2.50", "model": "é\u2028", "n": 1.5})
    )
    await till.must(till.burn("200"))
    await till.must(till.grant("500", effective_at=now + timedelta(hours=2)))
    await till.must(till.grant("5", credit_type="oldest", expires_at=now + timedelta(hours=3)))
    burned = await till.must(till.burn("1", credit_type="oldest"))
    await till.must(till.reverse(burned.entry, "0.25", reason="GOODWILL"))
    await till.must(till.reverse(burned.entry, "0.25", reason="GOODWILL"))
    more = await till.must(till.grant("5", credit_type="oldest"))
    clawed = await till.must(till.claw_back(await till.must(till.extend(more, None)), "1"))
    await till.must(till.reverse_clawback(clawed.entry, "0.5"))
    await till.must(till.void(await till.must(till.grant("5", credit_type="oldest"))))
    await till.advance(timedelta(days=2))
    await till.many(till.grant("5", customer="other"), till.burn("1", customer="other"))


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner, with triggers off: what a DBA can do."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()


@asynccontextmanager
async def undone(owner: asyncpg.Connection, workspace_id: int) -> AsyncIterator[None]:
    """Whatever is done inside is undone."""
    kept = {}
    for table in ("entries", "accounts"):
        columns = await written(owner, table)
        kept[table] = (
            columns,
            await owner.fetch(f"SELECT {', '.join(columns)} FROM {table} WHERE workspace_id = $1", workspace_id),
        )
    yield
    for table, (columns, rows) in kept.items():
        await owner.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
        await owner.copy_records_to_table(table, columns=columns, records=[tuple(row) for row in rows])


async def written(owner: asyncpg.Connection, table: str) -> list[str]:
    """The columns that can be written: what is generated follows from them."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'"
    return [row["column_name"] for row in await owner.fetch(query, table)]


async def test_a_book_of_every_kind_of_entry_verifies(till: Till):
    await fill(till)
    verified = await till.verify()
    kinds = {row["kind"] for row in await till.rows("SELECT DISTINCT kind FROM entries")}
    assert kinds == {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13}
    assert (verified.broken, verified.accounts) == ([], 3)
    (count,) = await till.rows("SELECT count(*) AS n FROM entries")
    assert verified.entries == count["n"] > 15


# Column → what an intruder writes there: SQL, of the row's own columns.
EDITS = {
    "amount": "amount - 1000000",
    "balance_after": "balance_after + 1",
    "held_amount": "coalesce(held_amount, 0) + 1",
    "held_after": "coalesce(held_after, 0) + 1",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "occurred_at": "coalesce(occurred_at, recorded_at) - interval '1 day'",
    "fingerprint": "coalesce(fingerprint, 0) + 1",
    "actor_id": "coalesce(actor_id, 0) + 1",
    "feature_id": "coalesce(feature_id, 0) + 1",
    "rate_id": "coalesce(rate_id, 0) + 1",
    "hold_number": "coalesce(hold_number, 0) + 1",
    "grant_number": "CASE WHEN allocations IS NULL THEN coalesce(grant_number, 0) + 1 END",
    "kind": "CASE kind WHEN 2 THEN 7 ELSE 2 END",
    "hash": "sha256(hash)",
    "allocations": "ARRAY[1, 7]::bigint[]",
    "quantity": "coalesce(quantity, 0) + 0.000000000001",
    "exact_amount": "coalesce(exact_amount, 0) + 1",
    "event": "gen_random_uuid()",
    "key": "'other-' || sequence",
    "member": "coalesce(member, '') || 'x'",
    "note": "coalesce(note, '') || ' '",
    "reason": "CASE reason WHEN 'OTHER' THEN 'OUTAGE' ELSE 'OTHER' END",
    "dimensions": "coalesce(dimensions, '') || ' '",
    "reverses": "coalesce(reverses, 0) + 1",
}


async def test_every_edit_of_every_column_of_every_entry_is_found_at_that_entry(till: Till, owner: asyncpg.Connection):
    await fill(till)
    columns = set(await written(owner, "entries"))
    where_it_is = {"customer_id", "credit_type_id", "workspace_id", "sequence"}
    assert columns == set(EDITS) | where_it_is, "a new column needs an edit here"
    places = await till.rows("SELECT customer_id, credit_type_id, sequence FROM entries ORDER BY 1, 2, 3")
    for number, (column, value) in enumerate(EDITS.items()):
        edit = (
            f"UPDATE entries SET {column} = {value} WHERE (customer_id, credit_type_id, sequence) = ($1, $2, $3) "
            f"AND {column} IS DISTINCT FROM {value}"
        )
        async with undone(owner, till.workspace_id):
            for place in [tuple(place.values()) for place in [*places[number % len(places) :], *places]]:
                if await owner.execute(edit, *place) == "UPDATE 1":
                    break
            else:
                raise AssertionError(f"no {column} was changed")
            (broken,) = (await till.verify()).broken
            assert broken.sequence == place[2], (column, broken)
            assert broken.entry_id == ids.make("ent", *place)
    for place in (tuple(row.values()) for row in places):
        async with undone(owner, till.workspace_id):
            edit = "UPDATE entries SET note = 'x' WHERE (customer_id, credit_type_id, sequence) = ($1, $2, $3)"
            await owner.execute(edit, *place)
            assert [broken.entry_id for broken in (await till.verify()).broken] == [ids.make("ent", *place)]
    assert (await till.verify()).broken == [], "the test puts everything back"


# What is done → SQL on the account `{at}`, whose last entry is `{last}`; and the sequence of the first bad entry.
ATTACKS: dict[str, tuple[str, int | str]] = {
    "an entry deleted": ("DELETE FROM entries WHERE {at} AND sequence = 4", 5),
    "the first deleted": ("DELETE FROM entries WHERE {at} AND sequence = 1", 2),
    "the tail cut off": ("DELETE FROM entries WHERE {at} AND sequence > 6", 7),
    "the last one cut off": ("DELETE FROM entries WHERE {at} AND sequence = {last}", "last"),
    "all of them deleted": ("DELETE FROM entries WHERE {at}", 1),
    "two swapped": (
        """UPDATE entries SET sequence = -sequence WHERE {at} AND sequence IN (5, 6);
        UPDATE entries SET sequence = 11 + sequence WHERE {at} AND sequence < 0""",
        5,
    ),
    "two amounts swapped": (
        """UPDATE entries SET amount = (SELECT o.amount FROM entries o WHERE {at} AND o.sequence = 5 - entries.sequence)
        WHERE {at} AND sequence IN (2, 3)""",
        2,
    ),
    "the last one twice": (
        """CREATE TEMP TABLE forged ON COMMIT DROP AS SELECT {columns} FROM entries WHERE {at} AND sequence = {last};
        UPDATE forged SET sequence = sequence + 1, key = NULL; INSERT INTO entries ({columns}) SELECT * FROM forged""",
        "after",
    ),
    "one put in between": (
        """CREATE TEMP TABLE forged ON COMMIT DROP AS SELECT {columns} FROM entries WHERE {at} AND sequence = 3;
        UPDATE entries SET sequence = -sequence WHERE {at} AND sequence > 3;
        UPDATE entries SET sequence = 1 - sequence WHERE {at} AND sequence < 0;
        UPDATE forged SET sequence = 4, key = NULL; INSERT INTO entries ({columns}) SELECT * FROM forged""",
        4,
    ),
    "the balance raised": ("UPDATE accounts SET balance = balance + 5, granted = granted + 5 WHERE {at}", "last"),
    "what is held forgotten": ("UPDATE accounts SET held = held + 1 WHERE {at}", "last"),
    "the head replaced": ("UPDATE accounts SET head = sha256(head) WHERE {at}", "last"),
    "the account set back": ("UPDATE accounts SET sequence = 3 WHERE {at}", "last"),
    "the account deleted": ("DELETE FROM accounts WHERE {at}", "last"),
    "an instant beyond the calendar": ("UPDATE entries SET recorded_at = 'infinity' WHERE {at} AND sequence = 3", 3),
    "half an allocation": (
        "UPDATE entries SET grant_number = NULL, allocations = ARRAY[1] WHERE {at} AND sequence = 3",
        3,
    ),
    "what nobody reads": ("UPDATE entries SET allocations = ARRAY[9, 9] WHERE {at} AND sequence = 2", 2),
}


async def acmes_account(till: Till) -> tuple[str, int]:
    """SQL that finds it, and its last sequence."""
    customer = await till.customer()
    (row,) = await till.rows(
        "SELECT a.* FROM accounts a JOIN credit_types t ON t.id = a.credit_type_id "
        "WHERE a.customer_id = :id AND t.key = 'ai'",
        id=customer.id,
    )
    return f"customer_id = {customer.id} AND credit_type_id = {row['credit_type_id']}", row["sequence"]


async def test_deletions_insertions_swaps_and_cut_tails_are_found_and_named(till: Till, owner: asyncpg.Connection):
    await fill(till)
    at, last = await acmes_account(till)
    columns = ", ".join(await written(owner, "entries"))
    for name, (attack, where) in ATTACKS.items():
        wanted = {"last": last, "after": last + 1}.get(where, where) if isinstance(where, str) else where
        async with undone(owner, till.workspace_id):
            await owner.execute(attack.format(at=at, last=last, columns=columns))
            (broken,) = (await till.verify()).broken
            assert broken.sequence == wanted, (name, broken)
            assert broken.problem, name
            if name != "the account deleted":
                assert (broken.customer, broken.credit_type) == ("acme", "ai"), name
    assert (await till.verify()).broken == []


async def rewrite(owner: asyncpg.Connection, at: str, since: int) -> bytes:
    """What a cleverer intruder does: every hash from `since` on computed anew. The last one."""
    rows = await owner.fetch(f"SELECT * FROM entries WHERE {at} ORDER BY sequence")
    head = rows[since - 2]["hash"]
    for row in rows[since - 1 :]:
        head = chain(head, entry_of(row))
        await owner.execute(f"UPDATE entries SET hash = $1 WHERE {at} AND sequence = $2", head, row["sequence"])
    return bytes(head)


async def test_an_edit_with_every_later_hash_computed_anew_does_not_end_where_the_account_says(
    till: Till, owner: asyncpg.Connection
):
    await fill(till)
    at, last = await acmes_account(till)
    async with undone(owner, till.workspace_id):
        await owner.execute(f"UPDATE entries SET note = 'forged' WHERE {at} AND sequence = 3")
        await rewrite(owner, at, 3)
        (broken,) = (await till.verify()).broken
        assert broken.sequence == last
    async with undone(owner, till.workspace_id):
        await owner.execute(f"UPDATE entries SET amount = amount + 1 WHERE {at} AND sequence = 3")
        head = await rewrite(owner, at, 3)
        await owner.execute(f"UPDATE accounts SET head = $1 WHERE {at}", head)
        (broken,) = (await till.verify()).broken
        assert (broken.sequence, "totals" in broken.problem) == (3, True)


async def test_two_broken_chains_are_two_and_the_others_are_whole(till: Till, owner: asyncpg.Connection):
    await fill(till)
    async with undone(owner, till.workspace_id):
        await owner.execute("UPDATE entries SET note = 'x' WHERE workspace_id = $1 AND sequence = 2", till.workspace_id)
        verified = await till.verify()
        assert [broken.sequence for broken in verified.broken] == [2, 2, 2]
        assert {(broken.customer, broken.credit_type) for broken in verified.broken} == {
            *(("acme", "ai"), ("acme", "oldest"), ("other", "ai")),
        }


async def test_a_workspace_verifies_its_own_book_and_no_other(till: Till, owner: asyncpg.Connection, database: Any):
    await fill(till)
    neighbour = await ensure_workspace(database, f"beside-{uuid4()}", test_mode=True, now=datetime.now(UTC))
    async with open_till(database, till.owner_url, neighbour) as beside:
        await beside.must(beside.grant("1"))
        async with undone(owner, till.workspace_id):
            await owner.execute("UPDATE entries SET note = 'x' WHERE workspace_id = $1", till.workspace_id)
            assert (await beside.verify()).broken == []
            broken: list[Broken] = (await till.verify()).broken
            assert [each.sequence for each in broken] == [1, 1, 1]


async def test_a_book_that_is_being_written_verifies_at_any_moment(till: Till):
    await till.must(till.grant("100000"))
    done = asyncio.Event()

    async def burn_on() -> None:
        while not done.is_set():
            await till.many(*(till.burn("0.1") for _ in range(20)), till.hold("1", ttl="PT1H"))

    burning = asyncio.create_task(burn_on())
    sizes = []
    for _ in range(8):
        verified = await till.verify()
        assert verified.broken == []
        sizes.append(verified.entries)
        await till.must(till.burn("0.1"))
    done.set()
    await burning
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    assert await till.available() < Decimal(100_000)


# ─── the fast way ──────────────────────────────────────────────────────────────────────────────────
async def test_the_fast_way_makes_the_same_bytes_as_the_slow_one(till: Till, owner: asyncpg.Connection):
    await fill(till)
    order = "WHERE workspace_id = $1 ORDER BY customer_id, credit_type_id, sequence"
    stored = await owner.fetch(f"SELECT * FROM entries {order}", till.workspace_id)
    rows = await owner.fetch(f"SELECT {links.SELECTED} FROM entries {order}", till.workspace_id)
    assert links._canonical(rows) == [canonical(entry_of(row)) for row in stored]


async def test_the_fast_way_knows_every_column_of_an_entry(owner: asyncpg.Connection):
    """A column that it does not know could be changed behind its back: name it in `links.LATER`."""
    known = set(re.findall(r"\w+", links.SELECTED)) | set(links.LATER)
    assert set(await written(owner, "entries")) - known == set()


async def test_a_column_that_came_later_is_appended_where_it_is_set(till: Till, owner: asyncpg.Connection, monkeypatch):
    await fill(till)
    rows = await owner.fetch(f"SELECT {links.SELECTED} FROM entries WHERE workspace_id = $1", till.workspace_id)
    later = [tuple(row.values()) for row in rows]
    later[3] = (later[3][0], '[["reverses", 2], ["other", null]]', *later[3][2:])
    before, after = links._canonical(rows), links._canonical(later)
    assert after[3] == before[3][:-1] + b',["reverses",2]]'
    assert [*after[:3], *after[4:]] == [*before[:3], *before[4:]]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_wherever_the_book_is_cut_into_spans_the_same_is_found(till: Till, owner: asyncpg.Connection, size: int):
    await fill(till)
    at, last = await acmes_account(till)
    columns = ", ".join(await written(owner, "entries"))

    async def cut() -> Verified:
        return await verify(till.database, till.workspace_id, progress=lambda _: None, size=size)

    assert await cut() == await till.verify()
    for name, (attack, _) in ATTACKS.items():
        async with undone(owner, till.workspace_id):
            await owner.execute(attack.format(at=at, last=last, columns=columns))
            assert (await cut()).broken == (await till.verify()).broken, name


async def test_the_spans_of_a_book_leave_nothing_out_and_count_nothing_twice(till: Till):
    await fill(till)
    whole = await till.verify()
    for size in range(1, 12):
        spans = await plan(till.database, till.workspace_id, size=size)
        parts = [await verify_span(till.database, till.workspace_id, span) for span in spans]
        assert together(parts) == whole
        assert max(part.entries for part in parts) <= size
        assert [span.to for span in spans[:-1]] == [span.after for span in spans[1:]]


async def test_progress_is_told_and_ends_with_the_number_of_entries(till: Till):
    await fill(till)
    told: list[int] = []
    verified = await verify(till.database, till.workspace_id, progress=told.append)
    assert told[-1] == verified.entries
