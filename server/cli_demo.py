"""`scrip demo`: an example product with live credits, on this machine."""

from typing import Annotated

import typer

from server.command import DataDir
from server.settings import load

PAGE = "/demo"


def demo(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    data_dir: DataDir = None,
) -> None:
    """Serve with an example product: a seeded test workspace, a page at /demo, live traffic. Ctrl-C stops everything.

    Prints the page's address once it answers. Starting again goes on where it was.
    """
    from server.demo import prepare  # noqa: PLC0415 -- the other commands need no web server
    from server.serve import run  # noqa: PLC0415

    typer.echo("starting the demo; the first start takes a few seconds longer", err=True)
    run(
        load(data_dir=data_dir),
        host="127.0.0.1",
        port=port,
        application="server.demo:create_app",
        prepare=prepare,
        say=_say,
    )


def _say(address: str) -> None:
    """The one line that a person looks for, apart from whatever else the terminal shows."""
    typer.secho(f"\n  {address}{PAGE}\n", bold=True)
