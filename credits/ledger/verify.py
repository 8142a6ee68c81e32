"""Does the book still say what it said: every hash chain recomputed, every running total added up again.

The chain binds an entry to the one before; the account keeps the last sequence, hash and totals. An edit, a deletion,
an insertion or another order breaks the chain where it begins; a tail that was cut off no longer ends where the
account says.

A book is verified span by span, each in a view of its own, so that no view is held for long and several processes can
share the work. Entries are never changed, so what a span says stays true. Within a span `links.fits` looks at all
entries at once; a chain that does not fit is gone through entry by entry, and the first bad one is named.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from credits import ids
from credits.db import Database, Driver
from credits.ledger.entries import Entry, chain
from credits.ledger.links import SELECTED, End, Piece, Place, end_of, fits, pieces
from credits.ledger.rows import entry_of

SPAN = 240_000  # entries that one process reads in one view
_CHUNK = 4_000  # entries that are looked at together: a few megabytes
_PREFETCH = 5_000
_LAST = 2**31 - 1  # as a sequence: the end of a chain, wherever that is

# all_accounts -- how many entries each account says it has: where to cut the book into spans
_ALL_ACCOUNTS = "SELECT customer_id, credit_type_id, sequence FROM accounts ORDER BY customer_id, credit_type_id"

# span_entries -- the entries of a span in the order of their chains. They lie scattered, in the order in which they were
# written: read page by page and then sorted it costs two thirds of what looking each up costs.
_IN_ORDER_OF_PAGES = "SET LOCAL enable_indexscan = off; SET LOCAL work_mem = '32MB'"
_AS_PLANNED = "SET LOCAL enable_indexscan = on"
_WITHIN = (
    "(customer_id, credit_type_id, sequence) > ($1, $2, $3) AND (customer_id, credit_type_id, sequence) <= ($4, $5, $6)"
)
_SPAN_ENTRIES = f"SELECT {SELECTED} FROM entries WHERE {_WITHIN} ORDER BY customer_id, credit_type_id, sequence"  # noqa: S608 -- names of our own

# entry_before -- the last entry up to where a span cuts a chain: what the span's first one follows
_ENTRY_BEFORE = f"""
SELECT {SELECTED} FROM entries
 WHERE customer_id = $1 AND credit_type_id = $2 AND sequence <= $3 ORDER BY sequence DESC LIMIT 1
"""  # noqa: S608 -- names of our own

# chain_entries -- one chain's entries within a span, whole, to find the first bad one
_CHAIN_ENTRIES = """
SELECT * FROM entries
 WHERE customer_id = $1 AND credit_type_id = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence
"""

# span_heads -- where each account of a span says its chain ends
_SPAN_HEADS = """
SELECT customer_id, credit_type_id, sequence, head, balance, held FROM accounts
 WHERE (customer_id, credit_type_id) >= ($1, $2) AND (customer_id, credit_type_id) <= ($3, $4)
"""

# names -- what people call an account
_NAMES = """
SELECT (SELECT key FROM customers WHERE id = $1) AS customer, (SELECT key FROM credit_types WHERE id = $2) AS credit_type
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


@dataclass(frozen=True, slots=True)
class Span:
    """The entries behind place `after`, up to and with place `to`; both are (customer, credit type, sequence)."""

    after: tuple[int, int, int]
    to: tuple[int, int, int]
    entries: int  # about; as the accounts say

    @property
    def begun(self) -> Place | None:
        """The chain that an earlier span began."""
        return self.after[:2] if 0 < self.after[2] < _LAST else None

    @property
    def unfinished(self) -> Place | None:
        """The chain that a later span ends."""
        return self.to[:2] if self.to[2] < _LAST else None


_BEFORE_ALL = (-(2**63), -(2**31), 0)
_BEHIND_ALL = (2**63 - 1, _LAST, _LAST)
ALL = Span(_BEFORE_ALL, _BEHIND_ALL, 0)  # of a small book


def span_of(place: Place) -> Span:
    """One account's chain."""
    customer_id, credit_type_id = place
    return Span((customer_id, credit_type_id - 1, _LAST), (customer_id, credit_type_id, _LAST), 0)


async def plan(database: Database, workspace_id: int, *, size: int = SPAN) -> list[Span]:
    """Cuts the workspace's book into spans of about `size` entries. Together they leave no entry out, whatever the
    accounts say."""
    spans: list[Span] = []
    after, count = _BEFORE_ALL, 0
    async with database.snapshot(workspace_id) as connection:
        async for customer_id, credit_type_id, sequence in connection.cursor(_ALL_ACCOUNTS, prefetch=_PREFETCH):
            done = 0
            while count + sequence - done >= size:
                cut = done + size - count
                to = (customer_id, credit_type_id, cut if cut < sequence else _LAST)
                spans.append(Span(after, to, size))
                after, done, count = to, cut, 0
            count += sequence - done
    return [*spans, Span(after, _BEHIND_ALL, count)]


async def verify_span(database: Database, workspace_id: int, span: Span) -> Verified:
    """Recomputes the chains of one span. A chain that the span cuts off is counted where it ends."""
    async with database.snapshot(workspace_id) as connection:
        return await look(connection, span)


