"""What is derived from the entries and kept so that nobody has to read them again, against the entries: usage roll-ups,
standings, revenue, and what counts towards spend limits. Each is compared by whoever makes it."""

from collections.abc import Sequence

from credits.db import Driver
from credits.enforcement.counting import compare_windows
from credits.ledger.rows import Row
from credits.posting.standings import compare_standings
from credits.revenue.projection import compare_told
from credits.usage.rollups import compare_rollups

# has_derived -- Of accounts, those that have any roll-up, standing or revenue: most small ones have none.
_HAS_DERIVED = """
SELECT a.customer_id, a.credit_type_id, a.workspace_id
  FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
  JOIN accounts a USING (customer_id, credit_type_id)
 WHERE EXISTS (SELECT FROM usage_watermarks w WHERE (w.customer_id, w.credit_type_id) = (a.customer_id, a.credit_type_id))
    OR EXISTS (SELECT FROM revenue_watermarks r WHERE (r.customer_id, r.credit_type_id) = (a.customer_id, a.credit_type_id))
    OR EXISTS (SELECT FROM standings s WHERE (s.customer_id, s.credit_type_id) = (a.customer_id, a.credit_type_id))
"""


async def compare_derived(connection: Driver, customers: Sequence[int], credit_types: Sequence[int]) -> list[Row]:
    """Of these accounts what does not agree, as the statements tell it."""
    rows: list[Row] = []
    for customer_id, credit_type_id, workspace_id in await connection.fetch(_HAS_DERIVED, customers, credit_types):
        place = (customer_id, credit_type_id)
        for rollup in await compare_rollups(connection, workspace_id, *place):
            what = f"usage roll-up of {rollup.starts_at.isoformat()}"
            rows.append(_row(place, what, rollup.wanted_micro or 0, rollup.found_micro or 0))
        for standing in await compare_standings(connection, *place):
            what = f"standing: {standing.what}"
            rows.append(_row(place, what, standing.wanted, standing.found, number=standing.sequence))
        told = await compare_told(connection, *place)
        rows += [_row(place, money.what, money.wanted, money.found) for money in told]
    for used in await compare_windows(connection, customers, credit_types):
        limit = used.limit
        what = f"spend limit: used ({limit.id})"
        rows.append(_row((limit.customer_id, limit.credit_type_id), what, used.counted_micro, used.stored_micro))
    return rows


def _row(place: tuple[int, int], what: str, expected: int, actual: int, number: int | None = None) -> Row:
    told = {"what": what, "number": number, "expected": expected, "actual": actual}
    return {"customer_id": place[0], "credit_type_id": place[1], **told}
