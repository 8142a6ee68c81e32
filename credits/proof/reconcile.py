"""Reconciliation: what the entries add up to, against accounts, grants, holds, events, allocations, and what is derived.

A few accounts at a time, each time in a view of its own that locks nothing, with a rest in between. What agrees once
and is changed by our own code stays in agreement: each commit changes both sides.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from credits import ids
from credits.amount import from_micro
from credits.db import Database, Driver
from credits.ledger.rows import Row
from credits.ledger.verify import plan, together, verify_span
from credits.proof import statements
from credits.proof.derived import compare_derived

ACCOUNTS_AT_ONCE = 50
ENTRIES_AT_ONCE = 5_000  # about: an account is never taken apart
EVENTS_AT_ONCE = 2_000
CHAIN_SPAN = 2_000  # entries whose hashes are computed between two rests: some milliseconds
_LONG_S = 3_600.0  # one account may have millions of entries
MISMATCHES_MAX = 1_000  # that are told; where there are more, the first thousand will do
_COUNTED = frozenset({"entries", "burn of the event"})  # numbers of rows, not credits
_NUMBERS = ("standing: number of", "revenue ")  # what begins so is no credits either: money is in its smallest unit
_PUBLIC = {
    "grant": "gra",
    "hold": "hld",
    "entry": "ent",
    "event": "ent",
    "burn": "ent",
    "standing": "ent",
}  # kind of id, by the first word

Rest = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What the entries say (`expected`) and what is stored (`actual`), in credits."""

    customer: str
    credit_type: str
    check: str
    expected: Decimal
    actual: Decimal


@dataclass(slots=True)
class Reconciled:
    """What a reconciliation found. `drift` is by how much the stored balances differ from the entries, in all, in
    credits; `mismatches` are the first `MISMATCHES_MAX` of `found`."""

    accounts: int = 0
    entries: int = 0
    drift: Decimal = Decimal(0)
    found: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    chains_broken: int = 0
    events_unaccounted: int = 0

    @property
    def ok(self) -> bool:
        return not (self.found or self.chains_broken or self.events_unaccounted)


async def reconcile(database: Database, workspace_id: int, *, rest: Rest, tell: Callable[[int], None]) -> Reconciled:
    """Reconciles a workspace; `rest` is awaited between one piece of work and the next, `tell` is told of the accounts
    done. Raises what the driver raises."""
    found = Reconciled()
    events: set[UUID] = set()
    place = (-(2**63), -(2**31))
    while True:
        async with database.snapshot(workspace_id) as connection:
            accounts = await connection.fetch(statements.NEXT_ACCOUNTS, *place, ACCOUNTS_AT_ONCE)
            some = _few(accounts)
            await _accounts(connection, some, found, events)
        if not some:
            break
        place = (some[-1]["customer_id"], some[-1]["credit_type_id"])
        tell(found.accounts)
        await rest()
    await _events(database, workspace_id, found, events, rest)
    found.events_unaccounted = len(events)
    parts = []
    for span in await plan(database, workspace_id, size=CHAIN_SPAN):
        parts.append(await verify_span(database, workspace_id, span))
        await rest()
    found.chains_broken = len(together(parts).broken)
    return found


def _few(accounts: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    """The first of them, as many as have few enough entries together; one at least."""
    entries = 0
    for number, account in enumerate(accounts):
        entries += account["sequence"]
        if number and entries > ENTRIES_AT_ONCE:
            return accounts[:number]
    return accounts


async def _accounts(
    connection: Driver, accounts: Sequence[asyncpg.Record], found: Reconciled, events: set[UUID]
) -> None:
    columns = [account["customer_id"] for account in accounts], [account["credit_type_id"] for account in accounts]
    found.accounts += len(accounts)
    found.entries += sum(account["sequence"] for account in accounts)
    for statement in statements.OF_ACCOUNTS:
        await _note(connection, await connection.fetch(statement, *columns, timeout=_LONG_S), found)
    lost = await connection.fetch(statements.BURNS_WITHOUT_EVENT, *columns, timeout=_LONG_S)
    events.update(row["event"] for row in lost)
    await _note(connection, lost, found)
    await _note(connection, await compare_derived(connection, *columns), found)


async def _events(database: Database, workspace_id: int, found: Reconciled, events: set[UUID], rest: Rest) -> None:
    after = UUID(int=0)
    while True:
        async with database.snapshot(workspace_id) as connection:
            last = await connection.fetchval(statements.LAST_OF_EVENTS, after, EVENTS_AT_ONCE)
            if last is None:
                return
            lost = await connection.fetch(statements.EVENTS_WITHOUT_BURN, after, last)
            events.update(row["event"] for row in lost)
            await _note(connection, lost, found)
        after = last
        await rest()


async def _note(connection: Driver, rows: Sequence[Row], found: Reconciled) -> None:
    found.found += len(rows)
    found.drift += sum(
        (from_micro(abs(row["expected"] - row["actual"])) for row in rows if row["what"] == "balance"), Decimal(0)
    )
    told = rows[: MISMATCHES_MAX - len(found.mismatches)]
    if not told:
        return
    places = [row["customer_id"] for row in told], [row["credit_type_id"] for row in told]
    names = {tuple(row.values())[:2]: row for row in await connection.fetch(statements.NAMES, *places)}
    found.mismatches += [_mismatch(row, names[row["customer_id"], row["credit_type_id"]]) for row in told]


def _mismatch(row: Row, names: asyncpg.Record) -> Mismatch:
    what = row["what"]
    if row["number"] is not None:
        kind = _PUBLIC[what.partition(":")[0].partition(" ")[0]]
        what = f"{what} ({ids.make(kind, row['customer_id'], row['credit_type_id'], abs(row['number']))})"
    return Mismatch(
        customer=names["customer"] or ids.make("cus", row["customer_id"]),
        credit_type=names["credit_type"] or "?",
        check=what,
        expected=_credits(row, row["expected"]),
        actual=_credits(row, row["actual"]),
    )


def _credits(row: Row, value: Any) -> Decimal:
    counted = row["what"] in _COUNTED or row["what"].startswith(_NUMBERS)
    return Decimal(value) if counted else from_micro(int(value))
