"""`scrip revenue`: what finance takes along, as CSV."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Annotated, BinaryIO, get_args

import typer

from credits import ids
from credits.amount import plain
from credits.catalog.currencies import from_minor
from credits.db import Database
from credits.posting.configuration import Configuration
from credits.posting.reader import Page, Reader
from credits.revenue.export import MARK, row
from credits.revenue.projection import tell_all, tell_everything_again
from credits.revenue.reports import Span, journal, read_reports, span_of
from credits.windows import Interval
from credits.workspaces import list_workspaces
from server.command import DataDir, database
from server.disk import DiskFloor
from server.operator_error import OperatorError
from server.settings import Settings

app = typer.Typer(help="Revenue: deferred, recognized, breakage, refunds.", no_args_is_help=True)

_SUMS = ("opening", "sold", "recognized", "breakage", "refunded", "closing")


class RevenueRefused(OperatorError):
    """What was asked for cannot be done."""


@app.command(name="export")
def export_revenue(
    *,
    workspace: Annotated[str, typer.Option(help="Name of the workspace.")],
    since: Annotated[str, typer.Option("--from", help="First day, such as 2026-01-01 (UTC).")],
    until: Annotated[str, typer.Option("--to", help="The day after the last one.")],
    as_journal: Annotated[
        bool, typer.Option("--journal", help="Every line of the double-entry journal instead of the roll-forward.")
    ] = False,
    interval: Annotated[str, typer.Option(help="Periods of the roll-forward: DAY, WEEK or MONTH.")] = "MONTH",
    out: Annotated[Path | None, typer.Option(help="Write here, not to standard output.", dir_okay=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Export the roll-forward of every currency, or the journal, as CSV. Texts that a spreadsheet would take for a formula
    have an apostrophe before them."""
    try:
        span = span_of(_day(since, "--from"), _day(until, "--to"))
    except ValueError as error:
        raise RevenueRefused(f"--{error}") from None
    known: Interval | None = next((each for each in get_args(Interval) if each == interval), None)
    if known is None:
        raise RevenueRefused(f"--interval: {interval!r} is none of DAY, WEEK and MONTH")
    with database(data_dir) as settings:
        asyncio.run(_export(settings, workspace, span, None if as_journal else known, out))


@app.command(name="rebuild")
def rebuild_revenue(
    *,
    workspace: Annotated[str, typer.Option(help="Name of the workspace.")],
    data_dir: DataDir = None,
) -> None:
    """Make all that is kept of revenue from the ledger's entries anew: for when `scrip reconcile` finds a difference."""
    with database(data_dir) as settings:
        asyncio.run(_rebuild(settings, workspace))


async def _rebuild(settings: Settings, name: str) -> None:
    store = await Database.connect(settings.database_url, size=2)
    try:
        found = next((each for each in await list_workspaces(store) if each.name == name), None)
        if found is None:
            raise RevenueRefused(f"no workspace {name!r}")
        typer.echo(f"{name}: revenue of {await tell_everything_again(store, found.id)} accounts made anew")
    finally:
        await store.close()


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RevenueRefused(f"{option}: {text!r} is no day such as 2026-01-01") from None


async def _export(settings: Settings, name: str, span: Span, interval: Interval | None, out: Path | None) -> None:
    store = await Database.connect(settings.database_url, size=2)
    aside = None if out is None else out.with_name(f"{out.name}.{os.getpid()}")
    try:
        found = next((each for each in await list_workspaces(store) if each.name == name), None)
        if found is None:
            raise RevenueRefused(f"no workspace {name!r}")
        if not DiskFloor(settings.data_dir if settings.embedded else None).low():
            await tell_all(store, found.id)  # what is told once need not be told in memory each time
        reader = Reader(store, Configuration(settings.late_event_cutoff, settings.refund_lifetime))
        with sys.stdout.buffer if aside is None else aside.open("wb") as file:
            async with reader.page(found.id) as page:
                await _write(file, _journal(page, span) if interval is None else _reports(page, span, interval))
        if aside is not None and out is not None:
            aside.replace(out)  # whole, or as it was
    except ValueError as error:
        raise RevenueRefused(str(error)) from None
    except OSError as error:
        raise RevenueRefused(f"{out}: {error.strerror}") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
        await store.close()


async def _write(file: BinaryIO, rows: AsyncIterator[tuple[object, ...]]) -> None:
    mark = MARK
    async for values in rows:
        file.write((mark + row(values)).encode())
        mark = ""
    file.flush()


async def _reports(page: Page, span: Span, interval: Interval) -> AsyncIterator[tuple[object, ...]]:
    found = await read_reports(page, span, interval, None, None)
    yield ("currency", "creditType", "start", "end", *_SUMS)
    for report in found:
        for each in report.rows:
            known = page.catalog.credit_type(each.credit_type_id)
            money = [plain(from_minor(getattr(each, name), report.currency)) for name in _SUMS]
            yield (report.currency, known.key if known else "?", each.span.start, each.span.end, *money)


async def _journal(page: Page, span: Span) -> AsyncIterator[tuple[object, ...]]:
    yield ("date", "account", "debit", "credit", "currency", "memo", "entry")
    async for each in journal(page, span):
        money = (plain(from_minor(side, each.currency)) for side in (each.debit, each.credit))
        entry = None if each.entry is None else ids.make("ent", *each.entry)
        yield (each.date, each.account, *money, each.currency, each.memo, entry)
