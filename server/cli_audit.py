"""`scrip audit`: is the book still what it was."""

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from credits.db import Database
from credits.ledger.verify import Broken, Span, Verified, plan
from credits.workspaces import WorkspaceName, list_workspaces
from server.command import DataDir, database
from server.operator_error import OperatorError
from server.verifying import verifiers

app = typer.Typer(help="Prove that the ledger is what it was.", no_args_is_help=True)


class NoSuchWorkspace(OperatorError):
    """There is no workspace of that name."""


@app.command(name="verify")
def verify_chains(
    workspace: Annotated[str | None, typer.Option(help="Only this workspace.")] = None, data_dir: DataDir = None
) -> None:
    """Recompute every hash chain. Names the first bad entry of each broken one; exit 1 when there is any."""
    with database(data_dir) as settings:
        planned = asyncio.run(_plan(settings.database_url, workspace))
        results = _verify(settings.database_url, planned)
    for name, result in results:
        typer.echo(f"{name.name}: {result.accounts} accounts, {result.entries} entries, {len(result.broken)} broken")
        for chain in result.broken:
            typer.echo(f"  {_say(chain)}")
    if any(result.broken for _, result in results):
        raise typer.Exit(1)


def _say(chain: Broken) -> str:
    return (
        f"customer {chain.customer}, credit type {chain.credit_type}, "
        f"sequence {chain.sequence}, entry {chain.entry_id}: {chain.problem}"
    )


async def _plan(url: str, only: str | None) -> list[tuple[WorkspaceName, list[Span]]]:
    """Which spans there are to verify, of which workspaces."""
    store = await Database.connect(url, size=1)
    try:
        wanted = [found for found in await list_workspaces(store) if only in (None, found.name)]
        if only is not None and not wanted:
            raise NoSuchWorkspace(f"no workspace {only!r}")
        return [(found, await plan(store, found.id)) for found in wanted]
    finally:
        await store.close()


def _verify(url: str, planned: list[tuple[WorkspaceName, list[Span]]]) -> list[tuple[WorkspaceName, Verified]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    total = sum(span.entries for _, spans in planned for span in spans)
    results = []
    with (
        verifiers(url, total) as processes,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        for found, spans in planned:
            task = bar.add_task(found.name, total=sum(span.entries for span in spans))
            results.append((found, processes.verify(found.id, spans, partial(_show, bar, task))))
    return results


def _show(bar: Progress, task: TaskID, count: int) -> None:
    bar.update(task, completed=count)
