"""Reading entries and what the fold must know besides, some accounts at a time. None of it locks or writes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from credits.db import Fetches
from credits.ledger.account import Account
from credits.ledger.entries import Kind
from credits.ledger.rows import Row, pairs
from credits.revenue import statements
from credits.revenue.fold import Fold, Told
from credits.revenue.lots import Lot, Moved, Terms

ENTRIES_AT_ONCE = 2_000  # of all accounts together: so long this process does nothing else, twenty milliseconds or so

_NEW_IN = frozenset({Kind.GRANT, Kind.REVERSE, Kind.ADJUST})


@dataclass(slots=True)
class Tail:
    """An account of which the entries up to `sequence` are told, those up to `head` are not. Its fold is as at `sequence`."""

    customer_id: int
    credit_type_id: int
    sequence: int
    head: int
    fold: Fold
    due: bool = False
    _loaded: set[int] = field(default_factory=set)  # grants that were looked for

    @property
    def place(self) -> tuple[int, int]:
        return self.customer_id, self.credit_type_id

    @staticmethod
    def of(row: Row, *, due: bool = False) -> "Tail":
        fold = Fold({}, row["highest"])
        return Tail(row["customer_id"], row["credit_type_id"], row["sequence"], row["head"], fold, due)

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """Of these grants, those that were not looked for yet."""
        wanted = set(numbers) - self._loaded
        self._loaded |= wanted
        return sorted(wanted)


async def tell_next(connection: Fetches, tails: Sequence[Tail]) -> int:
    """Tells the next entries of the accounts, no more than ENTRIES_AT_ONCE together; how many."""
    some: list[Tail] = []
    ends: list[int] = []
    room = ENTRIES_AT_ONCE
    for tail in tails:
        if tail.sequence < tail.head and room > 0:
            take = min(tail.head - tail.sequence, max(room, 2))  # two at least: see `_whole`
            room -= take
            some.append(tail)
            ends.append(tail.sequence + take)
    if not some:
        return 0
    ranges = (*_columns(some), [tail.sequence for tail in some], ends)
    told: list[list[Told]] = [[] for _ in some]
    for row in await connection.fetch(statements.READ_ENTRIES, *ranges):
        told[row["place"] - 1].append(_told(row))
    movements: list[dict[int, Moved]] = [{} for _ in some]
    for row in await connection.fetch(statements.READ_MOVEMENTS, *ranges):
        moved = Moved(row["kind"], row["minor"], row["currency"], row["grant_number"])
        movements[row["place"] - 1][row["sequence"]] = moved
    ends = [_whole(tail, entries, end) for tail, entries, end in zip(some, told, ends, strict=True)]
    await _read_terms(connection, some, told)
    await read_lots(connection, some, told)
    count = 0
    for tail, entries, moved_by, end in zip(some, told, movements, ends, strict=True):
        tail.fold.movements = moved_by
        for entry in entries:
            tail.fold.tell(entry)
        count += end - tail.sequence
        tail.sequence = end
    return count


def _whole(tail: Tail, entries: list[Told], end: int) -> int:
    """Where to stop: not between the two entries of a move, which tell each other's money."""
    last = entries[-1] if entries else None
    if last is not None and end < tail.head and last.sequence == end and last.kind is Kind.ADJUST and last.amount < 0:
        entries.pop()
        return end - 1
    return end


async def tell_due(connection: Fetches, tails: Sequence[Tail], advanced: Sequence[Account]) -> None:
    """Tells what fell due and is not booked yet, as the pure rules book it in memory."""
    told = [
        [Told(e.sequence, e.kind, e.amount, e.recorded_at, e.allocations) for e in account.entries]
        for account in advanced
    ]
    for tail, account in zip(tails, advanced, strict=True):
        tail.fold.movements = {}
        tail.fold.terms = {
            number: Terms(grant.source, grant.cost_amount, grant.cost_currency, grant.rolled_from)
            for number, grant in account.grants.items()
        }
    await read_lots(connection, tails, told)
    for tail, entries in zip(tails, told, strict=True):
        for entry in entries:
            tail.fold.tell(entry)


async def _read_terms(connection: Fetches, tails: Sequence[Tail], told: Sequence[Sequence[Told]]) -> None:
    """The grants that may be new in the entries."""
    wanted = [
        (*tail.place, number, place)
        for place, (tail, entries) in enumerate(zip(tails, told, strict=True))
        for number in {abs(number) for entry in entries if entry.kind in _NEW_IN for number, _ in entry.allocations}
        if number
    ]
    for tail in tails:
        tail.fold.terms = {}
    for row in await connection.fetch(statements.READ_TERMS, *_transposed(wanted)) if wanted else ():
        terms = Terms(row["source"], row["cost_amount"], row["cost_currency"], row["rolled_from"])
        tails[row["place"]].fold.terms[row["number"]] = terms


async def read_lots(connection: Fetches, tails: Sequence[Tail], told: Sequence[Sequence[Told]]) -> None:
    """The grants with money that the entries name, those they continue, and those whose money moved."""
    wanted = []
    for place, (tail, entries) in enumerate(zip(tails, told, strict=True)):
        numbers = {abs(number) for entry in entries for number, _ in entry.allocations}
        numbers |= {terms.rolled_from for terms in tail.fold.terms.values() if terms.rolled_from is not None}
        numbers |= {moved.grant for moved in tail.fold.movements.values()}
        wanted += [(*tail.place, number, place) for number in tail.missing(numbers)]
    for row in await connection.fetch(statements.READ_LOTS, *_transposed(wanted)) if wanted else ():
        tails[row["place"]].fold.lots.setdefault(row["number"], lot_of(row))


def lot_of(row: Row) -> Lot:
    return Lot(
        number=row["number"],
        currency=row["currency"],
        paid=int(row["paid"]),
        amount=row["amount"],
        remaining=row["remaining"],
        adjusted=row["adjusted"],
        deferred=int(row["deferred"]),
        burned=row["burned"],
        earned=int(row["earned"]),
        ended=row["ended"],
        ended_minor=int(row["ended_minor"]),
    )


def _told(row: Row) -> Told:
    number, amount = row["grant_number"], row["amount"]
    if number is None:
        allocations = pairs(row["allocations"])
    else:  # the one grant that bore all of it
        allocations = [(number, max(abs(amount), abs(row["held_amount"] or 0)))]
    reversed_kind = None if row["reversed"] is None else Kind(row["reversed"])
    return Told(row["sequence"], Kind(row["kind"]), amount, row["recorded_at"], allocations, reversed_kind)


def _columns(tails: Sequence[Tail]) -> tuple[list[int], list[int]]:
    return [tail.customer_id for tail in tails], [tail.credit_type_id for tail in tails]


def _transposed(rows: Sequence[tuple[int, ...]]) -> list[list[int]]:
    return [list(column) for column in zip(*rows, strict=True)]
