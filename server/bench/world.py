"""The world in which is measured: one workspace, one credit type, two metered features, a thousand customers."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from credits.access.keys import create_key
from credits.catalog.apply import apply
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.errors import Refusal
from credits.posting.commands import GiveGrant
from credits.posting.configuration import Configuration
from credits.posting.writer import Writer
from credits.workspaces import ensure_workspace
from server.settings import Settings

WORKSPACE = "bench"
CREDIT_TYPE = "ai"
HOT = "customer-hot-"  # burns alone against the spread; as long as the others' keys
FEW = "customer-few-"
MANY = "customer-many"
SHOWN = "customer-show"
CUSTOMERS = 1_000

CATALOG: dict[str, Any] = {
    "creditTypes": [
        {"key": CREDIT_TYPE, "name": "AI credits", "unitSingular": "credit", "unitPlural": "credits", "scale": 3}
    ],
    "features": [
        {
            "key": f"{side}-tokens",
            "name": f"{side.title()} tokens",
            "eventType": "llm.tokens",
            "quantity": f"{side}_tokens",
            "unit": "token",
        }
        for side in ("input", "output")
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2023-01-01T00:00:00Z",
            "rates": [
                {"feature": "input-tokens", "creditType": CREDIT_TYPE, "perUnit": "0.001"},
                {"feature": "output-tokens", "creditType": CREDIT_TYPE, "perUnit": "0.002"},
            ],
        }
    ],
}


@dataclass(frozen=True, slots=True)
class World:
    """What the benchmarks need to know of it."""

    workspace_id: int
    secret: str
    customers: tuple[str, ...]


def build(settings: Settings) -> World:
    """Makes the world; `settings` are complete. Nobody runs dry in it."""
    return asyncio.run(_build(settings))


async def _build(settings: Settings) -> World:
    database = await Database.connect(settings.database_url, size=2)
    writer = Writer(
        database, Configuration(settings.late_event_cutoff, settings.refund_lifetime), publish=lambda *_: None
    )
    try:
        now = datetime.now(UTC)
        workspace = await ensure_workspace(database, WORKSPACE, test_mode=False, now=now)
        customers = tuple(f"customer-{number:04}" for number in range(CUSTOMERS))
        everybody = (*customers, HOT, FEW, MANY, SHOWN)
        async with database.transaction(workspace.id) as connection:
            _, secret = await create_key(
                connection,
                workspace_id=workspace.id,
                test_mode=False,
                name="bench",
                role="ADMIN",
                pepper=settings.secret_key,
                now=now,
            )
            _sound(await apply(connection, workspace.id, CATALOG, now))
            for customer in everybody:
                _sound(await upsert_customer(connection, workspace.id, customer, {}, now))
        grants = [grant for customer in everybody for grant in _grants(customer, now)]
        for answer in await writer.post_many(workspace.id, grants):
            _sound(answer)
        return World(workspace.id, secret, customers)
    finally:
        await writer.close()
        await database.close()


def _grants(customer: str, now: datetime) -> Iterator[GiveGrant]:
    """A month's plan that burns first, and a purchase behind it; from before any usage that is sent."""
    began = now - timedelta(1)
    amount = Decimal(1_000_000_000)
    yield GiveGrant(
        customer,
        CREDIT_TYPE,
        amount,
        "PLAN",
        f"plan-{customer}",
        None,
        effective_at=began,
        expires_at=now + timedelta(30),
    )
    yield GiveGrant(customer, CREDIT_TYPE, amount, "PURCHASE", f"purchase-{customer}", None, effective_at=began)


def _sound(answer: object) -> None:
    if isinstance(answer, Refusal):
        raise TypeError(f"the bench's world is refused: {answer}")