async def look(connection: Driver, span: Span) -> Verified:
    """`verify_span` on a connection that sees the workspace, and one view of it."""
    seed = End()
    if span.begun is not None:
        row = await connection.fetchrow(_ENTRY_BEFORE, *span.after)
        seed = End() if row is None else end_of(row)
    heads = {
        (head["customer_id"], head["credit_type_id"]): head
        for head in await connection.fetch(_SPAN_HEADS, *span.after[:2], *span.to[:2])
    }
    if span.begun is None:
        heads.pop(span.after[:2], None)  # ended with the span before
    ends = {} if span.begun is None else {span.begun: seed}
    count, bad = await _follow_all(connection, span, seed, ends)
    broken = await _first_bad(connection, bad, span)
    if span.unfinished is not None:
        ends.pop(span.unfinished, None)
        heads.pop(span.unfinished, None)
    places = {*ends, *heads}
    for place in places - broken.keys():
        wrong = _wrong_end(ends.get(place, End()), heads.get(place))
        if wrong is not None:
            broken[place] = wrong
    return Verified(len(places), count, [await name(connection, place, *broken[place]) for place in sorted(broken)])


async def _follow_all(
    connection: Driver, span: Span, seed: End, ends: dict[Place, End]
) -> tuple[int, dict[Place, Piece]]:
    """All entries of the span: how many, and of each chain the first piece that did not fit. `ends` is told where each
    chain stands behind the last of them."""
    begun, count, bad = span.begun, 0, dict[Place, Piece]()
    await connection.execute(_IN_ORDER_OF_PAGES)
    entries = await connection.cursor(_SPAN_ENTRIES, *span.after, *span.to)
    await connection.execute(_AS_PLANNED)
    while rows := await entries.fetch(_CHUNK):
        found = pieces(rows, begun, seed)
        for piece, fit in zip(found, fits(rows, found), strict=True):
            if not fit:
                bad.setdefault(piece.place, piece)
            ends[piece.place] = end_of(rows[piece.last - 1])
        begun = found[-1].place
        seed = ends[begun]
        count += len(rows)
    return count, bad


async def verify(
    database: Database, workspace_id: int, *, progress: Callable[[int], None], size: int = SPAN
) -> Verified:
    """Recomputes every chain of a workspace; `progress` is told how many entries were read, now and then."""
    done: list[Verified] = []
    for span in await plan(database, workspace_id, size=size):
        done.append(await verify_span(database, workspace_id, span))
        progress(sum(each.entries for each in done))
    return together(done)


def together(parts: Iterable[Verified]) -> Verified:
    """What all spans said, in their order: of each chain the first bad entry."""
    parts = list(parts)
    first: dict[tuple[str, str], Broken] = {}
    for broken in (each for part in parts for each in part.broken):
        known = first.setdefault((broken.customer, broken.credit_type), broken)
        if broken.sequence < known.sequence:
            first[broken.customer, broken.credit_type] = broken
    accounts, entries = sum(part.accounts for part in parts), sum(part.entries for part in parts)
    return Verified(accounts, entries, list(first.values()))


async def _first_bad(connection: Driver, bad: Mapping[Place, Piece], span: Span) -> dict[Place, tuple[int, str]]:
    """The first bad entry of each piece that did not fit; none where only the fast way could not tell."""
    broken = {}
    for place, piece in bad.items():
        last = span.to[2] if place == span.unfinished else _LAST
        # From the chain's beginning also what has a number that no entry has.
        first = piece.after.sequence or -_LAST
        found = follow(piece.after, await connection.fetch(_CHAIN_ENTRIES, *place, first, last))
        if found is not None:
            broken[place] = found
    return broken


def follow(end: End, rows: Iterable[Any]) -> tuple[int, str] | None:
    """The first of the entries, as stored, that does not follow from the one before, and why."""
    for row in rows:
        try:
            entry = entry_of(row)
        except (ValueError, OverflowError) as error:
            return row["sequence"], f"cannot be read: {error}"
        problem = _problem(end, entry)
        if problem is None and row["grant_number"] is not None and row["allocations"] is not None:
            problem = "says twice which grants bore it"  # we write the one or the other, and read the first alone
        if problem is not None:
            return entry.sequence, problem
        end = End(entry.sequence, entry.hash, entry.balance_after, entry.held_after)
    return None


def _problem(before: End, entry: Entry) -> str | None:
    if entry.sequence != before.sequence + 1:
        return f"follows entry {before.sequence}: what lay between is missing"
    if chain(before.head, entry) != entry.hash:
        return "its hash is not that of its content and the entry before"
    if entry.balance_after != before.balance + entry.amount or entry.held_after != before.held + entry.held_amount:
        return "its running totals do not follow from the entry before"
    return None


def _wrong_end(end: End, head: asyncpg.Record | None) -> tuple[int, str] | None:
    """What the account says of its end."""
    if head is None:
        return end.sequence, "belongs to no account"
    if end.sequence < head["sequence"]:
        return end.sequence + 1, "is missing: the account was at a later entry"
    if (end.sequence, end.head) != (head["sequence"], head["head"]):
        return end.sequence, "is not the last entry that the account knows"
    if (end.balance, end.held) != (head["balance"], head["held"]):
        return end.sequence, "does not end in the account's balance"
    return None


async def name(connection: Driver, place: Place, sequence: int, problem: str) -> Broken:
    """A bad entry as people are told of it."""
    names = await connection.fetchrow(_NAMES, *place)
    assert names is not None  # noqa: S101 -- a select of two values is one row
    customer = names["customer"] or ids.make("cus", place[0])
    return Broken(customer, names["credit_type"] or "?", sequence, ids.make("ent", *place, max(0, sequence)), problem)
