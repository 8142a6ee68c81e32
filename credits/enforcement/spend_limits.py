"""Spend limits: set, removed, listed, counted anew. Each change holds the customer's lock, so that no burn falls between."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, ids
from credits.amount import INT64_MAX, MICRO, decimals, plain_micro, to_micro
from credits.audit.log import record
from credits.catalog.values import Catalog
from credits.customers.customers import Customer, customers, lock_customer, valid_text
from credits.customers.members import read_groups
from credits.db import bare
from credits.enforcement.counting import count_window
from credits.enforcement.limits import Limits
from credits.enforcement.tables import limit_windows, spend_limits
from credits.enforcement.values import Metered, SpendLimit, limit_of
from credits.errors import InvalidInput, NotFound
from credits.ledger.account import Account
from credits.ledger.tables import accounts
from credits.windows import INTERVALS

_INT32 = 2**31 - 1


async def set_limit(
    connection: AsyncConnection,
    workspace_id: int,
    customer: Customer,
    catalog: Catalog,
    *,
    credit_type: str,
    amount: Decimal,
    interval: str,
    member: str | None = None,
    group: str | None = None,
    feature: str | None = None,
    now: datetime,
    actor_id: int | None = None,
) -> SpendLimit | InvalidInput | NotFound:
    """Caps what the customer spends of the credit type (keys; None stands for all) in each window; the same scope and
    window again changes the amount. `amount` in credits, more than zero.

    The member need not exist yet. What was used in the present window before counts.
    """
    problem = _problem(amount, interval, member, group)
    if problem:
        return problem
    known_type = catalog.credit_type_by_key(credit_type)
    if known_type is None:
        return NotFound(f"no credit type {credit_type!r} in the catalog")
    known_feature = None if feature is None else catalog.feature_by_key(feature)
    if feature is not None and known_feature is None:
        return NotFound(f"no feature {feature!r} in the catalog", code="UNKNOWN_FEATURE")
    if decimals(amount) > known_type.scale:
        return InvalidInput(f"{known_type.key!r} has {known_type.scale} decimals", field="amount")
    locked = await lock_customer(connection, customer.id)
    if locked is None:
        return NotFound(f"no customer {customer.key!r}")
    scope = {
        "customer_id": customer.id,
        "credit_type_id": known_type.id,
        "window_kind": interval,
        "member": member,
        "group_name": group,
        "feature_id": known_feature.id if known_feature else None,
    }
    same = (spend_limits.c[name].is_not_distinct_from(value) for name, value in scope.items())
    before = (await connection.execute(select(spend_limits).where(*same))).mappings().one_or_none()
    savepoint = await connection.begin_nested()
    row = (
        await connection.execute(
            insert(spend_limits)
            .values(workspace_id=workspace_id, amount=to_micro(amount), counted_from=now, created_at=now, **scope)
            .on_conflict_do_update(constraint="limit_scope_is_one", set_={"amount": to_micro(amount)})
            .returning(spend_limits, literal_column("xmax = 0").label("created"))
        )
    ).one()
    how_many = select(func.count()).select_from(spend_limits).where(spend_limits.c.customer_id == customer.id)
    if (await connection.execute(how_many)).scalar_one() > bounds.LIMITS_MAX:
        await savepoint.rollback()
        return InvalidInput(f"a customer has at most {bounds.LIMITS_MAX} spend limits; remove some first")
    await savepoint.commit()
    await connection.execute(update(customers).where(customers.c.id == customer.id).values(limited=True))
    limit = limit_of(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row as a mapping
    if before is None or before["amount"] != limit.amount_micro:
        was, is_now = None if before is None else _told(limit_of(before), catalog), _told(limit, catalog)
        await record(connection, actor_id, "limit.set", limit.id, before=was, after=is_now)
    if row.created:
        (limit,) = await _count_anew(connection, locked, [limit], now)
    return limit


async def remove_limit(
    connection: AsyncConnection, catalog: Catalog, limit_id: str, *, actor_id: int | None = None
) -> SpendLimit | NotFound:
    """Ends a limit by its public id; returns it as it was."""
    numbers = ids.parse("lim", limit_id, 2)
    if numbers is None or numbers[1] > _INT32:
        return NotFound(f"no limit {limit_id!r}")
    customer_id, number = numbers
    if await lock_customer(connection, customer_id) is None:
        return NotFound(f"no limit {limit_id!r}")
    for table in (limit_windows, spend_limits):
        query = delete(table).where(table.c.customer_id == customer_id, table.c.number == number)
        found = (await connection.execute(query.returning(table))).mappings().all()
    if not found:
        return NotFound(f"no limit {limit_id!r}")
    left = select(spend_limits.c.number).where(spend_limits.c.customer_id == customer_id).exists()
    await connection.execute(update(customers).where(customers.c.id == customer_id).values(limited=left))
    limit = limit_of(found[0])
    await record(connection, actor_id, "limit.removed", limit.id, before=_told(limit, catalog), after=None)
    return limit


def _told(limit: SpendLimit, catalog: Catalog) -> dict[str, Any]:
    """A limit as the audit log tells it; a member by its key, as entries name it."""
    credit_type = catalog.credit_type(limit.credit_type_id)
    feature = None if limit.feature_id is None else catalog.feature(limit.feature_id)
    return {
        "customer": ids.make("cus", limit.customer_id),
        "creditType": credit_type.key if credit_type else None,
        "feature": feature.key if feature else None,
        "member": limit.member,
        "group": limit.group,
        "window": limit.interval,
        "amount": plain_micro(limit.amount_micro),
    }


async def recount(connection: AsyncConnection, customer: Customer, now: datetime) -> None:
    """Counts the present windows of the customer's limits anew: another timezone has other windows, another group of a
    member other usage. Call it under the customer's lock, in the database transaction that changed that."""
    await _count_anew(connection, customer, await _read(connection, customer.id), now)


