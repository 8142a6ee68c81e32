"""A till whose workspace wants to be told, and what was written for it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from credits.db import Database
from credits.errors import Refusal
from credits.webhooks.endpoints import Endpoint, create_endpoint
from credits.workspaces import WorkspaceName
from tests.credits.posting.till import Till, open_till

PEPPER = "pepper"


@pytest.fixture
async def till(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Till]:
    async with open_till(database, owner_url, workspace) as opened:
        yield opened


@dataclass
class Desk:
    """The till and its outbox."""

    till: Till

    async def endpoint(self, *events: str, url: str = "https://hooks.example/in") -> Endpoint:
        made = await self.try_endpoint(*events, url=url)
        assert not isinstance(made, Refusal), made
        return made[0]

    async def try_endpoint(self, *events: str, url: str = "https://hooks.example/in") -> Any:
        async with self.till.database.transaction(self.till.workspace_id) as connection:
            return await create_endpoint(
                connection, self.till.workspace_id, url=url, events=events or ("*",), pepper=PEPPER, actor_id=None
            )

    async def told(self, *types: str) -> list[dict[str, Any]]:
        """What was written for the first endpoint, in the order in which it goes out."""
        rows = await self.till.rows(
            """SELECT m.body FROM webhook_deliveries d JOIN webhook_messages m ON m.key = d.message
                AND m.customer_id = d.customer_id
                WHERE d.endpoint_id = (SELECT min(id) FROM webhook_endpoints) ORDER BY d.id"""
        )
        told = [json.loads(row["body"]) for row in rows]
        return [each for each in told if not types or each["type"] in types]

    async def types(self) -> list[str]:
        return [each["type"] for each in await self.told()]


@pytest.fixture
async def desk(till: Till) -> Desk:
    return Desk(till)
