"""Policies on a real database: upserted by scope, listed, removed, known to every process at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credits.access.actors import ensure_actor
from credits.catalog.apply import apply
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.enforcement.policies import (
    list_policies,
    load_policies,
    load_policies_hot,
    remove_policy,
    set_policy,
)
from credits.enforcement.values import Policy
from credits.errors import InvalidInput, NotFound
from credits.workspaces import WorkspaceName, ensure_workspace, read_workspace

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
CATALOG = {"creditTypes": [{"key": "ai", "scale": 3}, {"key": "sms"}], "features": [{"key": "chat"}]}


class Desk:
    """An operator at one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self.actor_id = 0

    async def open(self) -> None:
        async with self.database.transaction(self.workspace_id) as connection:
            await apply(connection, self.workspace_id, CATALOG, NOW)
            await upsert_customer(connection, self.workspace_id, "acme", {}, NOW)
            self.actor_id = await ensure_actor(connection, self.workspace_id, "OPERATOR", "opr_1", "Ada")

    async def try_set(self, mode: str = "SOFT", now: datetime = NOW, **fields: Any) -> Policy | InvalidInput | NotFound:
        async with self.database.transaction(self.workspace_id) as connection:
            return await set_policy(connection, self.workspace_id, mode=mode, actor_id=self.actor_id, now=now, **fields)

    async def set(self, mode: str = "SOFT", now: datetime = NOW, **fields: Any) -> Policy:
        made = await self.try_set(mode, now, **fields)
        assert isinstance(made, Policy), made
        return made

    async def remove(self, policy_id: str) -> Policy | NotFound:
        async with self.database.transaction(self.workspace_id) as connection:
            return await remove_policy(connection, self.workspace_id, policy_id)

    async def list(self) -> list[Policy]:
        async with self.database.transaction(self.workspace_id) as connection:
            return await list_policies(connection)

    async def config_version(self) -> int:
        async with self.database.transaction(self.workspace_id) as connection:
            return (await read_workspace(connection, self.workspace_id, timedelta(days=7))).config_version


@pytest.fixture
async def desk(database: Database, workspace: WorkspaceName) -> Desk:
    opened = Desk(database, workspace.id)
    await opened.open()
    return opened


async def test_a_policy_is_made_with_what_it_names_and_read_alike_through_both_doors(desk: Desk) -> None:
    made = await desk.set(
        "ENFORCE",
        customer="acme",
        feature="chat",
        credit_type="ai",
        failure_policy="FAIL_OPEN",
        rollout_percent=25,
        overdraft_limit_micro=5_000,
    )
    assert (made.customer_key, made.feature_key, made.credit_type_key) == ("acme", "chat", "ai")
    assert (made.mode, made.failure_policy, made.rollout_percent) == ("ENFORCE", "FAIL_OPEN", 25)
    assert (made.overdraft_limit_micro, made.updated_at, made.updated_by) == (5_000, NOW, desk.actor_id)
    assert await desk.list() == [made]
    assert made.customer_id is not None
    asked = (made.customer_id, "acme", made.feature_id, made.credit_type_id)
    async with desk.database.transaction(desk.workspace_id) as connection:
        cold = (await load_policies(connection)).effective(*asked)
    async with desk.database.hot(desk.workspace_id) as hot_connection:
        hot = (await load_policies_hot(hot_connection)).effective(*asked)
    assert cold == hot
    assert cold.overdraft_limit_micro == 5_000


async def test_the_same_scope_again_changes_the_policy_that_is_there(desk: Desk) -> None:
    first = await desk.set("SOFT", overdraft_limit_micro=5)
    later = NOW + timedelta(hours=1)
    again = await desk.set("SHADOW", later)
    assert (again.id, again.mode, again.overdraft_limit_micro, again.updated_at) == (first.id, "SHADOW", None, later)
    assert await desk.list() == [again]


