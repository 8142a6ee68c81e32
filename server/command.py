"""What the commands of `scrip` share: the data folder's option, and a database to work on."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.access.actors import ensure_actor
from server import log, migrate
from server.embedded import EmbeddedPostgres
from server.settings import Settings, load

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", show_default=".scrip, or SCRIP_DATA_DIR", help="Folder of the embedded database.", file_okay=False
    ),
]


async def command_line(connection: AsyncConnection, workspace_id: int) -> int:
    """The actor that stands for whoever types commands on this machine: the audit log names it."""
    return await ensure_actor(connection, workspace_id, "OPERATOR", "command-line", "command line")


@contextlib.contextmanager
def database(data_dir: Path | None) -> Iterator[Settings]:
    """The settings of this command, complete, with a database that runs and has the present schema.

    SCRIP_DATABASE_URL, or else the embedded one of the data folder: adopted where a server runs on it, started for
    the length of this command where none does. Raises `OperatorError`, and what the driver raises.
    """
    settings = load(data_dir=data_dir)
    log.configure(settings.log_format, level=logging.WARNING)
    settings = settings.with_secret_key()
    if not settings.embedded:
        problem = asyncio.run(migrate.read_schema(settings.database_url)).problem()
        if problem is not None:
            raise migrate.SchemaError(problem)
        yield settings.running_on(settings.database_url, settings.broadcast_url or settings.database_url)
        return
    with EmbeddedPostgres(settings.data_dir) as url:
        asyncio.run(migrate.upgrade(url))
        yield settings.running_on(url, settings.broadcast_url or url)
