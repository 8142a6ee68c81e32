"""Ordinary reads of the ledger. None of them locks, none of them waits for a writer.

An account is read with whatever is open and advanced to `now` in memory, so that an expired grant never counts,
whether or not its expiry has been booked. Lists show grants and holds as they are at `now`, and entries as booked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, Table, and_, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.catalog.values import Catalog
from credits.ledger.account import Account, Grant, Hold
from credits.ledger.advance import advance
from credits.ledger.entries import Entry, Kind
from credits.ledger.rows import account_of, entry_of, grant_of, hold_of
from credits.ledger.tables import accounts, entries, grants, holds

Place = tuple[int, int]  # customer, credit type


async def read_accounts(
    connection: AsyncConnection, catalog: Catalog, customer_ids: Sequence[int], now: datetime
) -> dict[Place, Account]:
    """The customers' accounts with their open grants, advanced to `now`."""
    found: dict[Place, Account] = {}
    for row in (await connection.execute(select(accounts).where(accounts.c.customer_id.in_(customer_ids)))).mappings():
        credit_type = catalog.credit_type(row["credit_type_id"])
        if credit_type is not None:
            found[row["customer_id"], row["credit_type_id"]] = account_of(row, credit_type.burn_order)
    if not found:
        return found
    open_grants = select(grants).where(grants.c.customer_id.in_(customer_ids), grants.c.open)
    for row in (await connection.execute(open_grants)).mappings():
        found[row["customer_id"], row["credit_type_id"]].grants[row["number"]] = grant_of(row)
    due = [place for place, account in found.items() if account.due_at is not None and account.due_at <= now]
    if due:
        lapsing = select(holds).where(
            tuple_(holds.c.customer_id, holds.c.credit_type_id).in_(due),
            holds.c.status == "OPEN",
            holds.c.expires_at <= now,
        )
        for row in (await connection.execute(lapsing)).mappings():
            found[row["customer_id"], row["credit_type_id"]].holds[row["number"]] = hold_of(row)
        for place in due:
            advance(found[place], now)
    return found


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries of a customer's ledger; None means all. `since` inclusive, `until` exclusive, by occurrence."""

    credit_type_id: int | None = None
    kinds: tuple[Kind, ...] | None = None
    feature_id: int | None = None
    member: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    places: tuple[tuple[int, int], ...] | None = None  # (credit type, sequence): the entries of one event


async def read_ledger(
    connection: AsyncConnection, customer_id: int, wanted: EntryFilter, first: int, after: tuple[int, int] | None
) -> tuple[list[Entry], bool]:
    """Entries newest first by sequence, from behind the cursor (sequence, credit type) on; and whether there are more.

    Several credit types are merged by sequence; within one, and that is what people page through, the primary key
    gives the order.
    """
    conditions = [entries.c.customer_id == customer_id, *_conditions(wanted)]
    if after is not None:
        sequence, credit_type_id = after
        if wanted.credit_type_id is not None:
            conditions.append(entries.c.sequence < sequence)
        else:
            conditions.append(tuple_(entries.c.sequence, entries.c.credit_type_id) < tuple_(sequence, credit_type_id))
    order = [entries.c.sequence.desc(), entries.c.credit_type_id.desc()]
    if wanted.credit_type_id is not None:
        order = order[:1]
    query = select(entries).where(and_(*conditions)).order_by(*order).limit(first + 1)
    rows = [entry_of(row) for row in (await connection.execute(query)).mappings()]
    return rows[:first], len(rows) > first


def _conditions(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    occurred_at = func.coalesce(entries.c.occurred_at, entries.c.recorded_at)
    conditions: list[ColumnElement[bool]] = []
    if wanted.credit_type_id is not None:
        conditions.append(entries.c.credit_type_id == wanted.credit_type_id)
    if wanted.kinds is not None:
        conditions.append(entries.c.kind.in_([int(kind) for kind in wanted.kinds]))
    if wanted.feature_id is not None:
        conditions.append(entries.c.feature_id == wanted.feature_id)
    if wanted.member is not None:
        conditions.append(entries.c.member == wanted.member)
    if wanted.since is not None:
        conditions.append(occurred_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(occurred_at < wanted.until)
    if wanted.places is not None:
        conditions.append(tuple_(entries.c.credit_type_id, entries.c.sequence).in_(wanted.places))
    return conditions


async def read_entries(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Entry]:
    """Entries by (customer, credit type, sequence)."""
    wanted = list(places)
    if not wanted:
        return {}
    key = tuple_(entries.c.customer_id, entries.c.credit_type_id, entries.c.sequence)
    rows = (await connection.execute(select(entries).where(key.in_(wanted)))).mappings()
    return {(row["customer_id"], row["credit_type_id"], row["sequence"]): entry_of(row) for row in rows}


async def read_sequences(connection: AsyncConnection, customer_id: int) -> dict[int, int]:
    """The sequence of the last entry of each of the customer's accounts, by credit type."""
    query = select(accounts.c.credit_type_id, accounts.c.sequence).where(accounts.c.customer_id == customer_id)
    return {row.credit_type_id: row.sequence for row in await connection.execute(query)}


async def read_entries_after(
    connection: AsyncConnection, customer_id: int, credit_type_id: int, sequence: int, first: int
) -> list[Entry]:
    """The entries that follow a sequence, oldest first: what a subscriber has not seen."""
    query = (
        select(entries)
        .where(
            entries.c.customer_id == customer_id,
            entries.c.credit_type_id == credit_type_id,
            entries.c.sequence > sequence,
        )
        .order_by(entries.c.sequence)
        .limit(first)
    )
    return [entry_of(row) for row in (await connection.execute(query)).mappings()]


async def read_hold_entries(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], list[Entry]]:
    """The entries of each hold, oldest first, by (customer, credit type, hold)."""
    wanted = list(places)
    found: dict[tuple[int, int, int], list[Entry]] = {place: [] for place in wanted}
    if not wanted:
        return found
    key = tuple_(entries.c.customer_id, entries.c.credit_type_id, entries.c.hold_number)
    for row in (
        await connection.execute(select(entries).where(key.in_(wanted)).order_by(entries.c.sequence))
    ).mappings():
        found[row["customer_id"], row["credit_type_id"], row["hold_number"]].append(entry_of(row))
    return found


async def read_reversed_amounts(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], int]:
    """How much of each entry has been given back, micro-credits; those of which nothing was are left out."""
    key = tuple_(entries.c.customer_id, entries.c.credit_type_id, entries.c.reverses)
    query = (
        select(entries.c.customer_id, entries.c.credit_type_id, entries.c.reverses, func.sum(entries.c.amount))
        .where(key.in_(list(places)), entries.c.reverses.is_not(None))
        .group_by(entries.c.customer_id, entries.c.credit_type_id, entries.c.reverses)
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in await connection.execute(query)}


