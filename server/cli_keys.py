"""`scrip keys`: secret keys for backends and operators' scripts."""

import asyncio
from typing import Annotated

import typer
from sqlalchemy import func, select

from credits.access.keys import ROLES, create_key
from credits.db import Database
from credits.workspaces import ensure_workspace, read_workspace
from server.command import DataDir, command_line, database
from server.operator_error import OperatorError
from server.settings import Settings

app = typer.Typer(help="Secret keys for backends.", no_args_is_help=True)


class KeyRefused(OperatorError):
    """The key that was asked for does not fit the workspace."""


def _role(value: str) -> str:
    if value.upper() not in ROLES:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(ROLES)}")
    return value.upper()


@app.command()
def create(
    workspace: Annotated[str, typer.Option(help="Name of the workspace; made when new.")],
    role: Annotated[str, typer.Option(help=f"What the key may do: {', '.join(ROLES)}.", callback=_role)],
    test: Annotated[bool, typer.Option("--test", help="In a test workspace: its clock can be advanced.")] = False,
    name: Annotated[str, typer.Option(help="What operators will see it called.")] = "command line",
    data_dir: DataDir = None,
) -> None:
    """Make a secret key and print it, alone, on standard output. It is shown only now."""
    with database(data_dir) as settings:
        typer.echo(asyncio.run(_create(settings, workspace, role, test_mode=test, name=name)))


async def _create(settings: Settings, workspace_name: str, role: str, *, test_mode: bool, name: str) -> str:
    store = await Database.connect(settings.database_url, size=1)
    try:
        async with store.engine.connect() as connection:
            now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        found = await ensure_workspace(store, workspace_name, test_mode=test_mode, now=now)
        if test_mode and not found.test_mode:
            raise KeyRefused(f"{workspace_name!r} is a live workspace; leave out --test, or name another")
        async with store.transaction(found.id) as connection:
            workspace = await read_workspace(connection, found.id, settings.late_event_cutoff)
            _, secret = await create_key(
                connection,
                workspace_id=found.id,
                test_mode=found.test_mode,
                name=name,
                role=role,
                pepper=settings.secret_key,
                now=workspace.now,
                by_actor_id=await command_line(connection, found.id),
            )
        return secret
    finally:
        await store.close()
