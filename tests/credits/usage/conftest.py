"""A workspace that sells: two features metered by one type of event, in two credit types, and customers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from credits.catalog.apply import CatalogApplied, apply
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.posting.configuration import Configuration
from credits.posting.writer import Writer
from credits.usage.envelope import from_cloud_event
from credits.usage.ingest import Ingested, ingest
from credits.workspaces import WorkspaceName

CATALOG: dict[str, Any] = {
    "creditTypes": [
        {"key": key, "name": key, "unitSingular": "credit", "unitPlural": "credits", "scale": 3}
        for key in ("ai", "sms")
    ],
    "features": [
        {"key": "input", "name": "Input", "eventType": "llm", "quantity": "input_tokens", "unit": "token"},
        {"key": "output", "name": "Output", "eventType": "llm", "quantity": "output_tokens", "unit": "token"},
        {"key": "call", "name": "Call", "eventType": "call", "quantity": "1", "unit": "call"},
        {"key": "free", "name": "Free", "eventType": "free", "quantity": "1", "unit": "call"},
        {"key": "unpriced", "name": "Unpriced", "eventType": "gpu", "quantity": "1", "unit": "second"},
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2020-01-01T00:00:00Z",
            "rates": [
                {"feature": "input", "creditType": "ai", "perUnit": "0.001"},
                {"feature": "output", "creditType": "sms", "perUnit": "0.002"},
                {"feature": "call", "creditType": "ai", "perUnit": "1", "match": {"model": "large"}},
                {"feature": "free", "creditType": "ai", "perUnit": "0"},
            ],
        }
    ],
}


@dataclass
class Shop:
    """The workspace, and a way to send it events."""

    database: Database
    workspace_id: int
    writer: Writer
    open_writer: Callable[[], Awaitable[Writer]]
    now: datetime

    async def send(self, *events: object, accept_late: bool = False, writer: Writer | None = None) -> Ingested:
        """Received events: JSON values."""
        taken = [from_cloud_event(event, accept_late=accept_late) for event in events]
        return await ingest(writer or self.writer, self.workspace_id, taken)

    def event(self, event_id: str, subject: str = "acme", **changes: Any) -> dict[str, Any]:
        """A sound event for 10 and 5 tokens, which costs 0.01 of `ai` and 0.01 of `sms`."""
        return {
            "specversion": "1.0",
            "id": event_id,
            "source": "tests",
            "type": "llm",
            "subject": subject,
            "data": {"model": "chat", "input_tokens": 10, "output_tokens": 5},
            **changes,
        }

    async def burned(self, subject: str = "acme") -> dict[str, Decimal]:
        """What its accounts have burned, and that their entries say the same; by credit type."""
        async with self.database.transaction(self.workspace_id) as connection:
            rows = (await connection.execute(_BURNED, {"key": subject})).all()
        assert all(row.burned == row.entries for row in rows)
        return {row.key: Decimal(row.burned).scaleb(-6) for row in rows}

    async def stored(self) -> int:
        """How many events are stored, dead letters too."""
        async with self.database.transaction(self.workspace_id) as connection:
            return int((await connection.execute(text("SELECT count(*) FROM usage_events"))).scalar_one())


_BURNED = text("""
SELECT t.key, a.burned,
       (SELECT -sum(e.amount) FROM entries e
         WHERE e.customer_id = a.customer_id AND e.credit_type_id = a.credit_type_id AND e.kind = 2) AS entries
  FROM accounts a JOIN customers c ON c.id = a.customer_id JOIN credit_types t ON t.id = a.credit_type_id
 WHERE c.key = :key""")


@pytest.fixture
async def shop(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Shop]:
    now = datetime.now(UTC)
    async with database.transaction(workspace.id) as connection:
        assert isinstance(await apply(connection, workspace.id, CATALOG, now), CatalogApplied)
        for key in ("acme", "other"):
            await upsert_customer(connection, workspace.id, key, {}, now)
    opened: list[tuple[Writer, Database]] = []

    async def open_writer() -> Writer:
        """Another process, as far as the database can tell."""
        own = await Database.connect(owner_url, size=2)
        opened.append((Writer(own, Configuration(timedelta(days=7)), publish=lambda *_: None), own))
        return opened[-1][0]

    yield Shop(database, workspace.id, await open_writer(), open_writer, now)
    for writer, own in opened:
        await writer.close()
        await own.close()
