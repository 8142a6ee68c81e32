"""A till as the posting tests have it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.credits.posting.conftest import till

__all__ = ["till"]


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner, with triggers off: what a superuser can do."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()
