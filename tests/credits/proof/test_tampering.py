"""R14: ten thousand tamperings by a superuser past every trigger; each is found, and the first bad entry named."""

from collections import Counter

import asyncpg

from credits import ids
from credits.ledger.verify import ALL, Broken, Verified, look, together
from credits.proof.checkpoints import make_checkpoint, read_checkpoints
from credits.proof.compare import compare
from credits.proof.files import Known, read, write
from credits.proof.seal import Seal
from tests.credits.ledger.test_verify import fill
from tests.credits.posting.till import Till
from tests.credits.proof.tamper import Intruder, read_book

TAMPERINGS = 10_000
# Whoever brings an account and its entries into agreement again is found by a checkpoint alone.
CLEVER = {"cut the tail, the account with it", "restore an old copy", "restore an old copy and go on", "rebuild"} | {
    *("insert and rebuild", "delete and rebuild"),
}
MOVES = {"move an entry", "edit the account"}  # to where another account is, which is then no longer right either


async def keep_checkpoint(till: Till) -> list[Known]:
    """The workspace as it is now, as a file outside has it."""
    assert await make_checkpoint(till.database, till.workspace_id, Seal("a secret key")) is not None
    async with till.database.snapshot(till.workspace_id) as connection:
        (checkpoint,) = await read_checkpoints(connection)
        lines = [line async for line in write(connection, checkpoint, marked=True)]
    ((_, accounts),) = read(lines)
    return accounts


async def found(owner: asyncpg.Connection, workspace_id: int, kept: list[Known]) -> tuple[list[Broken], list[Broken]]:
    """What the chains say, and what the checkpoint says, as the application sees the workspace."""
    await owner.execute(f"SET LOCAL ROLE scrip_app; SET LOCAL scrip.workspace = '{workspace_id}'")
    by_chain = (await look(owner, ALL)).broken
    by_checkpoint = await compare(owner, kept, "the checkpoint")
    return by_chain, by_checkpoint


def first_bad(broken: list[Broken]) -> dict[tuple[int, int], int]:
    """Account → the number of the entry that is named."""
    named = {}
    for each in together([Verified(0, 0, broken)]).broken:
        place = ids.parse("ent", each.entry_id, 3)
        assert place is not None
        named[place[0], place[1]] = each.sequence
    return named


async def test_ten_thousand_tamperings_are_found_and_the_first_bad_entry_is_named(
    till: Till, owner: asyncpg.Connection
):
    await fill(till)
    for number in range(60):
        await till.must(till.burn(f"{number}.25") if number % 7 else till.grant("40"))
    kept = await keep_checkpoint(till)
    book = await read_book(owner, till.workspace_id)
    intruder = Intruder(owner, book, seed=20261125)
    tally: Counter[str] = Counter()
    async with owner.transaction():
        assert await found(owner, till.workspace_id, kept) == ([], [])
        for number in range(TAMPERINGS):
            way = list(intruder.ways)[number % len(intruder.ways)]
            await owner.execute("RESET ROLE; SAVEPOINT untouched")
            expected = await intruder.strike(way)
            by_chain, by_checkpoint = await found(owner, till.workspace_id, kept)
            named = first_bad([*by_chain, *by_checkpoint])
            for place, numbers in expected.items():
                assert named.get(place) in numbers, (number, way, expected, by_chain, by_checkpoint)
            assert way in MOVES or named.keys() == expected.keys(), (number, way, named)
            tally[way, bool(by_chain), bool(by_checkpoint)] += 1
            await owner.execute("ROLLBACK TO SAVEPOINT untouched; RELEASE SAVEPOINT untouched")
        assert await found(owner, till.workspace_id, kept) == ([], []), "everything is put back"
    assert sum(tally.values()) == TAMPERINGS
    assert {way for way, by_chain, _ in tally if not by_chain} == CLEVER, "all others are found by the chains alone"
