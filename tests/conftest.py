"""Shared by all tests: one PostgreSQL a run, a fresh migrated database a test, and servers as real processes."""

import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server import migrate
from server.embedded import EmbeddedPostgres
from tests.harness.databases import TEMPLATE, execute, fresh_database, named
from tests.harness.server import Server

# A shell that runs the tests in the background has them ignore Ctrl-C, and whatever they start inherits that: the
# processes that tests interrupt would not notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for databases. Not `tmp_path`: each pytest that starts takes other users' way through its root away."""
    with tempfile.TemporaryDirectory(prefix="scrip-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The owner's URL of an empty database on this run's own PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="scrip-tests-") as folder, EmbeddedPostgres(Path(folder)) as url:
        yield url


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    """The owner's URL of the server that has TEMPLATE, a migrated database to copy."""
    await execute(postgres, f"CREATE DATABASE {TEMPLATE}")
    await migrate.upgrade(named(postgres, TEMPLATE))
    return postgres


@pytest.fixture
async def database_url(template: str) -> AsyncIterator[str]:
    """The owner's URL of a migrated database of this test's own; about 50 ms."""
    async with fresh_database(template) as url:
        yield url


@pytest.fixture(scope="session")
async def server(template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for all tests that do not disturb it; each takes a workspace of its own."""
    async with fresh_database(template) as url:
        shared = Server(tmp_path_factory.mktemp("server") / "data", database_url=url, broadcast_url=url)
        await shared.start()
        yield shared
        await shared.close()


@pytest.fixture(scope="session")
async def second_server(server: Server) -> AsyncIterator[Server]:
    """Another server process on the same database."""
    url = server.settings["DATABASE_URL"]
    second = Server(server.data_dir, database_url=url, broadcast_url=url)
    await second.start()
    yield second
    await second.close()


@pytest.fixture
async def own_server(scratch: Path) -> AsyncIterator[Server]:
    """A server with its embedded database, to be killed; running."""
    own = Server(scratch / "data")
    await own.start()
    yield own
    await own.close()
