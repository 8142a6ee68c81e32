"""`scrip serve` with a small application in place of ours, to test the process alone: run as a program."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from uuid import uuid4

from fastapi import FastAPI, WebSocket

from server.operator_error import OperatorError
from server.serve import run
from server.settings import Settings, load

PROGRAM = (sys.executable, __file__)


def create_app(settings: Settings) -> FastAPI:
    """Tells what it was given, answers slowly, keeps sockets open, dies on demand."""
    app = FastAPI()

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {
            "pid": str(os.getpid()),
            "database": settings.database_url,
            "broadcast": settings.broadcast_url,
            "embedded": str(settings.embedded),
            "key": str(len(settings.secret_key)),
        }

    @app.get("/slow")
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @app.get("/until")
    async def until(gate: Path) -> str:
        """Says that it is under way by a file beside the gate, and answers once the gate is there."""
        gate.with_name(uuid4().hex).touch()
        while not gate.exists():
            await asyncio.sleep(0.02)
        return "done"

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.receive_text()

    if os.environ.get("BARE_FAILS"):
        raise RuntimeError("told to fail")
    return app


def main() -> None:
    """The options of `scrip serve` that a test needs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    try:
        settings = load(data_dir=given.data_dir)
        run(settings, host="127.0.0.1", port=given.port, workers=given.workers, application="bare:create_app")
    except OperatorError as error:
        sys.exit(f"scrip: {error}")


if __name__ == "__main__":
    main()
