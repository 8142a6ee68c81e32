"""The statements of a reconciliation: what the entries add up to, beside what the other tables say.

Each takes some accounts ($1 customers, $2 credit types), reads them in one view and locks nothing. Each answers with
what does not agree, and with nothing where everything does: (customer, credit type, what, number, expected, actual).
`expected` is what the entries say, because they are chained. `number` is that of the grant, hold or entry.

Kinds of entries, as stored: 1 GRANT, 2 BURN, 3 HOLD, 4 SETTLE, 5 RELEASE, 6 LAPSE, 7 EXPIRE, 8 UNEXPIRE, 9 REALLOCATE,
10 VOID, 11 REVERSE, 12 CLAWBACK, 13 ADJUST. An allocation is (grant g, part), (0, part): overdraft, or (−g, part):
overdraft that g repaid; parts are positive, but on REALLOCATE.
"""

_ACCOUNTS = """
picked AS (
  SELECT a.* FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
    JOIN accounts a USING (customer_id, credit_type_id))"""

# Every allocation of the accounts' entries, one row each, in either spelling.
_PARTS = f"""{_ACCOUNTS},
booked AS (
  SELECT e.customer_id, e.credit_type_id, e.sequence, e.kind, e.amount, coalesce(e.held_amount, 0) AS held_amount,
         e.grant_number, e.allocations
    FROM picked p JOIN entries e USING (customer_id, credit_type_id)),
parts AS (
  SELECT customer_id, credit_type_id, sequence, kind, amount, held_amount, grant_number::bigint AS number,
         greatest(abs(amount), abs(held_amount)) AS part
    FROM booked WHERE grant_number IS NOT NULL
  UNION ALL
  SELECT customer_id, credit_type_id, sequence, kind, amount, held_amount, allocations[i], allocations[i + 1]
    FROM booked, generate_series(1, cardinality(allocations), 2) AS i WHERE grant_number IS NULL)"""  # noqa: S608 -- no name from outside; likewise below

# What each allocation did to its grant and to the account's overdraft. What a grant repays, it burns, whatever the kind.
_MOVED = f"""{_PARTS},
moved AS (
  SELECT customer_id, credit_type_id, abs(number) AS number,
         sum(part) FILTER (WHERE number <> 0 AND (kind IN (1, 11) OR (kind = 13 AND amount > 0)))  AS given,
         sum(part) FILTER (WHERE number < 0 OR (number > 0 AND kind IN (2, 4, 9)))             AS burned,
         sum(CASE kind WHEN 7 THEN part WHEN 8 THEN -part END) FILTER (WHERE number > 0)       AS expired,
         sum(part) FILTER (WHERE number > 0 AND (kind = 10 OR (kind = 13 AND amount < 0)))     AS voided,
         sum(part) FILTER (WHERE number > 0 AND kind = 12)                                     AS clawed_back,
         sum(CASE WHEN number < 0 THEN -part
                  WHEN number > 0 THEN 0
                  WHEN kind IN (2, 4, 9, 12) THEN part
                  WHEN kind = 11 THEN -part
                  ELSE 0 END)                                                                  AS overdraft
    FROM parts GROUP BY 1, 2, 3)"""  # noqa: S608

