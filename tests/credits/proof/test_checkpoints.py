"""Signed checkpoints: what they say, who can make them, and what of a book that is another one now they find."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import asyncpg
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credits.ledger.entries import GENESIS, chain
from credits.ledger.rows import entry_of
from credits.proof.checkpoints import Checkpoint, make_checkpoint, read_checkpoints, unsound
from credits.proof.compare import compare, compare_with_stored
from credits.proof.files import Known, NotACheckpoint, read, write
from credits.proof.seal import Seal, from_text
from tests.credits.ledger.test_verify import written
from tests.credits.posting.till import Till

SEAL = Seal("a secret key")


async def make(till: Till, seal: Seal = SEAL, **more: timedelta) -> Checkpoint | None:
    return await make_checkpoint(till.database, till.workspace_id, seal, **more)


async def stored(till: Till) -> list[Checkpoint]:
    async with till.database.snapshot(till.workspace_id) as connection:
        return await read_checkpoints(connection)


async def export(till: Till, number: int = -1, *, marked: bool = True) -> list[bytes]:
    """The lines of a file that is kept outside."""
    checkpoint = (await stored(till))[number]
    async with till.database.snapshot(till.workspace_id) as connection:
        return [line async for line in write(connection, checkpoint, marked=marked)]


async def compared(till: Till, lines: list[bytes]) -> list[tuple[str, int, str]]:
    found = []
    for _, accounts in read(lines):
        async with till.database.snapshot(till.workspace_id) as connection:
            found.extend(await compare(connection, accounts, "checkpoint 1"))
    return [(each.customer, each.sequence, each.problem) for each in found]


async def burn(till: Till, times: int, customer: str = "acme") -> None:
    for _ in range(times):
        await till.must(till.burn("1", customer=customer))


@pytest.fixture
async def begun(till: Till) -> Till:
    """A book of 5 entries of one customer and one of another, and a checkpoint."""
    await till.must(till.grant("100"))
    await till.must(till.grant("100", customer="other"))
    await burn(till, 4)
    assert await make(till) is not None
    return till


# ─── what it is ────────────────────────────────────────────────────────────────────────────────────
async def test_anybody_can_check_it_with_json_sha_256_and_the_public_key(begun: Till):
    head, *accounts = map(orjson.loads, await export(begun))
    checkpoint = dict(head["checkpoint"])
    signature = from_text(checkpoint.pop("signature"))
    message = orjson.dumps(checkpoint, option=orjson.OPT_SORT_KEYS)
    Ed25519PublicKey.from_public_bytes(from_text(checkpoint["publicKey"])).verify(signature, message)
    assert (checkpoint["number"], checkpoint["accounts"], checkpoint["entries"]) == (1, 2, 6)
    assert from_text(checkpoint["previous"]) == GENESIS
    assert sorted((sequence, len(from_text(marks))) for _, sequence, _, marks in accounts) == [(1, 2), (5, 10)]
    rows = await begun.rows("SELECT hash, sequence FROM entries WHERE sequence IN (1, 5)")
    assert {from_text(head) for _, _, head, _ in accounts} <= {bytes(row["hash"]) for row in rows}


async def test_each_names_the_one_before(begun: Till):
    await burn(begun, 1)
    second = await make(begun)
    assert second is not None
    first, again = await stored(begun)
    assert again == second
    assert second.previous == first.hash == hashlib.sha256(first.message()).digest()
    assert unsound([first, second], [SEAL.public_key]) is None


async def test_none_is_made_where_nothing_has_changed_or_the_last_is_young(begun: Till):
    assert await make(begun) is None
    await burn(begun, 1)
    assert await make(begun, every=timedelta(hours=1)) is None
    assert await make(begun) is not None
    assert [each.number for each in await stored(begun)] == [1, 2]


async def test_of_an_empty_workspace_there_is_none(till: Till):
    assert await make(till) is None


async def test_several_processes_make_one(begun: Till):
    await burn(begun, 1)
    made = await asyncio.gather(*(make(begun) for _ in range(6)))
    assert len([each for each in made if each is not None]) >= 1
    assert [each.number for each in await stored(begun)] == [1, 2]


async def test_only_accounts_that_changed_are_written_again(begun: Till):
    await burn(begun, 1)
    await make(begun)
    rows = await begun.rows("SELECT number, count(*) AS n FROM checkpoint_heads GROUP BY 1 ORDER BY 1")
    assert [(row["number"], row["n"]) for row in rows] == [(1, 2), (2, 1)]
    assert len(await export(begun)) == 1 + 2, "an exported one has them all"


async def test_the_same_secret_is_the_same_key_and_another_is_another():
    assert Seal("a secret key").public_key == SEAL.public_key != Seal("another").public_key


async def test_only_the_secret_key_makes_one_and_any_change_of_one_is_seen(begun: Till):
    (sound,) = await stored(begun)
    assert sound.sealed_by([SEAL.public_key])
    assert not sound.sealed_by([Seal("another").public_key])
    for change in ("workspace", "number", "at", "accounts", "entries", "root", "previous", "signature"):
        value = getattr(sound, change)
        other = (
            value + timedelta(microseconds=1)
            if change == "at"
            else value[:-1] + (b"x" if isinstance(value, bytes) else "x")
            if isinstance(value, bytes | str)
            else value + 1
        )
        assert not replace(sound, **{change: other}).sealed_by([SEAL.public_key]), change


# ─── what it finds ─────────────────────────────────────────────────────────────────────────────────
async def test_an_old_checkpoint_holds_for_ever_while_the_book_grows(begun: Till):
    kept = await export(begun)
    for _ in range(3):
        await burn(begun, 3)
        await begun.must(begun.grant("5", customer="other"))
        await make(begun)
        assert await compared(begun, kept) == []
    assert await compare_with_stored(begun.database, begun.workspace_id, [SEAL.public_key]) == ([], [])


async def test_a_restored_backup_is_found_and_the_first_missing_entry_named(begun: Till, owner: asyncpg.Connection):
    """K12: everything is as it was, also in itself; keys that came later are known to be lost."""
    old = {}
    for table in ("entries", "accounts", "grants", "checkpoints", "checkpoint_heads"):
        old[table] = await owner.fetch(f"SELECT * FROM {table} WHERE workspace_id = $1", begun.workspace_id)
    await burn(begun, 3)
    await make(begun)
    kept = await export(begun)
    for table, rows in old.items():
        await owner.execute(f"DELETE FROM {table} WHERE workspace_id = $1", begun.workspace_id)
        columns = await written(owner, table)
        records = [tuple(row[name] for name in columns) for row in rows]
        await owner.copy_records_to_table(table, columns=columns, records=records)
    assert (await begun.verify()).broken == [], "it is a whole book"
    assert await compare_with_stored(begun.database, begun.workspace_id, [SEAL.public_key]) == ([], [])
    assert await compared(begun, kept) == [("acme", 6, "is missing: there was one at checkpoint 1")]
    await burn(begun, 5)  # life goes on: other entries where those were
    assert await compared(begun, kept) == [("acme", 6, "is not the entry that was there at checkpoint 1")]


async def rebuild(till: Till, owner: asyncpg.Connection, since: int) -> None:
    """Another note of that entry of acme, every hash behind it and the account's head made to follow."""
    customer = await till.customer()
    rows = await owner.fetch("SELECT * FROM entries WHERE customer_id = $1 ORDER BY sequence", customer.id)
    head = GENESIS if since == 1 else rows[since - 2]["hash"]
    for row in rows[since - 1 :]:
        entry = entry_of(row)
        if entry.sequence == since:
            entry.cause = replace(entry.cause, note="forged")
        head = chain(head, entry)
        change = "UPDATE entries SET hash = $3, note = $4 WHERE customer_id = $1 AND sequence = $2"
        await owner.execute(change, customer.id, entry.sequence, head, entry.cause.note)
    await owner.execute("UPDATE accounts SET head = $2 WHERE customer_id = $1", customer.id, head)


