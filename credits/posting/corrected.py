"""What corrections look at under the lock, besides what every batch reads: grants that are closed, entries to reverse,
and what their companions look at."""

from collections.abc import Sequence
from typing import Any

from credits.db import HotConnection
from credits.ledger.account import Grant
from credits.ledger.corrections import borne, borne_still, left_of
from credits.ledger.entries import Entry, Kind
from credits.ledger.holds import split
from credits.ledger.rows import entry_of
from credits.posting import statements
from credits.posting.book import Book, Reversible
from credits.posting.commands import Command, GiveGrant
from credits.posting.corrections import (
    Adjust,
    Clawback,
    Correction,
    ExtendGrant,
    ReverseBurn,
    ReverseClawback,
    ReverseTogether,
    VoidGrant,
)
from credits.posting.locking import whose

_ACCOMPANIED = (GiveGrant, Clawback, ReverseClawback, ReverseTogether)

Place = tuple[int, int, int]  # customer, credit type, number or sequence


async def read_corrected(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    """Reads into the book what the corrections among the commands name."""
    asked = [command for command in commands if isinstance(command, Correction)]
    if not asked:
        return
    entries: set[Place] = set()
    grants: set[Place] = set()
    for command in asked:
        match command:
            case ReverseBurn() | ReverseClawback():
                entries.add(command.entry.place)
            case ReverseTogether():
                entries.update(entry.place for entry in command.entries)
            case VoidGrant() | ExtendGrant() | Adjust() | Clawback():
                grants.add((command.grant.customer_id, command.grant.credit_type_id, command.grant.number))
    if entries:
        bearers = await _read_entries(connection, book, entries)
        grants |= bearers
    await _read_grants(connection, book, grants)
    if taken_over := _taken_over(book, entries):
        await _read_grants(connection, book, await _read_since(connection, book, taken_over))


async def read_companions(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    """Has the companions look, now that their customers are locked."""
    for command in commands:
        companion = command.companion if isinstance(command, _ACCOMPANIED) else None
        if companion is not None and book.customer(whose(command)) is not None:
            await companion.look(connection)


async def _read_grants(connection: HotConnection, book: Book, places: set[Place]) -> None:
    """Those that are closed: the book has the others."""
    for customer_id, credit_type_id, *values in await connection.fetch(
        statements.READ_CLOSED_GRANTS, *_columns(places)
    ):
        grant = Grant(*values)
        book.accounts[customer_id, credit_type_id].grants.setdefault(grant.number, grant)


async def _read_entries(connection: HotConnection, book: Book, places: set[Place]) -> set[Place]:
    """Reads the entries and what later ones did to them; the grants that bore or repaid them."""
    for row in await connection.fetch(statements.READ_NAMED_ENTRIES, *_columns(places)):
        book.reversible[_place(row)] = Reversible(entry_of(row), [])
    named = set(book.reversible)
    for row in await connection.fetch(statements.READ_REVERSALS, *_columns(named)):
        book.reversible[row["customer_id"], row["credit_type_id"], row["reverses"]].later.append(entry_of(row))
    overdrawn = {place for place in named if any(number == 0 for number, _ in book.reversible[place].entry.allocations)}
    grants = _speak_of(book, named)
    return grants | await _read_since(connection, book, overdrawn) if overdrawn else grants


async def _read_since(connection: HotConnection, book: Book, places: set[Place]) -> set[Place]:
    """Reads what made, paid, lessened or moved debt and burns after the entries; the grants that it speaks of."""
    first: dict[tuple[int, int], int] = {}
    for customer_id, credit_type_id, sequence in places:
        first[customer_id, credit_type_id] = min(sequence, first.get((customer_id, credit_type_id), sequence))
    moved: dict[tuple[int, int], list[Entry]] = {account: [] for account in first}
    since = {(*account, sequence) for account, sequence in first.items()}
    for row in await connection.fetch(statements.READ_DEBTS_SINCE, *_columns(since)):
        moved[row["customer_id"], row["credit_type_id"]].append(entry_of(row))
    made = {
        _place(row): row["made"] for row in await connection.fetch(statements.READ_DEBT_MADE_SINCE, *_columns(places))
    }
    for place in places:
        found = book.reversible[place]
        later = {entry.sequence: entry for entry in (*found.later, *moved[place[:2]]) if entry.sequence > place[2]}
        in_order = [entry for _, entry in sorted(later.items())]
        book.reversible[place] = Reversible(found.entry, in_order, made.get(place, 0))
    return _speak_of(book, places)


def _speak_of(book: Book, places: set[Place]) -> set[Place]:
    """The grants that bore or repaid the entries."""
    return {
        (place[0], place[1], abs(number))
        for place in places
        for each in (book.reversible[place].entry, *book.reversible[place].later)
        for number, _ in each.allocations
        if number
    }


def _taken_over(book: Book, places: set[Place]) -> set[Place]:
    """The entries that were drawn on a grant that bears less than they say: it began to be another's since."""
    drawn: dict[Place, int] = {}
    # What was clawed back of a grant, nobody takes over.
    named = {place for place in places & set(book.reversible) if book.reversible[place].entry.kind is not Kind.CLAWBACK}
    for place in named:
        found = book.reversible[place]
        left, _ = split(borne(found.entry), left_of(found.entry, found.later))
        for number, part in left:
            drawn[place[0], place[1], number] = drawn.get((place[0], place[1], number), 0) + part
    less = set()
    for (customer_id, credit_type_id, number), parts in drawn.items():
        grant = book.accounts[customer_id, credit_type_id].grants.get(number)
        if grant is not None and borne_still(grant) < parts:
            less.add((customer_id, credit_type_id, number))
    return {
        place
        for place in named
        if any((place[0], place[1], number) in less for number, _ in borne(book.reversible[place].entry))
    }


def _columns(places: set[Place]) -> tuple[list[int], list[int], list[int]]:
    ordered = sorted(places)
    return [place[0] for place in ordered], [place[1] for place in ordered], [place[2] for place in ordered]


def _place(row: Any) -> Place:
    return row["customer_id"], row["credit_type_id"], row["sequence"]