# accounts_against_entries -- sums of amounts, and what the last entry says
ACCOUNTS_AGAINST_ENTRIES = f"""
WITH {_ACCOUNTS},
summed AS (
  SELECT p.customer_id, p.credit_type_id, count(e.sequence) AS entries,
         coalesce(sum(e.amount), 0) AS balance,
         coalesce(sum(e.held_amount), 0) AS held,
         coalesce(sum(e.amount) FILTER (WHERE e.kind = 1), 0) AS granted,
         coalesce(-sum(e.amount) FILTER (WHERE e.kind IN (2, 4)), 0) AS burned,
         coalesce(-sum(e.amount) FILTER (WHERE e.kind IN (7, 8)), 0) AS expired,
         coalesce(-sum(e.amount) FILTER (WHERE e.kind = 10), 0) AS voided,
         coalesce(sum(e.amount) FILTER (WHERE e.kind = 11), 0) AS given_back,
         coalesce(-sum(e.amount) FILTER (WHERE e.kind = 12), 0) AS clawed_back,
         coalesce(sum(e.amount) FILTER (WHERE e.kind = 13), 0) AS adjusted,
         coalesce(max(e.balance_after) FILTER (WHERE e.sequence = p.sequence), 0) AS balance_after,
         coalesce(max(e.held_after) FILTER (WHERE e.sequence = p.sequence), 0) AS held_after
    FROM picked p LEFT JOIN entries e USING (customer_id, credit_type_id)
   GROUP BY p.customer_id, p.credit_type_id)
SELECT a.customer_id, a.credit_type_id, c.what, NULL::bigint AS number, c.expected, c.actual
  FROM picked a JOIN summed s USING (customer_id, credit_type_id)
 CROSS JOIN LATERAL (VALUES
   ('entries', s.entries, a.sequence::numeric),
   ('balance', s.balance, a.balance),
   ('balance after the last entry', s.balance_after, a.balance),
   ('held', s.held, a.held),
   ('held after the last entry', s.held_after, a.held),
   ('granted', s.granted, a.granted),
   ('burned', s.burned, a.burned),
   ('expired', s.expired, a.expired),
   ('voided', s.voided, a.voided),
   ('given back', s.given_back, a.given_back),
   ('clawed back', s.clawed_back, a.clawed_back),
   ('adjusted', s.adjusted, a.adjusted)) AS c (what, expected, actual)
 WHERE c.expected <> c.actual
"""  # noqa: S608

# accounts_against_grants -- law 4: what remains of begun grants, less the overdraft, is the balance; and the overdraft
# is what allocations made and repaid
ACCOUNTS_AGAINST_GRANTS = f"""
WITH {_MOVED}
SELECT a.customer_id, a.credit_type_id, c.what, NULL::bigint AS number, c.expected, c.actual
  FROM picked a
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(remaining), 0) AS remaining FROM grants g
    WHERE g.customer_id = a.customer_id AND g.credit_type_id = a.credit_type_id AND g.state <> 'SCHEDULED') g
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(overdraft), 0) AS overdraft FROM moved m
    WHERE m.customer_id = a.customer_id AND m.credit_type_id = a.credit_type_id) m
 CROSS JOIN LATERAL (VALUES
   ('what remains of grants, less overdraft', a.balance::numeric, g.remaining - a.overdraft),
   ('overdraft', m.overdraft, a.overdraft)) AS c (what, expected, actual)
 WHERE c.expected <> c.actual
"""  # noqa: S608

# grants_against_allocations -- law 3, column by column. A grant that never began has none, and voided then, it is whole;
# what is held is what open holds keep of it. An allocation to a grant that is not there has all of it missing.
GRANTS_AGAINST_ALLOCATIONS = f"""
WITH {_MOVED},
kept AS (
  SELECT h.customer_id, h.credit_type_id, h.parts[i] AS number, sum(h.parts[i + 1]) AS held
    FROM picked p JOIN holds h USING (customer_id, credit_type_id), generate_series(1, cardinality(h.parts), 2) AS i
   WHERE h.status = 'OPEN' GROUP BY 1, 2, 3),
stored AS (
  SELECT g.* FROM picked p JOIN grants g USING (customer_id, credit_type_id)),
everything AS (
  SELECT customer_id, credit_type_id, number, g.amount IS NOT NULL AS is_there,
         g.amount + g.given_back AS given, g.burned, g.expired, g.voided, g.clawed_back, g.held,
         coalesce(m.given, 0) AS moved_given, coalesce(m.burned, 0) AS moved_burned,
         coalesce(m.expired, 0) AS moved_expired, coalesce(m.voided, 0) AS moved_voided,
         coalesce(m.clawed_back, 0) AS moved_clawed_back, coalesce(k.held, 0) AS kept,
         coalesce(g.state IN ('SCHEDULED', 'VOIDED') AND m.given IS NULL, false) AS never_began, g.state, g.amount
    FROM stored g
    FULL JOIN (SELECT * FROM moved WHERE number > 0) m USING (customer_id, credit_type_id, number)
    FULL JOIN (SELECT * FROM kept WHERE number > 0) k USING (customer_id, credit_type_id, number))
SELECT customer_id, credit_type_id, c.what, number, c.expected, coalesce(c.actual, 0) AS actual
  FROM everything
 CROSS JOIN LATERAL (VALUES
   ('grant: given', moved_given, CASE WHEN never_began THEN 0 ELSE given END),
   ('grant: burned', moved_burned, burned),
   ('grant: expired', moved_expired, expired),
   ('grant: voided', CASE WHEN never_began AND state = 'VOIDED' THEN amount ELSE moved_voided END, voided),
   ('grant: clawed back', moved_clawed_back, clawed_back),
   ('grant: held', kept, held)) AS c (what, expected, actual)
 WHERE c.expected <> coalesce(c.actual, 0) OR (NOT is_there AND c.what = 'grant: given')
"""  # noqa: S608