async def test_scopes_that_differ_in_anything_are_policies_of_their_own(desk: Desk) -> None:
    scopes: list[dict[str, str]] = [
        {},
        {"credit_type": "ai"},
        {"credit_type": "sms"},
        {"feature": "chat"},
        {"customer": "acme"},
        {"customer": "acme", "feature": "chat"},
    ]
    made = [await desk.set(**scope) for scope in scopes]
    assert await desk.list() == made, "the widest first"


async def test_every_change_is_a_new_version_of_the_configuration_and_a_refusal_is_none(desk: Desk) -> None:
    before = await desk.config_version()
    made = await desk.set()
    assert await desk.config_version() == before + 1
    assert isinstance(await desk.try_set(customer="nobody"), NotFound)
    assert isinstance(await desk.remove("pol_zzz"), NotFound)
    assert await desk.config_version() == before + 1
    assert await desk.remove(made.id) == made
    assert await desk.config_version() == before + 2
    assert await desk.list() == []


@pytest.mark.parametrize(
    ("fields", "refusal", "said"),
    [
        ({"customer": "nobody"}, NotFound, "no customer 'nobody'"),
        ({"customer": "nul\x00"}, NotFound, "no customer"),
        ({"feature": "nothing"}, NotFound, "no feature 'nothing'"),
        ({"credit_type": "gold"}, NotFound, "no credit type 'gold'"),
        ({"mode": "STRICT"}, InvalidInput, "OFF, SHADOW, SOFT, ENFORCE"),
        ({"failure_policy": "FAIL"}, InvalidInput, "FAIL_OPEN, FAIL_CLOSED"),
        ({"rollout_percent": 101}, InvalidInput, "from 0 to 100"),
        ({"rollout_percent": -1}, InvalidInput, "from 0 to 100"),
        ({"overdraft_limit_micro": -1}, InvalidInput, "negative"),
        ({"overdraft_limit_micro": 2**63}, InvalidInput, "64 bits"),
        ({"overdraft_limit_micro": 1, "credit_type": "ai"}, InvalidInput, "3 decimals"),
    ],
)
async def test_what_is_unknown_or_out_of_bounds_is_refused(
    desk: Desk, fields: dict[str, Any], refusal: type, said: str
) -> None:
    refused = await desk.try_set(**{"mode": "SOFT", **fields})
    assert isinstance(refused, refusal)
    assert isinstance(refused, InvalidInput | NotFound)
    assert said in refused.message
    assert await desk.list() == []


@pytest.mark.parametrize("policy_id", ["pol_1", "", "pol_", "pol_0", "gra_1", "pol_zzzzzzzzzzzz", "pol_1_1", "ключ"])
async def test_what_is_no_policy_here_cannot_be_removed(desk: Desk, policy_id: str) -> None:
    gone = await desk.set()  # so that even the first number is no policy any more
    await desk.remove(gone.id)
    kept = await desk.set()
    assert isinstance(await desk.remove(policy_id), NotFound)
    assert await desk.list() == [kept]


async def test_another_workspace_neither_sees_nor_removes_a_policy(desk: Desk, database: Database) -> None:
    made = await desk.set()
    other = await an_empty_workspace(database, desk)
    assert await other.list() == []
    assert isinstance(await other.remove(made.id), NotFound)
    assert isinstance(await other.try_set(customer="acme"), NotFound)
    assert await desk.list() == [made]


async def test_the_same_scope_set_at_once_is_one_policy(desk: Desk) -> None:
    made = await asyncio.gather(*[desk.set("SOFT", feature="chat", overdraft_limit_micro=n) for n in range(8)])
    assert len({policy.id for policy in made}) == 1
    assert len(await desk.list()) == 1
    removed = await asyncio.gather(*[desk.remove(made[0].id) for _ in range(4)])
    assert sum(isinstance(answer, Policy) for answer in removed) == 1, "one of them removed it"


async def an_empty_workspace(database: Database, beside: Desk) -> Desk:
    """A workspace that has nothing."""
    made = await ensure_workspace(database, f"beside {beside.workspace_id}", test_mode=True, now=NOW)
    return Desk(database, made.id)