async def read_grants(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Grant]:
    """Grants by (customer, credit type, number), as stored."""
    wanted = list(places)
    if not wanted:
        return {}
    key = tuple_(grants.c.customer_id, grants.c.credit_type_id, grants.c.number)
    rows = (await connection.execute(select(grants).where(key.in_(wanted)))).mappings()
    return {(row["customer_id"], row["credit_type_id"], row["number"]): grant_of(row) for row in rows}


async def read_holds(
    connection: AsyncConnection, places: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int, int], Hold]:
    """Holds by (customer, credit type, number), as stored."""
    wanted = list(places)
    if not wanted:
        return {}
    key = tuple_(holds.c.customer_id, holds.c.credit_type_id, holds.c.number)
    rows = (await connection.execute(select(holds).where(key.in_(wanted)))).mappings()
    return {(row["customer_id"], row["credit_type_id"], row["number"]): hold_of(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a customer's grants or holds: (credit type, what it is), newest first."""

    items: list[tuple[int, Any]]
    more: bool


def _standing(
    table: Table, column: ColumnElement[str], status: str, now: dict[tuple[int, int], str]
) -> list[ColumnElement[bool]]:
    """What is of that status, where the clock has given those in `now` the status there, booked or not."""
    key = tuple_(table.c.credit_type_id, table.c.number)
    turned = [place for place, state in now.items() if state == status]
    left = [place for place, state in now.items() if state != status]
    conditions = [or_(column == status, key.in_(_among(turned))) if turned else column == status]
    return [*conditions, key.not_in(_among(left))] if left else conditions


def _among(places: Sequence[tuple[int, int]]) -> Select[Any]:
    """The places as rows: a list of thousands in the statement itself would outgrow the planner's stack."""
    columns = [cast([place[n] for place in places], ARRAY(Integer)) for n in (0, 1)]
    rows = func.unnest(*columns).table_valued("credit_type_id", "number").render_derived("places")
    return select(rows.c.credit_type_id, rows.c.number)


async def list_grants(
    connection: AsyncConnection,
    customer_id: int,
    advanced: dict[Place, Account],
    *,
    credit_type_id: int | None,
    status: str | None,
    first: int,
    after: tuple[datetime, int, int] | None,
) -> Listed:
    """Grants newest first, as they are at the instant that the accounts were advanced to."""
    conditions = [grants.c.customer_id == customer_id]
    if credit_type_id is not None:
        conditions.append(grants.c.credit_type_id == credit_type_id)
    now = {
        (place[1], number): account.grants[number]
        for place, account in advanced.items()
        if place[0] == customer_id
        for number in account.changed_grants
    }
    if status is not None:
        states = {place: grant.state for place, grant in now.items()}
        conditions += _standing(grants, grants.c.state, status, states)
    columns = (grants.c.created_at, grants.c.credit_type_id, grants.c.number)
    if after is not None:
        conditions.append(tuple_(*columns) < tuple_(*after))
    query = select(grants).where(and_(*conditions)).order_by(*(column.desc() for column in columns)).limit(first + 1)
    rows = [(row["credit_type_id"], grant_of(row)) for row in (await connection.execute(query)).mappings()]
    items = [(credit_type, now.get((credit_type, grant.number), grant)) for credit_type, grant in rows]
    return Listed(items[:first], len(items) > first)


async def list_holds(
    connection: AsyncConnection,
    customer_id: int,
    advanced: dict[Place, Account],
    *,
    status: str | None,
    first: int,
    after: tuple[datetime, int, int] | None,
) -> Listed:
    """Holds newest first, as they are at the instant that the accounts were advanced to."""
    conditions = [holds.c.customer_id == customer_id]
    now = {
        (place[1], number): account.holds[number]
        for place, account in advanced.items()
        if place[0] == customer_id
        for number in account.changed_holds
    }
    if status is not None:
        states = {place: hold.status for place, hold in now.items()}
        conditions += _standing(holds, holds.c.status, status, states)
    columns = (holds.c.opened_at, holds.c.credit_type_id, holds.c.number)
    if after is not None:
        conditions.append(tuple_(*columns) < tuple_(*after))
    query = select(holds).where(and_(*conditions)).order_by(*(column.desc() for column in columns)).limit(first + 1)
    rows = [(row["credit_type_id"], hold_of(row)) for row in (await connection.execute(query)).mappings()]
    items = [(credit_type, now.get((credit_type, hold.number), hold)) for credit_type, hold in rows]
    return Listed(items[:first], len(items) > first)
