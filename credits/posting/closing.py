"""From the book back to the tables: what a batch writes, sent with its COMMIT. What it reads: `store.py`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from asyncpg import UniqueViolationError

from credits.db import HotConnection
from credits.ledger.account import Account
from credits.ledger.entries import Entry
from credits.ledger.rows import flatten, sole_grant
from credits.posting import statements
from credits.posting.book import Book, NewEvent
from credits.posting.columns import Batched
from credits.posting.limits import write_windows
from credits.posting.outcomes import EventOutcome

_ATTEMPTS_MAX = 32_767  # a smallint


def events_collide(error: BaseException) -> bool:
    """Another batch stored one of the events between our look and our insert: look again."""
    return isinstance(error, UniqueViolationError) and error.constraint_name == statements.EVENT_IS_ONE


async def close_book(connection: HotConnection, book: Book) -> list[Account]:
    """Has what the commands did written, with the COMMIT; returns the accounts that changed."""
    book.place_late()
    changed = [account for account in book.accounts.values() if _is_changed(book, account)]
    if book.limits:
        await write_windows(connection, book)
    if book.new_events or book.retried_events:
        await _write_events(connection, book)
    if book.tagged:
        tagged = (book.customers[customer_id] for customer_id in book.tagged)
        rows = ((customer.id, customer.rate_card_version) for customer in tagged)
        await _send(connection, statements.TAG_CUSTOMERS, rows)
    if changed:
        await _write_accounts(connection, book, changed)
    for companion, made in book.companions:
        await companion.write(connection, book.now, made)
    return changed


async def _write_accounts(connection: HotConnection, book: Book, changed: list[Account]) -> None:
    entries = [entry for account in changed for entry in account.entries]
    if entries:
        await _send(connection, statements.INSERT_ENTRIES, map(_entry_row, entries))
    new = [account for account in changed if (account.customer_id, account.credit_type_id) in book.new_accounts]
    if new:
        await _send(connection, statements.INSERT_ACCOUNTS, (_account_row(account, book.now) for account in new))
    if len(new) < len(changed):
        old = [account for account in changed if (account.customer_id, account.credit_type_id) not in book.new_accounts]
        plain = [_account_row(account, book.now) for account in old if not account.corrected]
        if plain:
            await _send(connection, statements.UPDATE_ACCOUNTS, ((*row[:2], *row[3:-4]) for row in plain))
        corrected = [_account_row(account, book.now) for account in old if account.corrected]
        if corrected:
            rows = ((*row[:2], *row[3:]) for row in corrected)
            await _send(connection, statements.UPDATE_CORRECTED_ACCOUNTS, rows)
    await _write_grants(connection, changed)
    await _write_holds(connection, changed)
    await _write_phases(connection, changed)


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
        cause.reverses,
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
        account.given_back,
        account.voided,
        account.clawed_back,
        account.adjusted,
    )


async def _write_grants(connection: HotConnection, changed: list[Account]) -> None:
    new, old, corrected = [], [], []
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
                        grant.voided,
                        grant.clawed_back,
                        grant.given_back,
                        grant.reversed,
                        grant.rolled_from,
                    )
                )
                continue
            row = (*place, grant.remaining, grant.held, grant.burned, grant.expired, grant.open, grant.state)
            if grant.corrected:
                corrected.append((*row, grant.voided, grant.clawed_back, grant.given_back, grant.reversed))
            else:
                old.append(row)
    if new:
        await _send(connection, statements.INSERT_GRANTS, new)
    if old:
        await _send(connection, statements.UPDATE_GRANTS, old)
    if corrected:
        await _send(connection, statements.UPDATE_CORRECTED_GRANTS, corrected)


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
    ends = [
        (account.customer_id, account.credit_type_id, number, account.workspace_id, *earlier)
        for account in changed
        for number, earlier in account.earlier_ends.items()
    ]
    if ends:
        await _send(connection, statements.INSERT_HOLD_ENDS, ends)


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
        await _send(connection, statements.INSERT_PHASES, new)
    if old:
        await _send(connection, statements.UPDATE_PHASES, old)


async def _write_events(connection: HotConnection, book: Book) -> None:
    if book.new_events:
        await _send(connection, statements.INSERT_EVENTS, (_event_row(book, event) for event in book.new_events))
    if book.retried_events:
        rows = (_retried_row(book, event) for event in book.retried_events)
        await _send(connection, statements.UPDATE_DEAD_LETTERS, rows)


def _event_row(book: Book, event: NewEvent) -> tuple[Any, ...]:
    command = event.command
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
        _entries_of(event),
        event.message,
    )


def _retried_row(book: Book, event: NewEvent) -> tuple[Any, ...]:
    burned = event.outcome is EventOutcome.BURNED
    return (
        book.workspace_id,
        event.command.key,
        event.customer_id,
        event.outcome,
        _entries_of(event),
        event.message,
        book.now if burned else None,
        min(book.seen_events[event.command.key].attempts, _ATTEMPTS_MAX),
    )


def _entries_of(event: NewEvent) -> str | None:
    """Credit type, sequence, credit type, sequence … as an array's text."""
    if not event.entries:
        return None
    return "{" + ",".join([f"{each.credit_type_id},{each.sequence}" for each in event.entries]) + "}"


def _array(numbers: Iterable[int]) -> str:
    """PostgreSQL's text form of an array."""
    return "{" + ",".join(map(str, numbers)) + "}"
