"""Secret keys and who acts: shown once, kept as a hash, revocable, one per workspace; actors are one each."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from credits import ids
from credits.access.actors import Actor, ensure_actor, read_actors
from credits.access.keys import ROLES, ApiKey, create_key, find_key, hash_secret, list_keys, note_use, revoke_key
from credits.db import Database
from credits.workspaces import WorkspaceName, ensure_workspace, list_workspaces, read_workspace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PEPPER = "pepper"


async def made(database: Database, workspace: WorkspaceName, **more: Any) -> tuple[ApiKey, str]:
    fixed = {"test_mode": True, "name": "backend", "role": "BACKEND", "pepper": PEPPER, "now": NOW, **more}
    async with database.transaction(workspace.id) as connection:
        return await create_key(connection, workspace_id=workspace.id, **fixed)


async def another(database: Database) -> WorkspaceName:
    return await ensure_workspace(database, f"other-{uuid4()}", test_mode=True, now=NOW)


@pytest.mark.parametrize(("test_mode", "prefix"), [(True, "sk_test_"), (False, "sk_live_")])
async def test_a_secret_stands_for_its_key_and_tells_by_its_beginning_what_it_is(
    database: Database, workspace: WorkspaceName, test_mode: bool, prefix: str
):
    """A11."""
    key, secret = await made(database, workspace, test_mode=test_mode)
    assert secret.startswith(prefix)
    assert len(secret) >= 8 + 40
    assert key.prefix == secret[:12]
    holder = await find_key(database, secret, PEPPER)
    assert holder is not None
    assert (holder.workspace_id, holder.role, holder.name) == (workspace.id, "BACKEND", "backend")
    assert ids.make("key", holder.key_id) == key.id


async def test_no_two_secrets_are_alike(database: Database, workspace: WorkspaceName):
    secrets = [(await made(database, workspace))[1] for _ in range(20)]
    assert len({secret[12:] for secret in secrets}) == 20


@pytest.mark.parametrize("wrong", ["another pepper", "another case", "a beginning", "more", "nothing", "its hash"])
async def test_what_is_not_the_secret_stands_for_nobody(database: Database, workspace: WorkspaceName, wrong: str):
    _, secret = await made(database, workspace)
    given, pepper = {
        "another pepper": (secret, "salt"),
        "another case": (secret.swapcase(), PEPPER),
        "a beginning": (secret[:-1], PEPPER),
        "more": (secret + "x", PEPPER),
        "nothing": ("", PEPPER),
        "its hash": (hash_secret(secret, PEPPER).hex(), PEPPER),
    }[wrong]
    assert await find_key(database, given, pepper) is None


async def test_nothing_that_is_stored_or_shown_leads_to_the_secret(database: Database, workspace: WorkspaceName):
    """A11, A12."""
    key, secret = await made(database, workspace)
    async with database.transaction(workspace.id) as connection:
        rows = (
            await connection.execute(text("SELECT k.*, a.* FROM api_keys k JOIN actors a ON a.id = k.actor_id"))
        ).all()
        listed = await list_keys(connection)
    stored = repr(rows) + repr(listed) + repr(key)
    for part in (secret, secret[8:], secret[12:], hashlib.sha256(secret.encode()).hexdigest()):
        assert part not in stored
    assert hash_secret(secret, PEPPER) != hash_secret(secret, "salt")


async def test_a_revoked_key_stands_for_nobody_from_that_moment_and_keeps_its_first_end(
    database: Database, workspace: WorkspaceName
):
    key, secret = await made(database, workspace)
    for later in (NOW, NOW + timedelta(days=1)):
        async with database.transaction(workspace.id) as connection:
            revoked = await revoke_key(connection, key.id, later)
        assert revoked is not None
        assert revoked.revoked_at == NOW
        assert await find_key(database, secret, PEPPER) is None


@pytest.mark.parametrize(
    "name",
    ["", "key", "key_", "key_0", "key_zz", "KEY_1", "key_-1", "key_1_2", "key_01", "cus_1", "key_1y2p0ij32e8e7", "é"],
)
async def test_what_is_no_key_of_the_workspace_is_not_revoked_and_no_error(
    database: Database, workspace: WorkspaceName, name: str
):
    """Also numbers that a row's id cannot be: they must not reach the database."""
    async with database.transaction(workspace.id) as connection:
        assert await revoke_key(connection, name, NOW) is None


