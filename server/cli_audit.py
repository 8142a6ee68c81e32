"""`scrip audit`: is the book still what it was, and the checkpoints that prove it to others."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from credits.db import Database
from credits.ledger.verify import Broken, Span, Verified, plan, together
from credits.proof.checkpoints import Checkpoint, make_checkpoint, read_checkpoints
from credits.proof.compare import compare, compare_with_stored
from credits.proof.files import Known, NotACheckpoint, read, write
from credits.proof.seal import Seal, as_text, from_text
from credits.workspaces import WorkspaceName, list_workspaces
from server.command import DataDir, database
from server.operator_error import OperatorError
from server.settings import Settings
from server.verifying import verifiers

app = typer.Typer(help="Prove that the ledger is what it was.", no_args_is_help=True)

OneWorkspace = Annotated[str | None, typer.Option(help="Only this workspace.")]


class AuditError(OperatorError):
    """What was asked for cannot be looked at."""


@dataclass(slots=True)
class _Book:
    """A workspace to verify, and what became of it."""

    workspace: WorkspaceName
    spans: list[Span]
    stored: list[Broken]  # what the checkpoints in the database knew otherwise
    problems: list[str]  # what is wrong with checkpoints themselves
    kept: list[Broken] = field(default_factory=list)  # what those kept outside knew otherwise


@app.command(name="verify")
def verify_chains(
    workspace: OneWorkspace = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Compare with a checkpoint kept outside.", exists=True, dir_okay=False)
    ] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="A key that signed checkpoints, besides that of today's secret key.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Recompute every hash chain, and compare it with the checkpoints. Names the first bad entry of each broken one;
    exit 1 when there is any."""
    kept = [] if checkpoint is None else _read(checkpoint)
    with database(data_dir) as settings:
        keys = _keys(public_key or [], settings)
        books = asyncio.run(_prepare(settings.database_url, workspace, keys, kept))
        results = _verify(settings.database_url, books)
    for book, result in results:
        named = f"{result.accounts} accounts, {result.entries} entries, {len(result.broken)} broken"
        typer.echo(f"{book.workspace.name}: {named}")
        for line in [*map(_say, result.broken), *book.problems]:
            typer.echo(f"  {line}")
    if any(result.broken or book.problems for book, result in results):
        raise typer.Exit(1)


@app.command(name="checkpoint")
def export_checkpoint(
    workspace: OneWorkspace = None,
    out: Annotated[Path | None, typer.Option(help="Write here, not to standard output.", dir_okay=False)] = None,
    heads_only: Annotated[
        bool, typer.Option("--heads-only", help="Without marks of each entry: smaller, and names entries less exactly.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a signed checkpoint where the book has changed, and export the last one. Keep it where whoever owns the
    database cannot reach it."""
    with database(data_dir) as settings:
        asyncio.run(_export(settings, workspace, out, marked=not heads_only))


@app.command(name="public-key")
def print_public_key(data_dir: DataDir = None) -> None:
    """Print the public key that checkpoints are signed with, for whoever is to check them."""
    with database(data_dir) as settings:
        typer.echo(as_text(Seal(settings.secret_key).public_key))


def _say(chain: Broken) -> str:
    return (
        f"customer {chain.customer}, credit type {chain.credit_type}, "
        f"sequence {chain.sequence}, entry {chain.entry_id}: {chain.problem}"
    )


def _keys(given: list[str], settings: Settings) -> list[bytes]:
    try:
        return [Seal(settings.secret_key).public_key, *map(from_text, given)]
    except ValueError:
        raise AuditError("--public-key: is not base64, as `scrip audit public-key` prints it") from None


def _read(path: Path) -> list[tuple[Checkpoint, list[Known]]]:
    try:
        with path.open("rb") as lines:
            return list(read(lines))
    except (NotACheckpoint, OSError) as error:
        raise AuditError(f"{path}: {error}") from error


@asynccontextmanager
async def _workspaces(url: str, only: str | None) -> AsyncIterator[tuple[Database, list[WorkspaceName]]]:
    store = await Database.connect(url, size=1)
    try:
        wanted = [found for found in await list_workspaces(store) if only in (None, found.name)]
        if only is not None and not wanted:
            raise AuditError(f"no workspace {only!r}")
        yield store, wanted
    finally:
        await store.close()


async def _prepare(
    url: str, only: str | None, keys: list[bytes], kept: list[tuple[Checkpoint, list[Known]]]
) -> list[_Book]:
    """What there is to verify, compared with the checkpoints already."""
    async with _workspaces(url, only) as (store, wanted):
        books = {}
        for found in wanted:
            stored, problems = await compare_with_stored(store, found.id, keys)
            books[found.name] = _Book(found, await plan(store, found.id), stored, problems)
        for checkpoint, accounts in kept:
            if not checkpoint.sealed_by(keys):
                signer = as_text(checkpoint.public_key)
                raise AuditError(
                    f"checkpoint {checkpoint.number} is not signed by a key that is known, but by {signer}"
                )
            book = books.get(checkpoint.workspace)
            if book is not None:
                await _compare(store, book, checkpoint, accounts)
            elif only is None:
                raise AuditError(f"there is no workspace {checkpoint.workspace!r}, of which there is a checkpoint")
    return list(books.values())


async def _compare(store: Database, book: _Book, checkpoint: Checkpoint, accounts: list[Known]) -> None:
    when = f"checkpoint {checkpoint.number} of {checkpoint.at.isoformat(timespec='seconds')}"
    async with store.snapshot(book.workspace.id) as connection:
        stored = {each.number: each.hash for each in await read_checkpoints(connection)}
        if stored.get(checkpoint.number) != checkpoint.hash:
            book.problems.append(f"the database does not know {when}: it is older, or another one")
        book.kept.extend(await compare(connection, accounts, when))


def _verify(url: str, books: list[_Book]) -> list[tuple[_Book, Verified]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    total = sum(span.entries for book in books for span in book.spans)
    results = []
    with (
        verifiers(url, total) as processes,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        for book in books:
            task = bar.add_task(book.workspace.name, total=sum(span.entries for span in book.spans))
            result = processes.verify(book.workspace.id, book.spans, partial(_show, bar, task))
            # Of a chain that several find broken, the first bad entry of all.
            others = Verified(0, 0, book.kept + book.stored)
            results.append((book, together([result, others])))
    return results


def _show(bar: Progress, task: TaskID, count: int) -> None:
    bar.update(task, completed=count)


async def _export(settings: Settings, only: str | None, out: Path | None, *, marked: bool) -> None:
    seal = Seal(settings.secret_key)
    aside = None if out is None else out.with_name(f"{out.name}.{os.getpid()}")
    try:
        with sys.stdout.buffer if aside is None else aside.open("wb") as file:
            async with _workspaces(settings.database_url, only) as (store, wanted):
                for found in wanted:
                    await make_checkpoint(store, found.id, seal)
                    async with store.snapshot(found.id) as connection:
                        last = (await read_checkpoints(connection))[-1:]
                        for checkpoint in last:
                            async for line in write(connection, checkpoint, marked=marked):
                                file.write(line)
        if aside is not None and out is not None:
            aside.replace(out)  # whole, or as it was
    except NotACheckpoint as error:
        raise AuditError(str(error)) from error
    except OSError as error:
        raise AuditError(f"{out}: {error.strerror}") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
