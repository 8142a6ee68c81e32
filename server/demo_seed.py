"""Seeding the demo: everything by upsert or under an idempotency key, so that seeding again changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.access.actors import ensure_actor
from credits.access.keys import create_key, list_keys
from credits.catalog.apply import apply
from credits.customers.customers import Customer, upsert_customer
from credits.db import Database
from credits.errors import Refusal
from credits.posting.commands import GiveGrant
from credits.workspaces import WorkspaceName, ensure_workspace
from schema.context import Services
from server.demo_world import BACKEND, CATALOG, CREDIT_TYPE, OTHERS, OTHERS_HOLD, STUDIO, WORKSPACE, Studio
from server.operator_error import OperatorError


class DemoRefused(OperatorError):
    """The demo must not run here."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The seeded world: its workspace, who acts for its backend, and the customer whose page is shown."""

    services: Services
    workspace_id: int
    actor_id: int
    customer: Customer


async def find_workspace(database: Database) -> WorkspaceName:
    """The demo's workspace, made when new. Raises `DemoRefused` where a live one has its name."""
    async with database.engine.connect() as connection:
        now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    found = await ensure_workspace(database, WORKSPACE, test_mode=True, now=now)
    if not found.test_mode:
        raise DemoRefused(f"there is a live workspace {WORKSPACE!r}: the demo runs in a test workspace of that name")
    return found


async def seed(services: Services) -> Demo:
    """The demo's world, as it should be now."""
    workspace = await find_workspace(services.database)
    async with services.reader.changing(workspace.id) as page:
        now = page.workspace.now
        applied = await apply(page.connection, workspace.id, CATALOG, now)
        if isinstance(applied, Refusal):
            raise TypeError(f"the demo's catalog is refused: {applied}")
        actor_id = await _backend(page.connection, workspace, services.pepper, now)
        customer = await _customer(page.connection, workspace.id, STUDIO, now)
        for studio in OTHERS:
            await _customer(page.connection, workspace.id, studio, now)
    demo = Demo(services, workspace.id, actor_id, customer)
    await give_grants(demo)
    return demo


async def give_grants(demo: Demo) -> None:
    """What everybody holds this month; what was given before is not given again."""
    async with demo.services.reader.page(demo.workspace_id) as page:
        now = page.workspace.now
    for answer in await demo.services.writer.post_many(demo.workspace_id, list(grants_of(now, demo.actor_id))):
        if isinstance(answer, Refusal):
            raise TypeError(f"a grant of the demo is refused: {answer}")


def grants_of(now: datetime, actor_id: int) -> Iterator[GiveGrant]:
    """Nothing in a grant but its month follows from `now`: the same key always means the same."""
    month = f"{now.astimezone(UTC):%Y-%m}"
    first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    next_first = (first + timedelta(days=32)).replace(day=1)

    def grant(customer: str, key: str, amount: Decimal, source: str, **rest: object) -> GiveGrant:
        return GiveGrant(customer, CREDIT_TYPE, amount, source, f"demo-{key}", actor_id, **rest)  # type: ignore[arg-type]

    yield grant(STUDIO.key, f"plan-{month}", Decimal(1_200), "PLAN", expires_at=next_first)
    yield grant(STUDIO.key, f"promotion-{month}", Decimal(150), "PROMOTION", expires_at=next_first + timedelta(days=14))
    yield grant(STUDIO.key, "bundle", Decimal(800), "PURCHASE", cost_amount=Decimal("36.00"), cost_currency="USD")
    for studio in OTHERS:
        yield grant(studio.key, "opening", OTHERS_HOLD, "PURCHASE")


async def _backend(connection: AsyncConnection, workspace: WorkspaceName, pepper: str, now: datetime) -> int:
    """The actor of the page's backend: a secret key, as any host has one. It acts in this process, so its secret is
    thrown away."""
    key = next((key for key in await list_keys(connection) if key.name == BACKEND), None)
    if key is None:
        key, _ = await create_key(
            connection,
            workspace_id=workspace.id,
            test_mode=True,
            name=BACKEND,
            role="BACKEND",
            pepper=pepper,
            now=now,
        )
    return await ensure_actor(connection, workspace.id, "API_KEY", key.id, BACKEND)


async def _customer(connection: AsyncConnection, workspace_id: int, studio: Studio, now: datetime) -> Customer:
    changes = {"name": studio.name, "timezone": studio.timezone}
    result = await upsert_customer(connection, workspace_id, studio.key, changes, now)
    if isinstance(result, Refusal):
        raise TypeError(f"a customer of the demo is refused: {result}")
    return result[0]
