"""The statements of revenue: what is claimed, what is read to be told, what is written, and what reports read."""

from credits.ledger.entries import Kind
from credits.posting.columns import insert, update

_MONEY = ("sold", "earned", "returned", "breakage", "refunded")

# has_money -- Whether the workspace has anything to tell: most of a laptop's have not, and then nothing is looked through.
HAS_MONEY = """
SELECT EXISTS (SELECT FROM money_movements WHERE workspace_id = $1)
    OR EXISTS (SELECT FROM grants WHERE workspace_id = $1 AND cost_amount > 0)
"""

# Of an account `a`: whether money was ever paid for one of its grants. Each is one look into an index.
_PAID = """(
  EXISTS (SELECT FROM grants g WHERE g.workspace_id = a.workspace_id AND g.customer_id = a.customer_id
             AND g.credit_type_id = a.credit_type_id AND g.cost_amount > 0)
  OR EXISTS (SELECT FROM money_movements m WHERE m.customer_id = a.customer_id AND m.credit_type_id = a.credit_type_id
                AND m.sequence IS NOT NULL))"""

# find_behind -- Accounts with money and entries that are not told, in the order of their keys from ($2, $3) on: each look
# goes on behind the last, so that one account that somebody else has does not hide the others. Not a hot statement.
FIND_BEHIND = f"""
SELECT a.customer_id, a.credit_type_id
  FROM accounts a LEFT JOIN revenue_watermarks w USING (customer_id, credit_type_id)
 WHERE a.workspace_id = $1 AND (a.customer_id, a.credit_type_id) > ($2, $3)
   AND a.sequence > coalesce(w.sequence, 0) AND {_PAID}
 ORDER BY a.customer_id, a.credit_type_id LIMIT $4
"""  # noqa: S608 -- no name from outside

# make_watermarks, claim -- A watermark's row is the lock of what is derived of its account; who finds it taken leaves it to
# the process that has it. In the order of the keys, so that two who make new ones wait for each other at most.
MAKE_WATERMARKS = """
INSERT INTO revenue_watermarks (customer_id, credit_type_id, workspace_id, sequence, highest)
SELECT p.customer_id, p.credit_type_id, $3, 0, 0
  FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
 ORDER BY p.customer_id, p.credit_type_id
    ON CONFLICT DO NOTHING
"""
CLAIM = """
SELECT w.customer_id, w.credit_type_id, w.sequence, w.highest, a.sequence AS head
  FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
  JOIN revenue_watermarks w USING (customer_id, credit_type_id)
  JOIN accounts a USING (customer_id, credit_type_id)
 ORDER BY w.customer_id, w.credit_type_id
   FOR UPDATE OF w SKIP LOCKED
"""

# tails -- For a report: accounts with money of which something is not told, or not even booked at $2; $3 a credit type or null.
TAILS = f"""
SELECT a.customer_id, a.credit_type_id, coalesce(w.sequence, 0) AS sequence, coalesce(w.highest, 0) AS highest,
       a.sequence AS head, coalesce(a.due_at <= $2, false) AS due
  FROM accounts a LEFT JOIN revenue_watermarks w USING (customer_id, credit_type_id)
 WHERE a.workspace_id = $1 AND ($3::int IS NULL OR a.credit_type_id = $3)
   AND (a.sequence > coalesce(w.sequence, 0) OR a.due_at <= $2) AND {_PAID}
 ORDER BY a.customer_id, a.credit_type_id
"""  # noqa: S608 -- no name from outside

# read_entries -- The next entries of some accounts, a range of the primary key each; without those that never move money.
READ_ENTRIES = f"""
SELECT p.place, e.sequence, e.kind, e.amount, e.recorded_at, e.grant_number, e.held_amount, e.allocations,
       CASE WHEN e.kind = {int(Kind.REVERSE)} THEN (
         SELECT r.kind FROM entries r
          WHERE r.customer_id = p.customer_id AND r.credit_type_id = p.credit_type_id AND r.sequence = e.reverses) END AS reversed
  FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[])
         WITH ORDINALITY AS p (customer_id, credit_type_id, after, until, place)
 CROSS JOIN LATERAL (
   SELECT * FROM entries e
    WHERE e.customer_id = p.customer_id AND e.credit_type_id = p.credit_type_id
      AND e.sequence > p.after AND e.sequence <= p.until AND e.kind <> {int(Kind.HOLD)}
      AND (e.kind NOT IN ({int(Kind.RELEASE)}, {int(Kind.LAPSE)}) OR 0 > ANY (e.allocations))
    ORDER BY e.sequence OFFSET 0) AS e
 ORDER BY p.place, e.sequence
"""  # noqa: S608 -- no name from outside

