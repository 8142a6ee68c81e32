"""What corrections look at under the lock, besides what every batch reads: grants that are closed, entries to reverse."""

from collections.abc import Sequence
from typing import Any

from credits.db import HotConnection
from credits.ledger.account import Grant
from credits.ledger.entries import Entry
from credits.ledger.rows import entry_of
from credits.posting import statements
from credits.posting.book import Book, Reversible
from credits.posting.commands import Command
from credits.posting.corrections import Correction, ReverseBurn

Place = tuple[int, int, int]  # customer, credit type, number or sequence


async def read_corrected(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    """Reads into the book what the corrections among the commands name."""
    asked = [command for command in commands if isinstance(command, Correction)]
    if not asked:
        return
    entries = {command.entry.place for command in asked if isinstance(command, ReverseBurn)}
    grants = {
        (command.grant.customer_id, command.grant.credit_type_id, command.grant.number)
        for command in asked
        if not isinstance(command, ReverseBurn) and hasattr(command, "grant")
    }
    if entries:
        bearers = await _read_entries(connection, book, entries)
        grants |= bearers
    for customer_id, credit_type_id, *values in await connection.fetch(
        statements.READ_CLOSED_GRANTS, *_columns(grants)
    ):
        grant = Grant(*values)
        book.accounts[customer_id, credit_type_id].grants.setdefault(grant.number, grant)


async def _read_entries(connection: HotConnection, book: Book, places: set[Place]) -> set[Place]:
    """Reads the entries and what later ones did to them; the grants that bore or repaid them."""
    named = {
        _place(row): entry_of(row) for row in await connection.fetch(statements.READ_NAMED_ENTRIES, *_columns(places))
    }
    later: dict[Place, dict[int, Entry]] = {place: {} for place in named}
    for row in await connection.fetch(statements.READ_REVERSALS, *_columns(set(named))):
        later[row["customer_id"], row["credit_type_id"], row["reverses"]][row["sequence"]] = entry_of(row)
    overdrawn = {place for place, entry in named.items() if any(number == 0 for number, _ in entry.allocations)}
    if overdrawn:
        for row in await connection.fetch(statements.READ_DEBTS_SINCE, *_columns(overdrawn)):
            later[row["customer_id"], row["credit_type_id"], row["since"]][row["sequence"]] = entry_of(row)
    grants: set[Place] = set()
    for place, entry in named.items():
        found = [after for _, after in sorted(later[place].items())]
        book.reversible[place] = Reversible(entry, found)
        numbers = {abs(number) for each in (entry, *found) for number, _ in each.allocations if number}
        grants |= {(place[0], place[1], number) for number in numbers}
    return grants


def _columns(places: set[Place]) -> tuple[list[int], list[int], list[int]]:
    ordered = sorted(places)
    return [place[0] for place in ordered], [place[1] for place in ordered], [place[2] for place in ordered]


def _place(row: Any) -> Place:
    return row["customer_id"], row["credit_type_id"], row["sequence"]
