"""A small world to test in: one credit type per burn order, two metered features, customers by key."""

import asyncio
from collections.abc import Iterable
from typing import Any

from tests.harness.client import Client

# Credit type → burn order; `ai` is what features burn.
TYPES = {
    "ai": "PRIORITY_THEN_EXPIRY",
    "soonest": "EXPIRY_FIRST",
    "free-first": "PAID_LAST",
    "oldest": "OLDEST_FIRST",
}
PER_INPUT = "0.001"
PER_OUTPUT = "0.002"
SCALE = 3

CATALOG: dict[str, Any] = {
    "creditTypes": [
        {
            "key": key,
            "name": key.title(),
            "unitSingular": "credit",
            "unitPlural": "credits",
            "scale": SCALE,
            "burnOrder": order,
        }
        for key, order in TYPES.items()
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
                {"feature": "input-tokens", "creditType": "ai", "perUnit": PER_INPUT},
                {"feature": "output-tokens", "creditType": "ai", "perUnit": PER_OUTPUT},
            ],
        }
    ],
}


# What is on sale where something is; not in the catalog of every world.
PACK: dict[str, Any] = {
    "key": "pack",
    "name": "A pack",
    "creditType": "ai",
    "credits": "1000",
    "bonus": "100",
    "price": {"amount": "10", "currency": "EUR"},
    "expiresAfter": "P1Y",
}


async def build_world(client: Client, customers: Iterable[str]) -> None:
    """Applies the catalog and makes the customers, a few at a time."""
    await client.must("applyCatalog", document=CATALOG)
    waiting = list(customers)

    async def make(maker: Client) -> None:
        while waiting:
            await maker.must("upsertCustomer", key=waiting.pop())
        maker.wire.drop()

    await asyncio.gather(*(make(Client(client.url, client.secret)) for _ in range(min(8, len(waiting)))))


async def extend_catalog(client: Client, **sections: list[Any]) -> None:
    """Applies the world's catalog with more in these sections: what a given section leaves out would be archived."""
    await client.must("applyCatalog", document={name: [*CATALOG[name], *more] for name, more in sections.items()})


async def give(client: Client, customer: str, amount: str, key: str, credit_type: str = "ai", **fields: Any) -> str:
    """Grants credits; the grant's id."""
    fields = {"customer": customer, "creditType": credit_type, "amount": amount, "idempotencyKey": key, **fields}
    return str((await client.must("grantCredits", **fields))["grant"]["id"])
