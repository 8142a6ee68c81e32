"""Entries written through `/v1/events`, against a bare COPY of the very same rows."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

import asyncpg

from server.bench.load import Stream
from server.bench.report import AtLeast, Figure, Spread, ratio
from server.bench.requests import Events
from server.bench.run import Run

OF_COPY = AtLeast(0.25)
A_SECOND = AtLeast(10_000)
SIZES = (1_000, 10_000)
CLIENTS = 6  # enough to keep the server busy: some are taken apart, one decided, one committed, others on their way
ENTRIES = 80_000  # of one round
_PATIENCE_S = 600.0
_ROLE = "scrip_app"  # as which the server writes
# What a round writes, by the instant at which it began. The grants are those that its accounts draw on.
_TOUCHED = "SELECT customer_id, credit_type_id FROM accounts WHERE recorded_at >= $1"
_WRITTEN = {
    "entries": "recorded_at >= $1",
    "usage_events": "received_at >= $1",
    "accounts": "recorded_at >= $1",
    "grants": f"burned > 0 AND (customer_id, credit_type_id) IN ({_TOUCHED})",
}
_CHANGED = ("accounts", "grants")  # the same rows in every round
_GIVEN_COLUMNS = """
SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


def events_against_copy(run: Run) -> Iterator[Figure]:
    for size in SIZES:
        rounds = [_round(run, size, number) for number in range(run.rounds)]
        through, copied = [each.through for each in rounds], [each.copied for each in rounds]
        yield Figure(
            f"entries by /v1/events / COPY, bodies of {size:,}",
            f"{median(through):,.0f} against {median(copied):,.0f} entries/s, each with its share of events and balances",
            ratio(through, copied),
            OF_COPY,
        )
        yield Figure(f"entries/s by /v1/events, bodies of {size:,}", "", Spread.of(through), A_SECOND)


@dataclass(frozen=True, slots=True)
class _Round:
    """Entries a second, through the server and by COPY."""

    through: float
    copied: float


def _round(run: Run, size: int, number: int) -> _Round:
    run.say(f"events in bodies of {size:,}: round {number + 1} of {run.rounds}")
    world = run.stage.world
    spec = Events(world.secret, world.customers, size, f"{size}-{number}", seed=number)
    begun = datetime.now(UTC)
    stream = Stream(spec, CLIENTS, _PATIENCE_S, count=run.many(ENTRIES, 2 * size))
    outcome = run.phase(f"events, bodies of {size:,}", stream)[0]
    copied = asyncio.run(_copy(run.stage.url, begun))
    if copied.entries != outcome.taken:
        raise AssertionError(f"{outcome.taken} entries were acknowledged, {copied.entries} are there")
    return _Round(outcome.per_second, copied.entries / copied.seconds)


@dataclass(frozen=True, slots=True)
class _Copied:
    entries: int
    seconds: float


async def _copy(url: str, since: datetime) -> _Copied:
    """Copies the rows that were written since then, as they lie there now, into tables of the same columns, constraints
    and indexes, in one database transaction of the role that wrote them: the least that PostgreSQL can do to keep them.

    Not behind row-level security, where PostgreSQL takes no COPY. No trigger is missing: none of these
    tables has one that an INSERT runs. An account or a grant that many batches changed is one row.
    """
    connection = await asyncpg.connect(url)
    try:
        rows, columns = {}, {}
        for table, condition in _WRITTEN.items():
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS bench_{table} (LIKE {table} INCLUDING ALL);"
                f"GRANT INSERT ON bench_{table} TO {_ROLE}"
            )
            if table in _CHANGED:
                await connection.execute(f"TRUNCATE bench_{table}")
            rows[table] = io.BytesIO()
            columns[table] = await connection.fetchval(_GIVEN_COLUMNS, table)
            query = f"SELECT {', '.join(columns[table])} FROM {table} WHERE {condition}"  # noqa: S608 -- names of our own
            await connection.copy_from_query(query, since, output=rows[table], format="binary")
        await connection.execute(f"SET ROLE {_ROLE}")
        begun = time.perf_counter()
        counts = {}
        async with connection.transaction():
            for table, buffer in rows.items():
                said = await connection.copy_to_table(
                    f"bench_{table}", source=_pieces(buffer), columns=columns[table], format="binary"
                )
                counts[table] = int(said.rsplit(" ", 1)[1])
        return _Copied(counts["entries"], time.perf_counter() - begun)
    finally:
        await connection.close()


async def _pieces(buffer: io.BytesIO) -> AsyncIterator[bytes]:
    buffer.seek(0)
    while piece := buffer.read(256 * 1024):
        yield piece
