"""What counts towards a spend limit in one window, counted from the entries: where nothing is written down of it yet.

The one statement, for the batch writer and for whoever sets a limit: under the customer's lock, both of them.
"""

from credits import bounds
from credits.db import HotConnection
from credits.enforcement.limits import COUNTED
from credits.enforcement.values import SpendLimit
from credits.windows import Window

# count_window -- The account's clock never goes back, so what occurred in the window or later was recorded behind one
# sequence, which a bisection by the primary key finds: an account's history is not read. Then as `Limits.catch_up`: what
# is of a hold counts at its opening, a reversal at its burn. OFFSET 0: looked up one by one, whatever the planner thinks of
# tables whose statistics lag behind.
_COUNT = f"""
WITH RECURSIVE search (low, high) AS (
  SELECT 1, a.sequence + 1 FROM accounts a WHERE a.customer_id = $1 AND a.credit_type_id = $2
  UNION ALL
  SELECT CASE WHEN e.recorded_at < $3 THEN e.sequence + 1 ELSE low END,
         CASE WHEN e.recorded_at < $3 THEN high ELSE e.sequence END
    FROM search
    JOIN entries e ON e.customer_id = $1 AND e.credit_type_id = $2 AND e.sequence = (low + high) / 2
   WHERE low < high
)
SELECT coalesce(sum(coalesce(e.held_amount, 0) - e.amount), 0)::bigint
  FROM search
  JOIN entries e ON e.customer_id = $1 AND e.credit_type_id = $2 AND e.sequence >= search.low
  LEFT JOIN LATERAL (
    SELECT * FROM entries WHERE customer_id = $1 AND credit_type_id = $2 AND sequence = e.reverses OFFSET 0) AS b ON true
  LEFT JOIN LATERAL (
    SELECT * FROM holds
     WHERE customer_id = $1 AND credit_type_id = $2 AND number = coalesce(e.hold_number, b.hold_number) OFFSET 0) AS h ON true
 WHERE search.low = search.high AND e.kind IN ({", ".join(str(int(kind)) for kind in COUNTED)})
   AND coalesce(h.opened_at, b.occurred_at, b.recorded_at, e.occurred_at, e.recorded_at) >= $4
   AND coalesce(h.opened_at, b.occurred_at, b.recorded_at, e.occurred_at, e.recorded_at) < $5
   AND ($6::int IS NULL OR coalesce(h.feature_id, b.feature_id, e.feature_id) = $6)
   AND ($7::text[] IS NULL OR coalesce(h.member, b.member, e.member) = ANY($7::text[]))
"""  # noqa: S608 -- no name from outside


async def count_window(connection: HotConnection, limit: SpendLimit, members: list[str] | None, within: Window) -> int:
    """What counts towards the limit in that window, micro-credits; `members`: whose usage, None for everybody's."""
    since = within.start - bounds.FUTURE_SKEW  # usage may be recorded that much before it occurs
    place = (limit.customer_id, limit.credit_type_id)
    return int(
        await connection.fetchval(_COUNT, *place, since, within.start, within.end, limit.feature_id, members) or 0
    )