# holds_against_entries -- each hold by its own entries, its parts, and all open ones against the account
HOLDS_AGAINST_ENTRIES = f"""
WITH {_ACCOUNTS},
summed AS (
  SELECT e.customer_id, e.credit_type_id, e.hold_number AS number,
         coalesce(sum(e.held_amount), 0) AS remaining,
         coalesce(-sum(e.amount) FILTER (WHERE e.kind = 4), 0) AS settled
    FROM picked p JOIN entries e USING (customer_id, credit_type_id)
   WHERE e.hold_number IS NOT NULL GROUP BY 1, 2, 3),
stored AS (
  SELECT h.*, (SELECT coalesce(sum(h.parts[i + 1]), 0) FROM generate_series(1, cardinality(h.parts), 2) AS i) AS kept
    FROM picked p JOIN holds h USING (customer_id, credit_type_id))
SELECT customer_id, credit_type_id, c.what, number, c.expected, c.actual
  FROM (SELECT customer_id, credit_type_id, number, coalesce(s.remaining, 0) AS booked, coalesce(s.settled, 0) AS booked_settled,
               coalesce(h.remaining, 0) AS remaining, coalesce(h.settled, 0) AS settled, coalesce(h.kept, 0) AS kept
          FROM summed s FULL JOIN stored h USING (customer_id, credit_type_id, number)) AS both_sides
 CROSS JOIN LATERAL (VALUES
   ('hold: held', booked, remaining),
   ('hold: settled', booked_settled, settled),
   ('hold: parts', booked, kept)) AS c (what, expected, actual)
 WHERE c.expected <> c.actual
UNION ALL
SELECT a.customer_id, a.credit_type_id, 'held by open holds', NULL, h.held, a.held
  FROM picked a
 CROSS JOIN LATERAL (
   SELECT coalesce(sum(remaining), 0) AS held FROM holds h
    WHERE h.customer_id = a.customer_id AND h.credit_type_id = a.credit_type_id AND h.status = 'OPEN') h
 WHERE h.held <> a.held
"""  # noqa: S608

# entries_against_allocations -- an entry's allocations add up to what it did. What grants repaid (negative numbers) is
# part of what was given or released, and beside what was burned.
ENTRIES_AGAINST_ALLOCATIONS = f"""
WITH {_PARTS},
summed AS (
  SELECT customer_id, credit_type_id, sequence, sum(part) AS everything, sum(part) FILTER (WHERE number >= 0) AS borne
    FROM parts GROUP BY 1, 2, 3)
SELECT customer_id, credit_type_id, 'entry: allocations' AS what, sequence::bigint AS number, c.expected, c.actual
  FROM booked b LEFT JOIN summed s USING (customer_id, credit_type_id, sequence)
 CROSS JOIN LATERAL (
   SELECT CASE WHEN b.kind IN (3, 5, 6) THEN abs(b.held_amount) WHEN b.kind = 9 THEN 0 ELSE abs(b.amount) END::numeric,
          coalesce(CASE WHEN b.kind IN (2, 4, 9, 12) THEN s.borne ELSE s.everything END, 0)) AS c (expected, actual)
 WHERE c.expected <> c.actual
"""  # noqa: S608