async def test_a_foreign_workspaces_key_is_neither_listed_nor_revoked(database: Database, workspace: WorkspaceName):
    key, secret = await made(database, workspace)
    other = await another(database)
    async with database.transaction(other.id) as connection:
        assert await list_keys(connection) == []
        assert await revoke_key(connection, key.id, NOW) is None
        await note_use(connection, ids.parse("key", key.id, 1)[0], NOW)  # type: ignore[index]
    async with database.transaction(workspace.id) as connection:
        (listed,) = await list_keys(connection)
    assert (listed.revoked_at, listed.last_used_at) == (None, None)
    assert await find_key(database, secret, PEPPER) is not None


async def test_every_role_of_the_contract_can_be_a_keys_and_no_other(database: Database, workspace: WorkspaceName):
    for role in ROLES:
        _, secret = await made(database, workspace, role=role)
        holder = await find_key(database, secret, PEPPER)
        assert holder is not None
        assert holder.role == role
    with pytest.raises(Exception, match="api_keys_role_check"):
        await made(database, workspace, role="GOD")


async def test_a_key_acts_as_itself(database: Database, workspace: WorkspaceName):
    key, secret = await made(database, workspace, name="nightly <b>job</b>")
    holder = await find_key(database, secret, PEPPER)
    assert holder is not None
    async with database.transaction(workspace.id) as connection:
        assert await read_actors(connection, [holder.actor_id]) == {
            holder.actor_id: Actor("API_KEY", key.id, "nightly <b>job</b>")
        }


# ─── actors ────────────────────────────────────────────────────────────────────────────────────────
async def test_an_actor_is_one_however_many_ask_at_once(database: Database, workspace: WorkspaceName):
    async def ensure(kind: str = "OPERATOR") -> int:
        async with database.transaction(workspace.id) as connection:
            return await ensure_actor(connection, workspace.id, kind, "opr_1", "Ada")

    found = await asyncio.gather(*(ensure() for _ in range(12)))
    assert len(set(found)) == 1
    assert await ensure("CUSTOMER") != found[0]


async def test_a_foreign_actor_is_not_read(database: Database, workspace: WorkspaceName):
    async with database.transaction(workspace.id) as connection:
        mine = await ensure_actor(connection, workspace.id, "OPERATOR", "opr_1", "Ada")
    other = await another(database)
    async with database.transaction(other.id) as connection:
        assert await read_actors(connection, [mine]) == {}


# ─── workspaces ────────────────────────────────────────────────────────────────────────────────────
async def test_a_workspace_is_one_however_many_make_it_at_once(database: Database):
    name = f"one-{uuid4()}"
    made_ = await asyncio.gather(*(ensure_workspace(database, name, test_mode=True, now=NOW) for _ in range(8)))
    assert len({workspace.id for workspace in made_}) == 1
    again = await ensure_workspace(database, name, test_mode=False, now=NOW)
    assert again.test_mode, "an existing one keeps its mode"
    assert [workspace.name for workspace in await list_workspaces(database)].count(name) == 1


async def test_a_workspaces_clock_is_the_databases(database: Database, workspace: WorkspaceName):
    """T4: two hosts whose clocks differ read the same one."""
    async with database.transaction(workspace.id) as connection:
        before = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        read = await read_workspace(connection, workspace.id, timedelta(days=7))
        after = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    assert before <= read.now <= after
    assert read.late_cutoff == timedelta(days=7)
