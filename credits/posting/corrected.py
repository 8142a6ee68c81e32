"""What corrections look at under the lock, besides what every batch reads: grants that are closed, entries to reverse,
and what their companions look at."""

from collections.abc import Sequence
from typing import Any

from credits.amount import INT64_MAX
from credits.db import HotConnection
from credits.ledger.account import Grant
from credits.ledger.entries import Entry
from credits.ledger.rows import entry_of
from credits.posting import statements
from credits.posting.book import Book, Reversible
from credits.posting.commands import Command
from credits.posting.corrections import (
    Adjust,
    Clawback,
    Correction,
    ExtendGrant,
    ReverseBurn,
    ReverseTogether,
    VoidGrant,
)

# read_bearers -- Of accounts, the newest grants that together bear so many micro-credits more than was given back to them:
# for reversals of overdraft that others have paid in ways that no entry after it tells.
_READ_BEARERS = """
SELECT customer_id, credit_type_id, number
  FROM (SELECT customer_id, credit_type_id, number, amount,
               coalesce(sum(burned - given_back) OVER (
                 PARTITION BY customer_id, credit_type_id ORDER BY number DESC
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS newer
          FROM (SELECT g.customer_id, g.credit_type_id, g.number, g.burned, g.given_back, named.amount
                  FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS named (customer_id, credit_type_id, amount)
                  JOIN grants g USING (customer_id, credit_type_id)
                 WHERE g.burned > g.given_back) AS bearing) AS counted
 WHERE newer < amount
"""

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
            case ReverseBurn():
                entries.add(command.entry.place)
            case ReverseTogether():
                entries.update(entry.place for entry in command.entries)
                await command.companion.look(connection)
            case VoidGrant() | ExtendGrant() | Adjust() | Clawback():
                grants.add((command.grant.customer_id, command.grant.credit_type_id, command.grant.number))
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
    grants = await _read_bearers(connection, [named[place] for place in overdrawn])
    for place, entry in named.items():
        found = [after for _, after in sorted(later[place].items())]
        book.reversible[place] = Reversible(entry, found)
        numbers = {abs(number) for each in (entry, *found) for number, _ in each.allocations if number}
        grants |= {(place[0], place[1], number) for number in numbers}
    return grants


async def _read_bearers(connection: HotConnection, overdrawn: Sequence[Entry]) -> set[Place]:
    amounts: dict[tuple[int, int], int] = {}
    for entry in overdrawn:
        place = (entry.customer_id, entry.credit_type_id)
        amounts[place] = amounts.get(place, 0) - entry.amount
    if not amounts:
        return set()
    columns = zip(*((*place, min(amount, INT64_MAX)) for place, amount in amounts.items()), strict=True)
    rows = await connection.fetch(_READ_BEARERS, *map(list, columns))
    return {(row["customer_id"], row["credit_type_id"], row["number"]) for row in rows}


def _columns(places: set[Place]) -> tuple[list[int], list[int], list[int]]:
    ordered = sorted(places)
    return [place[0] for place in ordered], [place[1] for place in ordered], [place[2] for place in ordered]


def _place(row: Any) -> Place:
    return row["customer_id"], row["credit_type_id"], row["sequence"]
