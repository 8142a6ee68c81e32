"""One process that answers requests: uvicorn around the application, with a start and an end that can be waited for."""

import asyncio
import contextlib
import importlib
import logging
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import uvicorn

from credits.bounds import TOKEN_BODY_BYTES_MAX
from server import log
from server.collector import spare_collector
from server.settings import Settings

logger = logging.getLogger(__name__)

DRAIN_S = 7  # for what is under way at SIGTERM; with the stop of the database within the 10 s that containers get
KEEP_ALIVE_S = 75  # longer than the 60 s of the usual load balancers, so that it is they who close
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def run(
    settings: Settings,
    listener: socket.socket,
    application: str,
    on_ready: Callable[[], None],
    life: Connection | None = None,
) -> None:
    """Answer on `listener` until SIGTERM or SIGINT, then drain.

    `application` is `module:factory`, a function from `Settings` to an ASGI application. `on_ready` is called once
    requests are answered. `life` is a pipe whose other end the parent process holds: when it ends, so do we.
    Raises SystemExit(3) when the application does not start, `KeyboardInterrupt` after a signal.
    """
    module, _, factory = application.partition(":")
    config = uvicorn.Config(
        getattr(importlib.import_module(module), factory)(settings),
        lifespan="on",
        log_config=None,
        access_log=False,  # one line a request costs more than many requests; /metrics counts them
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        ws_max_size=TOKEN_BODY_BYTES_MAX,
    )
    server = _Server(config, on_ready)
    if life is not None:
        threading.Thread(target=_outlive_nobody, args=(life, server), daemon=True).start()
    spare_collector()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


def run_in_process(
    settings: Settings, listener: socket.socket, application: str, ready: Connection, life: Connection
) -> None:
    """`run` as the whole life of a worker process."""
    log.configure(settings.log_format)
    try:
        run(settings, listener, application, lambda: ready.send("ready"), life)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        logger.error("cannot listen: %s", error)  # noqa: TRY400 -- one line, no traceback
        sys.exit(1)


def _outlive_nobody(life: Connection, server: uvicorn.Server) -> None:
    """A parent killed with kill -9 tells nobody, but its end of the pipe closes."""
    with contextlib.suppress(EOFError, OSError):
        life.recv()
    logger.warning("the parent process is gone; draining")
    server.should_exit = True
