"""The statements of the batch writer: what locks, what is read under the lock, what is written.

Each is one statement for the whole batch, whatever its size, in a form that PostgreSQL 16 to 18 and Citus both
take. Order matters: lock, *then* read in a later statement (READ COMMITTED gives it a fresh view of what the lock
waited for), then write. Three round trips are a batch: BEGIN and the lock, the book, what is written and COMMIT.
"""

from credits.db import Prepared
from credits.ledger.rows import ACCOUNT_COLUMNS, GRANT_COLUMNS
from credits.posting.columns import insert, lists, source, update

# find_customers -- Which customers have these keys. Before the lock: a customer's key and id never part.
FIND_CUSTOMERS = "SELECT key, id FROM customers WHERE key = ANY($1::text[])"

# lock_customers -- The customer row is the lock of all its accounts and keys: keys are unique per customer, and an
# account may not exist yet. In id order, so that two batches meet in the same order and never deadlock. NO KEY: the
# foreign keys of other tables need not wait. One by one, LIMIT 1: by its guess of what a workspace may see, the planner
# would rather walk through all customers of the workspace, whatever their number.
LOCK_CUSTOMERS = Prepared(
    "lock_customers",
    """
SELECT FROM (SELECT unnest($1::bigint[]) AS id ORDER BY id) AS named
 CROSS JOIN LATERAL (SELECT FROM customers c WHERE c.id = named.id LIMIT 1 FOR NO KEY UPDATE) AS locked
""",
    parameters=1,
)

# find_free_customers -- Whom of these nobody else keeps locked.
FIND_FREE_CUSTOMERS = """
SELECT free.id FROM unnest($1::bigint[]) AS named (id)
 CROSS JOIN LATERAL (SELECT c.id FROM customers c WHERE c.id = named.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS free
"""

# read_used_keys -- What each idempotency key of the batch stands for already. A scheduled grant has no entry yet, so
# grants are asked too, and win: their GRANT entry carries the same key. Entries are found by the hash in their index,
# and told apart by the key itself. OFFSET 0: hashed beforehand, because a condition that calls a function is no index's
# behind row-level security.
_USED = f"""(
  SELECT *, hashtextextended(key, 0) AS key_hash
    FROM {source({"customer_id": "bigint", "key": "text"}, "given", first=3)} OFFSET 0) AS used"""  # noqa: S608 -- no name from outside
_SAME_KEY = "e.customer_id = used.customer_id AND e.key_hash = used.key_hash AND e.key = used.key"
_USED_KEYS = f"""
SELECT row(used.customer_id, used.key, g.fingerprint, g.created_at, g.credit_type_id, e.sequence, g.number, NULL::int) AS key
  FROM {_USED}
  JOIN grants g ON g.customer_id = used.customer_id AND g.key = used.key
  LEFT JOIN entries e ON {_SAME_KEY}
UNION ALL
SELECT row(used.customer_id, used.key, e.fingerprint, e.recorded_at, e.credit_type_id, e.sequence, NULL::int, e.hold_number)
  FROM {_USED}
  JOIN entries e ON {_SAME_KEY}
 WHERE e.kind <> 1
"""  # noqa: S608 -- no name from outside

# read_book -- Everything about the locked customers that most commands need, in one answer of one row: the customers,
# all their accounts, the grants that burns may draw on, that are scheduled, or that open holds still keep something of,
# and what the keys of the batch stand for. With them the workspace's clock, read after the lock: time in the ledger is
# the database's, and nobody decides with an instant from before the wait. A list for each column, not one of rows: of
# each field of a row that is within an answer's row PostgreSQL keeps 1 KB until the answer is whole, and 300 customers
# took 22 MB and five times as long. Used keys are rows: most batches have none.
BOOK_CUSTOMER = ("id", "key", "timezone", "cohort", "rate_card_version", "late_cutoff_s", "limited")
BOOK_ACCOUNT = ACCOUNT_COLUMNS
BOOK_GRANT = ("customer_id", "credit_type_id", *GRANT_COLUMNS)
READ_BOOK = f"""
SELECT w.clock_offset_us, w.config_version, w.late_cutoff_s, clock_timestamp() AS clock, k.used_keys, c.*, a.*, g.*
  FROM workspaces w,
       (SELECT {lists(BOOK_CUSTOMER, "customer_")}
          FROM unnest($2::bigint[]) AS named (customer_id)
         CROSS JOIN LATERAL (SELECT * FROM customers WHERE customers.id = named.customer_id LIMIT 1) AS c) AS c,
       (SELECT {lists(BOOK_ACCOUNT, "account_")} FROM accounts WHERE customer_id = ANY($2::bigint[])) AS a,
       (SELECT {lists(BOOK_GRANT, "grant_")} FROM grants WHERE customer_id = ANY($2::bigint[]) AND open) AS g,
       (SELECT array_agg(used.key) AS used_keys FROM ({_USED_KEYS}) AS used) AS k
 WHERE w.id = $1
"""  # noqa: S608 -- no name from outside
# read_events -- The book of a batch with events, and those of them that came before.
BOOK_EVENT = ("key", "content", "outcome", "attempts")
_BEFORE = "FROM usage_events WHERE workspace_id = $1 AND key = ANY"
READ_EVENTS = f"""
SELECT book.*, before.*
  FROM ({READ_BOOK}) AS book, (SELECT {lists(BOOK_EVENT, "event_")} {_BEFORE}($5::text::uuid[])) AS before
"""  # noqa: S608 -- no name from outside

