"""The benchmarks by name, and one run of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.bench import embedding, filling, ingestion, mutations, peers, pixels, reading, storing, travel
from server.bench.report import Figure
from server.bench.run import Run
from server.bench.stage import Spent, Stage, temporary_folder

# In the order in which they run: `storage` wants empty tables, the long history comes late and stays.
BENCHMARKS: dict[str, Callable[[Run], Iterator[Figure]]] = {
    "storage": storing.bytes_per_entry,
    "burn": mutations.burn_against_noop,
    "hot": mutations.hot_against_spread,
    "pixel": pixels.commit_to_pixel,
    "embed": embedding.first_balance,
    "peers": peers.beside_peers,
    "widgets": reading.widgets_of_a_hot_account,
    "events": ingestion.events_against_copy,
    "memory": filling.memory,
    "balance": reading.long_against_short,
    "travel": travel.travel,
}


@dataclass(frozen=True, slots=True)
class Results:
    figures: list[Figure]
    spent: dict[str, Spent]

    @property
    def missed(self) -> bool:
        """Any limit that does not hold."""
        return any(figure.ok is False for figure in self.figures)


def run_all(
    names: Sequence[str], *, seconds: float, quick: bool, within: Path | None, say: Callable[[str], None]
) -> Results:
    """Runs these benchmarks on a stage of their own. Raises `OperatorError`."""
    say("building the stage")
    with temporary_folder(within) as folder, Stage(folder) as stage:
        run = Run(stage, seconds, quick, say)
        figures = [figure for name, benchmark in BENCHMARKS.items() if name in names for figure in benchmark(run)]
        return Results(figures, stage.spent)
