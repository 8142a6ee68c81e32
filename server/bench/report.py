"""What was measured, beside its limit: figures, their table, their JSON."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from server.bench.stage import Spent


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds of a run."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.min:.2f}–{self.max:.2f})"


@dataclass(frozen=True, slots=True)
class AtLeast:
    limit: float

    def holds(self, value: float) -> bool:
        return value >= self.limit

    def __str__(self) -> str:
        return f"≥ {self.limit:,g}"


@dataclass(frozen=True, slots=True)
class AtMost:
    limit: float

    def holds(self, value: float) -> bool:
        return value <= self.limit

    def __str__(self) -> str:
        return f"≤ {self.limit:,g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. The median of `value` is held against `limit`; without a limit it is for information.

    `measured` says in words what the value was made of; `skipped` why there is none.
    """

    name: str
    measured: str = ""
    value: Spread | None = None
    limit: AtLeast | AtMost | None = None
    skipped: str | None = None

    @property
    def ok(self) -> bool | None:
        """None where there is nothing to hold against."""
        if self.value is None or self.limit is None:
            return None
        return self.limit.holds(self.value.median)


def ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Spread:
    """Round by round."""
    return Spread.of([top / bottom for top, bottom in zip(tops, bottoms, strict=True)])


def table_of(figures: Sequence[Figure]) -> Table:
    table = Table(title="scrip bench", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", overflow="fold")
    table.add_column("median (min–max)", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for figure in figures:
        verdict = {True: "[green]ok[/]", False: "[red bold]miss[/]", None: ""}[figure.ok]
        value = "" if figure.value is None else str(figure.value)
        limit = "" if figure.limit is None else str(figure.limit)
        table.add_row(
            figure.name, figure.skipped or figure.measured, value, limit, "skipped" if figure.skipped else verdict
        )
    return table


def work_of(spent: Mapping[str, Spent]) -> Table:
    """CPU seconds of each side; `others`: whatever else ran on this machine, which makes the figures worse."""
    table = Table(title="CPU seconds", title_justify="left")
    table.add_column("phase")
    for name in ("seconds", "server", "PostgreSQL", "load", "others", "answers", "server µs an answer"):
        table.add_column(name, justify="right")
    for phase, took in spent.items():
        times = (took.seconds, took.server_s, took.postgres_s, took.client_s, took.others_s)
        each = f"{took.server_s / took.answers * 1e6:,.0f}" if took.answers else ""
        table.add_row(phase, *(f"{time:.1f}" for time in times), f"{took.answers:,}", each)
    return table


def json_of(figures: Sequence[Figure], spent: Mapping[str, Spent]) -> dict[str, Any]:
    """Everything, to be kept and compared."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scrip": importlib.metadata.version("scrip"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "figures": [
            asdict(figure) | {"limit": None if figure.limit is None else str(figure.limit), "ok": figure.ok}
            for figure in figures
        ],
        "spent": {phase: asdict(took) for phase, took in spent.items()},
    }
