"""The statements of the batch writer: what locks, what is read under the lock, what is written.

Each is one round trip for the whole batch, whatever its size, in a form that PostgreSQL 16 to 18 and Citus both
take. Order matters: lock, *then* read in a later statement (READ COMMITTED gives it a fresh view of what the lock
waited for), then write.
"""

from collections.abc import Mapping

from credits.ledger.rows import GRANT_COLUMNS
from credits.posting.columns import Batched, source

# lock_customers -- The customer row is the lock of all its accounts and keys: keys are unique per customer, and an
# account may not exist yet. In id order, so that two batches meet in the same order and never deadlock. NO KEY: the
# foreign keys of other tables need not wait.
LOCK_CUSTOMERS = """
SELECT id, key, timezone, cohort, rate_card_version, late_cutoff_s, limited
  FROM customers
 WHERE key = ANY($1::text[]) OR id = ANY($2::bigint[])
 ORDER BY id
   FOR NO KEY UPDATE
"""

# read_accounts -- All accounts of the locked customers, and with them the workspace's clock, read after the lock:
# time in the ledger is the database's, and nobody decides with an instant from before the wait. One row at least.
READ_ACCOUNTS = """
SELECT w.clock_offset_us, w.config_version, w.late_cutoff_s, clock_timestamp() AS clock, a.*
  FROM workspaces w
  LEFT JOIN accounts a ON a.customer_id = ANY($2::bigint[])
 WHERE w.id = $1
"""

# read_open_grants -- What burns may draw on, what is scheduled, and what open holds still keep of ended grants.
READ_OPEN_GRANTS = f"""
SELECT customer_id, credit_type_id, {", ".join(GRANT_COLUMNS)} FROM grants
 WHERE customer_id = ANY($1::bigint[]) AND open
"""  # noqa: S608 -- no name from outside

# read_grants_of_holds -- A hold's grants are open as long as it is: they came with read_open_grants.
# read_holds -- The holds that commands name, the open ones of accounts where something is due, and of those the end
# of the next one, so that the account's due instant is exact again. An account may have thousands of open holds;
# a batch that needs none of them reads none.
READ_HOLDS = """
SELECT h.* FROM holds h
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, number)
    USING (customer_id, credit_type_id, number)
UNION ALL
SELECT h.* FROM unnest($4::bigint[], $5::int[]) AS due (customer_id, credit_type_id)
  JOIN holds h USING (customer_id, credit_type_id)
 WHERE h.status = 'OPEN' AND h.expires_at <= $6
"""
READ_NEXT_HOLDS = """
SELECT due.customer_id, due.credit_type_id, next.expires_at
  FROM unnest($1::bigint[], $2::int[]) AS due (customer_id, credit_type_id)
 CROSS JOIN LATERAL (
   SELECT h.expires_at FROM holds h
    WHERE h.customer_id = due.customer_id AND h.credit_type_id = due.credit_type_id
      AND h.status = 'OPEN' AND h.expires_at > $3
    ORDER BY h.expires_at LIMIT 1) AS next
"""

# read_used_keys -- What each idempotency key of the batch stands for already. A scheduled grant has no entry yet, so
# grants are asked too, and win: their GRANT entry carries the same key. Entries are found by the hash in their index,
# and told apart by the key itself. OFFSET 0: hashed beforehand, because a condition that calls a function is no index's
# behind row-level security.
_USED = f"""(
  SELECT *, hashtextextended(key, 0) AS key_hash FROM {source({"customer_id": "bigint", "key": "text"}, "given")} OFFSET 0
  ) AS used"""  # noqa: S608 -- no name from outside
_SAME_KEY = "e.customer_id = used.customer_id AND e.key_hash = used.key_hash AND e.key = used.key"
READ_USED_KEYS = f"""
SELECT used.customer_id, used.key, g.fingerprint, g.created_at AS first_seen_at,
       g.credit_type_id, g.number AS grant_number, e.sequence, NULL::int AS hold_number
  FROM {_USED}
  JOIN grants g ON g.customer_id = used.customer_id AND g.key = used.key
  LEFT JOIN entries e ON {_SAME_KEY}
UNION ALL
SELECT used.customer_id, used.key, e.fingerprint, e.recorded_at,
       e.credit_type_id, NULL, e.sequence, e.hold_number
  FROM {_USED}
  JOIN entries e ON {_SAME_KEY}
 WHERE e.kind <> 1
"""  # noqa: S608 -- no name from outside

# read_events -- The events of the batch that came before.
READ_EVENTS = """
SELECT key, content, outcome, attempts FROM usage_events WHERE workspace_id = $1 AND key = ANY($2::uuid[])
"""