# burns_without_event -- burns that say which event they are of, where the event is gone, did not burn or does not name
# them
BURNS_WITHOUT_EVENT = f"""
WITH {_ACCOUNTS}
SELECT e.customer_id, e.credit_type_id, 'event of the burn' AS what, e.sequence::bigint AS number,
       abs(e.amount)::numeric AS expected, 0::numeric AS actual, e.event
  FROM picked p JOIN entries e USING (customer_id, credit_type_id)
  LEFT JOIN usage_events u ON u.workspace_id = e.workspace_id AND u.key = e.event
 WHERE e.event IS NOT NULL AND e.kind = 2
   AND (u.key IS NULL OR u.outcome <> 1 OR NOT EXISTS (
     SELECT FROM generate_series(1, cardinality(u.entries), 2) AS i
      WHERE u.entries[i] = e.credit_type_id AND u.entries[i + 1] = e.sequence))
"""  # noqa: S608

# grants_against_phases -- What phases say that burns took of a grant, and that it repaid, it has burned at least; what
# settlements burned besides is in no phase. A grant that they name is there.
GRANTS_AGAINST_PHASES = f"""
WITH {_ACCOUNTS},
told AS (
  SELECT p.customer_id, p.credit_type_id, p.drawn AS parts FROM picked p
   UNION ALL
  SELECT h.customer_id, h.credit_type_id, x.parts
    FROM picked p JOIN phases h USING (customer_id, credit_type_id)
   CROSS JOIN LATERAL (VALUES (h.drawn), (h.repaid)) AS x (parts)),
drawn AS (
  SELECT customer_id, credit_type_id, parts[i] AS number, sum(parts[i + 1]) AS part
    FROM told, generate_series(1, cardinality(parts), 2) AS i GROUP BY 1, 2, 3)
SELECT d.customer_id, d.credit_type_id, 'grant: burned in its phases' AS what, d.number,
       coalesce(g.burned, 0)::numeric AS expected, d.part AS actual
  FROM drawn d LEFT JOIN grants g USING (customer_id, credit_type_id, number)
 WHERE d.number > 0 AND (g.number IS NULL OR d.part > g.burned)
"""  # noqa: S608

# Everything that is asked of some accounts; what is derived from the entries in other forms: `derived.py`.
OF_ACCOUNTS = (
    ACCOUNTS_AGAINST_ENTRIES,
    ACCOUNTS_AGAINST_GRANTS,
    GRANTS_AGAINST_ALLOCATIONS,
    HOLDS_AGAINST_ENTRIES,
    ENTRIES_AGAINST_ALLOCATIONS,
    GRANTS_AGAINST_PHASES,
)

# next_accounts -- the accounts behind a place, in order, and how many entries they have
NEXT_ACCOUNTS = """
SELECT customer_id, credit_type_id, sequence FROM accounts
 WHERE (customer_id, credit_type_id) > ($1, $2) ORDER BY customer_id, credit_type_id LIMIT $3
"""

# last_of_events -- where a page of events ends
LAST_OF_EVENTS = """
SELECT max(key::text)::uuid FROM (
  SELECT key FROM usage_events WHERE workspace_id = scrip_workspace() AND key > $1 ORDER BY key LIMIT $2) AS page
"""

# events_without_burn -- events of a page that say which burns they made, where a burn is gone or is of another event; and
# events that did not burn and name burns all the same
EVENTS_WITHOUT_BURN = """
SELECT u.customer_id, u.entries[i] AS credit_type_id, 'burn of the event' AS what, u.entries[i + 1]::bigint AS number,
       1::numeric AS expected, 0::numeric AS actual, u.key AS event
  FROM usage_events u, generate_series(1, cardinality(u.entries), 2) AS i
  LEFT JOIN LATERAL (
    SELECT e.event FROM entries e
     WHERE e.customer_id = u.customer_id AND e.credit_type_id = u.entries[i] AND e.sequence = u.entries[i + 1]) AS e ON true
 WHERE u.workspace_id = scrip_workspace() AND u.key > $1 AND u.key <= $2
   AND (u.outcome <> 1 OR e.event IS DISTINCT FROM u.key)
"""

# names -- what people call accounts
NAMES = """
SELECT p.customer_id, p.credit_type_id, c.key AS customer, t.key AS credit_type
  FROM unnest($1::bigint[], $2::int[]) AS p (customer_id, credit_type_id)
  LEFT JOIN customers c ON c.id = p.customer_id
  LEFT JOIN credit_types t ON t.id = p.credit_type_id
"""
