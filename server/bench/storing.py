"""What a ledger entry takes on disk, with its indexes."""

import asyncio
from collections.abc import Iterator

import asyncpg

from server.bench.load import Stream
from server.bench.mutations import mutation
from server.bench.report import AtMost, Figure, Spread
from server.bench.requests import Events
from server.bench.run import Run

BYTES_A_BURN = AtMost(300)
BURNS = 100_000
EVENTS = 40_000
_CLIENTS = 128
_SIZE = 1_000
_PATIENCE_S = 600.0


def bytes_per_entry(run: Run) -> Iterator[Figure]:
    """Run before the other benchmarks: the indexes grow from nearly nothing, as they do for every new customer."""
    world = run.stage.world
    run.say("storage: burns")
    before = _bytes(run)
    burns = Stream(mutation(run, "burn", world.customers), _CLIENTS, _PATIENCE_S, count=run.many(BURNS, 2_000))
    count = run.phase("burn, to be weighed", burns)[0].taken
    after = _bytes(run)
    each = (after["entries"] - before["entries"]) / count
    yield Figure(
        "bytes of a burn, with indexes",
        f"{count:,} burns over {len(world.customers):,} accounts, each with a UUID as its idempotency key",
        Spread(each, each, each),
        BYTES_A_BURN,
    )
    run.say("storage: events")
    spec = Events(world.secret, world.customers, _SIZE, "weighed")
    events = Stream(spec, 2, _PATIENCE_S, count=2 * run.many(EVENTS, 2_000))
    entries = run.phase("events, to be weighed", events)[0].taken
    weighed = _bytes(run)
    each = (weighed["entries"] - after["entries"]) / entries
    event = (weighed["usage_events"] - after["usage_events"]) / (entries / 2)
    yield Figure(
        "bytes of an event's entry, with indexes", f"and {event:.0f} of the event itself", Spread(each, each, each)
    )


def _bytes(run: Run) -> dict[str, int]:
    """Tables with everything that belongs to them, after an ordinary VACUUM."""
    return asyncio.run(_weigh(run.stage.url))


async def _weigh(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        sizes = {}
        for table in ("entries", "usage_events"):
            await connection.execute(f"VACUUM {table}")
            sizes[table] = await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", table)
        return sizes
    finally:
        await connection.close()
