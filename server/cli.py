"""`scrip`, the command line. A further group of commands is a module `cli_<group>.py` with a Typer application.

A command works on SCRIP_DATABASE_URL, or else on the embedded database of its data folder, also while a server runs
on it. Results go to standard output, everything else to standard error; what stops a command is one line.
"""

import asyncio
import importlib.metadata
import sys
from typing import Annotated

import asyncpg
import typer
from sqlalchemy.exc import DBAPIError

from server import (
    cli_audit,
    cli_bench,
    cli_catalog,
    cli_demo,
    cli_events,
    cli_keys,
    cli_reconcile,
    cli_revenue,
    log,
    migrate,
)
from server.command import DataDir
from server.doctor import Level, examine
from server.embedded import EmbeddedPostgres
from server.operator_error import OperatorError
from server.settings import load

app = typer.Typer(
    name="scrip",
    help="Sell credits: collect usage, price it, keep an exact ledger, decide what may be spent, show it live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with its variables would print secrets
)
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_catalog.app, name="catalog")
app.add_typer(cli_events.app, name="events")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_revenue.app, name="revenue")
app.command()(cli_bench.bench)
app.command()(cli_demo.demo)
app.command(name="reconcile")(cli_reconcile.reconcile_books)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scrip {importlib.metadata.version('scrip')}")
        raise typer.Exit


@app.callback()
def scrip(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Settings come from SCRIP_ variables and from .env; `scrip doctor` looks at all of them."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that answer requests.", min=1, max=64)] = 1,
    data_dir: DataDir = None,
) -> None:
    """Serve. Brings the embedded database up to date first; SIGTERM and Ctrl-C drain.

    Logs `ready http://…` once it answers. With SCRIP_DATABASE_URL it refuses a schema that is not current and says
    what to run.
    """
    from server.serve import run  # noqa: PLC0415 -- the other commands need no web server

    run(load(data_dir=data_dir), host=host, port=port, workers=workers)


@app.command(name="migrate")
def bring_up_to_date(data_dir: DataDir = None) -> None:
    """Bring the database up to date, as its owner, in one database transaction."""
    settings = load(data_dir=data_dir)
    log.configure(settings.log_format)

    async def migrate_and_say(url: str) -> None:
        before = await migrate.read_schema(url)
        await migrate.upgrade(url)
        after = await migrate.read_schema(url)
        same = before.version == after.version
        typer.echo(
            f"schema {after.version}, as it was" if same else f"schema {before.version or 'none'} → {after.version}"
        )

    if settings.embedded:
        with EmbeddedPostgres(settings.data_dir) as url:
            asyncio.run(migrate_and_say(url))
    else:
        asyncio.run(migrate_and_say(settings.database_url))


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Check settings, database, clock, disk, broadcaster, webhooks and Stripe, and say what to do. Exit 1 when anything fails."""
    failed = False
    for finding in examine(data_dir):
        typer.echo(str(finding))
        failed = failed or finding.level is Level.FAIL
    if failed:
        raise typer.Exit(1)


def main() -> None:
    """The entry point; an operator's error is one line and exit status 1."""
    try:
        app(prog_name="scrip")  # also when run as a module
    except OperatorError as error:
        _stop(str(error))
    except DBAPIError as error:
        _stop(f"the database refused: {error.orig}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError, TimeoutError) as error:
        _stop(f"the database cannot be reached: {error}")


def _stop(message: str) -> None:
    sys.stderr.write(f"scrip: {' '.join(message.split())}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
