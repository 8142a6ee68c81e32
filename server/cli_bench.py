"""`scrip bench`: the benchmarks of the README, each as a ratio against its limit in the same run."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from server import log


class Name(StrEnum):
    """The benchmarks; `server.bench.suite` has them under the same names."""

    STORAGE = "storage"
    BURN = "burn"
    HOT = "hot"
    PIXEL = "pixel"
    EMBED = "embed"
    PEERS = "peers"
    WIDGETS = "widgets"
    EVENTS = "events"
    MEMORY = "memory"
    BALANCE = "balance"
    TRAVEL = "travel"


def bench(
    *,
    only: Annotated[list[Name] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of one phase of a round.", min=0.1, max=600)] = 3.0,
    quick: Annotated[bool, typer.Option("--quick", help="Shows that it works; the figures mean little.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a limit is missed.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write everything here, to compare later.", dir_okay=False)
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where to put the temporary database; the disk matters.", file_okay=False),
    ] = None,
) -> None:
    """Measure this machine: burns, events, reads, the past, storage, memory, pixels, the embed beside others.

    Runs on a database of its own, which is gone afterwards; no other is touched. About 20 minutes, on an otherwise
    idle machine: what others did meanwhile stands beside the figures.
    """
    from server.bench import report, suite  # noqa: PLC0415 -- the other commands need no load generator

    log.configure("text", level=30)
    err = Console(stderr=True)
    out = Console(width=max(err.width, 120))  # a table that is squeezed is hard to read, also in a log
    names = [str(name) for name in only or Name]
    with err.status("") as status:
        results = suite.run_all(
            names,
            seconds=min(seconds, 0.4) if quick else seconds,
            quick=quick,
            within=data_dir,
            say=status.update,
        )
    out.print(report.work_of(results.spent))
    out.print(report.table_of(results.figures))
    if json_file is not None:
        json_file.write_text(json.dumps(report.json_of(results.figures, results.spent), indent=2) + "\n")
    if strict and results.missed:
        raise typer.Exit(1)