# read_movements -- The money that goes with them.
READ_MOVEMENTS = """
SELECT p.place, m.sequence, m.kind, m.minor, m.currency, m.grant_number
  FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[])
         WITH ORDINALITY AS p (customer_id, credit_type_id, after, until, place)
  JOIN money_movements m ON m.customer_id = p.customer_id AND m.credit_type_id = p.credit_type_id
   AND m.sequence > p.after AND m.sequence <= p.until
"""

# read_terms, read_lots -- The grants ($1, $2, $3) that the entries name. $4 tells whose they are.
READ_TERMS = """
SELECT p.place, g.number, g.source, g.cost_amount, g.cost_currency, g.rolled_from
  FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) AS p (customer_id, credit_type_id, number, place)
  JOIN grants g USING (customer_id, credit_type_id, number)
"""
READ_LOTS = """
SELECT p.place, g.number, g.currency, g.paid, g.amount, g.remaining, g.adjusted, g.deferred, g.burned, g.earned, g.ended,
       g.ended_minor
  FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) AS p (customer_id, credit_type_id, number, place)
  JOIN revenue_grants g USING (customer_id, credit_type_id, number)
"""

# insert_lines, add_days, put_lots, set_watermarks -- What was told, written with the watermark in one database transaction:
# a process that ends in between has told nothing.
_ACCOUNT = {"customer_id": "bigint", "workspace_id": "int", "credit_type_id": "int"}
_SUMS = dict.fromkeys(_MONEY, "numeric")
INSERT_LINES = insert(
    "revenue_lines",
    _ACCOUNT
    | {"sequence": "int", "at": "timestamptz", "kind": "smallint", "elsewhere": "boolean", "currency": "text"}
    | _SUMS,
)
ADD_DAYS = insert(
    "revenue_days",
    _ACCOUNT | {"day": "date", "currency": "text"} | _SUMS | {"lines": "int"},
    suffix="ON CONFLICT (customer_id, credit_type_id, day, currency) DO UPDATE SET "
    + ", ".join(f"{name} = revenue_days.{name} + EXCLUDED.{name}" for name in (*_MONEY, "lines")),
)
_LOT = {
    "currency": "text",
    **dict.fromkeys(("paid",), "numeric"),
    **dict.fromkeys(("amount", "remaining", "adjusted"), "bigint"),
    "deferred": "numeric",
    "burned": "bigint",
    "earned": "numeric",
    "ended": "bigint",
    "ended_minor": "numeric",
}
PUT_LOTS = insert(
    "revenue_grants",
    _ACCOUNT | {"number": "int"} | _LOT,
    suffix="ON CONFLICT (customer_id, credit_type_id, number) DO UPDATE SET "
    + ", ".join(f"{name} = EXCLUDED.{name}" for name in _LOT),
)
SET_WATERMARKS = update(
    "revenue_watermarks",
    {"customer_id": "bigint", "credit_type_id": "int"},
    {"sequence": "int", "highest": "int"},
)

# forget -- Everything that is derived of an account, under its claim.
FORGET = tuple(
    f"DELETE FROM {table} WHERE customer_id = $1 AND credit_type_id = $2"  # noqa: S608 -- names of our own
    for table in ("revenue_lines", "revenue_days", "revenue_grants")
)
FORGET_WATERMARK = (
    "UPDATE revenue_watermarks SET sequence = 0, highest = 0 WHERE customer_id = $1 AND credit_type_id = $2"
)

# read_pairs -- Which currencies and credit types there are, by leaping through the index: a look for each.
READ_PAIRS = """
WITH RECURSIVE pairs AS (
  (SELECT currency, credit_type_id FROM revenue_days WHERE workspace_id = $1 ORDER BY currency, credit_type_id LIMIT 1)
  UNION ALL
  SELECT next.currency, next.credit_type_id
    FROM pairs p
   CROSS JOIN LATERAL (
     SELECT d.currency, d.credit_type_id FROM revenue_days d
      WHERE d.workspace_id = $1 AND (d.currency, d.credit_type_id) > (p.currency, p.credit_type_id)
      ORDER BY d.currency, d.credit_type_id LIMIT 1) AS next
)
SELECT currency, credit_type_id FROM pairs
"""

# read_deferred -- What is deferred at the watermarks, by currency and credit type.
READ_DEFERRED = """
SELECT currency, credit_type_id, sum(deferred) AS deferred
  FROM revenue_grants WHERE workspace_id = $1 AND deferred > 0 GROUP BY 1, 2
"""