async def test_a_rebuilt_chain_is_found_and_the_forged_entry_named(begun: Till, owner: asyncpg.Connection):
    kept, heads_alone = await export(begun), await export(begun, marked=False)
    await rebuild(begun, owner, 3)
    assert (await begun.verify()).broken == []
    assert await compared(begun, kept) == [("acme", 3, "is not the entry that was there at checkpoint 1")]
    ((_, sequence, problem),) = await compared(begun, heads_alone)
    assert (sequence, problem) == (5, "or an entry before it is not the one that was there at checkpoint 1")


async def test_checkpoints_in_the_database_find_it_too_as_near_as_they_lie(begun: Till, owner: asyncpg.Connection):
    await burn(begun, 3)
    await make(begun)
    await burn(begun, 3)
    await make(begun)
    await rebuild(begun, owner, 7)
    broken, problems = await compare_with_stored(begun.database, begun.workspace_id, [SEAL.public_key])
    assert problems == []
    assert [(each.customer, each.sequence) for each in broken] == [("acme", 6)]
    assert "or one after it" in broken[0].problem
    assert "checkpoint 2" in broken[0].problem


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        ("UPDATE checkpoints SET entries = entries + 1 WHERE number = 1", "checkpoint 1 is not signed"),
        ("UPDATE checkpoints SET signature = sha256(signature) WHERE number = 2", "checkpoint 2 is not signed"),
        ("DELETE FROM checkpoints WHERE number = 1", "a checkpoint is missing"),
        ("UPDATE checkpoint_heads SET head = sha256(head) WHERE number = 2", "of checkpoint 2 were changed"),
        ("UPDATE checkpoint_heads SET head = 'x' WHERE number = 2", "of checkpoint 2 were changed"),
        ("DELETE FROM checkpoint_heads WHERE number = 2", "of checkpoint 2 were changed"),
    ],
)
async def test_checkpoints_that_were_changed_in_the_database_are_told(
    begun: Till, owner: asyncpg.Connection, forgery: str, says: str
):
    await burn(begun, 1)
    await make(begun)
    where = f"{forgery} AND workspace_id = {begun.workspace_id}"
    assert (await owner.execute(where)) != "UPDATE 0"
    _, problems = await compare_with_stored(begun.database, begun.workspace_id, [SEAL.public_key])
    assert any(says in problem for problem in problems), problems
    if "heads" in forgery:
        with pytest.raises(NotACheckpoint, match="changed in the database"):
            await export(begun)


# ─── files ─────────────────────────────────────────────────────────────────────────────────────────
async def test_a_file_may_hold_several(begun: Till):
    first = await export(begun)
    await burn(begun, 2)
    await make(begun)
    both = list(read([*first, *await export(begun)]))
    assert [checkpoint.number for checkpoint, _ in both] == [1, 2]
    assert all(isinstance(known, Known) for _, accounts in both for known in accounts)


async def test_a_file_that_was_changed_is_none(begun: Till):
    lines = await export(begun)
    account = orjson.loads(lines[1])
    for changed in (
        [lines[0], lines[1]],
        [lines[0], lines[2], lines[1]],
        [*lines, lines[2]],
        [lines[0], orjson.dumps([account[0], account[1] + 1, *account[2:]]), lines[2]],
        lines[1:],
        [b"{}"],
        [b"nonsense"],
        [orjson.dumps({"checkpoint": {**orjson.loads(lines[0])["checkpoint"], "version": 2}})],
        [lines[0], b'["acc_1", 1, "", null]'],
        [lines[0], b"[1]"],
        [lines[0], b"7"],
        [],
    ):
        with pytest.raises(NotACheckpoint):
            list(read(changed))
