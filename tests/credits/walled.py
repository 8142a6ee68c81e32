"""Two workspaces side by side, with a row in every table each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from credits.access.actors import ensure_actor
from credits.access.keys import create_key
from credits.db import Database
from credits.errors import InvalidInput
from credits.posting.commands import ExtendHold
from credits.posting.expiring import tell_expiring
from credits.posting.standings import Keeper
from credits.proof.checkpoints import make_checkpoint
from credits.proof.reports import claim
from credits.proof.seal import Seal
from credits.revenue.projection import tell_all
from credits.usage.envelope import from_attributes
from credits.usage.rollups import roll_up
from credits.webhooks.endpoints import create_endpoint
from credits.workspaces import ensure_workspace
from tests.credits.posting.limiting import limit, member
from tests.credits.posting.till import Till, open_till
from tests.credits.recharge.counter import pay
from tests.credits.revenue.asking import sell

OURS = {"actors", "api_keys", "customers", "credit_types", "features", "cohorts", "rate_cards", "rates", "bundles"} | {
    *("policies", "accounts", "grants", "holds", "phases", "entries", "usage_events", "standings", "hold_ends"),
    *("audit_log", "checkpoints", "checkpoint_heads", "reconciliations"),
    *("disputes", "dispute_entries", "dispute_events"),
    *("top_ups", "paybacks", "money_movements", "payment_customers", "payment_methods", "recharge_rules"),
    *("payment_events", "payment_issues", "payment_cursors"),
    *("sandbox_payments", "sandbox_paybacks", "sandbox_methods"),
    *("members", "spend_limits", "limit_windows", "usage_watermarks", "usage_rollups"),
    *("webhook_endpoints", "webhook_messages", "webhook_deliveries", "webhook_lanes", "expiry_horizons"),
    *("money_movements", "revenue_watermarks", "revenue_grants", "revenue_lines", "revenue_days"),
}
WORKSPACE = "SELECT set_config('scrip.workspace', $1, false)"


# A payment in the sandbox that was refunded, and the card that it was made by.
_SANDBOX = """
WITH paid AS (
  INSERT INTO sandbox_payments (customer_id, number, workspace_id, subtotal, paid_back, created_at, changed_at, expires_at,
                                quantity, version, state, mode, name, currency)
  SELECT id, 1, workspace_id, 100, 100, now(), now(), now(), 1, 1, 'SUCCEEDED', 'HOSTED', 'b', 'EUR' FROM customers LIMIT 1
  RETURNING customer_id, number, workspace_id
), refunded AS (
  INSERT INTO sandbox_paybacks (customer_id, number, position, workspace_id, amount, created_at, kind, state, ours)
  SELECT customer_id, number, 1, workspace_id, 100, now(), 'REFUND', 'DONE', 'r' FROM paid
)
INSERT INTO sandbox_methods (customer_id, number, workspace_id, saved_at, kind)
SELECT customer_id, 1, workspace_id, now(), 'ok' FROM paid
"""


async def fill(till: Till) -> None:
    """A row in every table."""
    async with till.database.transaction(till.workspace_id) as connection:
        now = datetime.now(UTC)
        await ensure_actor(connection, till.workspace_id, "OPERATOR", "opr_1", "Ada")
        more = {"workspace_id": till.workspace_id, "test_mode": True, "name": "k", "role": "ADMIN", "now": now}
        await create_key(connection, pepper="pepper", **more)
        await connection.execute(
            text("""INSERT INTO bundles (workspace_id, key, name, credit_type_id, amount, bonus, price, currency)
                    SELECT workspace_id, 'b', 'B', id, 1, 0, 1, 'EUR' FROM credit_types LIMIT 1""")
        )
        more = {"url": "https://hooks.example", "events": ["*"], "pepper": "pepper", "actor_id": None}
        assert not isinstance(await create_endpoint(connection, till.workspace_id, **more), InvalidInput)
        await connection.execute(text(_SANDBOX))
    await till.policy("SOFT", customer="acme")
    await till.must(till.grant("100"))
    burned = await till.must(till.burn("1"))
    await till.contest(burned.entry)
    await till.must(ExtendHold(await till.open_hold("5"), "PT2H"))
    await till.many(from_attributes("e", "tests", "chat", "acme", None, {"tokens": 2}))
    keeper = Keeper(till.database, spacing=2)
    await keeper.look_through(till.workspace_id)
    await keeper.keep()
    assert await make_checkpoint(till.database, till.workspace_id, Seal("a secret key")) is not None
    async with till.database.hot(till.workspace_id) as hot:
        assert await claim(await hot.driver(), timedelta(0))
    await member(till, "ann", group="red")
    await limit(till, "10")
    await pay(till)
    await roll_up(till.database, till.workspace_id, behind=1)
    await tell_expiring(till.database, till.workspace_id)
    await sell(till, "10", 1000)
    await tell_all(till.database, till.workspace_id)


@dataclass
class Two:
    """Two workspaces with a row in every table each, the owner's connection, and one as the application's role."""

    here: Till
    there: Till
    owner: asyncpg.Connection
    app: asyncpg.Connection

    async def look_at(self, workspace_id: int | None) -> None:
        await self.app.execute(WORKSPACE, "" if workspace_id is None else str(workspace_id))


@pytest.fixture(scope="module")
async def two(database: Database, owner_url: str) -> AsyncIterator[Two]:
    names = [await ensure_workspace(database, f"wall-{uuid4()}", test_mode=True, now=datetime.now(UTC)) for _ in "ab"]
    async with (
        open_till(database, owner_url, names[0]) as here,
        open_till(database, owner_url, names[1]) as there,
    ):
        await fill(here)
        await fill(there)
        owner = await asyncpg.connect(owner_url)
        app = await asyncpg.connect(owner_url, server_settings={"role": "scrip_app"})
        yield Two(here, there, owner, app)
        await app.close()
        await owner.close()
