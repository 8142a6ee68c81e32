"""From the tables to the book: what a batch reads under its locks. What it writes back: `closing.py`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from credits.db import HotConnection
from credits.ledger.account import Grant
from credits.ledger.rows import hold_of, stored_account
from credits.posting import statements
from credits.posting.book import Book, LockedCustomer, SeenEvent
from credits.posting.columns import column
from credits.posting.commands import Advance, Command, ExtendHold, Release, Settle, TakeEvent
from credits.posting.configuration import Configuration
from credits.posting.corrected import read_companions, read_corrected
from credits.posting.limits import read_limits
from credits.posting.locking import CustomerIds, lock, whose
from credits.posting.outcomes import EventOutcome, UsedKey
from credits.posting.past import read_past
from credits.webhooks.outbox import read_low_thresholds

_KEYLESS = (TakeEvent, Advance, ExtendHold)
# Where the lists of customers, accounts and grants stand in the row of `read_book`.
_CUSTOMERS = slice(5, 5 + len(statements.BOOK_CUSTOMER))
_ACCOUNTS = slice(_CUSTOMERS.stop, _CUSTOMERS.stop + len(statements.BOOK_ACCOUNT))
_GRANTS = slice(_ACCOUNTS.stop, _ACCOUNTS.stop + len(statements.BOOK_GRANT))
_EVENTS = slice(_GRANTS.stop, None)  # only where they were asked for


async def open_book(
    connection: HotConnection,
    configuration: Configuration,
    workspace_id: int,
    commands: Sequence[Command],
    customer_ids: CustomerIds,
) -> Book:
    """Locks the customers of the commands, then reads everything that deciding them needs."""
    # Most commands are events or none is, and events want little of what is read for others: they are told apart once.
    events = [command for command in commands if isinstance(command, TakeEvent)]
    others = (
        [command for command in commands if not isinstance(command, TakeEvent)] if len(events) < len(commands) else []
    )
    ids = await customer_ids.of(connection, workspace_id, set(map(whose, commands)))
    await lock(connection, ids)
    used = _keys(others, customer_ids.known(workspace_id))
    asked = [
        workspace_id,
        ids,
        column("bigint", [customer_id for customer_id, _ in used]) if used else None,
        column("text", [key for _, key in used]) if used else None,
    ]
    if not events:
        row = await connection.fetchrow(statements.READ_BOOK, *asked)
    else:
        row = await connection.fetchrow(statements.READ_EVENTS, *asked, column("uuid", [event.key for event in events]))
    book = await _book_of(row, connection, configuration, workspace_id)
    if book.accounts:
        await _read_holds(connection, book, others)
        await read_past(connection, book, events, others)
        await read_corrected(connection, book, others)
    if "balance.low" in book.wanted:
        book.low_thresholds = await read_low_thresholds(connection, ids)
    await read_companions(connection, book, others)
    if any(customer.limited for customer in book.customers.values()):
        await read_limits(connection, book, others)
    if any(event.again for event in events):
        await _lock_dead_letters(connection, book, events)
    return book


async def _book_of(row: Any, connection: HotConnection, configuration: Configuration, workspace_id: int) -> Book:
    """The row of `read_book`, and the configuration it was read with."""
    if row is None:
        raise LookupError(f"there is no workspace {workspace_id}")
    catalog, policies = await configuration.read_hot(connection, workspace_id, row["config_version"])
    wanted = await configuration.read_wanted(connection, workspace_id, row["config_version"])
    cutoff = row["late_cutoff_s"]
    customers = {values[0]: LockedCustomer(*values) for values in _rows(row[_CUSTOMERS])}
    book = Book(
        workspace_id=workspace_id,
        now=row["clock"] + timedelta(microseconds=row["clock_offset_us"]),
        late_cutoff=configuration.late_cutoff if cutoff is None else timedelta(seconds=cutoff),
        catalog=catalog,
        policies=policies,
        customers=customers,
        customer_ids={customer.key: customer.id for customer in customers.values()},
        refund_lifetime=configuration.refund_lifetime,
        wanted=wanted,
    )
    for values in _rows(row[_ACCOUNTS]):
        burn_order = book.credit_type(values[1]).burn_order
        book.accounts[values[0], values[1]] = stored_account(workspace_id, burn_order, values)
    for values in _rows(row[_GRANTS]):
        grant = Grant(*values[2:])
        book.accounts[values[0], values[1]].grants[grant.number] = grant
    for key, *said in _rows(row[_EVENTS]):
        book.seen_events[key] = _seen(*said)
    for customer_id, key, *values in row["used_keys"] or ():
        fingerprint, first_seen_at, credit_type_id, *numbers = values
        book.used_keys[customer_id, key] = UsedKey(fingerprint, first_seen_at, customer_id, credit_type_id, *numbers)
    return book


def _rows(lists: Sequence[Sequence[Any] | None]) -> Iterator[tuple[Any, ...]]:
    """Rows of what came as a list for each column; each of them is null where there is no row."""
    return zip(*(values or () for values in lists), strict=True)


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


async def _lock_dead_letters(connection: HotConnection, book: Book, events: Sequence[TakeEvent]) -> None:
    keys = column("uuid", [event.key for event in events])
    for key, *said in await connection.fetch(statements.LOCK_DEAD_LETTERS, book.workspace_id, keys):
        book.seen_events[key] = _seen(*said)


def _seen(content: int, outcome: int, attempts: int) -> SeenEvent:
    return SeenEvent(content, EventOutcome(outcome), attempts)
