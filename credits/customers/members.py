"""Members: seats of a customer that share its credits. They may belong to a group.

Usage names a member by key. One that was never upserted is a member all the same: its name is its key, it has no group.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.audit.log import changes as differences
from credits.audit.log import record
from credits.customers.customers import storable, valid_text
from credits.db import metadata
from credits.errors import InvalidInput
from credits.texts import is_line

members = Table(
    "members",
    metadata,
    Column("customer_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("name", "group_name")),
    Column("created_at", DateTime(timezone=True)),
)

MemberPlace = tuple[int, str]  # customer, key


@dataclass(frozen=True, slots=True)
class Member:
    customer_id: int
    key: str
    name: str
    group: str | None = None


async def upsert_member(
    connection: AsyncConnection,
    customer_id: int,
    key: str,
    changes: dict[str, Any],
    *,
    workspace_id: int,
    now: datetime,
    actor_id: int | None = None,
) -> Member | InvalidInput:
    """Makes the member, or changes the fields given: `name` (None: the key) and `group` (None: of none). Call it under
    the customer's lock.

    What counts towards limits of its groups follows it: see `enforcement.spend_limits.recount`.
    """
    if (name := changes.get("name")) is not None and not (len(name) <= bounds.NAME_MAX and is_line(name)):
        return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field="name")
    for field, value in (("key", key), ("group", changes.get("group"))):
        if (value is not None or field == "key") and not valid_text(value or "", bounds.NAME_MAX):
            return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field=field)
    values: dict[str, Any] = {}
    if "name" in changes:
        values["name"] = changes["name"] or key
    if "group" in changes:
        values["group_name"] = changes["group"]
    made = {"customer_id": customer_id, "workspace_id": workspace_id, "key": key, "name": key, "created_at": now}
    known = select(members).where(members.c.customer_id == customer_id, members.c.key == key)
    before = (await connection.execute(known)).one_or_none()
    statement = insert(members).values({**made, **values})
    row = (
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["customer_id", "key"], set_=values or {"key": key}
            ).returning(members)
        )
    ).one()
    member = _member(row)
    await _record(connection, actor_id, None if before is None else _member(before), member)
    return member


async def _record(connection: AsyncConnection, actor_id: int | None, before: Member | None, after: Member) -> None:
    """Said of the customer. The member is named by its key, as entries name it; of its name only that it changed."""
    was, is_now = differences({"group": before.group if before else None}, {"group": after.group})
    if before is not None and before.name != after.name:
        is_now["alsoChanged"] = ["name"]
    if before is not None and not is_now:
        return
    action, subject = "member.created" if before is None else "member.changed", ids.make("cus", after.customer_id)
    told = None if before is None else {"member": after.key, **was}
    await record(connection, actor_id, action, subject, before=told, after={"member": after.key, **is_now})


async def read_members(connection: AsyncConnection, places: Iterable[MemberPlace]) -> dict[MemberPlace, Member]:
    """The members with those keys, by customer and key: one that was never upserted is named by its key."""
    wanted = list(places)
    found = {place: Member(*place, name=place[1]) for place in wanted}
    known = [place for place in wanted if storable(place[1])]
    if known:
        query = select(members).where(tuple_(members.c.customer_id, members.c.key).in_(known))
        for row in await connection.execute(query):
            found[row.customer_id, row.key] = _member(row)
    return found


async def list_members(
    connection: AsyncConnection, customer_id: int, first: int, after_key: str | None
) -> tuple[list[Member], bool]:
    """The customer's members that were upserted, by key; and whether there are more."""
    if not storable(after_key or ""):
        return [], False
    query = select(members).where(members.c.customer_id == customer_id).order_by(members.c.key).limit(first + 1)
    if after_key is not None:
        query = query.where(members.c.key > after_key)
    rows = [_member(row) for row in await connection.execute(query)]
    return rows[:first], len(rows) > first


async def read_groups(connection: AsyncConnection, customer_id: int) -> dict[str, str]:
    """Member → group, for those of the customer's members that have one."""
    query = select(members.c.key, members.c.group_name).where(
        members.c.customer_id == customer_id, members.c.group_name.is_not(None)
    )
    return {row.key: row.group_name for row in await connection.execute(query)}


def _member(row: Any) -> Member:
    return Member(customer_id=row.customer_id, key=row.key, name=row.name, group=row.group_name)
