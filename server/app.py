"""The application: what answers requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response

from server.disk import DiskFloor
from server.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application with these settings; `database_url` and `broadcast_url` are filled in."""
    floor = DiskFloor(settings.data_dir if settings.embedded else None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(title="Scrip", lifespan=lifespan, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        if floor.low():
            response.status_code = 503
            return {"status": "the disk is too full"}
        return {"status": "ok"}

    return app
