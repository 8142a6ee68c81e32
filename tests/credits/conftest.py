"""What the domain's tests share: one migrated database, one workspace a test."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from credits.db import Database
from credits.workspaces import WorkspaceName, ensure_workspace
from tests.harness.databases import fresh_database


@pytest.fixture(scope="session")
async def owner_url(template: str) -> AsyncIterator[str]:
    """The owner's URL of the database that these tests share."""
    async with fresh_database(template) as url:
        yield url


@pytest.fixture(scope="session")
async def database(owner_url: str) -> AsyncIterator[Database]:
    """The application's doors to it."""
    opened = await Database.connect(owner_url)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(database: Database) -> WorkspaceName:
    """A test workspace of this test's own."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return await ensure_workspace(database, f"test-{uuid4()}", test_mode=True, now=now)
