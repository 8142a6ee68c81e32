"""Spend limits on a batch's page: read under the lock with what counts towards them, written back with what was added.

Nothing here runs for a batch whose customers have none.
"""

from collections.abc import Sequence
from datetime import datetime

from credits import bounds
from credits.db import HotConnection
from credits.enforcement.counting import count_window
from credits.enforcement.limits import Limits, Place
from credits.enforcement.values import SpendLimit, limit_of
from credits.ledger.rows import hold_of
from credits.posting.book import Book
from credits.posting.columns import Batched, source
from credits.posting.commands import Burn, Command, OpenHold

# read_limits, read_groups, read_windows -- Of customers with spend limits alone: the limits, which members are in which
# group, and what counts towards them in the windows that the batch decides in.
_READ_LIMITS = "SELECT * FROM spend_limits WHERE customer_id = ANY($1::bigint[])"
_READ_GROUPS = (
    "SELECT customer_id, key, group_name FROM members WHERE customer_id = ANY($1::bigint[]) AND group_name IS NOT NULL"
)
_READ_WINDOWS = """
SELECT w.customer_id, w.number, w.starts_at, w.used
  FROM unnest($1::bigint[], $2::int[], $3::timestamptz[]) AS asked (customer_id, number, starts_at)
  JOIN limit_windows w USING (customer_id, number, starts_at)
"""

# read_named_holds -- Of settlements that are reversed: what is of a hold counts where it was opened.
_READ_NAMED_HOLDS = """
SELECT h.* FROM holds h
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS named (customer_id, credit_type_id, number)
    USING (customer_id, credit_type_id, number)
"""

# write_windows -- What the batch adds to each window. One that is not known and not there is left alone: it is counted
# from the entries when somebody asks, and these are among them then.
_WINDOW_COLUMNS = {
    "customer_id": "bigint",
    "number": "int",
    "starts_at": "timestamptz",
    "workspace_id": "int",
    "used": "bigint",
    "is_known": "boolean",
}
_WRITE_WINDOWS = Batched.of(
    "write_limit_windows",
    f"""
INSERT INTO limit_windows (customer_id, number, starts_at, workspace_id, used)
SELECT customer_id, number, starts_at, workspace_id, used FROM {source(_WINDOW_COLUMNS, "new")}
 WHERE is_known OR EXISTS (
   SELECT FROM limit_windows w
    WHERE w.customer_id = new.customer_id AND w.number = new.number AND w.starts_at = new.starts_at)
    ON CONFLICT (customer_id, number, starts_at) DO UPDATE SET used = limit_windows.used + EXCLUDED.used
""",  # noqa: S608 -- names of our own, written above
    _WINDOW_COLUMNS.values(),
)


async def read_limits(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    """The limits of the batch's customers, and what is used of them where the batch decides."""
    ids = [customer.id for customer in book.customers.values() if customer.limited]
    limits: dict[int, list[SpendLimit]] = {}
    for row in await connection.fetch(_READ_LIMITS, ids):
        limits.setdefault(row["customer_id"], []).append(limit_of(row))
    groups: dict[int, dict[str, str]] = {}
    if any(limit.group is not None for owned in limits.values() for limit in owned):
        for row in await connection.fetch(_READ_GROUPS, ids):
            groups.setdefault(row["customer_id"], {})[row["key"]] = row["group_name"]
    for customer_id, owned in limits.items():
        timezone = book.customers[customer_id].timezone
        book.limits[customer_id] = Limits(timezone, owned, groups.get(customer_id, {}))
    await _read_reversible(connection, book)
    await _read_windows(connection, book, commands)


async def _read_reversible(connection: HotConnection, book: Book) -> None:
    """What reversals may reverse; of settlements also their holds, which are closed."""
    of_holds = []
    for (customer_id, credit_type_id, sequence), found in book.reversible.items():
        if customer_id in book.limits:
            book.limits[customer_id].reversible[credit_type_id, sequence] = found.entry
            if found.entry.hold_number is not None:
                of_holds.append((customer_id, credit_type_id, found.entry.hold_number))
    if of_holds:
        for row in await connection.fetch(_READ_NAMED_HOLDS, *map(list, zip(*of_holds, strict=True))):
            book.limits[row["customer_id"]].closed_holds[row["credit_type_id"], row["number"]] = hold_of(row)


async def _read_windows(connection: HotConnection, book: Book, commands: Sequence[Command]) -> None:
    asked: dict[tuple[int, Place], tuple[SpendLimit, datetime]] = {}
    for customer_id, at, members in _decided(book, commands):
        for place, limit in book.limits[customer_id].missing(members, at).items():
            asked[customer_id, place] = (limit, at)
    if not asked:
        return
    columns = [(customer_id, number, start) for customer_id, (number, start) in asked]
    for row in await connection.fetch(_READ_WINDOWS, *map(list, zip(*columns, strict=True))):
        book.limits[row["customer_id"]].known[row["number"], row["starts_at"]] = row["used"]
        del asked[row["customer_id"], (row["number"], row["starts_at"])]
    for (customer_id, place), (limit, at) in asked.items():
        if place[1] < limit.counted_from:
            of = book.limits[customer_id]
            of.known[place] = await count_window(connection, limit, of.members_of(limit), of.window(limit, at))
            of.unwritten.add(place)


def _decided(book: Book, commands: Sequence[Command]) -> list[tuple[int, datetime, set[str | None]]]:
    """(customer, instant, members): what limits may be asked for. An instant that is refused is not."""
    found: dict[tuple[int, datetime], set[str | None]] = {}
    for command in commands:
        if not isinstance(command, Burn | OpenHold):
            continue
        customer_id = book.customer_ids.get(command.customer)
        if customer_id is None or customer_id not in book.limits:
            continue
        at = (command.occurred_at if isinstance(command, Burn) else None) or book.now
        if book.cutoff(book.customers[customer_id]) <= at <= book.now + bounds.FUTURE_SKEW:
            found.setdefault((customer_id, at), set()).add(command.spend.member)
    return [(customer_id, at, members) for (customer_id, at), members in found.items()]


async def write_windows(connection: HotConnection, book: Book) -> None:
    """What the batch's entries add to each window; and windows that had to be counted, so that it was for once."""
    for (customer_id, _), account in book.accounts.items():
        if customer_id in book.limits:
            book.limits[customer_id].catch_up(account)
    rows = []
    for customer_id, limits in book.limits.items():
        begin = {limit.number: limit.counted_from for limit in limits.all}
        for place in limits.added.keys() | limits.unwritten:
            number, start = place
            used = limits.added.get(place, 0) + (limits.known[place] if place in limits.unwritten else 0)
            is_known = place in limits.known or start >= begin[number]
            rows.append((customer_id, number, start, book.workspace_id, used, is_known))
    if rows:
        await connection.send(_WRITE_WINDOWS.statement, *_WRITE_WINDOWS.arguments(rows))
