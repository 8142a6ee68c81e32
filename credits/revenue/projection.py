"""What is told of the entries and kept, so that no report reads the whole book again.

Made in the background, so that no burn pays for it, and never needed for an answer to be right: a report tells what lies
behind the watermarks itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from credits.db import Database, Fetches, HotConnection
from credits.revenue import statements
from credits.revenue.fold import Fold
from credits.revenue.lots import Line
from credits.revenue.telling import Tail, lot_of, tell_next

_ACCOUNTS_AT_ONCE = 500  # of one database transaction
_FIRST = (-(2**63), 0)  # before every account
SUMS = ("sold", "earned", "returned", "breakage", "refunded")

Day = tuple[date, str]  # and currency


@dataclass(frozen=True, slots=True)
class RevenueDifference:
    """What is kept of an account's money that its entries do not bear out, in the smallest unit of its currency."""

    what: str
    wanted: int
    found: int


async def tell_all(database: Database, workspace_id: int) -> int:
    """Tells the entries of every account with money that no other process is at; how many."""
    async with database.snapshot(workspace_id) as view:
        if not await view.fetchval(statements.HAS_MONEY, workspace_id):
            return 0
    count, place = 0, _FIRST
    while True:
        async with database.snapshot(workspace_id) as view:
            rows = await view.fetch(statements.FIND_BEHIND, workspace_id, *place, _ACCOUNTS_AT_ONCE)
        if not rows:
            return count
        places = [(row["customer_id"], row["credit_type_id"]) for row in rows]
        while told := await _tell_some(database, workspace_id, places):
            count += told
        place = places[-1]


async def _tell_some(database: Database, workspace_id: int, places: Sequence[tuple[int, int]]) -> int:
    """The next entries of these accounts, in one database transaction. 0: they are told, or others are at them."""
    columns = [customer_id for customer_id, _ in places], [credit_type_id for _, credit_type_id in places]
    async with database.hot(workspace_id) as connection:
        await connection.execute(statements.MAKE_WATERMARKS, *columns, workspace_id)
        tails = [Tail.of(row) for row in await connection.fetch(statements.CLAIM, *columns)]
        told = await tell_next(connection, tails)
        if told:
            await _write(connection, workspace_id, tails)
        return told


async def _write(connection: HotConnection, workspace_id: int, tails: Sequence[Tail]) -> None:
    lines, days, lots = [], [], []
    for tail in tails:
        account = (tail.customer_id, workspace_id, tail.credit_type_id)
        for line in tail.fold.lines:
            said = (
                line.sequence,
                line.at,
                None if line.kind is None else int(line.kind),
                line.elsewhere,
                line.currency,
            )
            lines.append((*account, *said, *_sums(line)))
        for (day, currency), (sums, count) in days_of(tail.fold.lines).items():
            days.append((*account, day, currency, *map(str, sums), count))
        for number in sorted(tail.fold.changed):
            lot = tail.fold.lots[number]
            left = (lot.currency, str(lot.paid), lot.amount, lot.remaining, lot.adjusted, str(lot.deferred))
            gone = (lot.burned, str(lot.earned), lot.ended, str(lot.ended_minor))
            lots.append((*account, number, *left, *gone))
    for statement, rows in (
        (statements.INSERT_LINES, lines),
        (statements.ADD_DAYS, days),
        (statements.PUT_LOTS, lots),
        (statements.SET_WATERMARKS, [(*tail.place, tail.sequence, tail.fold.highest) for tail in tails]),
    ):
        if rows:
            await connection.send(statement.statement, *statement.arguments(rows))


def _sums(line: Line) -> tuple[str, ...]:
    """As text: a number beyond 64 bits travels as one too."""
    return str(line.sold), str(line.earned), str(line.returned), str(line.breakage), str(line.refunded)


def days_of(lines: Sequence[Line]) -> dict[Day, tuple[list[int], int]]:
    """The lines' sums by day (UTC) and currency, in the order of SUMS; and how many there are."""
    found: dict[Day, tuple[list[int], int]] = {}
    for line in lines:
        sums, count = found.get((line.at.date(), line.currency), ([0] * len(SUMS), 0))
        more = (line.sold, line.earned, line.returned, line.breakage, line.refunded)
        found[line.at.date(), line.currency] = [a + b for a, b in zip(sums, more, strict=True)], count + 1
    return found