# lock_dead_letters -- Those alone, locked: of two who try a letter again, or give it up, one finds what the other has done.
LOCK_DEAD_LETTERS = f"SELECT {', '.join(BOOK_EVENT)} {_BEFORE}($2::text::uuid[]) ORDER BY key FOR UPDATE"

# read_grants_of_holds -- A hold's grants are open as long as it is: they came with read_book.
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

# read_closed_grants -- Grants that corrections name or give back to, where they are closed: the open ones are there.
READ_CLOSED_GRANTS = f"""
SELECT customer_id, credit_type_id, {", ".join(GRANT_COLUMNS)} FROM grants
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, number)
    USING (customer_id, credit_type_id, number)
 WHERE NOT open
"""  # noqa: S608 -- no name from outside

# read_named_entries, read_reversals -- The entries that are to be given back, and what was given back of them already.
READ_NAMED_ENTRIES = """
SELECT e.* FROM entries e
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, sequence)
    USING (customer_id, credit_type_id, sequence)
"""
READ_REVERSALS = """
SELECT e.* FROM unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, sequence)
  JOIN entries e ON e.customer_id = named.customer_id AND e.credit_type_id = named.credit_type_id
                AND e.reverses = named.sequence
"""

# read_debts_since -- All that paid, moved or lessened overdraft after an entry, by an index of nothing else: once an account.
READ_DEBTS_SINCE = """
SELECT e.* FROM unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, sequence)
  JOIN entries e ON e.customer_id = named.customer_id AND e.credit_type_id = named.credit_type_id
                AND e.sequence > named.sequence AND 0::bigint >= ANY (e.allocations)
                AND (0::bigint > ANY (e.allocations) OR e.kind = 11)
 ORDER BY e.sequence
"""

