"""Between the tables and the book: what a batch reads under its locks, and what it writes back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from asyncpg import UniqueViolationError

from credits.db import HotConnection
from credits.ledger.account import Account, Grant
from credits.ledger.entries import Entry
from credits.ledger.rows import GRANT_COLUMNS, account_of, flatten, hold_of, sole_grant
from credits.posting import statements
from credits.posting.book import Book, LockedCustomer, NewEvent, SeenEvent
from credits.posting.columns import Batched, column
from credits.posting.commands import Advance, Command, ExtendHold, Release, Settle, TakeEvent
from credits.posting.configuration import Configuration
from credits.posting.locking import CustomerIds, lock, whose
from credits.posting.outcomes import EventOutcome, UsedKey

_KEYLESS = (TakeEvent, Advance, ExtendHold)
_GRANT = itemgetter("customer_id", "credit_type_id", *GRANT_COLUMNS)


async def open_book(
    connection: HotConnection,
    configuration: Configuration,
    workspace_id: int,
    commands: Sequence[Command],
    customer_ids: CustomerIds,
) -> Book:
    """Locks the customers of the commands, then reads everything that deciding them needs."""
    ids = await customer_ids.of(connection, workspace_id, map(whose, commands))
    await lock(connection, ids)
    used = _keys(commands, customer_ids.known(workspace_id))
    row = await connection.fetchrow(
        statements.READ_BOOK,
        workspace_id,
        ids,
        column("bigint", [customer_id for customer_id, _ in used]) if used else None,
        column("text", [key for _, key in used]) if used else None,
    )
    book = await _book_of(row, connection, configuration, workspace_id)
    if book.accounts:
        await _read_holds(connection, book, commands)
    await _read_events(connection, book, commands)
    return book


async def _book_of(row: Any, connection: HotConnection, configuration: Configuration, workspace_id: int) -> Book:
    """The row of `read_book`, and the configuration it was read with."""
    if row is None:
        raise LookupError(f"there is no workspace {workspace_id}")
    catalog, policies = await configuration.read_hot(connection, workspace_id, row["config_version"])
    cutoff = row["late_cutoff_s"]
    columns = (row[name] or () for name in ("ids", "keys", "timezones", "cohorts", "rate_card_versions"))
    customers = {values[0]: LockedCustomer(*values) for values in zip(*columns, strict=True)}
    book = Book(
        workspace_id=workspace_id,
        now=row["clock"] + timedelta(microseconds=row["clock_offset_us"]),
        late_cutoff=configuration.late_cutoff if cutoff is None else timedelta(seconds=cutoff),
        catalog=catalog,
        policies=policies,
        customers=customers,
        customer_ids={customer.key: customer.id for customer in customers.values()},
    )
    for found in row["accounts"] or ():
        account = account_of(found, book.credit_type(found["credit_type_id"]).burn_order)
        book.accounts[account.customer_id, account.credit_type_id] = account
    for found in row["grants"] or ():
        customer_id, credit_type_id, *values = _GRANT(found)
        grant = Grant(*values)
        book.accounts[customer_id, credit_type_id].grants[grant.number] = grant
    for customer_id, key, *values in row["used_keys"] or ():
        fingerprint, first_seen_at, credit_type_id, *numbers = values
        book.used_keys[customer_id, key] = UsedKey(fingerprint, first_seen_at, customer_id, credit_type_id, *numbers)
    return book


def _keys(commands: Sequence[Command], known: Mapping[str, int]) -> set[tuple[int, str]]:
    """The idempotency keys of the commands, each with the customer that it belongs to."""
    used: set[tuple[int, str]] = set()
    for command in commands:
        if isinstance(command, _KEYLESS):
            continue
        name = whose(command)
        customer_id = name if isinstance(name, int) else known.get(name)
        if customer_id is not None:
            used.add((customer_id, command.key))
    return used


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


async def _read_events(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    keys = [command.key for command in commands if isinstance(command, TakeEvent)]
    if not keys:
        return
    for row in await connection.fetch(statements.READ_EVENTS, book.workspace_id, keys):
        book.seen_events[row["key"]] = SeenEvent(row["content"], EventOutcome(row["outcome"]))


def events_collide(error: BaseException) -> bool:
    """Another batch stored one of the events between our look and our insert: look again."""
    return isinstance(error, UniqueViolationError) and error.constraint_name == statements.EVENT_IS_ONE


async def close_book(connection: HotConnection, book: Book) -> list[Account]:
    """Has what the commands did written, with the COMMIT; returns the accounts that changed."""
    changed = [account for account in book.accounts.values() if _is_changed(book, account)]
    if book.new_events:
        await _write_events(connection, book)
    if book.tagged:
        tagged = (book.customers[customer_id] for customer_id in book.tagged)
        rows = ((customer.id, customer.rate_card_version) for customer in tagged)
        await _send(connection, statements.TAG_CUSTOMERS, rows)
    if not changed:
        return []
    entries = [entry for account in changed for entry in account.entries]
    if entries:
        await _send(connection, statements.INSERT_ENTRIES, map(_entry_row, entries))
    new = [account for account in changed if (account.customer_id, account.credit_type_id) in book.new_accounts]
    if new:
        await _send(connection, statements.INSERT_ACCOUNTS, (_account_row(account, book.now) for account in new))
    if len(new) < len(changed):
        old = [account for account in changed if (account.customer_id, account.credit_type_id) not in book.new_accounts]
        changes = (_account_row(account, book.now) for account in old)
        await _send(connection, statements.UPDATE_ACCOUNTS, ((*row[:2], *row[3:]) for row in changes))
    await _write_grants(connection, changed)
    await _write_holds(connection, changed)
    return changed


def _is_changed(book: Book, account: Account) -> bool:
    """A due instant alone may have moved, too: it was a lower bound."""
    place = (account.customer_id, account.credit_type_id)
    if place in book.new_accounts:
        return bool(account.entries or account.changed_grants)
    return bool(
        account.entries or account.changed_grants or account.changed_holds or account.due_at != account.stored_due_at
    )


async def _send(connection: HotConnection, batched: Batched, rows: Iterable[Sequence[Any]]) -> None:
    """Has the rows written with the COMMIT."""
    await connection.send(batched.statement, *batched.arguments(rows))


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
        await _send(connection, statements.INSERT_GRANTS, new)
    if old:
        await _send(connection, statements.UPDATE_GRANTS, old)


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
        await _send(connection, statements.INSERT_HOLDS, new)
    if old:
        await _send(connection, statements.UPDATE_HOLDS, old)


async def _write_events(connection: HotConnection, book: Book) -> None:
    await _send(connection, statements.INSERT_EVENTS, (_event_row(book, event) for event in book.new_events))


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


def _array(numbers: Iterable[int]) -> str:
    """PostgreSQL's text form of an array."""
    return "{" + ",".join(map(str, numbers)) + "}"
