"""Roll-forwards and the journal, exact at the instant of a page: what is kept, and what lies behind it told on the way."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge

from credits import bounds
from credits.db import Fetches, bare
from credits.ledger.entries import Kind
from credits.ledger.reads import read_accounts
from credits.ledger.rows import Row as Stored
from credits.posting.reader import Page
from credits.revenue import statements
from credits.revenue.journal import Placed, Posting, postings
from credits.revenue.lots import Line, Moved
from credits.revenue.telling import Tail, tell_due, tell_next
from credits.windows import Interval, windows

NO_CURRENCY = "XXX"  # ISO 4217: of a report without any money
_CUSTOMERS_AT_ONCE = 500
_PAGE = 5_000  # lines of the journal that are read at once

Pair = tuple[str, int]  # currency, credit type


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), calendar days in UTC."""

    start: date
    end: date

    @property
    def instants(self) -> tuple[datetime, datetime]:
        return datetime.combine(self.start, time(), UTC), datetime.combine(self.end, time(), UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One period of one credit type: `opening + sold − recognized − breakage − refunded = closing`, in smallest units."""

    span: Span
    credit_type_id: int
    opening: int
    sold: int
    recognized: int
    breakage: int
    refunded: int

    @property
    def closing(self) -> int:
        return self.opening + self.sold - self.recognized - self.breakage - self.refunded


@dataclass(frozen=True, slots=True)
class Report:
    """The roll-forward of one currency, by period, then credit type."""

    currency: str
    rows: list[Row]


def span_of(since: date, until: date) -> Span:
    """Raises ValueError where the days are none."""
    if until <= since:
        raise ValueError("to: must lie after from; it is not part of what is asked for")
    return Span(since, until)


def periods(span: Span, interval: Interval) -> list[Span]:
    """The calendar's periods in the span, the first and last as much of them as lies in it. Raises ValueError."""
    if interval == "HOUR":
        raise ValueError("interval: a day is the shortest, because rows begin and end on days")
    try:
        found = windows(interval, "UTC", *span.instants, most=bounds.REVENUE_ROWS_MAX)
    except ValueError as error:
        raise ValueError(f"interval: {error}") from None
    return [Span(max(span.start, each.start.date()), min(span.end, each.end.date())) for each in found]


async def read_reports(
    page: Page, span: Span, interval: Interval, credit_type_id: int | None, currency: str | None
) -> list[Report]:
    """A report for each currency that there is, or for that one. Raises ValueError for what cannot be asked."""
    asked = periods(span, interval)
    connection = await bare(page.connection)
    workspace_id = page.workspace.id
    told = [
        *await _tell_tails(page, connection, credit_type_id),
        *await _alone(connection, workspace_id, span.instants, credit_type_id),
    ]
    pairs = {
        (row["currency"], row["credit_type_id"]) for row in await connection.fetch(statements.READ_PAIRS, workspace_id)
    }
    pairs |= {(placed.line.currency, placed.credit_type_id) for placed in told}
    wanted = sorted(pair for pair in pairs if currency in (None, pair[0]) and credit_type_id in (None, pair[1]))
    if len(wanted) * len(asked) > bounds.REVENUE_ROWS_MAX:
        raise ValueError(
            f"interval: would be more than {bounds.REVENUE_ROWS_MAX} rows: ask for less, or for longer periods"
        )
    deferred = {
        (row["currency"], row["credit_type_id"]): int(row["deferred"])
        for row in await connection.fetch(statements.READ_DEFERRED, workspace_id)
    }
    reports: dict[str, list[Row]] = {} if currency is None else {currency: []}
    for pair in wanted:
        sums = await _sums(connection, workspace_id, pair, asked, told)
        tail = [placed.line for placed in told if (placed.line.currency, placed.credit_type_id) == pair]
        now = deferred.get(pair, 0) + sum(line.change for line in tail)
        reports.setdefault(pair[0], []).extend(_rows(pair[1], asked, sums, now))
    position = {credit_type.id: at for at, credit_type in enumerate(page.catalog.credit_types)}
    return [
        Report(name, sorted(rows, key=lambda row: (row.span.start, position.get(row.credit_type_id, 0))))
        for name, rows in reports.items()
        if rows or name == currency
    ]


def _rows(credit_type_id: int, asked: Sequence[Span], sums: Sequence[Line], now: int) -> Iterator[Row]:
    """A row for each period, back from what is deferred now; none where there never was anything."""
    opening = now - sum(line.change for line in sums)
    if not opening and not any(line.says_something for line in sums[:-1]):
        return
    for span, line in zip(asked, sums, strict=False):  # the last sum is of what came after
        row = Row(span, credit_type_id, opening, line.sold, line.recognized, line.breakage, line.refunded)
        yield row
        opening = row.closing


async def _sums(
    connection: Fetches, workspace_id: int, pair: Pair, asked: Sequence[Span], told: Sequence[Placed]
) -> list[Line]:
    """What moved in each period, and last, since."""
    borders = [span.start for span in asked] + [asked[-1].end]
    sums = [_nothing(pair[0]) for _ in borders]
    rows = await connection.fetch(statements.READ_SUMS, workspace_id, *pair, borders, borders[0])
    for row in rows:
        line = sums[row["period"]]
        line.sold, line.earned, line.returned = int(row["sold"]), int(row["earned"]), int(row["returned"])
        line.breakage, line.refunded = int(row["breakage"]), int(row["refunded"])
    period_of = {day: at for at, span in enumerate(asked) for day in _days(span)} if told else {}
    for placed in told:
        each = placed.line
        if (each.currency, placed.credit_type_id) != pair or each.at.date() < borders[0]:
            continue
        line = sums[period_of.get(each.at.date(), len(asked))]
        line.sold += each.sold
        line.earned += each.earned
        line.returned += each.returned
        line.breakage += each.breakage
        line.refunded += each.refunded
    return sums


def _days(span: Span) -> Iterator[date]:
    return (span.start + timedelta(days=n) for n in range((span.end - span.start).days))


def _nothing(currency: str) -> Line:
    return Line(0, datetime.min.replace(tzinfo=UTC), None, currency)


# ─── the journal ───────────────────────────────────────────────────────────────────────────────────────────
async def read_journal(page: Page, span: Span, most: int) -> list[Posting]:
    """The journal lines of the span, in order. Raises ValueError for more than `most`."""
    found: list[Posting] = []
    async for posting in journal(page, span):
        if len(found) == most:
            raise ValueError(f"to: would be more than {most} lines: ask for fewer days, or export them as CSV")
        found.append(posting)
    return found


async def journal(page: Page, span: Span) -> AsyncIterator[Posting]:
    """Every journal line of the span, in the order in which the entries were recorded; a page at a time."""
    connection = await bare(page.connection)
    since, until = span.instants
    tails = await _tell_tails(page, connection, None)
    alone = await _alone(connection, page.workspace.id, span.instants, None)
    told = sorted(
        (placed for placed in (*tails, *alone) if since <= placed.line.at < until), key=lambda placed: placed.order
    )
    names = {credit_type.id: credit_type.key for credit_type in page.catalog.credit_types}
    place = (since, -(2**63), 0, 0, "")
    while True:
        rows = await connection.fetch(statements.READ_LINES, page.workspace.id, until, *place, _PAGE)
        stored = [_placed(row) for row in rows]
        last = stored[-1].order if len(stored) == _PAGE else None
        ready = [placed for placed in told if last is None or placed.order <= last]
        told = told[len(ready) :]
        both = list(merge(stored, ready, key=lambda placed: placed.order))
        keys = await _keys(connection, both)
        for placed in both:
            credit_type = names.get(placed.credit_type_id, str(placed.credit_type_id))
            for posting in postings(placed, keys.get(placed.customer_id, "?"), credit_type):
                yield posting
        if last is None:
            return
        place = last[:-1]


async def _keys(connection: Fetches, placed: Sequence[Placed]) -> dict[int, str]:
    ids = sorted({each.customer_id for each in placed})
    return {row["id"]: row["key"] for row in await connection.fetch(statements.READ_KEYS, ids)} if ids else {}


def _placed(row: Stored) -> Placed:
    line = Line(row["sequence"], row["at"], Kind(row["kind"]), row["currency"], row["elsewhere"])
    line.sold, line.earned, line.returned = int(row["sold"]), int(row["earned"]), int(row["returned"])
    line.breakage, line.refunded = int(row["breakage"]), int(row["refunded"])
    return Placed(row["customer_id"], row["credit_type_id"], line)


# ─── what is not kept yet ──────────────────────────────────────────────────────────────────────────────────
async def _tell_tails(page: Page, connection: Fetches, credit_type_id: int | None) -> list[Placed]:
    """What lies behind the watermarks, and what fell due and is not booked: told in memory."""
    workspace_id, now = page.workspace.id, page.workspace.now
    if not await connection.fetchval(statements.HAS_MONEY, workspace_id):
        return []
    rows = await connection.fetch(statements.TAILS, workspace_id, now, credit_type_id)
    tails = [Tail.of(row, due=row["due"]) for row in rows]
    while await tell_next(connection, tails):
        pass
    due = [tail for tail in tails if tail.due]
    for at in range(0, len(due), _CUSTOMERS_AT_ONCE):
        some = due[at : at + _CUSTOMERS_AT_ONCE]
        accounts = await read_accounts(page.connection, page.catalog, sorted({tail.customer_id for tail in some}), now)
        known = [tail for tail in some if tail.place in accounts]
        await tell_due(connection, known, [accounts[tail.place] for tail in known])
    lines = ((tail, line) for tail in tails for line in tail.fold.lines)
    return [Placed(tail.customer_id, tail.credit_type_id, line) for tail, line in lines]


async def _alone(
    connection: Fetches, workspace_id: int, span: tuple[datetime, datetime], credit_type_id: int | None
) -> list[Placed]:
    """Money that moved no credits, and so changed nothing that is deferred."""
    found = []
    for row in await connection.fetch(statements.READ_ALONE, workspace_id, *span, credit_type_id):
        line = Line(0, row["at"], None, row["currency"])
        line.move_alone(Moved(row["kind"], row["minor"], row["currency"], row["grant_number"]))
        if line.says_something:
            found.append(Placed(row["customer_id"], row["credit_type_id"], line, row["number"]))
    return found