# read_debt_made_since -- What all others, any number, made of overdraft after it. They name it last; a hold's 0 is none.
READ_DEBT_MADE_SINCE = """
SELECT named.customer_id, named.credit_type_id, named.sequence,
       sum(e.allocations[cardinality(e.allocations)])::bigint AS made
  FROM unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, sequence)
  JOIN entries e ON e.customer_id = named.customer_id AND e.credit_type_id = named.credit_type_id
                AND e.sequence > named.sequence AND 0::bigint >= ANY (e.allocations)
                AND NOT 0::bigint > ANY (e.allocations) AND e.kind IN (2, 4, 12)
                AND e.allocations[cardinality(e.allocations) - 1] = 0
 GROUP BY named.customer_id, named.credit_type_id, named.sequence
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

# read_named_grants -- Of the grants that those phases speak of, the ones that are closed: read_book has the others.
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

_ACCOUNT_KEY = {"customer_id": "bigint", "credit_type_id": "int"}
_NUMBERED_KEY = _ACCOUNT_KEY | {"number": "int"}

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
    "reverses": "int",
}


# insert_entries -- COPY would be 10% faster and refuses tables under row-level security.
INSERT_ENTRIES = insert(
    "entries",
    _ENTRY_COLUMNS,
    cast={"allocations": "bigint[]"},
    alike=("workspace_id", "credit_type_id", "recorded_at", "kind"),
)

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
# What most accounts never see: it travels only for those that do.
_ACCOUNT_CORRECTIONS = {"given_back": "bigint", "voided": "bigint", "clawed_back": "bigint", "adjusted": "bigint"}
_GRANT_CORRECTIONS = dict.fromkeys(("voided", "clawed_back", "given_back", "reversed"), "bigint")
_DRAWN = {"drawn": "bigint[]"}
INSERT_ACCOUNTS = insert("accounts", _ACCOUNT_COLUMNS | _ACCOUNT_CORRECTIONS, cast=_DRAWN)

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
INSERT_GRANTS = insert("grants", _GRANT_COLUMNS | _GRANT_CORRECTIONS | {"rolled_from": "int"})

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
INSERT_HOLDS = insert("holds", _HOLD_COLUMNS, cast={"parts": "bigint[]"})

# insert_hold_ends -- When an extended hold was to end until then. Extended again at the same instant, the first stands.
INSERT_HOLD_ENDS = insert(
    "hold_ends",
    _NUMBERED_KEY | {"workspace_id": "int", "known_at": "timestamptz", "expires_at": "timestamptz"},
    suffix="ON CONFLICT DO NOTHING",
)

# insert_standings -- Two who make the same one make it alike.
INSERT_STANDINGS = insert(
    "standings",
    _ACCOUNT_KEY | {"workspace_id": "int", "sequence": "int", "form": "smallint", "state": "bytea"},
    suffix="ON CONFLICT DO NOTHING",
)

_ACCOUNT_CHANGES = {
    name: kind for name, kind in _ACCOUNT_COLUMNS.items() if name not in _ACCOUNT_KEY and name != "workspace_id"
}
UPDATE_ACCOUNTS = update("accounts", _ACCOUNT_KEY, _ACCOUNT_CHANGES, cast=_DRAWN)
UPDATE_CORRECTED_ACCOUNTS = update(
    "accounts", _ACCOUNT_KEY, _ACCOUNT_CHANGES | _ACCOUNT_CORRECTIONS, cast=_DRAWN, name="update_corrected_accounts"
)

# What of a grant and of a hold may ever change; the rest is as it was given.
_GRANT_CHANGES = {name: _GRANT_COLUMNS[name] for name in ("remaining", "held", "burned", "expired", "open", "state")}
UPDATE_GRANTS = update("grants", _NUMBERED_KEY, _GRANT_CHANGES)
UPDATE_CORRECTED_GRANTS = update(
    "grants", _NUMBERED_KEY, _GRANT_CHANGES | _GRANT_CORRECTIONS, name="update_corrected_grants"
)
# A customer is given its rate card's version at its first grant or burn.
TAG_CUSTOMERS = update("customers", {"id": "bigint"}, {"rate_card_version": "int"})

_HOLD_CHANGES = ("remaining", "settled", "expires_at", "closed_at", "status", "parts")
UPDATE_HOLDS = update(
    "holds", _NUMBERED_KEY, {name: _HOLD_COLUMNS[name] for name in _HOLD_CHANGES}, cast={"parts": "bigint[]"}
)

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
INSERT_PHASES = insert("phases", _PHASE_COLUMNS, cast=_PHASE_PARTS)
UPDATE_PHASES = update(
    "phases",
    _ACCOUNT_KEY | {"until": "timestamptz", "number": "int"},
    {"moved": "text", "repaid": "text", "drawn": "text"},
    cast=_PHASE_PARTS,
)

# update_dead_letters -- Dead letters that were tried again, with what came of it.
UPDATE_DEAD_LETTERS = update(
    "usage_events",
    {"workspace_id": "int", "key": "uuid"},
    {
        "customer_id": "bigint",
        "outcome": "smallint",
        "entries": "text",
        "message": "text",
        "resolved_at": "timestamptz",
        "attempts": "smallint",
    },
    cast={"entries": "int[]"},
    name="update_dead_letters",
)

# insert_events -- Sorted by key, so that two batches with the same events in another order wait instead of
# deadlocking. An event that another batch stored meanwhile (it can only be under another customer, or under none:
# the customer lock keeps all others apart) violates EVENT_IS_ONE; the writer reads again.
EVENT_IS_ONE = "usage_events_pkey"
INSERT_EVENTS = insert(
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
    cast={"entries": "int[]"},
    alike=("workspace_id", "received_at", "outcome", "attempts", "source", "type"),
    suffix="ORDER BY key",
)
