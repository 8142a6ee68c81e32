"""The whole book verified by several processes: `credits.ledger.verify`, span by span."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from credits.db import Database
from credits.ledger.verify import SPAN, Span, Verified, together, verify_span

PROCESSES_MAX = 8  # each has a PostgreSQL process beside it that works as hard


@dataclass(slots=True)
class _Here:
    """What a worker process keeps from span to span."""

    runner: asyncio.Runner
    database: Database


_here: list[_Here] = []


def _begin(url: str) -> None:
    runner = asyncio.Runner()
    _here.append(_Here(runner, runner.run(Database.connect(url, size=1))))
    # A span is a million objects and not one cycle: looking for some took a third of the time.
    gc.freeze()
    gc.disable()


def _verify(workspace_id: int, span: Span) -> Verified:
    (here,) = _here
    return here.runner.run(verify_span(here.database, workspace_id, span))


def processes() -> int:
    """As many as there are processors for us."""
    with contextlib.suppress(AttributeError):  # not everywhere
        return min(PROCESSES_MAX, len(os.sched_getaffinity(0)))
    return min(PROCESSES_MAX, os.cpu_count() or 1)


class Verifiers:
    """Processes that verify spans. None is started for a book of a few spans, which this one does sooner itself."""

    def __init__(self, url: str, count: int) -> None:
        self._pool = ProcessPoolExecutor(
            count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(url,)
        )

    def verify(self, workspace_id: int, spans: Sequence[Span], progress: Callable[[int], None]) -> Verified:
        """Every chain of the spans; `progress` is told how many entries have been read, now and then."""
        waiting = {self._pool.submit(_verify, workspace_id, span): number for number, span in enumerate(spans)}
        done: list[Verified | None] = [None] * len(spans)
        count = 0
        for future in as_completed(waiting):
            part = done[waiting[future]] = future.result()
            count += part.entries
            progress(count)
        return together(part for part in done if part is not None)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def verifiers(url: str, entries: int) -> Iterator[Verifiers]:
    """As many processes as the size of the book is worth."""
    opened = Verifiers(url, max(1, min(processes(), entries // SPAN)))
    try:
        yield opened
    finally:
        opened.close()
