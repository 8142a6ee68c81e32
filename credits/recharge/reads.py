"""Reading top-ups, what was paid back of them, and what stands beside them. None of it locks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.recharge.provider import ProviderName
from credits.recharge.tables import paybacks, payment_customers, payment_issues, payment_methods, top_ups
from credits.recharge.top_ups import OPEN, KeptPayback, Place, TopUp, payback_of, top_up_of

_PLACE = (top_ups.c.customer_id, top_ups.c.number)


async def read_top_ups(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, TopUp]:
    """Top-ups by (customer, number)."""
    rows = await connection.execute(select(top_ups).where(tuple_(*_PLACE).in_(list(places))))
    found = [top_up_of(row) for row in rows.mappings()]
    return {top_up.place: top_up for top_up in found}


async def read_top_ups_of_grants(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], TopUp]:
    """Which top-up has bought each grant, by (customer, credit type, number)."""
    key = (top_ups.c.customer_id, top_ups.c.credit_type_id, top_ups.c.grant_number)
    rows = await connection.execute(select(top_ups).where(tuple_(*key).in_(list(places))))
    found = [(row["grant_number"], top_up_of(row)) for row in rows.mappings()]
    return {(top_up.customer_id, top_up.credit_type_id, number): top_up for number, top_up in found}


async def find_by_key(connection: AsyncConnection, customer_id: int, key: str) -> TopUp | None:
    """The order that the idempotency key has made."""
    query = select(top_ups).where(top_ups.c.customer_id == customer_id, top_ups.c.key == key)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else top_up_of(row)


async def count_open(connection: AsyncConnection, customer_id: int) -> int:
    """How many top-ups the customer has begun and not ended."""
    of = (top_ups.c.customer_id == customer_id, top_ups.c.status.in_(OPEN))
    return await connection.scalar(select(func.count()).select_from(top_ups).where(*of)) or 0


async def list_top_ups(
    connection: AsyncConnection, customer_id: int, first: int, before: int | None
) -> tuple[list[TopUp], bool]:
    """The customer's top-ups, newest first, from before that number on; and whether there are more."""
    query = select(top_ups).where(top_ups.c.customer_id == customer_id).order_by(top_ups.c.number.desc())
    if before is not None:
        query = query.where(top_ups.c.number < before)
    rows = [top_up_of(row) for row in (await connection.execute(query.limit(first + 1))).mappings()]
    return rows[:first], len(rows) > first


async def list_attempts(connection: AsyncConnection, account: tuple[int, int], first: int) -> list[TopUp]:
    """Recharges of an account, (customer, credit type), newest first."""
    of = (top_ups.c.customer_id == account[0], top_ups.c.credit_type_id == account[1], top_ups.c.automatic)
    rows = await connection.execute(select(top_ups).where(*of).order_by(top_ups.c.number.desc()).limit(first))
    return [top_up_of(row) for row in rows.mappings()]


async def read_paybacks(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, list[KeptPayback]]:
    """What was paid back of each, in order."""
    key = (paybacks.c.customer_id, paybacks.c.top_up)
    query = select(paybacks).where(tuple_(*key).in_(list(places))).order_by(paybacks.c.number)
    found: dict[Place, list[KeptPayback]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault((row["customer_id"], row["top_up"]), []).append(payback_of(row))
    return found


async def find_payback_by_key(connection: AsyncConnection, customer_id: int, key: str) -> KeptPayback | None:
    """The refund that the idempotency key has asked for."""
    query = select(paybacks).where(paybacks.c.customer_id == customer_id, paybacks.c.key == key)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else payback_of(row)


async def read_payer_id(connection: AsyncConnection, customer_id: int, provider: ProviderName) -> str | None:
    """By what id the provider knows the customer; None where it has not been told of it."""
    return await connection.scalar(
        select(payment_customers.c.provider_id).where(
            payment_customers.c.customer_id == customer_id, payment_customers.c.provider == provider
        )
    )


@dataclass(frozen=True, slots=True)
class KeptMethod:
    """A payment method that is saved with a provider: a label such as `Visa •••• 4242`, `expires` such as `2030-04`."""

    customer_id: int
    provider: ProviderName
    provider_id: str
    label: str
    expires: str | None
    is_default: bool
    saved_at: datetime


async def list_methods(
    connection: AsyncConnection, customer_id: int, provider: ProviderName | None = None
) -> list[KeptMethod]:
    """What the customer can be charged by, the default first."""
    table = payment_methods.c
    columns = (table.customer_id, table.provider, table.provider_id, table.label, table.expires, table.is_default)
    query = select(*columns, table.saved_at).where(table.customer_id == customer_id)
    if provider is not None:
        query = query.where(table.provider == provider)
    rows = await connection.execute(query.order_by(table.is_default.desc(), table.saved_at, table.provider_id))
    return [KeptMethod(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class KeptIssue:
    """What does not fit together, as it was told. Instants are the workspace's."""

    id: int
    customer_id: int | None
    top_up: int | None
    at: datetime
    kind: str
    message: str
    expected: str | None
    actual: str | None
    event: str | None
    resolved_at: datetime | None
    resolved_by: int | None
    note: str | None


_ISSUE = [payment_issues.c[name] for name in KeptIssue.__dataclass_fields__]


async def list_issues(connection: AsyncConnection, *, resolved: bool | None) -> list[KeptIssue]:
    """Issues of the workspace, newest first; resolved ones, others, or (None) both."""
    query = select(*_ISSUE).order_by(payment_issues.c.id.desc()).limit(bounds.DISPUTES_LISTED_MAX)
    if resolved is not None:
        column = payment_issues.c.resolved_at
        query = query.where(column.is_not(None) if resolved else column.is_(None))
    return [KeptIssue(*row) for row in await connection.execute(query)]


async def read_issue(connection: AsyncConnection, number: int) -> KeptIssue | None:
    row = (await connection.execute(select(*_ISSUE).where(payment_issues.c.id == number))).one_or_none()
    return None if row is None else KeptIssue(*row)
