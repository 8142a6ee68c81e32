"""Between the tables and the book: what a batch reads under its locks, and what it writes back."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from credits import bounds
from credits.customers.customers import valid_text
from credits.db import HotConnection
from credits.ledger.account import Account, Grant
from credits.ledger.entries import Entry
from credits.ledger.rows import account_of, flatten, hold_of, sole_grant
from credits.posting import statements
from credits.posting.book import Book, LockedCustomer, NewEvent, SeenEvent
from credits.posting.columns import Batched, column
from credits.posting.commands import Advance, Command, ExtendHold, Release, Settle, TakeEvent
from credits.posting.configuration import Configuration
from credits.posting.limits import read_limits, write_windows
from credits.posting.outcomes import EventOutcome, UsedKey
from credits.posting.past import read_past


async def open_book(
    connection: HotConnection,
    configuration: Configuration,
    workspace_id: int,
    commands: Sequence[Command],
) -> Book:
    """Locks the customers of the commands, then reads everything that deciding them needs."""
    customers = await _lock(connection, commands)
    ids = list(customers)
    rows = await connection.fetch(statements.READ_ACCOUNTS, workspace_id, ids)
    first = rows[0]
    now = first["clock"] + timedelta(microseconds=first["clock_offset_us"])
    catalog, policies = await configuration.read_hot(connection, workspace_id, first["config_version"])
    cutoff = first["late_cutoff_s"]
    book = Book(
        workspace_id=workspace_id,
        now=now,
        late_cutoff=configuration.late_cutoff if cutoff is None else timedelta(seconds=cutoff),
        catalog=catalog,
        policies=policies,
        customers=customers,
        customer_ids={customer.key: customer.id for customer in customers.values()},
    )
    for row in rows:
        if row["customer_id"] is not None:
            account = account_of(row, book.credit_type(row["credit_type_id"]).burn_order)
            book.accounts[account.customer_id, account.credit_type_id] = account
    if book.accounts:
        await _read_grants(connection, book, ids)
        await _read_holds(connection, book, commands)
        await read_past(connection, book, commands)
    if any(customer.limited for customer in customers.values()):
        await read_limits(connection, book, commands)
    await _read_used_keys(connection, book, commands)
    await _read_events(connection, book, commands)
    return book


async def _lock(connection: HotConnection, commands: Sequence[Command]) -> dict[int, LockedCustomer]:
    keys: set[str] = set()
    ids: set[int] = set()
    for command in commands:
        if isinstance(command, TakeEvent):
            keys.add(command.subject)
        elif isinstance(command, Settle | Release | ExtendHold):
            ids.add(command.hold.customer_id)
        elif isinstance(command, Advance):
            ids.add(command.customer_id)
        else:
            keys.add(command.customer)
    # A key that no customer can have (a NUL, a lone surrogate) is no text to PostgreSQL: it would fail the whole batch.
    keys = {key for key in keys if valid_text(key, bounds.CUSTOMER_KEY_MAX)}
    rows = await connection.fetch(statements.LOCK_CUSTOMERS, list(keys), list(ids))
    return {
        row["id"]: LockedCustomer(*row)  # the statement names its columns in this order
        for row in rows
    }


async def _read_grants(connection: HotConnection, book: Book, ids: list[int]) -> None:
    for customer_id, credit_type_id, *values in await connection.fetch(statements.READ_OPEN_GRANTS, ids):
        grant = Grant(*values)
        book.accounts[customer_id, credit_type_id].grants[grant.number] = grant


async def _read_holds(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    named = [command.hold for command in commands if isinstance(command, Settle | Release | ExtendHold)]
    due = [
        place for place, account in book.accounts.items() if account.due_at is not None and account.due_at <= book.now
    ]
    if not named and not due:
        return
    due_customers, due_types = [place[0] for place in due], [place[1] for place in due]
    rows = await connection.fetch(
        statements.READ_HOLDS,
        [hold.customer_id for hold in named],
        [hold.credit_type_id for hold in named],
        [hold.number for hold in named],
        due_customers,
        due_types,
        book.now,
    )
    for row in rows:
        hold = hold_of(row)
        book.accounts[row["customer_id"], row["credit_type_id"]].holds[hold.number] = hold
    if due:
        for row in await connection.fetch(statements.READ_NEXT_HOLDS, due_customers, due_types, book.now):
            book.accounts[row["customer_id"], row["credit_type_id"]].later_hold_at = row["expires_at"]


async def _read_used_keys(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    used: set[tuple[int, str]] = set()
    for command in commands:
        if isinstance(command, TakeEvent | Advance | ExtendHold):
            continue
        if isinstance(command, Settle | Release):
            used.add((command.hold.customer_id, command.key))
        elif (customer_id := book.customer_ids.get(command.customer)) is not None:
            used.add((customer_id, command.key))
    if not used:
        return
    rows = await connection.fetch(
        statements.READ_USED_KEYS,
        column("bigint", [customer_id for customer_id, _ in used]),
        column("text", [key for _, key in used]),
    )
    for row in rows:
        book.used_keys[row["customer_id"], row["key"]] = UsedKey(
            fingerprint=row["fingerprint"],
            first_seen_at=row["first_seen_at"],
            customer_id=row["customer_id"],
            credit_type_id=row["credit_type_id"],
            sequence=row["sequence"],
            grant_number=row["grant_number"],
            hold_number=row["hold_number"],
        )


async def _read_events(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    keys = [command.key for command in commands if isinstance(command, TakeEvent)]
    if not keys:
        return
    for row in await connection.fetch(statements.READ_EVENTS, book.workspace_id, keys):
        book.seen_events[row["key"]] = SeenEvent(row["content"], EventOutcome(row["outcome"]))


class EventsCollide(Exception):
    """Another batch stored one of the events between our look and our insert: look again."""


async def close_book(connection: HotConnection, book: Book) -> list[Account]:
    """Writes what the commands did; returns the accounts that changed."""
    book.place_late()
    changed = [account for account in book.accounts.values() if _is_changed(book, account)]
    if book.limits:
        await write_windows(connection, book)
    if book.new_events or book.retried_events:
        await _write_events(connection, book)
    if book.tagged:
        tagged = [book.customers[customer_id] for customer_id in book.tagged]
        await connection.execute(
            statements.TAG_CUSTOMERS,
            [customer.id for customer in tagged],
            [customer.rate_card_version for customer in tagged],
        )
    if not changed:
        return []
    entries = [entry for account in changed for entry in account.entries]
    if entries:
        await _execute(connection, statements.INSERT_ENTRIES, map(_entry_row, entries))
    new = [account for account in changed if (account.customer_id, account.credit_type_id) in book.new_accounts]
    if new:
        await _execute(connection, statements.INSERT_ACCOUNTS, (_account_row(account, book.now) for account in new))
    if len(new) < len(changed):
        old = [account for account in changed if (account.customer_id, account.credit_type_id) not in book.new_accounts]
        rows = (_account_row(account, book.now) for account in old)
        await _execute(connection, statements.UPDATE_ACCOUNTS, ((*row[:2], *row[3:]) for row in rows))
    await _write_grants(connection, changed)
    await _write_holds(connection, changed)
    await _write_phases(connection, changed)
    return changed


def _is_changed(book: Book, account: Account) -> bool:
    """A due instant alone may have moved, too: it was a lower bound."""
    place = (account.customer_id, account.credit_type_id)
    if place in book.new_accounts:
        return bool(account.entries or account.changed_grants)
    return bool(
        account.entries or account.changed_grants or account.changed_holds or account.due_at != account.stored_due_at
    )


async def _execute(connection: HotConnection, statement: Batched, rows: Iterable[Sequence[Any]]) -> int:
    """Puts the rows through the statement; how many it changed."""
    status = await connection.execute(statement.sql, *statement.arguments(rows))
    return int(status.rsplit(" ", 1)[1])


def _entry_row(entry: Entry) -> tuple[Any, ...]:
    cause = entry.cause
    sole = sole_grant(entry)
    return (
        entry.customer_id,
        entry.amount,
        entry.balance_after,
        entry.held_amount or None,
        entry.held_after or None,
        entry.recorded_at,
        None if entry.occurred_at == entry.recorded_at else entry.occurred_at,
        cause.fingerprint,
        entry.workspace_id,
        entry.credit_type_id,
        entry.sequence,
        cause.actor_id,
        cause.feature_id,
        cause.rate_id,
        entry.hold_number,
        sole,
        entry.kind,
        entry.hash,
        None if sole is not None or not entry.allocations else _array(flatten(entry.allocations)),
        cause.quantity,
        cause.exact_amount,
        cause.event,
        cause.key,
        cause.member,
        cause.note,
        cause.reason,
        cause.dimensions,
    )


def _account_row(account: Account, now: datetime) -> tuple[Any, ...]:
    return (
        account.customer_id,
        account.credit_type_id,
        account.workspace_id,
        account.balance,
        account.held,
        account.overdraft,
        account.granted,
        account.burned,
        account.expired,
        account.recorded_at or now,
        account.due_at,
        account.sequence,
        account.grant_count,
        account.hold_count,
        account.head,
        account.phase_count,
        account.phased_at,
        _array(flatten(list(account.drawn.items()))) if account.drawn else None,
    )


async def _write_grants(connection: HotConnection, changed: list[Account]) -> None:
    new, old = [], []
    for account in changed:
        for number in account.changed_grants:
            grant = account.grants[number]
            place = (account.customer_id, account.credit_type_id, number)
            if number in account.new_grants:
                new.append(
                    (
                        *place,
                        account.workspace_id,
                        grant.amount,
                        grant.remaining,
                        grant.held,
                        grant.burned,
                        grant.expired,
                        grant.effective_at,
                        grant.expires_at,
                        grant.created_at,
                        grant.fingerprint,
                        grant.priority,
                        grant.actor_id,
                        grant.open,
                        grant.state,
                        grant.source,
                        grant.reason,
                        grant.note,
                        grant.cost_amount,
                        grant.cost_currency,
                        grant.metadata,
                        grant.key,
                    )
                )
            else:
                old.append((*place, grant.remaining, grant.held, grant.burned, grant.expired, grant.open, grant.state))
    if new:
        await _execute(connection, statements.INSERT_GRANTS, new)
    if old:
        await _execute(connection, statements.UPDATE_GRANTS, old)


async def _write_holds(connection: HotConnection, changed: list[Account]) -> None:
    new, old = [], []
    for account in changed:
        for number in account.changed_holds:
            hold = account.holds[number]
            place = (account.customer_id, account.credit_type_id, number)
            parts = _array(flatten(hold.parts))
            if number in account.new_holds:
                new.append(
                    (
                        *place,
                        account.workspace_id,
                        hold.amount,
                        hold.remaining,
                        hold.settled,
                        hold.opened_at,
                        hold.expires_at,
                        hold.closed_at,
                        hold.feature_id,
                        hold.rate_id,
                        hold.status,
                        hold.member,
                        hold.dimensions,
                        parts,
                    )
                )
            else:
                old.append((*place, hold.remaining, hold.settled, hold.expires_at, hold.closed_at, hold.status, parts))
    if new:
        await _execute(connection, statements.INSERT_HOLDS, new)
    if old:
        await _execute(connection, statements.UPDATE_HOLDS, old)


async def _write_phases(connection: HotConnection, changed: list[Account]) -> None:
    new, old = [], []
    for account in changed:
        for phase in account.phases:
            key = (account.customer_id, account.credit_type_id, phase.until, phase.number)
            drawn = list(phase.drawn.items())
            parts = [_array(flatten(parts)) for parts in (phase.moved, phase.repaid, drawn)]
            if phase.number in account.new_phases:
                new.append((*key, account.workspace_id, phase.rank, phase.boundary, *parts))
            elif phase.number in account.changed_phases:
                old.append((*key, *parts))
    if new:
        await _execute(connection, statements.INSERT_PHASES, new)
    if old:
        await _execute(connection, statements.UPDATE_PHASES, old)


async def _write_events(connection: HotConnection, book: Book) -> None:
    rows = [_event_row(book, event) for event in book.new_events]
    if rows and await _execute(connection, statements.INSERT_EVENTS, rows) != len(rows):
        raise EventsCollide
    again = [_retried_row(book, event) for event in book.retried_events]
    if again and await _execute(connection, statements.UPDATE_DEAD_LETTERS, again) != len(again):
        raise EventsCollide


def _event_row(book: Book, event: NewEvent) -> tuple[Any, ...]:
    command = event.command
    entries = [number for entry in event.entries for number in (entry.credit_type_id, entry.sequence)]
    return (
        command.key,
        event.customer_id,
        book.now,
        event.occurred_at,
        command.content,
        book.workspace_id,
        event.outcome,
        1,
        command.source,
        command.event_id,
        command.type,
        command.subject,
        command.data_text,
        _array(entries) if entries else None,
        event.message,
    )


def _retried_row(book: Book, event: NewEvent) -> tuple[Any, ...]:
    entries = [number for entry in event.entries for number in (entry.credit_type_id, entry.sequence)]
    burned = event.outcome is EventOutcome.BURNED
    return (
        book.workspace_id,
        event.command.key,
        event.customer_id,
        event.outcome,
        _array(entries) if entries else None,
        event.message,
        book.now if burned else None,
    )


def _array(numbers: Iterable[int]) -> str:
    """PostgreSQL's text form of an array."""
    return "{" + ",".join(map(str, numbers)) + "}"
