"""The statements of usage roll-ups: what is locked, what is added, and how usage is read back exactly.

Usage is what BURN and SETTLE entries burned, at their occurrence, less what REVERSE entries gave back of them, at the
burn's.
"""

from credits.ledger.entries import Kind

_BURNS = f"{int(Kind.BURN)}, {int(Kind.SETTLE)}"
_QUARTER = "date_bin('15 minutes', {}, '2000-01-01T00:00:00Z'::timestamptz)"


def _uses(condition: str) -> str:
    """Usage among the entries `e` of account ($1, $2) that fulfil the condition.

    `event_first` marks one entry of each event: the burns of an event for several features follow each other. Burns and
    reversals apart, so that no burn is looked up for what is none: behind a bulk load the planner joined them all.
    """
    return f"""
  SELECT e.sequence, e.recorded_at, coalesce(e.occurred_at, e.recorded_at) AS used_at,
         coalesce(e.feature_id, 0) AS feature_id, coalesce(e.member, '') AS member, e.event, -e.amount AS amount,
         coalesce(e.quantity, 0) AS quantity, 1 AS burns,
         CASE WHEN e.event IS NULL THEN 1 ELSE (e.event IS DISTINCT FROM (
           SELECT p.event FROM entries p
            WHERE p.customer_id = $1 AND p.credit_type_id = $2 AND p.sequence < e.sequence AND p.kind IN ({_BURNS})
            ORDER BY p.sequence DESC LIMIT 1))::int END AS event_first
    FROM entries e
   WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.kind IN ({_BURNS}) AND ({condition})
   UNION ALL
  SELECT e.sequence, e.recorded_at, b.used_at, b.feature_id, b.member, b.event, -e.amount, 0, 0, 0
    FROM entries e
   CROSS JOIN LATERAL (
     SELECT coalesce(b.occurred_at, b.recorded_at) AS used_at, coalesce(b.feature_id, 0) AS feature_id,
            coalesce(b.member, '') AS member, b.event
       FROM entries b WHERE b.customer_id = $1 AND b.credit_type_id = $2 AND b.sequence = e.reverses
        AND b.kind IN ({_BURNS}) OFFSET 0) AS b
   WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.kind = {int(Kind.REVERSE)} AND ({condition})"""  # noqa: S608 -- no name from outside


_SUMS = """sum(amount)::bigint AS amount, sum(quantity) AS quantity, sum(burns)::bigint AS burns,
       sum(event_first)::bigint AS events, min(sequence) AS first_sequence, max(sequence) AS last_sequence"""
_KEY = "starts_at, recorded_from, feature_id, member, source"


def _source(workspace: str) -> str:
    """Where the event `u.event` came from. OFFSET 0: looked up one by one, as above."""
    return f"SELECT source FROM usage_events WHERE workspace_id = {workspace} AND key = u.event OFFSET 0"  # noqa: S608 -- no name from outside


def _rolled(condition: str) -> str:
    """Those entries as roll-ups. $3 is the workspace."""
    return f"""
SELECT {_QUARTER.format("u.used_at")} AS starts_at, {_QUARTER.format("u.recorded_at")} AS recorded_from, u.feature_id,
       u.member, coalesce(v.source, '') AS source, {_SUMS}
  FROM ({_uses(condition)}) AS u
  LEFT JOIN LATERAL ({_source("$3")}) AS v ON true
 GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 -- no name from outside


# find_behind -- Accounts with so many entries that are not rolled up, the furthest behind first. Not a hot statement: it
# looks at every account of the workspace, every few seconds.
FIND_BEHIND = """
SELECT a.customer_id, a.credit_type_id
  FROM accounts a LEFT JOIN usage_watermarks w USING (customer_id, credit_type_id)
 WHERE a.workspace_id = :workspace AND a.sequence >= :behind AND a.sequence - coalesce(w.sequence, 0) >= :behind
 ORDER BY a.sequence - coalesce(w.sequence, 0) DESC LIMIT :first
"""

# claim_account -- The watermark's row is the lock of an account's roll-ups; who finds it taken leaves the account to the
# process that has it.
MAKE_WATERMARK = """
INSERT INTO usage_watermarks (customer_id, credit_type_id, workspace_id, sequence) VALUES ($1, $2, $3, 0)
    ON CONFLICT DO NOTHING
"""
CLAIM_ACCOUNT = """
SELECT sequence FROM usage_watermarks WHERE customer_id = $1 AND credit_type_id = $2 FOR UPDATE SKIP LOCKED
"""

# roll_up -- The next entries, added to what is there. An account's entries become visible in their order (the writer
# holds the customer's lock until its commit), so nothing can appear behind the watermark later.
ROLL_UP = f"""
INSERT INTO usage_rollups (customer_id, credit_type_id, workspace_id, {_KEY}, amount, quantity, burns, events,
                           first_sequence, last_sequence)
