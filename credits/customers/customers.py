"""Customers: who owns and pays. They come into being by `upsert` alone."""

import secrets
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, case, literal_column, or_, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.audit.log import changes as differences
from credits.audit.log import record
from credits.canonical import canonical_json
from credits.db import metadata
from credits.errors import InvalidInput
from credits.texts import is_line

customers = Table(
    "customers",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("key", "name", "email", "timezone", "locale", "cohort")),
    Column("rate_card_version", Integer),
    Column("late_cutoff_s", BigInteger),
    Column("metadata", JSONB),
    Column("created_at", DateTime(timezone=True)),
    Column("limited", Boolean),
)

_CHANGEABLE = ("name", "email", "timezone", "locale", "cohort", "rate_card_version", "metadata")


@dataclass(frozen=True, slots=True)
class Customer:
    """`rate_card_version` is the version of its cohort's rate card that it was given; None before its first burn or grant.
    `limited`: it has spend limits."""

    id: int
    key: str
    name: str
    email: str | None
    timezone: str
    locale: str | None
    cohort: str
    rate_card_version: int | None
    metadata: dict[str, Any]
    created_at: datetime
    late_cutoff: timedelta | None = None  # None: the workspace's
    limited: bool = False


async def upsert_customer(
    connection: AsyncConnection,
    workspace_id: int,
    key: str,
    changes: dict[str, Any],
    now: datetime,
    *,
    actor_id: int | None = None,
) -> tuple[Customer, bool] | InvalidInput:
    """Makes the customer, or changes the fields given; returns it and whether it is new.

    A field that is absent from `changes` keeps its value. Another cohort forgets the version of the old one, unless
    one is given with it.
    """
    problem = _problem(key, changes)
    if problem:
        return problem
    values = {name: value for name, value in changes.items() if name in _CHANGEABLE}
    for name, default in (("name", key), ("timezone", "UTC"), ("cohort", "default"), ("metadata", {})):
        if name in values and values[name] is None:
            values[name] = default
    statement = insert(customers).values(
        {
            "id": secrets.randbits(62) + 1,
            "workspace_id": workspace_id,
            "key": key,
            "created_at": now,
            "name": key,
            "timezone": "UTC",
            "cohort": "default",
            "metadata": {},
            **values,
        }
    )
    changed: dict[str, Any] = values or {"key": key}
    if "cohort" in values and "rate_card_version" not in values:
        same = customers.c.cohort == values["cohort"]
        changed["rate_card_version"] = case((same, customers.c.rate_card_version), else_=None)
    known = select(customers).where(customers.c.key == key).with_for_update(key_share=True)
    before = (await connection.execute(known)).one_or_none()
    row = (
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["workspace_id", "key"], set_=changed).returning(
                customers,
                literal_column("xmax = 0").label("created"),  # no older row version: it was inserted
            )
        )
    ).one()
    customer = _customer(row)
    await _record(connection, actor_id, None if before is None else _customer(before), customer)
    return customer, bool(row.created)


# What of a customer configures, by the contract's name for it. The rest may be personal: of it the log says only that it
# changed.
_CONFIGURES = {"timezone": "timezone", "cohort": "cohort", "rate_card_version": "rateCardVersion"}
_PERSONAL = ("name", "email", "locale", "metadata")


async def _record(connection: AsyncConnection, actor_id: int | None, before: Customer | None, after: Customer) -> None:
    """Says in the audit log what changed, in the transaction that changes it."""
    was, is_now = ({told: getattr(of, name, None) for name, told in _CONFIGURES.items()} for of in (before, after))
    subject = ids.make("cus", after.id)
    if before is None:
        await record(connection, actor_id, "customer.created", subject, before=None, after=is_now)
        return
    was, is_now = differences(was, is_now)
    also = [name for name in _PERSONAL if getattr(before, name) != getattr(after, name)]
    if also:
        is_now["alsoChanged"] = also
    if is_now:
        await record(connection, actor_id, "customer.changed", subject, before=was, after=is_now)


