"""What counts towards a spend limit in one window, counted from the entries: where nothing is written down of it yet.

The one statement, for the batch writer and for whoever sets a limit: under the customer's lock, both of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from credits import bounds
from credits.db import Fetches, HotConnection
from credits.enforcement.limits import COUNTED, Limits
from credits.enforcement.values import SpendLimit, limit_of
from credits.ledger.entries import Kind
from credits.windows import Window

_HOLDS = ", ".join(str(int(kind)) for kind in COUNTED if kind not in (Kind.BURN, Kind.REVERSE))
_ACCOUNT = "customer_id = $1 AND credit_type_id = $2"

# count_window -- The account's clock never goes back, so what occurred in the window or later was recorded behind one
# sequence, which a bisection by the primary key finds: an account's history is not read. Then as `Limits.catch_up`: what
# is of a hold counts at its opening, a reversal at its burn. Each kind apart, so that a burn is counted without looking
# anything up; OFFSET 0, so that what is looked up is so one by one, whatever the planner thinks of stale statistics.
_COUNT = f"""
WITH RECURSIVE search (low, high) AS (
  SELECT 1, a.sequence + 1 FROM accounts a WHERE {_ACCOUNT}
  UNION ALL
  SELECT CASE WHEN e.recorded_at < $3 THEN e.sequence + 1 ELSE low END,
         CASE WHEN e.recorded_at < $3 THEN high ELSE e.sequence END
    FROM search
   CROSS JOIN LATERAL (
     SELECT sequence, recorded_at FROM entries WHERE {_ACCOUNT} AND sequence = (low + high) / 2 OFFSET 0) AS e
   WHERE low < high
),
counted AS (
  SELECT coalesce(e.occurred_at, e.recorded_at) AS at, e.feature_id, e.member, -e.amount AS amount
    FROM entries e
   WHERE {_ACCOUNT} AND e.sequence >= (SELECT low FROM search WHERE low = high) AND e.kind = {int(Kind.BURN)}
   UNION ALL
  SELECT h.opened_at, h.feature_id, h.member, coalesce(e.held_amount, 0) - e.amount
    FROM entries e
   CROSS JOIN LATERAL (SELECT * FROM holds WHERE {_ACCOUNT} AND number = e.hold_number OFFSET 0) AS h
   WHERE e.{_ACCOUNT.replace(" AND ", " AND e.")} AND e.kind IN ({_HOLDS})
     AND e.sequence >= (SELECT low FROM search WHERE low = high)
   UNION ALL
  SELECT coalesce(h.opened_at, b.occurred_at, b.recorded_at), b.feature_id, b.member, -e.amount
    FROM entries e
   CROSS JOIN LATERAL (SELECT * FROM entries WHERE {_ACCOUNT} AND sequence = e.reverses AND kind IN (2, 4) OFFSET 0) AS b
    LEFT JOIN LATERAL (SELECT * FROM holds WHERE {_ACCOUNT} AND number = b.hold_number OFFSET 0) AS h ON true
   WHERE e.{_ACCOUNT.replace(" AND ", " AND e.")} AND e.kind = {int(Kind.REVERSE)}
     AND e.sequence >= (SELECT low FROM search WHERE low = high)
)
SELECT coalesce(sum(amount), 0)::bigint
  FROM counted
 WHERE at >= $4 AND at < $5
   AND ($6::int IS NULL OR feature_id = $6) AND ($7::text[] IS NULL OR member = ANY($7::text[]))
"""  # noqa: S608 -- no name from outside


# forget_windows -- Of customers that nobody has locked: what is older than two months, longer than any window and than any
# usual cutoff. Should a burn be so late after all, its window is counted from the entries, as one from before the limit.
_FORGET = """
WITH past AS (
  SELECT clock_timestamp() + clock_offset_us * interval '1 microsecond' - interval '62 days' AS at
    FROM workspaces WHERE id = $1
), old AS (
  SELECT id FROM customers
   WHERE id IN (SELECT customer_id FROM limit_windows
                 WHERE workspace_id = $1 AND starts_at < (SELECT at FROM past) LIMIT 1000)
   ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), forgotten AS (
  UPDATE spend_limits l SET counted_from = greatest(l.counted_from, past.at) FROM old, past WHERE l.customer_id = old.id
)
DELETE FROM limit_windows w USING old, past WHERE w.customer_id = old.id AND w.starts_at < past.at
"""


async def forget_windows(connection: HotConnection, workspace_id: int) -> None:
    """Lets go of windows of the workspace that are long past."""
    await connection.execute(_FORGET, workspace_id)


async def count_window(connection: Fetches, limit: SpendLimit, members: list[str] | None, within: Window) -> int:
    """What counts towards the limit in that window, micro-credits; `members`: whose usage, None for everybody's."""
    since = within.start - bounds.FUTURE_SKEW  # usage may be recorded that much before it occurs
    place = (limit.customer_id, limit.credit_type_id)
    return int(
        await connection.fetchval(_COUNT, *place, since, within.start, within.end, limit.feature_id, members) or 0
    )


# latest_windows -- Of accounts, each spend limit with the last window that is written down of it, and whose groups count.
_LATEST_WINDOWS = """
SELECT DISTINCT ON (l.customer_id, l.number)
       l.*, w.starts_at, w.used, c.timezone,
       (SELECT array_agg(m.key) FROM members m WHERE m.customer_id = l.customer_id AND m.group_name = l.group_name) AS within
  FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
  JOIN spend_limits l USING (customer_id, credit_type_id)
  JOIN limit_windows w ON w.customer_id = l.customer_id AND w.number = l.number
  JOIN customers c ON c.id = l.customer_id
 ORDER BY l.customer_id, l.number, w.starts_at DESC
"""


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A limit of which more or less is written down as used than the entries say, in micro-credits."""

    limit: SpendLimit
    counted_micro: int
    stored_micro: int


async def compare_windows(
    connection: Fetches, customers: Sequence[int], credit_types: Sequence[int]
) -> list[WindowDifference]:
    """Of accounts (customers and credit types, pair by pair) the spend limits whose last window is not what the entries
    say. Under one view. Windows before it decide late usage alone, and are not looked at."""
    found = []
    for row in await connection.fetch(_LATEST_WINDOWS, customers, credit_types):
        limit = limit_of(row)
        groups = dict.fromkeys(row["within"] or (), limit.group or "")
        limits = Limits(row["timezone"], [limit], groups)
        within = limits.window(limit, row["starts_at"])
        counted = await count_window(connection, limit, limits.members_of(limit), within)
        if counted != row["used"]:
            found.append(WindowDifference(limit, counted, row["used"]))
    return found