SELECT $1::bigint, $2::int, $3::int, rolled.* FROM ({_rolled("e.sequence > $4 AND e.sequence <= $5")}) AS rolled
    ON CONFLICT (customer_id, credit_type_id, {_KEY}) DO UPDATE SET
       amount = usage_rollups.amount + EXCLUDED.amount, quantity = usage_rollups.quantity + EXCLUDED.quantity,
       burns = usage_rollups.burns + EXCLUDED.burns, events = usage_rollups.events + EXCLUDED.events,
       first_sequence = least(usage_rollups.first_sequence, EXCLUDED.first_sequence),
       last_sequence = greatest(usage_rollups.last_sequence, EXCLUDED.last_sequence)
"""  # noqa: S608 -- no name from outside
LAST_SEQUENCE = "SELECT sequence FROM accounts WHERE customer_id = $1 AND credit_type_id = $2"
SET_WATERMARK = "UPDATE usage_watermarks SET sequence = $3 WHERE customer_id = $1 AND credit_type_id = $2"
FORGET_ROLLUPS = "DELETE FROM usage_rollups WHERE customer_id = $1 AND credit_type_id = $2"

# compare_rollups -- Roll-ups that the entries do not bear out, and such as are missing.
_COMPARED = f"{_KEY}, amount, quantity, burns, events, first_sequence, last_sequence"
COMPARE_ROLLUPS = f"""
WITH mark AS (SELECT coalesce(max(sequence), 0) AS sequence FROM usage_watermarks
               WHERE customer_id = $1 AND credit_type_id = $2),
wanted AS ({_rolled("e.sequence <= (SELECT sequence FROM mark)")}),
found AS (SELECT {_COMPARED} FROM usage_rollups WHERE customer_id = $1 AND credit_type_id = $2)
SELECT {_KEY}, wanted.amount AS wanted, found.amount AS found
  FROM wanted FULL JOIN found USING ({_KEY})
 WHERE (wanted.amount, wanted.quantity, wanted.burns, wanted.events, wanted.first_sequence, wanted.last_sequence)
       IS DISTINCT FROM
       (found.amount, found.quantity, found.burns, found.events, found.first_sequence, found.last_sequence)
 ORDER BY 1, 2, 3, 4, 5
"""  # noqa: S608 -- no name from outside

# What a point is told by. A feature has its own share of an event that burned for several.
_GROUPS = {
    "NONE": ("NULL::text", "event_first"),
    "FEATURE": ("nullif(feature_id, 0)::text", "burns"),
    "MEMBER": ("nullif(member, '')", "event_first"),
    "SOURCE": ("nullif(source, '')", "event_first"),
}


def read_usage(group_by: str) -> str:
    """Usage of account ($1, $2) in [$3, $4), by the bucket that $5 (their starts) puts it in, and by group.

    From roll-ups where whole quarters of an hour lie in one bucket; from the entries behind them in the quarters $6,
    which a border cuts; and from the entries beyond the watermark. $7 is the workspace, $8 a member or null.
    """
    group, events = _GROUPS[group_by]
    within = "used_at >= $3 AND used_at < $4"
    return f"""
WITH mark AS (SELECT coalesce(max(sequence), 0) AS sequence FROM usage_watermarks
               WHERE customer_id = $1 AND credit_type_id = $2),
cut AS (SELECT starts_at, recorded_from, min(first_sequence) AS first_sequence, max(last_sequence) AS last_sequence
          FROM usage_rollups WHERE customer_id = $1 AND credit_type_id = $2 AND starts_at = ANY($6::timestamptz[])
         GROUP BY 1, 2),
usage AS (
  SELECT starts_at AS used_at, feature_id, member, source, amount, quantity, burns, events AS event_first
    FROM usage_rollups
   WHERE customer_id = $1 AND credit_type_id = $2 AND starts_at >= $3 AND starts_at < $4
     AND starts_at <> ALL($6::timestamptz[])
  UNION ALL
  SELECT used_at, feature_id, member, coalesce(v.source, ''), amount, quantity, burns, event_first
    FROM (SELECT u.* FROM cut CROSS JOIN LATERAL ({_uses("e.sequence BETWEEN cut.first_sequence AND cut.last_sequence")}) AS u
           WHERE {_QUARTER.format("u.used_at")} = cut.starts_at
             AND {_QUARTER.format("u.recorded_at")} = cut.recorded_from
          UNION ALL
          SELECT u.* FROM ({_uses("e.sequence > (SELECT sequence FROM mark)")}) AS u) AS u
    LEFT JOIN LATERAL ({_source("$7")}) AS v ON {"true" if group_by == "SOURCE" else "false"}
   WHERE {within}
)
SELECT width_bucket(used_at, $5::timestamptz[]) - 1 AS bucket, {group} AS label, sum(amount)::bigint AS amount,
       sum(quantity) AS quantity, sum({events})::bigint AS events
  FROM usage WHERE $8::text IS NULL OR member = $8
 GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST
"""  # noqa: S608 -- no name from outside
