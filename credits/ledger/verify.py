"""Does the book still say what it said: every hash chain recomputed, every running total added up again.

The chain binds an entry to the one before; the account keeps the last sequence, hash and totals. An edit, a deletion,
an insertion or another order breaks the chain where it begins; a tail that was cut off no longer ends where the
account says.
"""

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from credits import ids
from credits.db import Database
from credits.ledger.entries import GENESIS, Entry, chain
from credits.ledger.rows import entry_of

_PREFETCH = 5_000

# all_entries -- every entry of the workspace in the order of its chains; a server-side cursor, so that memory stays flat
_ALL_ENTRIES = "SELECT * FROM entries ORDER BY customer_id, credit_type_id, sequence"

# all_heads -- where each account says its chain ends
_ALL_HEADS = """
SELECT a.customer_id, a.credit_type_id, a.sequence, a.head, a.balance, a.held, c.key, t.key AS credit_type
  FROM accounts a JOIN customers c ON c.id = a.customer_id JOIN credit_types t ON t.id = a.credit_type_id
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first bad entry of a chain, and what is wrong with it."""

    customer: str
    credit_type: str
    sequence: int
    entry_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was looked at, and each chain that does not hold."""

    accounts: int
    entries: int
    broken: list[Broken]


@dataclass(slots=True)
class _Chain:
    """One account's chain while it is read."""

    sequence: int = 0
    head: bytes = GENESIS
    balance: int = 0
    held: int = 0
    broken: tuple[int, str] | None = None

    def follow(self, row: asyncpg.Record) -> None:
        """The next entry as stored; remembers the first that does not fit."""
        if self.broken is not None:
            return
        try:
            entry = entry_of(row)
        except (ValueError, OverflowError) as error:
            self.broken = (row["sequence"], f"cannot be read: {error}")
            return
        problem = self._problem(entry)
        if problem is None and row["grant_number"] is not None and row["allocations"] is not None:
            problem = "says twice which grants bore it"  # we write the one or the other, and read the first alone
        if problem:
            self.broken = (entry.sequence, problem)
        self.sequence, self.head = entry.sequence, entry.hash
        self.balance, self.held = entry.balance_after, entry.held_after

    def _problem(self, entry: Entry) -> str | None:
        if entry.sequence != self.sequence + 1:
            return f"follows entry {self.sequence}: what lay between is missing"
        if chain(self.head, entry) != entry.hash:
            return "its hash is not that of its content and the entry before"
        if entry.balance_after != self.balance + entry.amount or entry.held_after != self.held + entry.held_amount:
            return "its running totals do not follow from the entry before"
        return None

    def end(self, head: asyncpg.Record) -> None:
        """What the account says of its end."""
        if self.broken is not None:
            return
        if self.sequence < head["sequence"]:
            self.broken = (self.sequence + 1, "is missing: the account was at a later entry")
        elif (self.sequence, self.head) != (head["sequence"], head["head"]):
            self.broken = (self.sequence, "is not the last entry that the account knows")
        elif (self.balance, self.held) != (head["balance"], head["held"]):
            self.broken = (self.sequence, "does not end in the account's balance")


async def verify(database: Database, workspace_id: int, *, progress: Callable[[int], None]) -> Verified:
    """Recomputes every chain of a workspace; `progress` is told how many entries were read, now and then."""
    chains: dict[tuple[int, int], _Chain] = {}
    count = 0
    async with database.snapshot(workspace_id) as connection:
        heads = {(row["customer_id"], row["credit_type_id"]): row for row in await connection.fetch(_ALL_HEADS)}
        async for row in connection.cursor(_ALL_ENTRIES, prefetch=_PREFETCH):
            chains.setdefault((row["customer_id"], row["credit_type_id"]), _Chain()).follow(row)
            count += 1
            if count % _PREFETCH == 0:
                progress(count)
    progress(count)
    broken = []
    for place in sorted({*chains, *heads}):
        found = chains.get(place, _Chain())
        head = heads.get(place)
        if head is None:
            found.broken = found.broken or (found.sequence, "belongs to no account")
        else:
            found.end(head)
        if found.broken is not None:
            sequence, problem = found.broken
            customer, credit_type = (head["key"], head["credit_type"]) if head else (ids.make("cus", place[0]), "?")
            broken.append(Broken(customer, credit_type, sequence, ids.make("ent", *place, sequence), problem))
    return Verified(len({*chains, *heads}), count, broken)
