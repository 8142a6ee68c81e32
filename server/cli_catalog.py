"""`scrip catalog`: pricing as code. One YAML document of credit types, features, rate cards and bundles."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds
from credits.catalog.apply import CatalogApplied, apply, export
from credits.catalog.diff import Change
from credits.catalog.load import load_catalog
from credits.db import Database
from credits.errors import InvalidInput
from credits.workspaces import Workspace, WorkspaceName, list_workspaces, read_workspace
from server import exact_yaml
from server.command import DataDir, command_line, database
from server.operator_error import OperatorError
from server.settings import Settings

app = typer.Typer(help="Pricing as code: what is sold, in one document.", no_args_is_help=True)

T = TypeVar("T")

CHANGED = 2  # exit status of `diff --exit-code`

_File = Annotated[str, typer.Argument(metavar="FILE", help="The document, YAML or JSON; - for standard input.")]
_Workspace = Annotated[
    str | None, typer.Option("--workspace", help="Name of the workspace; may be left out where there is but one.")
]


class CatalogError(OperatorError):
    """There is no such file or workspace."""


@app.command()
def diff(
    file: _File,
    workspace: _Workspace = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help=f"Exit {CHANGED} when there are changes.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show what applying FILE would change. Changes nothing."""
    applied = _apply(file, workspace, data_dir, dry_run=True)
    show(applied.changes, Console(soft_wrap=True, highlight=False))
    if exit_code and applied.changes:
        raise typer.Exit(CHANGED)


@app.command(name="apply")
def apply_file(file: _File, workspace: _Workspace = None, data_dir: DataDir = None) -> None:
    """Make the catalog what FILE says: all of it, or, where anything is wrong, nothing.

    A section that FILE leaves out stays as it is; in a section that it has, what is left out is archived. Each cohort
    whose prices changed gets a new version; published versions never change.
    """
    applied = _apply(file, workspace, data_dir, dry_run=False)
    console = Console(soft_wrap=True, highlight=False)
    show(applied.changes, console)
    if applied.changes:
        console.print(f"\napplied: the catalog is at version {applied.catalog.version}")


@app.command(name="export")
def export_document(workspace: _Workspace = None, data_dir: DataDir = None) -> None:
    """Print the document that says what the catalog offers now; applying it changes nothing."""

    async def read(connection: AsyncConnection, found: Workspace) -> dict[str, Any]:
        return export(await load_catalog(connection, found.id))

    document = _in_workspace(workspace, data_dir, read)
    typer.echo(exact_yaml.dump(document), nl=False)


def show(changes: list[Change], console: Console) -> None:
    """The changes for people, a line or a few each."""
    if not changes:
        console.print("nothing to change")
    for change in changes:
        symbol, style, words = _LOOKS[change.action]
        line = Text(f"{symbol} ", style=style)
        line.append(change.path, style="bold")
        line.append(f"  {words}")
        if change.action == "publish":
            line.append(f" version {change.after['version']}, from {change.after['effectiveAt']}")
        console.print(line)
        for sign, detail in _details(change):
            console.print(Text(f"    {sign} {detail}", style={"+": "green", "-": "red"}.get(sign, "")))


_LOOKS = {
    "create": ("+", "green", "new"),
    "update": ("~", "yellow", "changed"),
    "archive": ("-", "red", "archived: no longer offered, still valid for whoever has it"),
    "restore": ("+", "green", "offered again"),
    "publish": ("+", "green", "new"),
    "reorder": ("~", "yellow", "in another order"),
}


def _details(change: Change) -> list[tuple[str, str]]:
    """What exactly: the fields of an update, the rates of a version, the order of a list."""
    if change.action == "update":
        return [("~", f"{name}: {_said(change.before[name])} → {_said(value)}") for name, value in change.after.items()]
    if change.action == "reorder":
        return [("~", ", ".join(change.after))]
    if change.action == "publish":
        before = [_rate(rate) for rate in (change.before or {}).get("rates", ())]
        after = [_rate(rate) for rate in change.after["rates"]]
        moved = [("~", "existing customers follow")] if change.after.get("existing") == "follow" else []
        return [
            *moved,
            *(("-", rate) for rate in before if rate not in after),
            *(("+", rate) for rate in after if rate not in before),
        ]
    return []


def _rate(rate: dict[str, Any]) -> str:
    match = rate.get("match")
    wanted = f" where {', '.join(f'{name} is {_said(value)}' for name, value in match.items())}" if match else ""
    return f"{rate['feature']}{wanted}: {rate['perUnit']} {rate['creditType']} per unit, {rate['rounding']}"


def _said(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _apply(file: str, workspace: str | None, data_dir: Path | None, *, dry_run: bool) -> CatalogApplied:
    name = "standard input" if file == "-" else file
    try:
        document = exact_yaml.load(_read(file))
    except exact_yaml.NotReadable as error:
        raise CatalogError(f"{name}: {error}") from error

    async def verb(connection: AsyncConnection, found: Workspace) -> CatalogApplied | InvalidInput:
        by = None if dry_run else await command_line(connection, found.id)
        return await apply(connection, found.id, document, found.now, dry_run=dry_run, actor_id=by)

    applied = _in_workspace(workspace, data_dir, verb)
    if isinstance(applied, InvalidInput):
        sys.stderr.write(f"scrip: {name} is refused, nothing was changed\n")
        sys.stderr.writelines(f"  {line}\n" for line in applied.message.split("\n"))
        raise typer.Exit(1)
    return applied


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read(bounds.BODY_BYTES_MAX + 1) if file == "-" else Path(file).read_bytes()
        if len(raw) > bounds.BODY_BYTES_MAX:
            raise CatalogError(f"{file}: is larger than {bounds.BODY_BYTES_MAX} bytes")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise CatalogError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{file}: is not UTF-8 (byte {error.start + 1})") from error


def _in_workspace(
    name: str | None, data_dir: Path | None, verb: Callable[[AsyncConnection, Workspace], Awaitable[T]]
) -> T:
    """The verb in one database transaction of the workspace of that name, or of the only one."""

    async def run(settings: Settings) -> T:
        store = await Database.connect(settings.database_url, size=1)
        try:
            found = _pick(await list_workspaces(store), name)
            async with store.transaction(found.id) as connection:
                return await verb(connection, await read_workspace(connection, found.id, settings.late_event_cutoff))
        finally:
            await store.close()

    with database(data_dir) as settings:
        return asyncio.run(run(settings))


def _pick(known: list[WorkspaceName], name: str | None) -> WorkspaceName:
    if name is None and len(known) == 1:
        return known[0]
    for workspace in known:
        if workspace.name == name:
            return workspace
    names = ", ".join(sorted(workspace.name for workspace in known))
    if not known:
        raise CatalogError("there is no workspace yet; make one: scrip keys create --workspace NAME --role ADMIN")
    if name is None:
        raise CatalogError(f"which workspace? Add --workspace with one of: {names}")
    raise CatalogError(f"there is no workspace {name!r}; there is: {names}")
