"""`scrip audit`: is the book still what it was."""

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from credits.db import Database
from credits.ledger.verify import Verified, verify
from credits.workspaces import WorkspaceName, list_workspaces
from server.command import DataDir, database
from server.operator_error import OperatorError

app = typer.Typer(help="Prove that the ledger is what it was.", no_args_is_help=True)


class NoSuchWorkspace(OperatorError):
    """There is no workspace of that name."""


@app.command(name="verify")
def verify_chains(
    workspace: Annotated[str | None, typer.Option(help="Only this workspace.")] = None, data_dir: DataDir = None
) -> None:
    """Recompute every hash chain. Names the first bad entry of each broken one; exit 1 when there is any."""
    with database(data_dir) as settings:
        results = asyncio.run(_verify(settings.database_url, workspace))
    broken = 0
    for name, result in results:
        typer.echo(f"{name.name}: {result.accounts} accounts, {result.entries} entries, {len(result.broken)} broken")
        for chain in result.broken:
            typer.echo(
                f"  customer {chain.customer}, credit type {chain.credit_type}, "
                f"sequence {chain.sequence}, entry {chain.entry_id}: {chain.problem}"
            )
        broken += len(result.broken)
    if broken:
        raise typer.Exit(1)


def _show(bar: Progress, task: TaskID, count: int) -> None:
    bar.update(task, completed=count)


async def _verify(url: str, only: str | None) -> list[tuple[WorkspaceName, Verified]]:
    store = await Database.connect(url, size=1)
    try:
        wanted = [found for found in await list_workspaces(store) if only in (None, found.name)]
        if only is not None and not wanted:
            raise NoSuchWorkspace(f"no workspace {only!r}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            results = []
            for found in wanted:
                task = bar.add_task(found.name, total=None)
                progress = partial(_show, bar, task)
                results.append((found, await verify(store, found.id, progress=progress)))
        return results
    finally:
        await store.close()
