"""Many entries of many chains at once: does each follow from the one before. PURE.

The fast way of `verify.py`: canonical entries are made from columns as they come, without an object for each, all in
one JSON text, and compared in bulk. It says no more than that everything fits: where something does not, the slow way
looks entry by entry, and names it. What the fast way does not know (a column that came later and is set, an allocation
said twice) counts as not fitting.
"""

import hashlib
from collections.abc import Sequence
from itertools import compress
from operator import add, ne
from typing import Any, NamedTuple

import orjson

from credits.ledger.entries import GENESIS

Place = tuple[int, int]  # customer, credit type
Row = Any  # an entry as SELECTED, by place: the driver's record


class End(NamedTuple):
    """Where a chain stands after an entry: what the next one must follow from."""

    sequence: int = 0
    head: bytes = GENESIS
    balance: int = 0
    held: int = 0


class Piece(NamedTuple):
    """Rows `first` to before `last` are of one chain, and follow `after`."""

    place: Place
    first: int
    last: int
    after: End


# Columns that came later: the canonical entry ends with [name, value] of each that is set. In its order.
LATER = ("reverses",)
_PAIRS = ", ".join(f"json_build_array('{name}', {name})" for name in LATER)
_LATER = f"CASE WHEN num_nonnulls({', '.join(LATER)}) > 0 THEN json_build_array({_PAIRS})::text END"
# What is fetched of an entry: its hash, what came later, the one grant that bore it and the allocations otherwise, then
# the columns of the canonical entry around them, in its order and spelling.
SELECTED = f"""
hash, {_LATER}, grant_number, allocations,
workspace_id, customer_id, credit_type_id, sequence, kind, amount, coalesce(held_amount, 0) AS held_amount,
balance_after, coalesce(held_after, 0) AS held_after, coalesce(occurred_at, recorded_at), recorded_at,
hold_number, actor_id, feature_id, rate_id, trim_scale(quantity)::text, trim_scale(exact_amount)::text, dimensions,
member, event::text, reason, note, key, fingerprint
"""
_HASH, _MORE, _SOLE, _PARTS, _FIRST, _CUSTOMER, _TYPE, _SEQUENCE, _, _AMOUNT, _HELD_AMOUNT, _BALANCE, _HELD = range(13)
_BEHIND = _HELD + 3  # what follows the allocations

# No canonical entry has a line break in it: JSON writes one as two other characters.
_BREAK = orjson.Fragment(b"\n")
_BROKEN_AT = b",\n,"


def pieces(rows: Sequence[Row], begun: Place | None, seed: End) -> list[Piece]:
    """The chains of rows that are sorted by place. The chain `begun` goes on after `seed`, the others begin."""
    if not rows:
        return []
    customers, types = [row[_CUSTOMER] for row in rows], [row[_TYPE] for row in rows]
    changed = map(add, map(ne, customers[1:], customers), map(ne, types[1:], types))
    firsts = [0, *compress(range(1, len(rows)), changed)]
    places = [(customers[first], types[first]) for first in firsts]
    return [
        Piece(place, first, last, seed if place == begun else End())
        for place, first, last in zip(places, firsts, [*firsts[1:], len(rows)], strict=True)
    ]


def fits(rows: Sequence[Row], chains: Sequence[Piece]) -> list[bool]:
    """For each piece, whether all its rows follow from one another, and the first from what is before the piece."""
    try:
        checks = _checks(rows, chains, _canonical(rows))
    except (ValueError, TypeError, OverflowError):  # half an allocation, a null where none may be
        return [False] * len(chains)
    if all(computed == stored for computed, stored in checks):
        return [True] * len(chains)
    return [all(computed[p.first : p.last] == stored[p.first : p.last] for computed, stored in checks) for p in chains]


def end_of(row: Row) -> End:
    """Where a chain stands after this entry, as stored."""
    return End(row[_SEQUENCE], row[_HASH], row[_BALANCE], row[_HELD])


def _checks(
    rows: Sequence[Row], chains: Sequence[Piece], canonical: Sequence[bytes]
) -> list[tuple[list[Any], list[Any]]]:
    """What each entry should say, given the one before, beside what it says: hashes, numbers, running totals."""
    sequences, hashes = [row[_SEQUENCE] for row in rows], [row[_HASH] for row in rows]
    balances, helds = [row[_BALANCE] for row in rows], [row[_HELD] for row in rows]
    before = [[start, *column[:-1]] for start, column in zip(End(), (sequences, hashes, balances, helds), strict=True)]
    for piece in chains:
        for column, start in zip(before, piece.after, strict=True):
            column[piece.first] = start
    sha256 = hashlib.sha256
    return [
        ([sha256(head + text).digest() for head, text in zip(before[1], canonical, strict=True)], hashes),
        ([sequence + 1 for sequence in before[0]], sequences),
        (list(map(add, before[2], [row[_AMOUNT] for row in rows])), balances),
        (list(map(add, before[3], [row[_HELD_AMOUNT] for row in rows])), helds),
    ]


def _canonical(rows: Sequence[Row]) -> list[bytes]:
    """`entries.canonical` of each row."""
    # An entry that says twice who bore it gets no allocations at all.
    lines: list[Any] = [_BREAK] * (2 * len(rows))
    lines[::2] = [
        (*row[_FIRST:_BEHIND], _shared(row) if row[_PARTS] is not None else _sole(row), *row[_BEHIND:]) for row in rows
    ]
    written = orjson.dumps(lines)[1:-1].removesuffix(b",\n").split(_BROKEN_AT)
    for number in [number for number, row in enumerate(rows) if row[_MORE] is not None]:
        more = [pair for pair in orjson.loads(rows[number][_MORE]) if pair[1] is not None]
        written[number] = written[number][:-1] + b"," + orjson.dumps(more)[1:]
    return written


def _sole(row: Row) -> Sequence[tuple[int, int]]:
    """One grant bore all of it, or there is nothing to bear."""
    grant = row[_SOLE]
    return () if grant is None else ((grant, max(abs(row[_AMOUNT]), abs(row[_HELD_AMOUNT]))),)


def _shared(row: Row) -> Sequence[tuple[int, int]] | None:
    """Several grants bore it, or overdraft. None where it is said twice: no entry reads so."""
    flat = row[_PARTS]
    return list(zip(flat[::2], flat[1::2], strict=True)) if row[_SOLE] is None else None
