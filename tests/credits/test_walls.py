"""What the database itself refuses: changing the book, seeing another workspace, breaking a law. Also to our own code."""

import asyncpg
import pytest

from tests.credits.walled import OURS, Two, two

__all__ = ["two"]


# ─── every table has its fence ─────────────────────────────────────────────────────────────────────
async def test_every_table_is_fenced_and_forced_also_the_one_that_comes_next(two: Two):
    tables = await two.owner.fetch(
        """SELECT c.relname, c.relkind::text AS kind, c.relrowsecurity AS fenced, c.relforcerowsecurity AS forced,
                  (SELECT array_agg(p.polname::text) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
                  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'
                           AND a.attnotnull) AS owned
             FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
    )
    found = {row["relname"]: row for row in tables}
    assert {row["kind"] for row in tables} == {"r"}, "a view sees with its owner's eyes unless it says otherwise"
    assert set(found) - OURS == {"workspaces", "alembic_version"}
    for name in OURS | {"workspaces"}:
        row = found[name]
        assert (row["fenced"], row["forced"]) == (True, True), name
        assert "own_workspace" in row["policies"], name
        assert row["owned"] or name == "workspaces", name
    more = {name: set(row["policies"]) - {"own_workspace"} for name, row in found.items() if row["policies"]}
    assert {name: names for name, names in more.items() if names} == {
        "api_keys": {"owner_looks_up"},
        "workspaces": {"owner_looks_up"},
        "sandbox_payments": {"owner_looks_up"},
    }


async def test_each_fence_lets_through_what_is_of_the_workspace_and_nothing_else(two: Two):
    fences = await two.owner.fetch(
        """SELECT c.relname, pg_get_expr(p.polqual, p.polrelid) AS seen, pg_get_expr(p.polwithcheck, p.polrelid) AS made,
                  p.polcmd::text AS command, p.polpermissive AS permissive
             FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE p.polname = 'own_workspace'"""
    )
    for fence in fences:
        assert fence["seen"] == fence["made"], fence
        assert "scrip_workspace()" in fence["seen"]
        assert "OR" not in fence["seen"].split()
        assert (fence["command"], fence["permissive"]) == ("*", True)


async def test_nothing_else_runs_with_the_owners_rights(two: Two):
    functions = await two.owner.fetch(
        """SELECT p.proname, p.prosecdef AS definer, p.proconfig AS settings,
                  has_function_privilege('scrip_app', p.oid, 'EXECUTE') AS app,
                  EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0) AS anybody
             FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"""
    )
    definers = {row["proname"]: row for row in functions if row["definer"]}
    assert set(definers) == {"find_api_key", "list_workspaces", "create_workspace", "find_sandbox_payment"}
    for name, row in definers.items():
        assert any(setting.startswith("search_path=") for setting in row["settings"]), name
        assert (row["app"], row["anybody"]) == (True, False), name


async def test_an_unset_an_empty_and_a_foreign_workspace_see_nothing_of_any_table(two: Two):
    for workspace_id in (None, 0, -1, 2**31 - 1):
        await two.look_at(workspace_id)
        for table in OURS | {"workspaces"}:
            assert await two.app.fetchval(f"SELECT count(*) FROM {table}") == 0, (workspace_id, table)
    await two.app.execute("RESET scrip.workspace")
    assert await two.app.fetchval("SELECT count(*) FROM customers") == 0


async def test_each_workspace_sees_its_own_rows_of_every_table(two: Two):
    for till in (two.here, two.there):
        await two.look_at(till.workspace_id)
        for table in OURS:
            mine = await two.owner.fetchval(f"SELECT count(*) FROM {table} WHERE workspace_id = $1", till.workspace_id)
            assert mine > 0, f"{table} is empty: this test would not notice anything"
            assert await two.app.fetchval(f"SELECT count(*) FROM {table}") == mine, table
            foreign = f"SELECT count(*) FROM {table} WHERE workspace_id <> $1"
            assert await two.app.fetchval(foreign, till.workspace_id) == 0, table


async def test_what_is_foreign_can_be_neither_changed_nor_made_nor_joined(two: Two):
    await two.look_at(two.here.workspace_id)
    foreign = two.there.workspace_id
    tables = ("customers", "accounts", "grants", "holds", "usage_events", "credit_types", "api_keys", "policies")
    tables += ("members", "spend_limits", "limit_windows", "usage_watermarks", "usage_rollups")
    for table in (*tables, "revenue_watermarks", "revenue_grants", "revenue_lines", "revenue_days"):
        changed = await two.app.execute(
            f"UPDATE {table} SET workspace_id = workspace_id WHERE workspace_id = $1", foreign
        )
        assert changed == "UPDATE 0", table
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await two.app.execute(f"UPDATE {table} SET workspace_id = $1", foreign)
    assert await two.app.execute("DELETE FROM policies WHERE workspace_id = $1", foreign) == "DELETE 0"
    for insert in (
        "INSERT INTO customers (id, workspace_id, key, name, created_at) VALUES (5, $1, 'x', 'x', now())",
        "INSERT INTO actors (workspace_id, kind, subject, name) VALUES ($1, 'OPERATOR', 'x', 'x')",
        "INSERT INTO cohorts (workspace_id, name) VALUES ($1, 'x')",
        """INSERT INTO entries (customer_id, workspace_id, credit_type_id, sequence, kind, amount, balance_after,
                                recorded_at, hash) VALUES (1, $1, 1, 1, 1, 1, 1, now(), '')""",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await two.app.execute(insert, foreign)
    joined = "SELECT count(*) FROM accounts a JOIN customers c ON c.id = a.customer_id WHERE c.workspace_id = $1"
    assert await two.app.fetchval(joined, foreign) == 0


async def test_the_words_of_an_error_tell_nothing_of_a_foreign_row(two: Two):
    """A unique key across workspaces would tell who is a customer of somebody else."""
    await two.look_at(two.here.workspace_id)
    insert = "INSERT INTO customers (id, workspace_id, key, name, created_at) VALUES ($1, $2, $3, 'x', now())"
    async with two.app.transaction():
        await two.app.execute("SAVEPOINT s")
        await two.app.execute("UPDATE customers SET key = 'only-here' WHERE key = 'other'")
        await two.app.execute(insert, 17, two.here.workspace_id, "other")  # `there` has one of that key
        await two.app.execute("ROLLBACK TO s")


# ─── the book is append-only ───────────────────────────────────────────────────────────────────────
ALL = {"SELECT", "INSERT", "UPDATE", "DELETE"}
READ, ADD, CHANGE = {"SELECT"}, {"SELECT", "INSERT"}, {"SELECT", "INSERT", "UPDATE"}
RIGHTS = {
    **dict.fromkeys(("entries", "rate_cards", "rates", "actors", "workspaces", "standings", "hold_ends"), ADD),
    **dict.fromkeys(("customers", "api_keys", "accounts", "grants", "holds", "phases", "usage_events"), CHANGE),
    **dict.fromkeys(("credit_types", "features", "cohorts", "bundles", "disputes", "dispute_entries"), CHANGE),
    "dispute_events": ADD,
    **dict.fromkeys(("top_ups", "paybacks", "payment_customers", "recharge_rules"), CHANGE),
    **dict.fromkeys(("payment_issues", "payment_cursors"), CHANGE),
    **dict.fromkeys(("money_movements", "payment_events"), ADD),
    "payment_methods": ALL,
    **dict.fromkeys(("sandbox_payments", "sandbox_paybacks"), CHANGE),
    "sandbox_methods": ADD,
    **dict.fromkeys(("revenue_watermarks", "revenue_grants", "revenue_lines", "revenue_days"), ALL),
    **dict.fromkeys(("members", "usage_watermarks", "reconciliations"), CHANGE),
    **dict.fromkeys(("policies", "spend_limits", "limit_windows", "usage_rollups"), ALL),
    **dict.fromkeys(("audit_log", "checkpoints", "checkpoint_heads"), ADD),
    **dict.fromkeys(("webhook_endpoints", "webhook_deliveries", "webhook_lanes", "expiry_horizons"), ALL),
    "webhook_messages": {"SELECT", "INSERT", "DELETE"},
}


async def test_the_application_has_these_rights_and_no_others(two: Two):
    rows = await two.owner.fetch(
        """SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
              AND (a.grantee = 'scrip_app'::regrole OR a.grantee = 0)"""
    )
    rights: dict[str, set[str]] = {}
    for row in rows:
        rights.setdefault(row["relname"], set()).add(row["privilege_type"])
    assert rights == RIGHTS
    role = await two.owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = 'scrip_app'")
    assert not any(
        role[name]
        for name in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication")
    )
    assert await two.owner.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = 'scrip_app'::regrole") == 0


_GIVEN = "customer_id, amount, balance_after, recorded_at, workspace_id, credit_type_id, sequence, kind, hash"
OVERWRITE = f"""INSERT INTO entries ({_GIVEN}) SELECT {_GIVEN} FROM entries
                ON CONFLICT (customer_id, credit_type_id, sequence) DO UPDATE SET note = 'x'"""
REFUSED_TO_THE_APPLICATION = [
    "UPDATE entries SET note = 'x'",
    "UPDATE entries SET amount = 0 WHERE false",
    "DELETE FROM entries",
    "TRUNCATE entries",
    "TRUNCATE accounts CASCADE",
    "DELETE FROM accounts",
    "DELETE FROM grants",
    "DELETE FROM holds",
    "DELETE FROM customers",
    "DELETE FROM usage_events",
    "DELETE FROM audit_log",
    "UPDATE audit_log SET action = 'x'",
    "UPDATE checkpoints SET root = ''",
    "DELETE FROM checkpoint_heads",
    "UPDATE rates SET per_unit = 0",
    "DELETE FROM rate_cards",
    "DELETE FROM disputes",
    "DELETE FROM top_ups",
    "DELETE FROM paybacks",
    "UPDATE money_movements SET minor = 0",
    "UPDATE payment_events SET type = 'x'",
    "UPDATE dispute_events SET note = 'x'",
    "UPDATE webhook_messages SET body = 'x'",
    "SELECT * FROM entries FOR UPDATE",
    OVERWRITE,
    "MERGE INTO entries e USING entries o ON false WHEN MATCHED THEN UPDATE SET note = 'x'",
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "ALTER TABLE entries DISABLE ROW LEVEL SECURITY",
    "DROP TRIGGER entries_are_never_changed ON entries",
    "DROP TABLE entries",
    "DROP POLICY own_workspace ON entries",
    "CREATE RULE sly AS ON INSERT TO entries DO INSTEAD NOTHING",
    "CREATE TABLE public.mine (x int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE OR REPLACE FUNCTION scrip_workspace() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE TRIGGER sly BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "SET session_replication_role = replica",
    "COPY entries FROM PROGRAM 'true'",
    "COPY entries TO '/tmp/stolen'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "SET ROLE postgres",
    "UPDATE workspaces SET test_mode = true",
    "UPDATE workspaces SET name = 'x'",
    "SELECT version_num FROM alembic_version",
]


@pytest.mark.parametrize("statement", REFUSED_TO_THE_APPLICATION)
async def test_the_application_is_refused(two: Two, statement: str):
    """O6."""
    if "postgres" in statement:  # the tests' login may; the role alone is asked whether it could
        assert not await two.owner.fetchval("SELECT pg_has_role('scrip_app', 'postgres', 'MEMBER')")
        return
    if "session_replication_role" in statement:  # a setting of the login
        assert not await two.owner.fetchval(
            "SELECT has_parameter_privilege('scrip_app', 'session_replication_role', 'SET')"
        )
        return
    await two.look_at(two.here.workspace_id)
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError)):
        await two.app.execute(statement)


async def test_row_security_cannot_be_switched_off_to_see_more(two: Two):
    await two.look_at(two.here.workspace_id)
    await two.app.execute("SET row_security = off")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await two.app.fetch("SELECT * FROM entries")
    finally:
        await two.app.execute("SET row_security = on")


async def test_resetting_the_role_ends_where_the_connection_began(two: Two):
    await two.app.execute("RESET ROLE")
    assert await two.app.fetchval("SELECT current_user") == "scrip_app"


APPEND_ONLY = (
    "entries",
    "rates",
    "rate_cards",
    "hold_ends",
    "audit_log",
    "checkpoints",
    "checkpoint_heads",
    "dispute_events",
    "money_movements",
)
REFUSED_TO_THE_OWNER = [
    *(f"UPDATE {table} SET workspace_id = workspace_id" for table in APPEND_ONLY),
    *(f"DELETE FROM {table}" for table in APPEND_ONLY),
    *(f"TRUNCATE {table}" for table in APPEND_ONLY if table != "rate_cards"),
    "UPDATE webhook_messages SET body = 'x'",  # to be forgotten, once it is old, and never to say something else
    *("TRUNCATE rate_cards CASCADE", "TRUNCATE workspaces CASCADE"),
    OVERWRITE,
    "MERGE INTO entries e USING customers c ON e.customer_id = c.id WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM entries RETURNING *) SELECT count(*) FROM gone",
]


@pytest.mark.parametrize("statement", REFUSED_TO_THE_OWNER)
async def test_the_triggers_stop_the_owner_too(two: Two, statement: str):
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await two.owner.execute(statement)
    assert (await two.here.verify()).broken == []


# ─── the laws in the tables ────────────────────────────────────────────────────────────────────────
BROKEN_LAWS = [
    ("UPDATE grants SET remaining = remaining + 1", "grant_conservation"),
    ("UPDATE grants SET burned = burned + 1", "grant_conservation"),
    ("UPDATE grants SET held = remaining + 1", "grant_held_within_remaining"),
    ("UPDATE grants SET held = -1", "grant_held_within_remaining"),
    ("UPDATE grants SET burned = -1, remaining = amount + 1", "grant_parts_not_negative"),
    ("UPDATE grants SET open = false WHERE held > 0", "grant_closed_holds_nothing"),
    ("UPDATE grants SET amount = 0, remaining = 0, burned = 0, held = 0", "grant_amount_positive"),
    ("UPDATE grants SET expires_at = effective_at", "grant_live_interval"),
    ("UPDATE grants SET state = 'GONE'", "grant_state"),
    ("UPDATE grants SET source = 'STOLEN'", "grant_source"),
    ("UPDATE grants SET cost_amount = 'NaN'", "grant_cost_is_a_number"),
    ("UPDATE accounts SET balance = balance + 1", "account_conservation"),
    ("UPDATE accounts SET granted = granted + 1", "account_conservation"),
    ("UPDATE accounts SET voided = voided + 1", "account_conservation"),
    ("UPDATE accounts SET clawed_back = clawed_back + 1", "account_conservation"),
    ("UPDATE accounts SET adjusted = adjusted + 1", "account_conservation"),
    ("UPDATE accounts SET given_back = -1, balance = balance - given_back - 1", "account_totals_not_negative"),
    (
        "UPDATE accounts SET given_back = burned + 1, balance = balance - given_back + burned + 1",
        "account_never_gives_back_more_than_was_taken",
    ),
    ("UPDATE accounts SET held = -1", "account_held_not_negative"),
    ("UPDATE accounts SET overdraft = -1", "account_overdraft_not_negative"),
    ("UPDATE holds SET remaining = amount + 1", "hold_remaining_within_amount"),
    ("UPDATE holds SET remaining = -1", "hold_remaining_within_amount"),
    ("UPDATE holds SET status = 'LAPSED'", "hold_closed_keeps_nothing"),
    ("UPDATE holds SET closed_at = now()", "hold_closed_keeps_nothing"),
    ("UPDATE holds SET status = 'LAPSED', closed_at = now()", "hold_closed_keeps_nothing"),
    ("UPDATE holds SET status = 'MAYBE', closed_at = now(), remaining = 0", "hold_status"),
    ("UPDATE workspaces SET clock_offset_us = -1", "clock_moves_forward"),
    ("UPDATE disputes SET amount = 0", "dispute_amount_positive"),
    (
        "UPDATE disputes SET status = 'UPHELD', resolved_at = now(), given_back = amount + 1",
        "dispute_gives_back_at_most_its_amount",
    ),
    ("UPDATE disputes SET given_back = 1", "dispute_only_upheld_gives_back"),
    ("UPDATE disputes SET status = 'REJECTED'", "dispute_closed_has_its_instant"),
    ("UPDATE disputes SET resolved_at = now()", "dispute_closed_has_its_instant"),
    ("UPDATE disputes SET status = 'MAYBE', resolved_at = now()", "dispute_status"),
    ("UPDATE top_ups SET paid_back = paid + 1", "top_up_pays_back_at_most_what_was_paid"),
    ("UPDATE top_ups SET clawed_back = credits + 1", "top_up_claws_back_at_most_its_credits"),
    ("UPDATE top_ups SET grant_number = NULL", "top_up_paid_has_its_grant"),
    ("UPDATE top_ups SET paid = NULL, paid_back = 0", "top_up_paid_is_known"),
    ("UPDATE top_ups SET settled_at = NULL", "top_up_open_is_not_settled"),
    ("UPDATE paybacks SET counted = amount + 1", "payback_counts_at_most_its_amount"),
    ("UPDATE paybacks SET status = 'FAILED'", "payback_took_where_it_is_done"),
    ("UPDATE paybacks SET status = 'MAYBE', counted = 0, minor = 0, credits = 0", "payback_status"),
    ("UPDATE recharge_rules SET suspended_at = now()", "rule_suspended_has_its_reason"),
    ("UPDATE recharge_rules SET target = threshold", "rule_target"),
    ("UPDATE webhook_endpoints SET events = '{}'", "endpoint_wants_something"),
    ("UPDATE webhook_endpoints SET failures = 1", "endpoint_failures_have_a_beginning"),
    ("UPDATE webhook_endpoints SET previous_salt = salt", "endpoint_rotation_has_its_instant"),
    ("UPDATE webhook_deliveries SET status = 'FAILED'", "delivery_closed_has_its_instant"),
    ("UPDATE webhook_deliveries SET attempts = -1", "delivery_counts_not_negative"),
    ("UPDATE webhook_deliveries SET status = 'MAYBE', closed_at = now()", "delivery_status"),
]


@pytest.mark.parametrize(("statement", "law"), BROKEN_LAWS)
async def test_a_row_that_breaks_a_law_is_refused_by_its_name(two: Two, statement: str, law: str):
    await two.look_at(two.here.workspace_id)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await two.app.execute(statement)
    assert refused.value.constraint_name == law


async def test_a_key_and_a_place_are_one(two: Two):
    await two.look_at(two.here.workspace_id)
    for columns, law in (
        ("sequence + 100 AS sequence, key", "entry_key_is_one"),
        ("sequence, NULL AS key", "entries_pkey"),
    ):
        twice = f"""INSERT INTO entries (customer_id, workspace_id, credit_type_id, kind, amount, balance_after, recorded_at,
                                         hash, sequence, key)
                    SELECT customer_id, workspace_id, credit_type_id, kind, amount, balance_after, recorded_at, hash,
                           {columns} FROM entries WHERE key IS NOT NULL LIMIT 1"""
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            await two.app.execute(twice)
        assert refused.value.constraint_name == law