async def find_customer(connection: AsyncConnection, key: str) -> Customer | None:
    """The customer with that key in the workspace at hand. What can be no key is not asked for: a NUL is an error there."""
    if not valid_text(key, bounds.CUSTOMER_KEY_MAX):
        return None
    row = (await connection.execute(select(customers).where(customers.c.key == key))).one_or_none()
    return None if row is None else _customer(row)


async def lock_customer(connection: AsyncConnection, customer_id: int) -> Customer | None:
    """lock_customer -- The writer's own lock of all that is the customer's: accounts, keys, numbers of disputes and top-ups.
    Held until the database transaction ends; the customer as it is then, None where there is none."""
    query = select(customers).where(customers.c.id == customer_id)
    row = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()  # FOR NO KEY UPDATE
    return None if row is None else _customer(row)


async def read_customers(connection: AsyncConnection, customer_ids: Iterable[int]) -> dict[int, Customer]:
    """The customers with those ids, by id."""
    rows = await connection.execute(select(customers).where(customers.c.id.in_(list(customer_ids))))
    return {row.id: _customer(row) for row in rows}


async def search_customers(
    connection: AsyncConnection, search: str | None, first: int, after_key: str | None
) -> tuple[list[Customer], bool]:
    """Customers by key, whose key, name or e-mail contains `search`; and whether there are more."""
    if not storable(search or "") or not storable(after_key or ""):
        return [], False
    query = select(customers).order_by(customers.c.key).limit(first + 1)
    if after_key is not None:
        query = query.where(customers.c.key > after_key)
    if search:
        columns = (customers.c.key, customers.c.name, customers.c.email)
        query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    rows = [_customer(row) for row in await connection.execute(query)]
    return rows[:first], len(rows) > first


def valid_text(value: str, longest: int) -> bool:
    """One to `longest` characters, none of them a control character: PostgreSQL takes no NUL, people see no others."""
    return 0 < len(value) <= longest and value.isprintable()


def storable(value: str) -> bool:
    """True for what PostgreSQL can hold as text: anything else is an error there, and stands in no row."""
    try:
        value.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return "\0" not in value


def is_timezone(name: str) -> bool:
    """An IANA timezone that this machine knows."""
    return name in _timezones()


@cache
def _timezones() -> frozenset[str]:
    """Looking for them reads some hundred folders, 10 to 60 ms each time."""
    return frozenset(zoneinfo.available_timezones())


def _problem(key: str, changes: dict[str, Any]) -> InvalidInput | None:
    if not valid_text(key, bounds.CUSTOMER_KEY_MAX):
        return InvalidInput(f"must be 1 to {bounds.CUSTOMER_KEY_MAX} visible characters", field="key")
    for name in ("name", "email", "locale", "cohort"):
        value = changes.get(name)
        if value is not None and not (len(value) <= bounds.NAME_MAX and is_line(value)):
            return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field=name)
    timezone = changes.get("timezone")
    if timezone is not None and not is_timezone(timezone):
        return InvalidInput(f"{timezone!r} is no IANA timezone such as Europe/Berlin", field="timezone")
    metadata_value = changes.get("metadata")
    if metadata_value is not None:
        if not isinstance(metadata_value, dict):
            return InvalidInput("must be a JSON object", field="metadata")
        try:
            written = canonical_json(metadata_value)
        except TypeError:  # half a character, or what JSON has no word for
            return InvalidInput("must be JSON in Unicode", field="metadata")
        if len(written) > bounds.JSON_BYTES_MAX:
            return InvalidInput(f"must be at most {bounds.JSON_BYTES_MAX} bytes", field="metadata")
        if "\\u0000" in written:
            return InvalidInput("must not contain NUL characters", field="metadata")
    version = changes.get("rate_card_version")
    if version is not None and version < 1:
        return InvalidInput("must be a published version", field="rateCardVersion")
    return None


def _customer(row: Any) -> Customer:
    return Customer(
        id=row.id,
        key=row.key,
        name=row.name,
        email=row.email,
        timezone=row.timezone,
        locale=row.locale,
        cohort=row.cohort,
        rate_card_version=row.rate_card_version,
        metadata=row.metadata,
        created_at=row.created_at,
        late_cutoff=None if row.late_cutoff_s is None else timedelta(seconds=row.late_cutoff_s),
        limited=row.limited,
    )
