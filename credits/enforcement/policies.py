"""Policies: set, removed, listed. Each change is known to every process with its next batch."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import amount, bounds, ids
from credits.audit.log import record
from credits.catalog.cache import ConfigCache
from credits.catalog.load import load_catalog
from credits.customers.customers import find_customer
from credits.db import HotConnection
from credits.enforcement.decide import Policies
from credits.enforcement.tables import policies
from credits.enforcement.telling import tell_change
from credits.enforcement.values import FAILURE_POLICIES, MODES, Policy
from credits.errors import InvalidInput, NotFound
from credits.workspaces import bump_config

PolicyCache = ConfigCache[Policies]

_INT32 = 2**31 - 1

# policies -- a workspace's policies with the keys of their scopes: one of them, or all, the widest first
_POLICIES = """
SELECT p.*, c.key AS customer_key, f.key AS feature_key, t.key AS credit_type_key
FROM policies p
LEFT JOIN customers c ON c.id = p.customer_id
LEFT JOIN features f ON f.id = p.feature_id
LEFT JOIN credit_types t ON t.id = p.credit_type_id
WHERE p.workspace_id = scrip_workspace()"""
_ONE = f"{_POLICIES} AND p.id = :id"
_OF_SCOPE = f"""{_POLICIES} AND (p.customer_id, p.feature_id, p.credit_type_id) IS NOT DISTINCT FROM
  (CAST(:customer_id AS bigint), CAST(:feature_id AS int), CAST(:credit_type_id AS int))"""
_ALL = f"{_POLICIES} ORDER BY c.key NULLS FIRST, f.key NULLS FIRST, t.key NULLS FIRST"


# kill_switch -- whether all enforcement of the workspace is off
_OFF = "SELECT enforcement_off FROM workspaces WHERE id = scrip_workspace()"


async def set_policy(
    connection: AsyncConnection,
    workspace_id: int,
    *,
    mode: str,
    failure_policy: str | None = None,
    customer: str | None = None,
    feature: str | None = None,
    credit_type: str | None = None,
    rollout_percent: int = 100,
    overdraft_limit_micro: int | None = None,
    actor_id: int | None,
    now: datetime,
) -> Policy | InvalidInput | NotFound:
    """Makes the policy of this scope (keys; None stands for all), or changes the one that is there.

    `overdraft_limit_micro` in micro-credits; zero forbids overdraft, None leaves it to the next wider policy.
    """
    problem = _problem(mode, failure_policy, rollout_percent, overdraft_limit_micro)
    if problem:
        return problem
    # First: its row lock makes changes of configuration wait for each other. A refusal takes it back.
    savepoint = await connection.begin_nested()
    version = await bump_config(connection)
    scope = await _scope(
        connection,
        workspace_id,
        customer=customer,
        feature=feature,
        credit_type=credit_type,
        overdraft_limit_micro=overdraft_limit_micro,
    )
    if not isinstance(scope, dict):
        await savepoint.rollback()
        return scope
    before = (await connection.execute(text(_OF_SCOPE), scope)).mappings().one_or_none()
    values = {
        "mode": mode,
        "failure_policy": failure_policy,
        "rollout_percent": rollout_percent,
        "overdraft_limit": overdraft_limit_micro,
        "updated_at": now,
        "updated_by": actor_id,
    }
    policy_id = (
        await connection.execute(
            insert(policies)
            .values(workspace_id=workspace_id, **scope, **values)
            .on_conflict_do_update(constraint="policy_scope_is_one", set_=values)
            .returning(policies.c.id)
        )
    ).scalar_one()
    how_many = await connection.execute(
        select(func.count()).select_from(policies).where(policies.c.workspace_id == workspace_id)
    )
    if how_many.scalar_one() > bounds.POLICIES_MAX:
        await savepoint.rollback()
        return InvalidInput(f"a workspace has at most {bounds.POLICIES_MAX} policies; remove some first")
    await savepoint.commit()
    policy = policy_of((await connection.execute(text(_ONE), {"id": policy_id})).mappings().one())
    was = None if before is None else _told(policy_of(before))
    await record(connection, actor_id, "policy.set", policy.id, before=was, after=_told(policy))
    await tell_change(connection, "policy.set", _shown(policy), version)
    return policy


async def remove_policy(
    connection: AsyncConnection, workspace_id: int, policy_id: str, *, actor_id: int | None = None
) -> Policy | NotFound:
    """Ends a policy by its public id; returns it as it was. What it decided falls to the next wider one."""
    numbers = ids.parse("pol", policy_id, 1)
    savepoint = await connection.begin_nested()
    version = await bump_config(connection)
    # An id that no row can have is not asked for.
    number = numbers[0] if numbers and numbers[0] <= _INT32 else 0
    found = (await connection.execute(text(_ONE), {"id": number})).mappings().one_or_none()
    if found is None:
        await savepoint.rollback()
        return NotFound(f"no policy {policy_id!r}")
    await connection.execute(delete(policies).where(policies.c.workspace_id == workspace_id, policies.c.id == number))
    await savepoint.commit()
    policy = policy_of(found)
    await record(connection, actor_id, "policy.removed", policy.id, before=_told(policy), after=None)
    await tell_change(connection, "policy.removed", _shown(policy), version)
    return policy


async def list_policies(connection: AsyncConnection) -> list[Policy]:
    """Every policy of the workspace at hand, the widest first, then by customer, feature and credit type."""
    return [policy_of(row) for row in (await connection.execute(text(_ALL))).mappings()]


async def load_policies(connection: AsyncConnection) -> Policies:
    """The policies of the workspace at hand, laid out for asking."""
    return Policies(await list_policies(connection), off=bool(await connection.scalar(text(_OFF))))


async def load_policies_hot(connection: HotConnection) -> Policies:
    """The same, on the bare driver, for the batch writer."""
    policies = [policy_of(row) for row in await connection.fetch(_ALL)]
    return Policies(policies, off=await connection.fetchval(_OFF))


def policy_of(row: Any) -> Policy:
    """A row of `_POLICIES` → value."""
    return Policy(
        id=ids.make("pol", row["id"]),
        customer_id=row["customer_id"],
        customer_key=row["customer_key"],
        feature_id=row["feature_id"],
        feature_key=row["feature_key"],
        credit_type_id=row["credit_type_id"],
        credit_type_key=row["credit_type_key"],
        mode=row["mode"],
        failure_policy=row["failure_policy"],
        rollout_percent=row["rollout_percent"],
        overdraft_limit_micro=row["overdraft_limit"],
        updated_at=row["updated_at"],
        updated_by=row["updated_by"],
    )


def _told(policy: Policy) -> dict[str, Any]:
    """A policy as the audit log tells it."""
    limit = policy.overdraft_limit_micro
    return {
        "customer": None if policy.customer_id is None else ids.make("cus", policy.customer_id),
        "feature": policy.feature_key,
        "creditType": policy.credit_type_key,
        "mode": policy.mode,
        "failurePolicy": policy.failure_policy,
        "rolloutPercent": policy.rollout_percent,
        "overdraftLimit": None if limit is None else amount.plain_micro(limit),
    }


def _shown(policy: Policy) -> dict[str, Any]:
    """A policy as webhooks tell it: a customer by its key, as everywhere outside."""
    return {"policy": policy.id, **_told(policy), "customer": policy.customer_key}


def _problem(
    mode: str, failure_policy: str | None, rollout_percent: int, overdraft_limit_micro: int | None
) -> InvalidInput | None:
    if mode not in MODES:
        return InvalidInput(f"must be one of {', '.join(MODES)}", field="mode")
    if failure_policy is not None and failure_policy not in FAILURE_POLICIES:
        return InvalidInput(f"must be one of {', '.join(FAILURE_POLICIES)}", field="failurePolicy")
    if not 0 <= rollout_percent <= 100:
        return InvalidInput("must be from 0 to 100", field="rolloutPercent")
    if overdraft_limit_micro is not None and not 0 <= overdraft_limit_micro <= amount.INT64_MAX:
        return InvalidInput("must not be negative, and fit 64 bits of micro-credits", field="overdraftLimit")
    return None


async def _scope(
    connection: AsyncConnection,
    workspace_id: int,
    *,
    customer: str | None,
    feature: str | None,
    credit_type: str | None,
    overdraft_limit_micro: int | None,
) -> dict[str, int | None] | InvalidInput | NotFound:
    """The ids of what the scope names."""
    found_customer = None if customer is None else await find_customer(connection, customer)
    if customer is not None and found_customer is None:
        return NotFound(f"no customer {customer!r}")
    catalog = await load_catalog(connection, workspace_id)
    found_feature = None if feature is None else catalog.feature_by_key(feature)
    if feature is not None and found_feature is None:
        return NotFound(f"no feature {feature!r} in the catalog", code="UNKNOWN_FEATURE")
    found_type = None if credit_type is None else catalog.credit_type_by_key(credit_type)
    if credit_type is not None and found_type is None:
        return NotFound(f"no credit type {credit_type!r} in the catalog")
    if found_type and amount.decimals(amount.from_micro(overdraft_limit_micro or 0)) > found_type.scale:
        return InvalidInput(f"{found_type.key!r} has {found_type.scale} decimals", field="overdraftLimit")
    return {
        "customer_id": found_customer.id if found_customer else None,
        "feature_id": found_feature.id if found_feature else None,
        "credit_type_id": found_type.id if found_type else None,
    }
