"""What the tests of top-ups share."""

from collections.abc import AsyncIterator

import pytest

from credits.db import Database
from credits.workspaces import WorkspaceName
from tests.credits.recharge.counter import Counter, open_counter
from tests.credits.recharge.ruling import Ruling, open_ruling


@pytest.fixture
async def counter(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Counter]:
    """A workspace of this test's own where credits are sold."""
    async with open_counter(database, owner_url, workspace) as opened:
        yield opened


@pytest.fixture
async def ruling(counter: Counter) -> AsyncIterator[Ruling]:
    """The counter, where a rule buys."""
    async with open_ruling(counter) as opened:
        yield opened