# read_phases -- What an account went through since an instant, and the boundary before it. Read only where a command
# speaks of a time before the account's present phase.
READ_PHASES = """
SELECT p.* FROM unnest($1::bigint[], $2::int[], $3::timestamptz[]) AS named (customer_id, credit_type_id, since)
  JOIN phases p USING (customer_id, credit_type_id)
 WHERE p.until >= coalesce((SELECT max(b.until) FROM phases b
                             WHERE b.customer_id = named.customer_id AND b.credit_type_id = named.credit_type_id
                               AND b.until <= named.since), '-infinity')
 ORDER BY p.until, p.rank, p.number
"""

# read_named_grants -- Of the grants that those phases speak of, the ones that are closed: read_open_grants has the others.
READ_NAMED_GRANTS = f"""
SELECT customer_id, credit_type_id, {", ".join(f"g.{name}" for name in GRANT_COLUMNS)}
  FROM unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, number)
  JOIN grants g USING (customer_id, credit_type_id, number)
"""  # noqa: S608 -- no name from outside

# read_burned_between -- What burned between instants, by when it happened: bucket 0 lies before the first of them. Only
# for a grant that begins in the past: it cuts phases, and a phase knows its total alone.
READ_BURNED_BETWEEN = """
SELECT width_bucket(coalesce(occurred_at, recorded_at), $3::timestamptz[]) AS bucket, -sum(amount)::bigint AS burned
  FROM entries
 WHERE customer_id = $1 AND credit_type_id = $2 AND kind = 2 AND recorded_at >= $4
 GROUP BY 1
"""

# tag_customers -- A customer is given its rate card's version at its first grant or burn.
TAG_CUSTOMERS = """
UPDATE customers c SET rate_card_version = tag.version
  FROM unnest($1::bigint[], $2::int[]) AS tag (customer_id, version)
 WHERE c.id = tag.customer_id
"""

_NO_CASTS: Mapping[str, str] = {}

_ENTRY_COLUMNS = {
    "customer_id": "bigint",
    "amount": "bigint",
    "balance_after": "bigint",
    "held_amount": "bigint",
    "held_after": "bigint",
    "recorded_at": "timestamptz",
    "occurred_at": "timestamptz",
    "fingerprint": "bigint",
    "workspace_id": "int",
    "credit_type_id": "int",
    "sequence": "int",
    "actor_id": "int",
    "feature_id": "int",
    "rate_id": "int",
    "hold_number": "int",
    "grant_number": "int",
    "kind": "smallint",
    "hash": "bytea",
    "allocations": "text",
    "quantity": "numeric",
    "exact_amount": "numeric",
    "event": "uuid",
    "key": "text",
    "member": "text",
    "note": "text",
    "reason": "text",
    "dimensions": "text",
}


def _insert(table: str, columns: dict[str, str], *, cast: Mapping[str, str] = _NO_CASTS, suffix: str = "") -> Batched:
    """`INSERT … SELECT FROM` one array per column: one statement for any number of rows.

    An array of arrays would be unnested to its elements, so array columns travel as text and are `cast` here.
    """
    names = ", ".join(columns)
    selected = ", ".join(f"{name}::{cast[name]}" if name in cast else name for name in columns)
    rows = source(columns, "new")
    return Batched(f"INSERT INTO {table} ({names}) SELECT {selected} FROM {rows} {suffix}", tuple(columns.values()))  # noqa: S608 -- names of our own, written above


# insert_entries -- COPY would be 10% faster and refuses tables under row-level security.
INSERT_ENTRIES = _insert("entries", _ENTRY_COLUMNS, cast={"allocations": "bigint[]"})

_ACCOUNT_COLUMNS = {
    "customer_id": "bigint",
    "credit_type_id": "int",
    "workspace_id": "int",
    "balance": "bigint",
    "held": "bigint",
    "overdraft": "bigint",
    "granted": "bigint",
    "burned": "bigint",
    "expired": "bigint",
    "recorded_at": "timestamptz",
    "due_at": "timestamptz",
    "sequence": "int",
    "grants": "int",
    "holds": "int",
    "head": "bytea",
    "phases": "int",
    "phased_at": "timestamptz",
    "drawn": "text",
}
INSERT_ACCOUNTS = _insert("accounts", _ACCOUNT_COLUMNS, cast={"drawn": "bigint[]"})

_GRANT_COLUMNS = {
    "customer_id": "bigint",
    "credit_type_id": "int",
    "number": "int",
    "workspace_id": "int",
    "amount": "bigint",
    "remaining": "bigint",
    "held": "bigint",
    "burned": "bigint",
    "expired": "bigint",
    "effective_at": "timestamptz",
    "expires_at": "timestamptz",
    "created_at": "timestamptz",
    "fingerprint": "bigint",
    "priority": "int",
    "actor_id": "int",
    "open": "boolean",
    "state": "text",
    "source": "text",
    "reason": "text",
    "note": "text",
    "cost_amount": "numeric",
    "cost_currency": "text",
    "metadata": "text",
    "key": "text",
}
INSERT_GRANTS = _insert("grants", _GRANT_COLUMNS)

