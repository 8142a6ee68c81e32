"""`scrip serve`: the database, the workers, and the order in which they come and go.

Up: bind the port (the likeliest mistake is said first) → secret key → database → schema → workers → `ready http://…`.
Down, at SIGTERM or Ctrl-C: stop listening → finish what is under way → stop the workers → stop the embedded database.
"""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Never

import asyncpg

from credits.db import Database
from credits.proof.tails import torn
from credits.workspaces import list_workspaces
from server import log, migrate, worker
from server.embedded import EmbeddedPostgres
from server.operator_error import OperatorError
from server.settings import Settings, SettingsError, unknown_names
from server.workers import Workers, import_ahead

logger = logging.getLogger(__name__)

APPLICATION = "server.app:create_app"
RETRY_S = 1.0
SAY_EVERY_S = 5.0

# The database is there and says no: waiting would not help.
REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


class ServeError(OperatorError):
    """The server cannot start."""


def say_ready(address: str) -> None:
    """`ready http://…` to the log: it answers at this address."""
    logger.info("ready %s", address)


def run(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int = 1,
    application: str = APPLICATION,
    prepare: Callable[[Settings], None] | None = None,
    say: Callable[[str], None] = say_ready,
) -> None:
    """Serve until SIGTERM or SIGINT, then return.

    `prepare` runs once, after the schema is up to date and before the first request; `say` is told the address once
    requests are answered there. Raises `OperatorError`.
    """
    log.configure(settings.log_format)
    for line in unknown_names():
        logger.warning("%s", line)
    broadcast_url = _broadcast_url(settings, workers)
    with _signals_interrupt(), contextlib.suppress(KeyboardInterrupt), _listen(host, port) as listener:
        address = _address(listener)
        keyed = settings.with_secret_key()
        if workers > 1:
            import_ahead(application)  # while the database starts
        with _database(keyed) as url:
            complete = keyed.running_on(url, broadcast_url or url, address)
            if prepare is not None:
                prepare(complete)
            serve_on = _one if workers == 1 else _several(workers)
            serve_on(complete, listener, application, lambda: say(address))


def _one(settings: Settings, listener: socket.socket, application: str, on_ready: Callable[[], None]) -> None:
    """In this process: nothing between the signal and the server."""
    try:
        worker.run(settings, listener, application, on_ready)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # bound by two, and the other one was the first to listen
            raise _port_in_use(listener.getsockname()[1]) from error
        raise


def _several(count: int) -> Callable[[Settings, socket.socket, str, Callable[[], None]], None]:
    def serve_on(settings: Settings, listener: socket.socket, application: str, on_ready: Callable[[], None]) -> None:
        Workers(settings, listener, application, count).run(on_ready)

    return serve_on


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Both signals end us the same orderly way, at whatever point of the start; a second one cannot cut the end short."""

    def interrupt(*_: object) -> Never:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    yield


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The URL of a database with the present schema; the embedded one is ours to start, migrate and stop."""
    if not settings.embedded:
        asyncio.run(_await_schema(settings.database_url))
        yield settings.database_url
        return
    database = EmbeddedPostgres(settings.data_dir)
    try:
        url = database.start()
        asyncio.run(migrate.upgrade(url))
        asyncio.run(_refuse_torn(url))
        yield url
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # half a stop is worse than a slow one
        database.stop()


async def _refuse_torn(url: str) -> None:
    """Serve no book that lost a part of itself under us: writing on would bury what can still be restored."""
    store = await Database.connect(url, size=1)
    try:
        for workspace in await list_workspaces(store):
            for broken in await torn(store, workspace.id, 1):
                raise ServeError(
                    f"the ledger of {workspace.name!r} is damaged: customer {broken.customer}, credit type "
                    f"{broken.credit_type}, sequence {broken.sequence}, entry {broken.entry_id}: {broken.problem}; "
                    "`scrip audit verify` names all; restore a backup"
                )
    finally:
        await store.close()


async def _await_schema(url: str) -> None:
    """Wait for somebody else's database for as long as it takes; not for a schema, which somebody must migrate."""
    said_at = float("-inf")
    while True:
        try:
            schema = await migrate.read_schema(url)
            break
        except REFUSED as error:
            raise ServeError(f"SCRIP_DATABASE_URL: the database refuses us: {error}") from error
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if time.monotonic() - said_at > SAY_EVERY_S:
                said_at = time.monotonic()
                logger.warning("waiting for the database of SCRIP_DATABASE_URL: %s", error)
            await asyncio.sleep(RETRY_S)
    problem = schema.problem()
    if problem is not None:
        raise migrate.SchemaError(problem)


def _broadcast_url(settings: Settings, workers: int) -> str:
    """As set; else memory for one process, and nothing (the database) for several."""
    if settings.broadcast_url == "memory://" and workers > 1:
        raise SettingsError(
            f"SCRIP_BROADCAST_URL: memory:// reaches one process, not {workers} workers; leave it empty, or use postgres://…"
        )
    if settings.broadcast_url or workers > 1:
        return settings.broadcast_url
    return "memory://"


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; it begins to listen with the first worker, so that nobody waits in its queue before."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ServeError(f"--host {host}: {error.strerror}") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _port_in_use(port) from error
            raise ServeError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        yield listener


def _port_in_use(port: int) -> ServeError:
    return ServeError(f"port {port} is in use; stop what uses it, or choose another with --port")


def _address(listener: socket.socket) -> str:
    """What to open in a browser."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- shown, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
