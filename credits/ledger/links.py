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
LATER: tuple[str, ...] = ()
_PAIRS = ", ".join(f"json_build_array('{name}', {name})" for name in LATER)
_LATER = (
    f"CASE WHEN num_nonnulls({', '.join(LATER)}) > 0 THEN json_build_array({_PAIRS})::text END"
    if LATER
    else "NULL::text"
)
# What is fetched of an entry: its hash, what came later, then the columns of the canonical entry in its order, numbers
# in its spelling.
SELECTED = f"""
hash, {_LATER}, customer_id, credit_type_id, sequence, kind, amount, held_amount, balance_after, held_after,
occurred_at, recorded_at, grant_number, allocations, hold_number, actor_id, feature_id, rate_id,
trim_scale(quantity)::text, trim_scale(exact_amount)::text, dimensions, member, event::text, reason, note, key, fingerprint
"""
_HASH, _MORE, _CUSTOMER, _TYPE, _SEQUENCE, _, _AMOUNT, _HELD_AMOUNT, _BALANCE, _HELD = range(10)

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


def fits(workspace_id: int, rows: Sequence[Row], chains: Sequence[Piece]) -> list[bool]:
    """For each piece, whether all its rows follow from one another, and the first from what is before the piece."""
    try:
        canonical = _canonical(workspace_id, rows)
        checks = _checks(rows, chains, canonical)
    except (ValueError, TypeError, OverflowError):  # half an allocation, a null where none may be
        return [len(chains) == 0] * len(chains)
    if all(computed == stored for computed, stored in checks):
        return [True] * len(chains)
    return [all(computed[p.first : p.last] == stored[p.first : p.last] for computed, stored in checks) for p in chains]


def end_of(row: Row) -> End:
    """Where a chain stands after this entry, as stored."""
    return End(row[_SEQUENCE], row[_HASH], row[_BALANCE], row[_HELD] or 0)


def _checks(
    rows: Sequence[Row], chains: Sequence[Piece], canonical: Sequence[bytes]
) -> list[tuple[list[Any], list[Any]]]:
    """What each entry should say, given the one before, beside what it says: hashes, numbers, running totals."""
    ends = [end_of(row) for row in rows]
    before = [End(), *ends[:-1]]
    for piece in chains:
        before[piece.first] = piece.after
    sha256 = hashlib.sha256
    sequences, heads, balances, helds = (list(column) for column in zip(*before, strict=True))
    now_sequences, hashes, now_balances, now_helds = (list(column) for column in zip(*ends, strict=True))
    return [
        ([sha256(head + text).digest() for head, text in zip(heads, canonical, strict=True)], hashes),
        ([sequence + 1 for sequence in sequences], now_sequences),
        (list(map(add, balances, [row[_AMOUNT] for row in rows])), now_balances),
        (list(map(add, helds, [row[_HELD_AMOUNT] or 0 for row in rows])), now_helds),
    ]


def _canonical(workspace_id: int, rows: Sequence[Row]) -> list[bytes]:
    """`entries.canonical` of each row."""
    # One line a row: this is where the time goes. An entry that says twice who bore it gets no allocations at all.
    entries = [
        (
            workspace_id,
            customer,
            kind_of,
            sequence,
            kind,
            amount,
            held or 0,
            balance,
            held_after or 0,
            occurred_at or recorded_at,
            recorded_at,
            (
                _shared(parts)
                if sole is None
                else None
                if parts is not None
                else ((sole, abs(amount) if held is None else max(abs(amount), abs(held))),)
            ),
            *rest,
        )
        for _, _, customer, kind_of, sequence, kind, amount, held, balance, held_after, occurred_at, recorded_at, sole, parts, *rest in rows
    ]
    lines: list[Any] = [_BREAK] * (2 * len(entries))
    lines[::2] = entries
    written = orjson.dumps(lines)[1:-1].removesuffix(b",\n").split(_BROKEN_AT)
    for number in [number for number, row in enumerate(rows) if row[_MORE] is not None]:
        more = [pair for pair in orjson.loads(rows[number][_MORE]) if pair[1] is not None]
        written[number] = written[number][:-1] + b"," + orjson.dumps(more)[1:]
    return written


def _shared(flat: Sequence[int] | None) -> Sequence[tuple[int, int]]:
    return () if not flat else list(zip(flat[::2], flat[1::2], strict=True))