async def open_limits(connection: AsyncConnection, customer: Customer, now: datetime) -> Limits:
    """The customer's limits with what was used of each in its present window, as far as it is booked."""
    limits = Limits(customer.timezone, await _read(connection, customer.id), await read_groups(connection, customer.id))
    present = {limit.number: limits.window(limit, now) for limit in limits.all}
    key = tuple_(limit_windows.c.number, limit_windows.c.starts_at)
    wanted = [(number, found.start) for number, found in present.items()]
    query = select(limit_windows).where(limit_windows.c.customer_id == customer.id, key.in_(wanted))
    for row in await connection.execute(query):
        limits.known[row.number, row.starts_at] = row.used
    for limit in limits.all:
        within = present[limit.number]
        if (limit.number, within.start) not in limits.known and within.start < limit.counted_from:
            used = await count_window(await bare(connection), limit, limits.members_of(limit), within)
            limits.known[limit.number, within.start] = used
    return limits


async def read_metered(
    connection: AsyncConnection, customer: Customer, advanced: Iterable[Account], now: datetime
) -> list[Metered]:
    """The customer's limits with what is used of them, by age; `advanced`: its accounts as they are at `now`, so that a
    hold that has lapsed no longer counts, whether or not that is booked."""
    limits = await open_limits(connection, customer, now)
    for account in advanced:
        limits.catch_up(account)
    return [limits.metered(limit, now) for limit in limits.all]


async def _read(connection: AsyncConnection, customer_id: int) -> list[SpendLimit]:
    query = select(spend_limits).where(spend_limits.c.customer_id == customer_id).order_by(spend_limits.c.number)
    return [limit_of(row) for row in (await connection.execute(query)).mappings()]


async def _count_anew(
    connection: AsyncConnection, customer: Customer, limits: list[SpendLimit], now: datetime
) -> list[SpendLimit]:
    """Forgets what was counted, and writes down what counts in the present windows. Windows before are counted when a
    late burn asks for them, from the entries; of those that nothing recorded so far can lie in, it is zero."""
    if not limits:
        return []
    numbers = [limit.number for limit in limits]
    await connection.execute(
        delete(limit_windows).where(limit_windows.c.customer_id == customer.id, limit_windows.c.number.in_(numbers))
    )
    newest = select(func.max(accounts.c.recorded_at)).where(accounts.c.customer_id == customer.id).scalar_subquery()
    changed = (
        update(spend_limits)
        .where(spend_limits.c.customer_id == customer.id, spend_limits.c.number.in_(numbers))
        .values(counted_from=func.greatest(now, newest) + bounds.FUTURE_SKEW)
        .returning(spend_limits)
    )
    fresh = [limit_of(row) for row in (await connection.execute(changed)).mappings()]
    counting = Limits(customer.timezone, fresh, await read_groups(connection, customer.id))
    driver = await bare(connection)
    workspace_id = select(customers.c.workspace_id).where(customers.c.id == customer.id).scalar_subquery()
    for limit in fresh:
        within = counting.window(limit, now)
        used = await count_window(driver, limit, counting.members_of(limit), within)
        place = {"customer_id": customer.id, "number": limit.number, "starts_at": within.start}
        await connection.execute(insert(limit_windows).values(workspace_id=workspace_id, used=used, **place))
    return fresh


def _problem(amount: Decimal, interval: str, member: str | None, group: str | None) -> InvalidInput | None:
    if amount <= 0:
        return InvalidInput("must be more than zero", field="amount")
    if amount * MICRO > INT64_MAX:
        return InvalidInput("is beyond 64 bits of micro-credits", field="amount")
    if interval not in INTERVALS:
        return InvalidInput(f"must be one of {', '.join(INTERVALS)}", field="window")
    for field, value in (("member", member), ("group", group)):
        if value is not None and not valid_text(value, bounds.NAME_MAX):
            return InvalidInput(f"must be 1 to {bounds.NAME_MAX} visible characters", field=field)
    return None
