"""What end-to-end tests share with the others, a server of their own on an embedded database; and one browser a run."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from e2e.host import running_browser
from tests.conftest import own_server, postgres, scratch, server, template

__all__ = ["chromium", "own_server", "postgres", "scratch", "server", "template"]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with running_browser() as browser:
        yield browser
