"""From the commit of a burn to the changed pixel in a real browser."""

from collections.abc import Iterator

from server.bench.report import Figure
from server.bench.run import Run


def commit_to_pixel(_run: Run) -> Iterator[Figure]:
    yield Figure("commit to changed pixel", skipped="not built yet")
