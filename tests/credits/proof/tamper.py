"""An intruder with the owner's rights and every trigger bypassed, who knows how entries are chained."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import asyncpg

from credits.ledger.entries import GENESIS, Entry, chain
from credits.ledger.rows import entry_of
from tests.credits.ledger.test_verify import EDITS, written

Place = tuple[int, int]
# Who may be named, and at which entry: one at least must be, exactly so.
Expected = dict[Place, set[int]]

_HERE = "customer_id = $1 AND credit_type_id = $2"


@dataclass
class Book:
    """The entries and accounts of a workspace as they were."""

    entries: dict[Place, list[asyncpg.Record]]
    accounts: dict[Place, asyncpg.Record]
    columns: str  # of entries, those that can be written


async def read_book(owner: asyncpg.Connection, workspace_id: int) -> Book:
    order = "ORDER BY customer_id, credit_type_id"
    entries: dict[Place, list[asyncpg.Record]] = {}
    for row in await owner.fetch(f"SELECT * FROM entries WHERE workspace_id = $1 {order}, sequence", workspace_id):
        entries.setdefault((row["customer_id"], row["credit_type_id"]), []).append(row)
    accounts = await owner.fetch(f"SELECT * FROM accounts WHERE workspace_id = $1 {order}", workspace_id)
    columns = ", ".join(await written(owner, "entries"))
    return Book(entries, {(row["customer_id"], row["credit_type_id"]): row for row in accounts}, columns)


class Intruder:
    """Does one thing to the book at a time, at random, and says where it must be found."""

    def __init__(self, owner: asyncpg.Connection, book: Book, seed: int) -> None:
        self._owner, self._book, self._random = owner, book, random.Random(seed)
        self.ways: dict[str, Callable[[], Awaitable[Expected | None]]] = {
            # what the chain alone finds
            "edit": self._edit,
            "edit the account": self._edit_account,
            "move an entry": self._move,
            "delete": self._delete,
            "insert": self._insert,
            "swap": self._swap,
            "swap what two say": self._swap_contents,
            "cut the tail": self._cut,
            "append": self._append,
            "rebuild, but for the account": self._rebuild_entries_alone,
            # what only a checkpoint finds
            "cut the tail, the account with it": self._cut_with_account,
            "restore an old copy": self._restore,
            "restore an old copy and go on": self._restore_and_go_on,
            "rebuild": self._rebuild,
            "insert and rebuild": self._insert_and_rebuild,
            "delete and rebuild": self._delete_and_rebuild,
        }

    async def strike(self, way: str) -> Expected:
        """Does it; where it must be found."""
        while True:
            expected = await self.ways[way]()
            if expected is not None:  # not where it would change nothing
                return expected

    # ─── what a clumsy intruder does ───────────────────────────────────────────────────────────────
    async def _edit(self) -> Expected | None:
        place, number = self._somewhere()
        column, value = self._random.choice(sorted(EDITS.items()))
        if column in ("amount", "balance_after", "fingerprint") and self._random.random() < 0.5:
            value = f"coalesce({column}, 0) + {self._random.choice((-1, 1)) * self._random.randrange(1, 10**9)}"
        edit = f"UPDATE entries SET {column} = {value} WHERE {_HERE} AND sequence = $3 AND {column} IS DISTINCT FROM {value}"
        return {place: {number}} if await self._owner.execute(edit, *place, number) == "UPDATE 1" else None

    async def _edit_account(self) -> Expected | None:
        place = self._random.choice(list(self._book.accounts))
        last = len(self._book.entries[place])
        change = self._random.choice(
            [
                "balance = balance + 1, granted = granted + 1",
                "held = held + 1",
                "head = sha256(head)",
                "sequence = sequence - 1",
                "sequence = sequence + 1",
                f"sequence = {self._random.randrange(last)}",
                "customer_id = customer_id + 1",
                "credit_type_id = credit_type_id + 1000",
                "workspace_id = workspace_id + 1000",
            ]
        )
        await self._owner.execute(f"UPDATE accounts SET {change} WHERE {_HERE}", *place)
        return {place: {last, last + 1}}

    async def _move(self) -> Expected | None:
        place, number = self._somewhere()
        change = self._random.choice(
            [
                "sequence = sequence + 100000",
                "sequence = -sequence",
                "sequence = 0",
                "customer_id = customer_id + 1",
                "credit_type_id = credit_type_id + 1000",
                "workspace_id = workspace_id + 1000",
            ]
        )
        await self._owner.execute(f"UPDATE entries SET {change} WHERE {_HERE} AND sequence = $3", *place, number)
        # Where it was there is a gap now; before the first there is an entry that none follows.
        return {place: {number, number + 1, number + 100_000, -number, 0}}

    async def _delete(self) -> Expected | None:
        place, first = self._somewhere()
        last = min(len(self._book.entries[place]), first + self._random.choice((0, 0, 1, 5)))
        await self._owner.execute(
            f"DELETE FROM entries WHERE {_HERE} AND sequence BETWEEN $3 AND $4", *place, first, last
        )
        return {place: {first if last == len(self._book.entries[place]) else last + 1}}

    async def _insert(self) -> Expected | None:
        place, number = self._somewhere()
        await self._make_room(place, number)
        await self._copy(place, self._random.choice(self._book.entries[place])["sequence"], number, shifted_from=number)
        return {place: {number, number + 1}}  # a copy of what stood there is itself sound, the next is not

    async def _swap(self) -> Expected | None:
        place, one = self._somewhere()
        other = self._random.choice(self._book.entries[place])["sequence"]
        if one == other:
            return None
        move = f"UPDATE entries SET sequence = $4 WHERE {_HERE} AND sequence = $3"
        for old, new in ((one, -1), (other, one), (-1, other)):
            await self._owner.execute(move, *place, old, new)
        return {place: {min(one, other)}}

    async def _swap_contents(self) -> Expected | None:
        place, one = self._somewhere()
        column = self._random.choice(["amount", "balance_after", "recorded_at", "hash", "kind", "key", "note"])
        rows = {row["sequence"]: row[column] for row in self._book.entries[place]}
        other = self._random.choice([number for number in rows if rows[number] != rows[one]] or [one])
        if one == other:
            return None
        change = f"UPDATE entries SET {column} = $4 WHERE {_HERE} AND sequence = $3"
        if column == "key":  # a key is used once: by way of another
            await self._owner.execute(change, *place, one, "between")
        await self._owner.execute(change, *place, other, rows[one])
        await self._owner.execute(change, *place, one, rows[other])
        return {place: {min(one, other)}}

    async def _cut(self) -> Expected | None:
        place, number = self._somewhere()
        await self._owner.execute(f"DELETE FROM entries WHERE {_HERE} AND sequence >= $3", *place, number)
        return {place: {number}}

    async def _append(self) -> Expected | None:
        place, number = self._somewhere()
        last = len(self._book.entries[place])
        await self._copy(place, number, last + 1)
        return {place: {last + 1}}

    async def _rebuild_entries_alone(self) -> Expected | None:
        place, number = self._somewhere()
        await self._store(place, self._forged(place, number), account=False)
        return {place: {number}}  # the chain names the last one, the checkpoint the one that was forged

    # ─── what a clever one does ────────────────────────────────────────────────────────────────────
    async def _cut_with_account(self) -> Expected | None:
        place, number = self._somewhere()
        await self._back_to(place, number - 1)
        return {place: {number}}

    async def _restore(self) -> Expected | None:
        """Entries, account, grants and holds as they were: those that came later are gone."""
        place, number = self._somewhere()
        await self._back_to(place, number - 1)
        at = GENESIS if number == 1 else self._book.entries[place][number - 2]["recorded_at"]
        if number > 1:
            await self._owner.execute(f"DELETE FROM grants WHERE {_HERE} AND created_at > $3", *place, at)
            await self._owner.execute(f"DELETE FROM holds WHERE {_HERE} AND opened_at > $3", *place, at)
        return {place: {number}}

    async def _restore_and_go_on(self) -> Expected | None:
        """As after a restored backup: other entries where some were, and as many, every hash right."""
        place, number = self._somewhere()
        lines = self._lines(place)
        for line in lines[number - 1 :]:
            line.entry.cause = replace(line.entry.cause, note="as if nothing had happened", event=None)
        await self._store(place, lines)
        return {place: {number}}

    async def _rebuild(self) -> Expected | None:
        place, number = self._somewhere()
        await self._store(place, self._forged(place, number))
        return {place: {number}}

    async def _insert_and_rebuild(self) -> Expected | None:
        place, number = self._somewhere()
        lines = self._lines(place)
        other = self._random.choice(lines)
        forged = Line(replace(other.entry, cause=replace(other.entry.cause, key=None, note="forged")), other.row)
        await self._store(place, [*lines[: number - 1], forged, *lines[number - 1 :]])
        return {place: {number}}

    async def _delete_and_rebuild(self) -> Expected | None:
        place, number = self._somewhere()
        lines = self._lines(place)
        if len(lines) == 1:
            return None
        await self._store(place, [*lines[: number - 1], *lines[number:]])
        return {place: {number}}

    # ─── tools ─────────────────────────────────────────────────────────────────────────────────────
    def _somewhere(self) -> tuple[Place, int]:
        place = self._random.choice(list(self._book.entries))
        return place, self._random.randrange(len(self._book.entries[place])) + 1

    def _lines(self, place: Place) -> list["Line"]:
        return [Line(entry_of(row), row) for row in self._book.entries[place]]

    def _forged(self, place: Place, number: int) -> list["Line"]:
        """Another amount, or another reason, of that entry."""
        lines = self._lines(place)
        changed = lines[number - 1].entry
        if self._random.random() < 0.5:
            changed.amount += self._random.choice((-1, 1)) * self._random.randrange(1, 10**6)
        else:
            changed.cause = replace(changed.cause, note=f"forged {self._random.random()}")
        return lines

    async def _store(self, place: Place, lines: list["Line"], *, account: bool = True) -> None:
        """In the place of what is there, however many, each hash and running total made to follow."""
        await self._owner.execute(f"DELETE FROM entries WHERE {_HERE}", *place)
        columns = self._book.columns.split(", ")
        records, head, balance, held = [], GENESIS, 0, 0
        for number, (entry, row) in enumerate(((line.entry, line.row) for line in lines), 1):
            balance, held = balance + entry.amount, held + entry.held_amount
            entry.sequence, entry.balance_after, entry.held_after = number, balance, held
            entry.hash = head = chain(head, entry)
            forged = {
                "sequence": number,
                "amount": entry.amount,
                "balance_after": balance,
                "held_after": held or None,
                "hash": head,
                "note": entry.cause.note,
                "key": entry.cause.key,
                "event": entry.cause.event,
                # What bore it follows from the amount where one grant bore it all: it is written out.
                "grant_number": None,
                "allocations": [part for pair in entry.allocations for part in pair] or None,
            }
            records.append(tuple(forged.get(column, row[column]) for column in columns))
        await self._owner.copy_records_to_table("entries", columns=columns, records=records)
        if account:
            await self._agree(place, lines[-1].entry)

    async def _agree(self, place: Place, last: Entry) -> None:
        """The account says what its entries say."""
        change = f"UPDATE accounts SET sequence = $3, head = $4, balance = $5, held = $6, granted = granted + $5 - balance WHERE {_HERE}"
        await self._owner.execute(change, *place, last.sequence, last.hash, last.balance_after, max(0, last.held_after))

    async def _back_to(self, place: Place, number: int) -> None:
        await self._owner.execute(f"DELETE FROM entries WHERE {_HERE} AND sequence > $3", *place, number)
        if number == 0 and self._random.random() < 0.5:
            await self._owner.execute(f"DELETE FROM accounts WHERE {_HERE}", *place)
        elif number == 0:
            change = "sequence = 0, head = $3, balance = 0, held = 0, granted = granted - balance"
            await self._owner.execute(f"UPDATE accounts SET {change} WHERE {_HERE}", *place, GENESIS)
        else:
            await self._agree(place, entry_of(self._book.entries[place][number - 1]))

    async def _make_room(self, place: Place, number: int) -> None:
        change = f"UPDATE entries SET sequence = $4 WHERE {_HERE} AND sequence = $3"
        last = len(self._book.entries[place])
        await self._owner.executemany(change, [(*place, old, old + 1) for old in range(last, number - 1, -1)])

    async def _copy(self, place: Place, source: int, to: int, *, shifted_from: int = 10**9) -> None:
        """One entry once more, at another number."""
        names = [column for column in self._book.columns.split(", ") if column not in ("sequence", "key")]
        copied = f"INSERT INTO entries (sequence, {', '.join(names)}) SELECT $4, {', '.join(names)} FROM entries WHERE {_HERE} AND sequence = $3"
        await self._owner.execute(copied, *place, source + (source >= shifted_from), to)


@dataclass
class Line:
    """An entry to be forged, and the row that it was."""

    entry: Entry
    row: asyncpg.Record