_HOLD_COLUMNS = {
    "customer_id": "bigint",
    "credit_type_id": "int",
    "number": "int",
    "workspace_id": "int",
    "amount": "bigint",
    "remaining": "bigint",
    "settled": "bigint",
    "opened_at": "timestamptz",
    "expires_at": "timestamptz",
    "closed_at": "timestamptz",
    "feature_id": "int",
    "rate_id": "int",
    "status": "text",
    "member": "text",
    "dimensions": "text",
    "parts": "text",
}
INSERT_HOLDS = _insert("holds", _HOLD_COLUMNS, cast={"parts": "bigint[]"})


def _update(
    table: str, key: dict[str, str], columns: dict[str, str], *, cast: Mapping[str, str] = _NO_CASTS
) -> Batched:
    """One set-based UPDATE for any number of changed rows."""
    both = key | columns
    values = ", ".join(f"{name} = new.{name}{f'::{cast[name]}' if name in cast else ''}" for name in columns)
    matches = " AND ".join(f"old.{name} = new.{name}" for name in key)
    sql = f"UPDATE {table} old SET {values} FROM {source(both, 'new')} WHERE {matches}"  # noqa: S608 -- names of our own, written above
    return Batched(sql, tuple(both.values()))


_ACCOUNT_KEY = {"customer_id": "bigint", "credit_type_id": "int"}
_NUMBERED_KEY = _ACCOUNT_KEY | {"number": "int"}

UPDATE_ACCOUNTS = _update(
    "accounts",
    _ACCOUNT_KEY,
    {name: kind for name, kind in _ACCOUNT_COLUMNS.items() if name not in _ACCOUNT_KEY and name != "workspace_id"},
    cast={"drawn": "bigint[]"},
)

# What of a grant and of a hold may ever change; the rest is as it was given.
UPDATE_GRANTS = _update(
    "grants",
    _NUMBERED_KEY,
    {
        "remaining": "bigint",
        "held": "bigint",
        "burned": "bigint",
        "expired": "bigint",
        "open": "boolean",
        "state": "text",
    },
)
UPDATE_HOLDS = _update(
    "holds",
    _NUMBERED_KEY,
    {
        "remaining": "bigint",
        "settled": "bigint",
        "expires_at": "timestamptz",
        "closed_at": "timestamptz",
        "status": "text",
        "parts": "text",
    },
    cast={"parts": "bigint[]"},
)

_RETRIED_COLUMNS = {
    "workspace_id": "int",
    "key": "uuid",
    "customer_id": "bigint",
    "outcome": "smallint",
    "entries": "text",
    "message": "text",
    "resolved_at": "timestamptz",
}

_PHASE_COLUMNS = {
    "customer_id": "bigint",
    "credit_type_id": "int",
    "until": "timestamptz",
    "number": "int",
    "workspace_id": "int",
    "rank": "smallint",
    "boundary": "smallint",
    "moved": "text",
    "repaid": "text",
    "drawn": "text",
}
_PHASE_PARTS = dict.fromkeys(("moved", "repaid", "drawn"), "bigint[]")
INSERT_PHASES = _insert("phases", _PHASE_COLUMNS, cast=_PHASE_PARTS)
UPDATE_PHASES = _update(
    "phases",
    _ACCOUNT_KEY | {"until": "timestamptz", "number": "int"},
    {"moved": "text", "repaid": "text", "drawn": "text"},
    cast=_PHASE_PARTS,
)

# update_dead_letters -- A dead letter that was tried again, with what came of it. One that somebody else has tried or given
# up since we looked is no dead letter any more: it is not changed, the writer sees the count and looks again.
UPDATE_DEAD_LETTERS = Batched(
    """
UPDATE usage_events old
   SET customer_id = new.customer_id, outcome = new.outcome, entries = new.entries::int[], message = new.message,
       resolved_at = new.resolved_at, attempts = least(old.attempts + 1, 32767)
  FROM """
    + source(_RETRIED_COLUMNS, "new")
    + " WHERE old.workspace_id = new.workspace_id AND old.key = new.key AND old.outcome BETWEEN 3 AND 8",
    tuple(_RETRIED_COLUMNS.values()),
)

# insert_events -- Sorted by key, so that two batches with the same events in another order wait instead of
# deadlocking. An event that another batch stored meanwhile (it can only be under another customer, or under none:
# the customer lock keeps all others apart) is not inserted; the writer sees the count and reads again. A dead letter
# that is tried once more takes its new outcome, an event that is done never changes.
INSERT_EVENTS = _insert(
    "usage_events",
    {
        "key": "uuid",
        "customer_id": "bigint",
        "received_at": "timestamptz",
        "occurred_at": "timestamptz",
        "content": "bigint",
        "workspace_id": "int",
        "outcome": "smallint",
        "attempts": "smallint",
        "source": "text",
        "event_id": "text",
        "type": "text",
        "subject": "text",
        "data": "json",
        "entries": "text",
        "message": "text",
    },
    cast={"entries": "int[]", "data": "json"},
    suffix="ORDER BY key ON CONFLICT (workspace_id, key) DO NOTHING",
)
