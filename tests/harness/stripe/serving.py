"""The fake as an HTTP server on 127.0.0.1: its routes, a connection that can be reset, a loop of its own."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.harness.stripe import pages
from tests.harness.stripe.api import TRANSPORT, Fake
from tests.harness.stripe.controls import Controls, plain
from tests.harness.stripe.problems import Problem
from tests.harness.stripe.routes import CALLS, Call

BACKLOG = 512
TICK_S = 0.02


class Protocol(HttpToolsProtocol):
    """Leaves the connection where a handler can reset it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport


class Serving(uvicorn.Server):
    """Notices soon that it is told to stop: each test has one."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(TICK_S)


def application(fake: Fake) -> Starlette:
    controls = Controls(fake)

    async def control(request: Request) -> Response:
        """`POST /_fake/{verb}` with {"args": […], "kwargs": {…}}."""
        given = await request.json() if await request.body() else {}
        try:
            done = await ask(controls, request.path_params["verb"], given.get("args", []), given.get("kwargs", {}))
        except (Problem, ValueError, TypeError, KeyError, AssertionError, TimeoutError, AttributeError) as error:
            return JSONResponse({"error": type(error).__name__, "message": str(error)}, 400)
        return JSONResponse({"done": done})

    async def unknown(request: Request) -> Response:
        message = f"Unrecognized request URL ({request.method}: {request.url.path})."
        return JSONResponse({"error": {"type": "invalid_request_error", "message": message}}, 404)

    return Starlette(
        routes=[
            *(Route(call.path, _endpoint(fake, call), methods=[call.method]) for call in CALLS),
            *pages.routes(fake),
            Route("/_fake/{verb}", control, methods=["POST"]),
            Route("/{path:path}", unknown, methods=["GET", "POST", "DELETE"]),
        ]
    )


async def ask(controls: Controls, verb: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What a verb of `Controls` says, as a plain copy."""
    if verb.startswith("_"):
        raise AttributeError(verb)
    said = getattr(controls, verb)(*args, **kwargs)
    return plain(await said if inspect.isawaitable(said) else said)


def listening(port: int = 0) -> socket.socket:
    """A socket on 127.0.0.1, on a free port unless one is named."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )  # asyncio does so for its own alone; else 40 ms a call
    listener.bind(("127.0.0.1", port))
    listener.listen(BACKLOG)
    return listener


async def serve(fake: Fake, listener: socket.socket, ready: Callable[[uvicorn.Server], None]) -> None:
    """Until the server that `ready` is given is told to stop."""
    config = uvicorn.Config(
        application(fake),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,  # the day is that of the fake's own clock
        timeout_graceful_shutdown=1,
    )
    server = Serving(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    ready(server)
    try:
        await serving
    finally:
        await fake.deliveries.close()


def _endpoint(fake: Fake, call: Call) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await fake.answer(request, call)

    return endpoint
