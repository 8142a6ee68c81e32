"""The audit log: who changed what, with what was before and after, in the transaction of the change or not at all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from credits import ids
from credits.access.actors import ensure_actor
from credits.access.keys import create_key, revoke_key
from credits.audit.log import Recorded, list_acts, record
from credits.catalog.apply import apply
from credits.customers.customers import upsert_customer
from credits.enforcement.policies import remove_policy, set_policy
from credits.enforcement.values import Policy
from credits.posting.clock import advance_clock
from tests.credits.posting.conftest import till
from tests.credits.posting.till import CATALOG, Till

__all__ = ["till"]


@pytest.fixture
async def actor_id(till: Till) -> AsyncIterator[int]:
    async with till.database.transaction(till.workspace_id) as connection:
        yield await ensure_actor(connection, till.workspace_id, "OPERATOR", "opr_1", "Ada")


async def log(till: Till, subject: str | None = None, first: int = 50, before: int | None = None) -> list[Recorded]:
    async with till.database.transaction(till.workspace_id) as connection:
        found, _ = await list_acts(connection, None if subject is None else [subject], first, before)
    return found


async def newest(till: Till) -> tuple[str, str, Any, Any]:
    """The last act: action, subject, before, after."""
    act = (await log(till))[0].act
    return act.action, act.subject, _parsed(act.before), _parsed(act.after)


def _parsed(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


async def test_a_policy_that_is_set_changed_and_removed(till: Till):
    more = {"actor_id": None, "now": datetime.now(UTC)}
    async with till.database.transaction(till.workspace_id) as connection:
        policy = await set_policy(connection, till.workspace_id, mode="SOFT", customer="acme", **more)
    assert isinstance(policy, Policy)
    action, subject, before, after = await newest(till)
    assert (action, subject, before) == ("policy.set", policy.id, None)
    assert (after["mode"], after["rolloutPercent"], after["overdraftLimit"]) == ("SOFT", 100, None)
    assert after["customer"] == ids.make("cus", (await till.customer()).id), "by id: a key may be an address"
    async with till.database.transaction(till.workspace_id) as connection:
        limit = {"overdraft_limit_micro": 1_500_000}
        await set_policy(connection, till.workspace_id, mode="ENFORCE", customer="acme", **limit, **more)
    _, _, before, after = await newest(till)
    assert (before["mode"], after["mode"], after["overdraftLimit"]) == ("SOFT", "ENFORCE", "1.5")
    async with till.database.transaction(till.workspace_id) as connection:
        await remove_policy(connection, till.workspace_id, policy.id)
    action, subject, before, after = await newest(till)
    assert (action, subject, before["mode"], after) == ("policy.removed", policy.id, "ENFORCE", None)


async def test_a_catalog_that_is_applied_and_not_a_dry_run_or_one_that_changes_nothing(till: Till):
    count = len(await log(till))
    changed = {**CATALOG, "features": [{**CATALOG["features"][0], "name": "Talk"}, *CATALOG["features"][1:]]}
    for document, options in ((changed, {"dry_run": True}), (CATALOG, {})):
        async with till.database.transaction(till.workspace_id) as connection:
            await apply(connection, till.workspace_id, document, datetime.now(UTC), **options)
    assert len(await log(till)) == count
    await till.apply(changed)
    action, subject, before, after = await newest(till)
    assert (action, subject) == ("catalog.applied", "catalog")
    ((path, value),) = after.items()
    assert "chat" in path
    assert (before[path]["name"], value["name"]) == ("Chat", "Talk")


async def test_a_key_that_is_made_and_revoked_never_its_secret(till: Till):
    now = datetime.now(UTC)
    async with till.database.transaction(till.workspace_id) as connection:
        more = {"workspace_id": till.workspace_id, "test_mode": True, "name": "k", "role": "ADMIN", "now": now}
        key, secret = await create_key(connection, pepper="p", **more)
    assert await newest(till) == ("apiKey.created", key.id, None, {"name": "k", "role": "ADMIN", "prefix": key.prefix})
    for _ in range(2):
        async with till.database.transaction(till.workspace_id) as connection:
            await revoke_key(connection, key.id, now + timedelta(hours=len(await log(till))))
    action, subject, before, after = await newest(till)
    assert (action, subject, before["name"]) == ("apiKey.revoked", key.id, "k")
    assert after["revokedAt"]
    assert [item.act.action for item in await log(till, key.id)] == ["apiKey.revoked", "apiKey.created"], "once"
    assert secret not in str(await log(till))


async def test_a_customer_by_id_and_of_what_may_be_personal_only_that_it_changed(till: Till):
    async with till.database.transaction(till.workspace_id) as connection:
        given = {"name": "Ada Lovelace", "email": "ada@example.com", "timezone": "Europe/Berlin"}
        result = await upsert_customer(connection, till.workspace_id, "acme", given, datetime.now(UTC))
    assert isinstance(result, tuple)
    subject = ids.make("cus", result[0].id)
    was, is_now = {"timezone": "UTC"}, {"timezone": "Europe/Berlin", "alsoChanged": ["name", "email"]}
    assert await newest(till) == ("customer.changed", subject, was, is_now)
    count = len(await log(till))
    async with till.database.transaction(till.workspace_id) as connection:
        await upsert_customer(connection, till.workspace_id, "acme", given, datetime.now(UTC))
    assert len(await log(till)) == count, "nothing changed"
    assert "Ada" not in str(await log(till))
    assert "ada@" not in str(await log(till))


async def test_a_clock_that_is_advanced(till: Till):
    before_it = await till.now()
    to = before_it + timedelta(days=3)
    await advance_clock(till.reader, till.writer, till.workspace_id, to)
    action, subject, before, after = await newest(till)
    assert (action, subject) == ("clock.advanced", "clock")
    assert datetime.fromisoformat(before["now"]) < datetime.fromisoformat(after["now"]) == to
    assert (await log(till))[0].at >= to, "by the workspace's clock"


async def test_a_grant_by_hand_and_not_one_by_a_backend_nor_a_replay_nor_a_refusal(till: Till, actor_id: int):
    count = len(await log(till))
    await till.must(till.grant("5"))
    by_hand = till.grant("7.25", by_hand=True, actor_id=actor_id, reason="GOODWILL", note="for Ada")
    granted = await till.must(by_hand)
    await till.must(by_hand)
    await till.post(till.grant("5", credit_type="unknown", by_hand=True))
    assert len(await log(till)) == count + 1
    number = ids.make("gra", granted.customer_id, granted.credit_type_id, granted.grant.number)
    action, subject, before, after = await newest(till)
    assert (action, subject, before) == ("grant.given", number, None)
    assert (after["amount"], after["reason"], after["customer"]) == (
        *("7.25", "GOODWILL", ids.make("cus", granted.customer_id)),
    )
    assert (await log(till))[0].act.actor_id == actor_id
    assert "Ada" not in str(after), "a note may be personal; it stands on the grant"


async def test_an_act_is_recorded_with_the_change_or_not_at_all(till: Till):
    count = len(await log(till))

    async def change_and_fail() -> None:
        async with till.database.transaction(till.workspace_id) as connection:
            await set_policy(connection, till.workspace_id, mode="SOFT", actor_id=None, now=datetime.now(UTC))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change_and_fail()
    assert len(await log(till)) == count


async def test_the_log_is_read_newest_first_page_by_page_and_by_subject(till: Till):
    async with till.database.transaction(till.workspace_id) as connection:
        for number in range(5):
            amount = {"amount": Decimal("0.123456789012345678901")}
            await record(connection, None, "thing.done", f"thing_{number % 2}", before=None, after=amount)
    found = await log(till, first=3)
    assert [item.act.subject for item in found] == ["thing_0", "thing_1", "thing_0"]
    assert [item.act.subject for item in await log(till, first=2, before=found[-1].number)] == ["thing_1", "thing_0"]
    assert len(await log(till, "thing_1")) == 2
    assert found[0].act.after == '{"amount": 0.123456789012345678901}', "to the digit"


async def test_erasing_who_a_customer_is_leaves_log_and_chains_as_they_are(till: Till, owner_url: str):
    """X10: what is personal stands in the customers' table alone; book and log hold ids."""
    async with till.database.transaction(till.workspace_id) as connection:
        personal = {"name": "Ada Lovelace", "email": "ada@example.com", "metadata": {"phone": "555"}}
        await upsert_customer(connection, till.workspace_id, "acme", personal, datetime.now(UTC))
    await till.must(till.grant("5", by_hand=True))
    await till.must(till.burn("2"))
    before = await log(till)
    owner = await asyncpg.connect(owner_url)
    await owner.execute(
        "UPDATE customers SET key = 'erased-1', name = '', email = NULL, metadata = '{}' WHERE workspace_id = $1 AND key = 'acme'",
        till.workspace_id,
    )
    await owner.close()
    assert (await till.verify()).broken == []
    assert await log(till) == before
    for table in ("entries", "grants", "accounts", "audit_log", "checkpoint_heads"):
        async with till.database.transaction(till.workspace_id) as connection:
            rows = [str(row) for row in await connection.execute(text(f"SELECT * FROM {table}"))]
        assert not any("Ada" in row or "ada@" in row or "acme" in row for row in rows), table
