"""The present book against what checkpoints knew of it: a restored backup, a chain cut short or rebuilt is found."""

from collections.abc import Collection, Sequence

from credits.db import Database, Driver
from credits.ledger.verify import Broken, name
from credits.proof.checkpoints import read_checkpoints, unsound
from credits.proof.files import MARK_BYTES, Known, Root, heads_at

_AT_ONCE = 5_000

# unlike_entries -- of what a checkpoint knew, what is no longer so: the entry is gone, or is another
_UNLIKE = """
SELECT k.place
  FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bytea[]) WITH ORDINALITY
       AS k (customer_id, credit_type_id, sequence, head, place)
  LEFT JOIN entries e USING (customer_id, credit_type_id, sequence)
 WHERE e.hash IS DISTINCT FROM k.head
"""

# chain_marks -- the beginnings of a chain's hashes, to find the first that is another
_CHAIN_MARKS = f"""
SELECT sequence, substring(hash FOR {MARK_BYTES}) AS mark FROM entries
 WHERE customer_id = $1 AND credit_type_id = $2 AND sequence BETWEEN 1 AND $3 ORDER BY sequence
"""  # noqa: S608 -- a number of our own

# unlike_heads -- the same for all checkpoints in the database; and up to where each account is still as one knew it
_UNLIKE_HEADS = """
SELECT h.customer_id, h.credit_type_id, min(h.number) AS number, min(h.sequence) AS sequence,
       (SELECT max(l.sequence) FROM entries l
         WHERE l.customer_id = h.customer_id AND l.credit_type_id = h.credit_type_id) AS last,
       (SELECT coalesce(max(o.sequence), 0) FROM checkpoint_heads o
          JOIN entries oe USING (customer_id, credit_type_id, sequence)
         WHERE o.customer_id = h.customer_id AND o.credit_type_id = h.credit_type_id AND oe.hash = o.head) AS sound
  FROM checkpoint_heads h
  LEFT JOIN entries e USING (customer_id, credit_type_id, sequence)
 WHERE h.sequence > 0 AND e.hash IS DISTINCT FROM h.head
 GROUP BY h.customer_id, h.credit_type_id
 ORDER BY h.customer_id, h.credit_type_id
"""


async def compare(connection: Driver, accounts: Sequence[Known], when: str) -> list[Broken]:
    """Of accounts that a checkpoint knew, each whose chain is no longer that one, with its first bad entry. `when` tells
    people which checkpoint that was."""
    broken = []
    begun = [known for known in accounts if known.sequence]
    for first in range(0, len(begun), _AT_ONCE):
        some = begun[first : first + _AT_ONCE]
        columns = zip(
            *((known.customer_id, known.credit_type_id, known.sequence, known.head) for known in some), strict=True
        )
        for row in await connection.fetch(_UNLIKE, *map(list, columns)):
            known = some[row["place"] - 1]
            sequence, problem = await _first_unlike(connection, known)
            place = (known.customer_id, known.credit_type_id)
            broken.append(await name(connection, place, sequence, f"{problem} {when}"))
    return broken


async def _first_unlike(connection: Driver, known: Known) -> tuple[int, str]:
    """The first entry that is not the one that the checkpoint knew."""
    expected = 1
    for row in await connection.fetch(_CHAIN_MARKS, known.customer_id, known.credit_type_id, known.sequence):
        if row["sequence"] != expected:
            break
        if known.marks is not None:
            mark = known.marks[MARK_BYTES * (expected - 1) : MARK_BYTES * expected]
            if row["mark"] != mark:
                return expected, "is not the entry that was there at"
        expected += 1
    if expected <= known.sequence:
        return expected, "is missing: there was one at"
    return known.sequence, "or an entry before it is not the one that was there at"


async def compare_with_stored(
    database: Database, workspace_id: int, public_keys: Collection[bytes]
) -> tuple[list[Broken], list[str]]:
    """The book against the checkpoints in the same database: chains that are other ones now, and what is wrong with the
    checkpoints themselves. Who restores everything takes these back too; that is what the ones outside are for."""
    async with database.snapshot(workspace_id) as connection:
        checkpoints = await read_checkpoints(connection)
        if not checkpoints:
            return [], []
        problems = [problem] if (problem := unsound(checkpoints, public_keys)) else []
        if checkpoints[-1].number != len(checkpoints):
            problems.append("a checkpoint is missing in the database")
        root = Root()
        async for known in heads_at(connection, checkpoints[-1].number):
            root.add(known)
        if not root.is_of(checkpoints[-1]):
            problems.append(f"the accounts of checkpoint {checkpoints[-1].number} were changed in the database")
        broken = []
        for row in await connection.fetch(_UNLIKE_HEADS):
            if (row["last"] or 0) < row["sequence"]:
                sequence, problem = (row["last"] or 0) + 1, "is missing: there was one at"
            else:
                sequence = row["sound"] + 1
                problem = "or one after it is not the entry that was there at"
            place = (row["customer_id"], row["credit_type_id"])
            broken.append(await name(connection, place, sequence, f"{problem} checkpoint {row['number']}"))
    return broken, problems
