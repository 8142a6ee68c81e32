"""Seeding the demo: everything by upsert or under an idempotency key, so that seeding again changes nothing.

Starting over is another workspace, since nothing in a ledger is ever taken back: `demo`, `demo-2`, `demo-3`. The newest is
the one that is shown.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from credits.access.actors import ensure_actor
from credits.access.keys import create_key, list_keys
from credits.catalog.apply import apply
from credits.customers.customers import Customer, lock_customer, upsert_customer
from credits.customers.cutoff import set_late_cutoff
from credits.customers.members import upsert_member
from credits.db import Database, bare
from credits.errors import Refusal
from credits.posting.commands import GiveGrant, TakeEvent
from credits.posting.outcomes import EventOutcome, EventTaken
from credits.recharge.rules import RuleWish, read_rule, set_rule
from credits.usage.ingest import read_events
from credits.workspaces import WorkspaceName, ensure_workspace, list_workspaces
from schema.context import Services
from server.demo_history import CUTOFF, grants_of, past_events
from server.demo_world import BACKEND, CATALOG, CREDIT_TYPE, FAMILY_NAMES, OTHERS, STUDIO, WORKSPACE, Studio
from server.operator_error import OperatorError

_NUMBERED = re.compile(rf"{WORKSPACE}(?:-(\d+))?")


class DemoRefused(OperatorError):
    """The demo must not run here."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The seeded world: its workspace, who acts for its backend, and the customer whose page is shown."""

    services: Services
    workspace_id: int
    workspace_name: str
    actor_id: int
    customer: Customer


async def find_workspace(database: Database, *, another: bool = False) -> WorkspaceName:
    """The demo's workspace, made when new; `another`: the next one. Raises `DemoRefused` where a live one has its name."""
    async with database.engine.connect() as connection:
        now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    ours = [_NUMBERED.fullmatch(each.name) for each in await list_workspaces(database)]
    number = max((int(match[1] or 1) for match in ours if match), default=0)
    number = max(number + another, 1)
    name = WORKSPACE if number == 1 else f"{WORKSPACE}-{number}"
    found = await ensure_workspace(database, name, test_mode=True, now=now)
    if not found.test_mode:
        raise DemoRefused(f"there is a live workspace {name!r}: the demo runs in a test workspace of that name")
    return found


async def seed(services: Services, *, another: bool = False) -> Demo:
    """The demo's world, as it should be now; `another`: a new one."""
    workspace = await find_workspace(services.database, another=another)
    async with services.reader.changing(workspace.id) as page:
        now = page.workspace.now
        applied = await apply(page.connection, workspace.id, CATALOG, now)
        if isinstance(applied, Refusal):
            raise TypeError(f"the demo's catalog is refused: {applied}")
        actor_id = await _backend(page.connection, workspace, services.pepper, now)
        customer = await _customer(page.connection, workspace.id, STUDIO, now)
        await _team(page.connection, workspace.id, customer, now)
        for studio in OTHERS:
            await _customer(page.connection, workspace.id, studio, now)
    demo = Demo(services, workspace.id, workspace.name, actor_id, customer)
    await give_grants(demo, with_past=True)
    await _rule(demo)
    return demo


async def give_grants(demo: Demo, *, with_past: bool = False) -> None:
    """What everybody holds this month, and with it what the studio has used before; what was said before is a replay."""
    async with demo.services.reader.page(demo.workspace_id) as page:
        now = page.workspace.now
    opened = demo.customer.created_at
    commands: list[tuple[datetime, GiveGrant | TakeEvent]] = [
        (grant.effective_at or now, grant) for grant in grants_of(now, opened, demo.actor_id)
    ]
    if with_past:
        past = await read_events(past_events(opened))
        commands += [(event.time or now, event) for event in past]
    commands.sort(key=lambda each: each[0])
    # In order of time nothing has to be laid anew. The writer takes events by themselves, so each kind waits for the other.
    for _, run in groupby(commands, key=lambda each: isinstance(each[1], TakeEvent)):
        for answer in await demo.services.writer.post_many(demo.workspace_id, [command for _, command in run]):
            if isinstance(answer, Refusal) or (isinstance(answer, EventTaken) and answer.outcome not in _TAKEN):
                raise TypeError(f"something of the demo is refused: {answer}")


_TAKEN = (EventOutcome.BURNED, EventOutcome.DUPLICATE)


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


async def _team(connection: AsyncConnection, workspace_id: int, customer: Customer, now: datetime) -> None:
    """The studio's people by name, and its history as far back as it may be told."""
    await lock_customer(connection, customer.id)
    for key, name in FAMILY_NAMES.items():
        made = await upsert_member(connection, customer.id, key, {"name": name}, workspace_id=workspace_id, now=now)
        if isinstance(made, Refusal):
            raise TypeError(f"a member of the demo is refused: {made}")
    reach = await set_late_cutoff(connection, CUTOFF, customer.key)
    if isinstance(reach, Refusal):
        raise TypeError(f"the demo's cutoff is refused: {reach}")


async def _rule(demo: Demo) -> None:
    """Auto-recharge as the studio has thought of it, and not yet switched on; what somebody has set since stays."""
    wish = RuleWish(
        credit_type=CREDIT_TYPE,
        enabled=False,
        threshold=Decimal(100),
        bundle="sketchbook",
        target=None,
        cap_amount=Decimal("120.00"),
        cap_currency="USD",
    )
    async with demo.services.reader.changing(demo.workspace_id) as page:
        credit_type = page.catalog.credit_type_by_key(CREDIT_TYPE)
        if (
            credit_type is None
            or await read_rule(await bare(page.connection), demo.customer.id, credit_type.id) is not None
        ):
            return
        made = await set_rule(page, demo.customer, wish, actor_id=demo.actor_id)
    if isinstance(made, Refusal):
        raise TypeError(f"the demo's rule is refused: {made}")
