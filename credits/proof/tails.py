"""Does each chain end where its account says: what a start can afford to ask of a whole book.

A lost or torn file of the database (a reset log, a segment that is missing, a page that never reached the disk) leaves
accounts and entries of different instants. Two look-ups an account find that; every hash is not computed for it.
"""

from credits.db import Database
from credits.ledger.verify import Broken, look, name, span_of

# torn_accounts -- the last entry is gone, is another or says another balance, or there is one behind it
_TORN = """
SELECT a.customer_id, a.credit_type_id, a.sequence
  FROM accounts a
  LEFT JOIN entries e USING (customer_id, credit_type_id, sequence)
 WHERE (a.sequence > 0 AND (e.hash, e.balance_after, coalesce(e.held_after, 0)) IS DISTINCT FROM (a.head, a.balance, a.held))
    OR EXISTS (SELECT FROM entries n
                WHERE n.customer_id = a.customer_id AND n.credit_type_id = a.credit_type_id AND n.sequence = a.sequence + 1)
 LIMIT $1
"""
_LONG_S = 3_600.0


async def torn(database: Database, workspace_id: int, first: int) -> list[Broken]:
    """The first bad entry of up to `first` accounts whose chain does not end where the account says."""
    async with database.snapshot(workspace_id) as connection:
        found = []
        for row in await connection.fetch(_TORN, first, timeout=_LONG_S):
            place = (row["customer_id"], row["credit_type_id"])
            broken = (await look(connection, span_of(place))).broken
            if not broken:
                broken = [await name(connection, place, row["sequence"], "is not where its account ends")]
            found += broken
    return found
