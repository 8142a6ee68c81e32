"""`scrip reconcile`: does everything that is kept beside the entries agree with them."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from credits.amount import plain
from credits.db import Database
from credits.proof.reconcile import reconcile
from credits.proof.reports import Report, keep
from credits.workspaces import WorkspaceName, list_workspaces
from server.command import DataDir, database
from server.operator_error import OperatorError
from server.proving import Pace


class NoSuchWorkspace(OperatorError):
    """There is no workspace of that name."""


def reconcile_books(
    workspace: Annotated[str | None, typer.Option(help="Only this workspace.")] = None, data_dir: DataDir = None
) -> None:
    """Compare entries with accounts, grants, holds, events, allocations and revenue. Exit 1 when anything is off."""
    with database(data_dir) as settings:
        reports = asyncio.run(_reconcile(settings.database_url, workspace))
    for name, report in reports:
        found = report.found
        typer.echo(
            f"{name.name}: {found.accounts} accounts, {found.entries} entries, {found.found} mismatches, "
            f"drift {plain(found.drift)}, {found.chains_broken} chains broken, {found.events_unaccounted} events unaccounted"
        )
        for each in found.mismatches:
            typer.echo(
                f"  customer {each.customer}, credit type {each.credit_type}, {each.check}: "
                f"expected {plain(each.expected)}, is {plain(each.actual)}"
            )
        if found.found > len(found.mismatches):
            typer.echo(f"  and {found.found - len(found.mismatches)} more")
    if not all(report.found.ok for _, report in reports):
        raise typer.Exit(1)


async def _reconcile(url: str, only: str | None) -> list[tuple[WorkspaceName, Report]]:
    store = await Database.connect(url, size=1)
    try:
        wanted = [found for found in await list_workspaces(store) if only in (None, found.name)]
        if only is not None and not wanted:
            raise NoSuchWorkspace(f"no workspace {only!r}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            return [(found, await _one(store, found, bar)) for found in wanted]
    finally:
        await store.close()


async def _one(store: Database, workspace: WorkspaceName, bar: Progress) -> Report:
    async with store.snapshot(workspace.id) as connection:
        accounts = await connection.fetchval("SELECT count(*) FROM accounts")
    task = bar.add_task(workspace.name, total=accounts)
    found = await reconcile(store, workspace.id, rest=Pace(0), tell=lambda done: bar.update(task, completed=done))
    async with store.hot(workspace.id) as connection:
        return await keep(await connection.driver(), found)
