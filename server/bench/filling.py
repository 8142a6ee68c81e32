"""A million usage events through the front door: what the server's memory does, and an account with a long history.

Half of them go to one customer, whose account thus has a million entries, since each event burns for two features;
the other half is spread over the others. Everything goes through `/v1/events`, as usage does.
"""

import threading
from collections.abc import Iterator
from statistics import median

from server.bench.load import Stream
from server.bench.report import AtMost, Figure, Spread
from server.bench.requests import Events
from server.bench.run import Run
from server.bench.world import FEW, MANY

EVENTS = 1_000_000
EVENTS_QUICK = 8_000
MEGABYTES = AtMost(300)
GROWTH = AtMost(1.1)
_SIZE = 10_000
_PATIENCE_S = 3_600.0
_LOOK_EVERY_S = 0.25
_ENTRIES_FEW = 1_000
_MEGABYTE = 1024 * 1024


def fill(run: Run) -> None:
    """Does it once a run."""
    if run.many_entries:
        return
    world, total = run.stage.world, run.many(EVENTS, EVENTS_QUICK)
    size = run.many(_SIZE, _SIZE // 10)
    run.say(f"{total:,} events")
    short = Events(world.secret, (FEW,), _ENTRIES_FEW // 2, "few")
    run.phase("events, to fill", Stream(short, 1, _PATIENCE_S, count=1))
    specs = (Events(world.secret, (MANY,), size, "many"), Events(world.secret, world.customers, size, "spread"))
    streams = [Stream(spec, 1, _PATIENCE_S, count=total) for spec in specs]  # two entries an event, two streams
    looked: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            looked.append(run.stage.server_memory_bytes())

    looker = threading.Thread(target=look)
    looker.start()
    try:
        run.many_entries = run.phase("events, to fill", *streams)[0].taken
    finally:
        over.set()
        looker.join()
    run.memory_bytes = looked or [run.stage.server_memory_bytes()]


def memory(run: Run) -> Iterator[Figure]:
    """Flat: the last quarter of the run against the second; the first one warms up."""
    fill(run)
    looked = [taken / _MEGABYTE for taken in run.memory_bytes]
    quarter = max(1, len(looked) // 4)
    earlier, last = median(looked[quarter : 2 * quarter] or looked), median(looked[-quarter:])
    what = f"over {run.many(EVENTS, EVENTS_QUICK):,} events"
    yield Figure("server memory at its highest, MB", what, Spread(min(looked), max(looked), max(looked)), MEGABYTES)
    growth = last / earlier
    yield Figure(
        "server memory, last quarter / second",
        f"{last:.0f} MB after {earlier:.0f} MB, {what}",
        Spread(growth, growth, growth),
        GROWTH,
    )
