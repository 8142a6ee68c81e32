"""What the tests of top-ups share."""

from collections.abc import AsyncIterator

import pytest

from credits.db import Database
from credits.workspaces import WorkspaceName
from tests.credits.recharge.counter import Counter, open_counter


@pytest.fixture
async def counter(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Counter]:
    """A workspace of this test's own where credits are sold."""
    async with open_counter(database, owner_url, workspace) as opened:
        yield opened
