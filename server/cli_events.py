"""`scrip events`: usage from files."""

import asyncio
import sys
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from credits import bounds
from credits.db import Database
from credits.errors import Unavailable
from credits.posting.commands import TakeEvent
from credits.posting.configuration import Configuration
from credits.posting.writer import Writer
from credits.usage.envelope import from_cloud_event, unsound
from credits.usage.files import FileRefused, Kind, Row, columns, kind_of, rows, size_of
from credits.usage.ingest import Ingested, ingest
from credits.usage.mapping import EventMap, MapRefused, parse_map
from credits.usage.reads import read_events
from credits.workspaces import WorkspaceName, list_workspaces
from server import exact_yaml
from server.collector import spare_collector
from server.command import DataDir, database
from server.disk import DiskFloor
from server.import_bookmark import Bookmark, Reason, Tally
from server.live import Hub
from server.operator_error import OperatorError
from server.settings import Settings

app = typer.Typer(help="Usage that already happened.", no_args_is_help=True)

AT_ONCE = 2_000  # rows that are sent together: two batches of the writer, read while it writes the two before
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # how long a database may be away before we stop
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
_AGAIN = "run the same command again to go on from there"


class ImportStopped(OperatorError):
    """The file cannot be imported, or not to its end."""


@app.command(name="import")
def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, JSON Lines, or CloudEvents (one a line, or a JSON array).")
    ],
    *,
    workspace: Annotated[str, typer.Option(help="Name of the workspace.")],
    event_map: Annotated[
        Path | None, typer.Option("--map", help="YAML that says where each attribute of an event comes from.")
    ] = None,
    accept_late: Annotated[
        bool, typer.Option("--accept-late", help="Burn history that is older than the cutoff, too.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Read from the start, wherever the last import was interrupted.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Import usage from FILE. Prints how many events were accepted, duplicates, rejected.

    Importing twice burns once: an event is known by its source and id. An interrupted import goes on where it was.
    What is rejected is kept as a dead letter; the exit status is 1 when anything was.

    Without --map each row is a CloudEvent. A map, for CSV and for other JSON rows:

        source: {value: trace}
        id: {row: true}
        type: {value: llm.tokens}
        subject: {column: CUSTOMER}
        time: {column: TIMESTAMP, timezone: UTC}
        data: {model: {value: chat}, input_tokens: {column: ContextTokens}}
    """
    try:
        size = size_of(file)
        mapping = _mapping(file, event_map)
    except (FileRefused, MapRefused, exact_yaml.NotReadable, OSError) as error:
        blamed = file if isinstance(error, FileRefused) or event_map is None else event_map
        raise ImportStopped(f"{blamed}: {error.strerror if isinstance(error, OSError) else error}") from None
    with database(data_dir) as settings:
        importing = _Import(settings, file, size, mapping, workspace, accept_late=accept_late)
        spare_collector()
        stopped = asyncio.run(importing.run(from_start=from_start))
    tally = importing.tally
    typer.echo(f"accepted {tally.accepted}, duplicates {tally.duplicates}, rejected {tally.rejected}")
    _explain(tally, accept_late=accept_late)
    if stopped is not None:
        sys.stderr.write(f"scrip: {file}: stopped after row {tally.rows}: {stopped}; {_AGAIN}\n")
        raise typer.Exit(INTERRUPTED if stopped == "interrupted" else 1)
    if tally.rejected:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Sent:
    """Rows on their way, with the answer that will come."""

    rows: list[Row]
    events: list[TakeEvent]
    answer: "asyncio.Task[Ingested]"


class _Import:
    """One file on its way into one workspace."""

    def __init__(
        self,
        settings: Settings,
        file: Path,
        size: int,
        mapping: EventMap | None,
        workspace: str,
        *,
        accept_late: bool,
    ) -> None:
        self.tally = Tally()
        self._settings, self._file, self._size = settings, file, size
        self._mapping, self._workspace, self._accept_late = mapping, workspace, accept_late
        self._bookmark = Bookmark(
            settings.data_dir / "imports", file, mapping, workspace, accept_late, settings.database_url
        )

    async def run(self, *, from_start: bool) -> str | None:
        """Imports; what stopped it, or None at the end of the file."""
        settings = self._settings
        store = await Database.connect(settings.database_url, size=2)
        hub = Hub.publisher(settings.broadcast_url, settings.database_url)
        await hub.start()
        floor = DiskFloor(settings.data_dir if settings.embedded else None)
        writer = Writer(
            store,
            Configuration(settings.late_event_cutoff, settings.refund_lifetime),
            publish=hub.publish,
            refuse_writes=floor.low,
        )
        try:
            workspace = _named(await list_workspaces(store), self._workspace)
            if not from_start:
                await self._go_on(store, workspace)
            await self._send_all(writer, workspace)
        except asyncio.CancelledError:
            return "interrupted"
        except (FileRefused, Unavailable, OSError) as error:
            return " ".join(str(error).split()) or type(error).__name__
        finally:
            await writer.close()
            await hub.stop()
            await store.close()
        self._bookmark.remove()
        return None

    async def _go_on(self, store: Database, workspace: WorkspaceName) -> None:
        """Where the last import of the same was interrupted, if the database still has what it brought."""
        kept = self._bookmark.read()
        if kept is None:
            return
        async with store.transaction(workspace.id) as connection:
            known = await read_events(connection, [kept.last_key])
        if known:
            self.tally = kept
            sys.stderr.write(
                f"going on after row {kept.rows}, where the last import stopped (--from-start reads all)\n"
            )

    async def _send_all(self, writer: Writer, workspace: WorkspaceName) -> None:
        """Reads what comes next while the writer takes what came before."""
        found = rows(self._file, offset=self.tally.offset, number=self.tally.rows)
        sent: _Sent | None = None
        begun = self.tally.rows
        with _progress() as progress:
            bar = progress.add_task(self._file.name, total=self._size, tally=self.tally, speed=0)

            def show() -> None:
                speed = (self.tally.rows - begun) / max(progress.tasks[bar].elapsed or 0, 0.001)
                progress.update(bar, completed=self.tally.offset, speed=int(speed))

            try:
                while some := list(islice(found, AT_ONCE)):
                    events = [self._event(row) for row in some]
                    if sent is not None:
                        # Shielded: what is under way when we are interrupted is committed, and counted below.
                        self._count(sent, await asyncio.shield(sent.answer))
                        show()
                    sent = _Sent(some, events, asyncio.create_task(_ingest(writer, workspace.id, events)))
                    await asyncio.sleep(0)
                if sent is not None:
                    await asyncio.shield(sent.answer)
            finally:
                if sent is not None:
                    self._count(sent, await sent.answer)
                    show()

    def _event(self, row: Row) -> TakeEvent:
        place = f"{self._file.name}:{row.number}"
        content = row.content
        if self._mapping is not None and isinstance(content, dict):
            content = self._mapping.event(content, self._file.name, row.number)
        if row.problem is not None and isinstance(content, dict):
            return unsound({**content, "row": row.content}, row.problem, accept_late=self._accept_late, place=place)
        return from_cloud_event(content, accept_late=self._accept_late, place=place)

    def _count(self, sent: "_Sent", ingested: Ingested) -> None:
        """Their events are committed: these rows are done."""
        tally = self.tally
        tally.accepted += ingested.accepted
        tally.duplicates += ingested.duplicates
        tally.rejected += len(ingested.rejected)
        for each in ingested.rejected:
            reason = tally.reasons.get(each.outcome.name)
            count = reason.count + 1 if reason else 1
            first = reason or Reason(1, sent.rows[each.index].number, each.event_id, each.message)
            tally.reasons[each.outcome.name] = replace(first, count=count)
        tally.rows, tally.offset, tally.last = sent.rows[-1].number, sent.rows[-1].end, sent.events[-1].key.hex
        self._bookmark.write(tally)


async def _ingest(writer: Writer, workspace_id: int, events: list[TakeEvent]) -> Ingested:
    """Takes the events, however often it needs: what was taken at the first try would be duplicates at the second."""
    for pause_s in RETRY_S:
        try:
            return await ingest(writer, workspace_id, events)
        except Unavailable:
            await asyncio.sleep(pause_s)
    return await ingest(writer, workspace_id, events)


def _mapping(file: Path, event_map: Path | None) -> EventMap | None:
    is_csv = kind_of(file) is Kind.CSV
    if event_map is None:
        if is_csv:
            raise MapRefused("a CSV file needs a map (--map), which says what its columns mean")
        return None
    if event_map.stat().st_size > bounds.JSON_BYTES_MAX * 16:
        raise MapRefused("is too large to be a map")
    mapping = parse_map(exact_yaml.load(event_map.read_text(encoding="utf-8-sig", errors="replace")))
    if is_csv:
        mapping.check_columns(columns(file))
    return mapping


def _named(known: list[WorkspaceName], name: str) -> WorkspaceName:
    for workspace in known:
        if workspace.name == name:
            return workspace
    names = ", ".join(sorted(workspace.name for workspace in known)) or "none yet"
    raise ImportStopped(f"there is no workspace {name!r}; there is: {names}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[tally].rows} rows, {task.fields[speed]}/s"),
        TextColumn("[green]{task.fields[tally].accepted} accepted[/] {task.fields[tally].duplicates} duplicates"),
        TextColumn("[red]{task.fields[tally].rejected} rejected[/]"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=False,
    )


def _explain(tally: Tally, *, accept_late: bool) -> None:
    """Why events were rejected, the first of each kind."""
    for outcome, reason in sorted(tally.reasons.items(), key=lambda item: -item[1].count):
        first = f"row {reason.row}" + (f", id {reason.event_id}" if reason.event_id else "")
        typer.echo(f"  {outcome} {reason.count}: {reason.message} (first: {first})")
    if "LATE" in tally.reasons and not accept_late:
        typer.echo("  history that is to be burned is imported with --accept-late")


__all__ = ["app"]