async def tell_again(database: Database, workspace_id: int, customer_id: int, credit_type_id: int) -> None:
    """Makes all that is kept of the account from its entries anew. Until it is done, reports tell it themselves."""
    place = (customer_id, credit_type_id)
    async with database.hot(workspace_id) as connection:
        if await connection.fetch(statements.CLAIM, [customer_id], [credit_type_id]):
            for statement in (*statements.FORGET, statements.FORGET_WATERMARK):
                await connection.execute(statement, *place)
    while await _tell_some(database, workspace_id, [place]):
        pass


async def tell_everything_again(database: Database, workspace_id: int) -> int:
    """The same for every account of the workspace of which anything is kept; how many those were."""
    async with database.hot(workspace_id) as connection:
        places = [tuple(row) for row in await connection.fetch(statements.READ_KEPT)]
    for customer_id, credit_type_id in places:
        await tell_again(database, workspace_id, customer_id, credit_type_id)
    return len(places)


async def compare_told(connection: Fetches, customer_id: int, credit_type_id: int) -> list[RevenueDifference]:
    """What is kept of the account against its entries, told anew up to the watermark; and its grants with money against
    what the ledger says remains of them. Under one view."""
    place = (customer_id, credit_type_id)
    mark = await connection.fetchval(statements.READ_MARK, *place)
    if mark is None:
        return []
    tail = Tail(customer_id, credit_type_id, 0, mark, Fold())
    wanted_days: dict[Day, tuple[list[int], int]] = {}
    while await tell_next(connection, [tail]):
        for day, (sums, count) in days_of(tail.fold.lines).items():
            before, earlier = wanted_days.get(day, ([0] * len(SUMS), 0))
            wanted_days[day] = [a + b for a, b in zip(before, sums, strict=True)], earlier + count
        tail.fold.lines.clear()
    wanted = {
        f"{day} {currency}: {name}": value
        for (day, currency), (sums, count) in wanted_days.items()
        for name, value in zip((*SUMS, "lines"), (*sums, count), strict=True)
    }
    days, lines = dict[str, int](), dict[str, int]()
    for row in await connection.fetch(statements.READ_STORED_DAYS, *place):
        for name in (*SUMS, "lines"):
            days[f"{row['day']} {row['currency']}: {name}"] = int(row[name])
            lines[f"{row['day']} {row['currency']}: {name}"] = int(row[f"line_{name}"])
    found = _unlike("revenue of ", wanted, days) + _unlike("revenue lines of ", wanted, lines)
    for row in await connection.fetch(statements.READ_TIES, *place, mark):
        for name, told in (("sold", "line_sold"), ("refunded", "line_refunded")):
            if row[name] != row[told]:
                what = f"revenue against money moved, {row['currency']}: {name}"
                found.append(RevenueDifference(what, int(row[name]), int(row[told])))
    return found + await _lots_unlike(connection, place, tail) + await _against_ledger(connection, place, mark, tail)


async def _lots_unlike(connection: Fetches, place: tuple[int, int], tail: Tail) -> list[RevenueDifference]:
    found = []
    stored = {row["number"]: lot_of(row) for row in await connection.fetch(statements.READ_STORED_LOTS, *place)}
    for number in sorted({*stored, *tail.fold.lots}):
        mine, kept = tail.fold.lots.get(number), stored.get(number)
        if mine != kept:
            deferred = [0 if lot is None else lot.deferred for lot in (mine, kept)]
            found.append(RevenueDifference(f"revenue of grant {number}: deferred", *deferred))
    return found


async def _against_ledger(
    connection: Fetches, place: tuple[int, int], mark: int, tail: Tail
) -> list[RevenueDifference]:
    """Where all is told, what the fold says remains of a grant is what the ledger says."""
    if mark != await connection.fetchval(
        "SELECT sequence FROM accounts WHERE (customer_id, credit_type_id) = ($1, $2)", *place
    ):
        return []
    rows = await connection.fetch(statements.READ_REMAINING, *place, list(tail.fold.lots))
    remaining = {row["number"]: row["remaining"] for row in rows}
    return [
        RevenueDifference(
            f"revenue of grant {number}: micro-credits remaining", remaining.get(number, 0), lot.remaining
        )
        for number, lot in tail.fold.lots.items()
        if remaining.get(number, 0) != lot.remaining
    ]


def _unlike(what: str, wanted: dict[str, int], found: dict[str, int]) -> list[RevenueDifference]:
    return [
        RevenueDifference(what + name, wanted.get(name, 0), found.get(name, 0))
        for name in sorted({*wanted, *found})
        if wanted.get(name, 0) != found.get(name, 0)
    ]
