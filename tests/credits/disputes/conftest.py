"""What the tests of disputes share."""

from collections.abc import AsyncIterator

import pytest

from credits.db import Database
from credits.workspaces import WorkspaceName
from tests.credits.posting.till import Till, open_till


@pytest.fixture
async def till(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Till]:
    """A workspace of this test's own, with a writer and a reader."""
    async with open_till(database, owner_url, workspace) as opened:
        yield opened
