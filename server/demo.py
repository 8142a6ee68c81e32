"""`scrip demo`: the application with a made-up product around it. Nothing of this exists under `scrip serve`."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from credits.db import Database
from server import app as plain_app
from server.cli_demo import PAGE
from server.demo_controls import Controls
from server.demo_host import Host
from server.demo_seed import find_workspace, seed
from server.demo_stage import Stage
from server.demo_traffic import traffic
from server.settings import Settings

_FILES = {
    "page.css": "text/css",
    "parts.css": "text/css",
    "billing.css": "text/css",
    "panel.css": "text/css",
    "page.js": "text/javascript",
    "press.js": "text/javascript",
    "print.js": "text/javascript",
    "backend.js": "text/javascript",
    "views.js": "text/javascript",
    "panel.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_HERE = Path(__file__).parent


def prepare(settings: Settings) -> None:
    """Before the start: makes sure of the workspace, so that what forbids the demo is one line."""

    async def find() -> None:
        database = await Database.connect(settings.database_url, size=1)
        try:
            await find_workspace(database)
        finally:
            await database.close()

    asyncio.run(find())


def create_app(settings: Settings) -> FastAPI:
    """The application, the seeded workspace, the page at `/demo`, and people who work."""
    app = plain_app.create_app(settings)
    serve_plain = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serve_plain(app):
            stage = Stage(await seed(app.state.services))
            app.router.routes += [*Host(stage).routes(), *Controls(stage).routes()]
            async with traffic(stage):
                yield

    app.router.lifespan_context = lifespan
    app.router.routes += _page_routes(_folder())
    return app


def _folder() -> Path:
    """The page's files: beside the sources in a checkout, inside the package when installed from a wheel."""
    checkout = _HERE.parent / "frontend_embed" / "demo"
    return checkout if checkout.exists() else _HERE / "demo_page"


def _page_routes(folder: Path) -> list[Route]:
    """The page, under a policy without anything inline, and its files."""
    html = (folder / "index.html").read_bytes()

    async def page(request: Request) -> Response:
        headers = {"content-security-policy": _policy(request.headers.get("host", "")), **_HEADERS}
        return Response(html, media_type="text/html", headers=headers)

    pages = [Route(path, page) for path in (PAGE, f"{PAGE}/billing")]
    return [*pages, *(_file_route(folder / name, media_type) for name, media_type in _FILES.items())]


def _file_route(path: Path, media_type: str) -> Route:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"etag": etag, **_HEADERS}

    async def file(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return Route(f"{PAGE}/{path.name}", file)


_HEADERS = {
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


def _policy(host: str) -> str:
    """What the embed's contract promises to be clean under. Sockets are named: not every browser counts them as self."""
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sockets}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