# read_sums -- Of one currency and credit type, what moved since the first of the borders $4, by the period that they cut;
# the last is whatever came after them.
READ_SUMS = """
SELECT width_bucket(d.day, $4::date[]) - 1 AS period, sum(d.sold) AS sold, sum(d.earned) AS earned,
       sum(d.returned) AS returned, sum(d.breakage) AS breakage, sum(d.refunded) AS refunded
  FROM revenue_days d
 WHERE d.workspace_id = $1 AND d.currency = $2 AND d.credit_type_id = $3 AND d.day >= $5
 GROUP BY 1
"""

# read_alone -- Money in [$2, $3) that moved no credits; $4 a credit type or null.
READ_ALONE = """
SELECT m.customer_id, m.credit_type_id, m.number, m.at, m.kind, m.minor, m.currency, m.grant_number
  FROM money_movements m
 WHERE m.workspace_id = $1 AND m.sequence IS NULL AND m.at >= $2 AND m.at < $3
   AND ($4::int IS NULL OR m.credit_type_id = $4)
 ORDER BY m.at, m.customer_id, m.number
"""

# read_lines -- Lines in [.., $2) behind a place, in the order of the journal: a page of them.
READ_LINES = """
SELECT l.at, l.customer_id, l.credit_type_id, l.sequence, l.currency, l.kind, l.elsewhere, l.sold, l.earned, l.returned,
       l.breakage, l.refunded
  FROM revenue_lines l
 WHERE l.workspace_id = $1 AND l.at < $2
   AND (l.at, l.customer_id, l.credit_type_id, l.sequence, l.currency) > ($3, $4, $5, $6, $7)
 ORDER BY l.at, l.customer_id, l.credit_type_id, l.sequence, l.currency LIMIT $8
"""

# read_keys -- What hosts call these customers.
READ_KEYS = "SELECT id, key FROM customers WHERE id = ANY($1::bigint[])"

# read_stored -- What is stored of an account, for whoever compares.
READ_STORED_LOTS = """
SELECT number, currency, paid, amount, remaining, adjusted, deferred, burned, earned, ended, ended_minor
  FROM revenue_grants WHERE customer_id = $1 AND credit_type_id = $2 ORDER BY number
"""
READ_STORED_DAYS = f"""
SELECT coalesce(d.day, l.day) AS day, coalesce(d.currency, l.currency) AS currency, {
    ", ".join(f"coalesce(d.{name}, 0) AS {name}, coalesce(l.{name}, 0) AS line_{name}" for name in (*_MONEY, "lines"))
}
  FROM (SELECT * FROM revenue_days WHERE customer_id = $1 AND credit_type_id = $2) d
  FULL JOIN (
    SELECT (at AT TIME ZONE 'UTC')::date AS day, currency, count(*) AS lines, {
    ", ".join(f"sum({name}) AS {name}" for name in _MONEY)
}
      FROM revenue_lines WHERE customer_id = $1 AND credit_type_id = $2 GROUP BY 1, 2) l USING (day, currency)
"""  # noqa: S608 -- no name from outside
# read_ties -- The account's money movements up to an entry, against its lines: what was sold through top-ups, and paid back.
READ_TIES = """
SELECT currency, coalesce(m.sold, 0) AS sold, coalesce(m.refunded, 0) AS refunded, coalesce(l.sold, 0) AS line_sold,
       coalesce(l.refunded, 0) AS line_refunded
  FROM (SELECT currency, sum(minor) FILTER (WHERE kind = 'SALE') AS sold,
               sum(CASE WHEN kind IN ('REFUND', 'CHARGEBACK') THEN minor WHEN kind = 'SALE' THEN 0 ELSE -minor END) AS refunded
          FROM money_movements
         WHERE customer_id = $1 AND credit_type_id = $2 AND sequence <= $3 GROUP BY 1) m
  FULL JOIN (
    SELECT currency, sum(sold) FILTER (WHERE NOT elsewhere) AS sold, sum(refunded) AS refunded
      FROM revenue_lines WHERE customer_id = $1 AND credit_type_id = $2 GROUP BY 1) l USING (currency)
"""
READ_MARK = "SELECT sequence FROM revenue_watermarks WHERE customer_id = $1 AND credit_type_id = $2"
READ_REMAINING = """
SELECT number, remaining FROM grants WHERE customer_id = $1 AND credit_type_id = $2 AND number = ANY($3::int[])
"""

# read_kept -- Of which accounts anything is kept.
READ_KEPT = "SELECT customer_id, credit_type_id FROM revenue_watermarks ORDER BY customer_id, credit_type_id"
