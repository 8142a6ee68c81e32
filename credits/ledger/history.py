"""What was so: a balance at an instant, why it changed between two, and how fast it burned."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy.ext.asyncio import AsyncConnection

from credits.ledger.balance import Balance
from credits.ledger.entries import Kind
from credits.ledger.reads import read_grants
from credits.ledger.runway import Rate, midnights, rate_of
from credits.ledger.standing import Standing, lots_of
from credits.ledger.travel import Asked, travel

_US = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)

# Entries that set aside or move between grants; never do they change a balance.
_SILENT = frozenset({Kind.HOLD, Kind.RELEASE, Kind.LAPSE, Kind.REALLOCATE})


async def balance_at(connection: AsyncConnection, asked: Asked, at: datetime, overdraft_limit: int) -> Balance:
    """The balance as it was at `at`, as asked. `version` is that of the last entry known then.

    Its totals are exact; of its buckets see `standing.lots_of`. The overdraft limit is the one in force now.
    """
    (standing,) = await travel(connection, asked, [at])
    places = [(asked.customer_id, asked.credit_type_id, number) for number in standing.remaining]
    grants = {number: grant for (_, _, number), grant in (await read_grants(connection, places)).items()}
    return Balance(
        credit_type_id=asked.credit_type_id,
        customer_id=asked.customer_id,
        balance=standing.balance,
        held=standing.held,
        overdraft_limit=overdraft_limit,
        granted=standing.granted,
        burned=standing.burned,
        expired=standing.expired,
        version=standing.sequence,
        as_of=at,
        lots=tuple(
            (grant.source, grant.expires_at, left) for grant, left in lots_of(standing, grants, asked.burn_order)
        ),
    )


@dataclass(frozen=True, slots=True)
class Explained:
    """One kind of entries between two instants: how many, and what they came to in micro-credits."""

    kind: Kind
    feature_id: int | None
    source: str | None
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """`opening + Σ amounts of the lines = closing`, in micro-credits."""

    opening: int
    closing: int
    lines: list[Explained]


async def explain(connection: AsyncConnection, asked: Asked, since: datetime, until: datetime) -> Explanation:
    """Why the balance is what it is: everything that occurred in `[since, until)`, booked or not, as known now."""
    opening, closing = await travel(connection, asked, [_before(since), _before(until)])
    return between(opening, closing)


def between(opening: Standing, closing: Standing) -> Explanation:
    """What happened from one standing to the other: kinds in the order of their numbers, the most moved first in each."""
    lines = []
    for key in {**opening.lines, **closing.lines}:
        before, after = opening.lines.get(key), closing.lines.get(key)
        count = (after.count if after else 0) - (before.count if before else 0)
        amount = (after.amount if after else 0) - (before.amount if before else 0)
        if (count or amount) and key[0] not in _SILENT:
            lines.append(Explained(*key, count, amount))
    lines.sort(key=lambda line: (line.kind, -abs(line.amount), line.feature_id or 0, line.source or ""))
    return Explanation(opening.balance, closing.balance, lines)


async def burn_rate(connection: AsyncConnection, asked: Asked, now: datetime, zone: tzinfo) -> Rate:
    """How much burns a day, from the days of the last four weeks. The one place that asks for daily totals."""
    borders = midnights(now, zone)
    return rate_of(await travel(connection, asked, [*map(_before, borders[:-1]), now]))


def _before(at: datetime) -> datetime:
    """The last microsecond before."""
    return at if at == _FIRST else at - _US
