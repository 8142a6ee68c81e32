"""Who may do what: API keys, and the caller itself."""

from datetime import datetime

import strawberry

from credits.access import keys
from credits.customers.cutoff import as_duration
from schema.context import Context
from schema.types.customer import Customer
from schema.types.enums import ActorKind, Role


@strawberry.type
class ApiKey:
    id: strawberry.ID
    name: str
    prefix: str
    role: Role
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    @staticmethod
    def from_value(of: keys.ApiKey) -> "ApiKey":
        return ApiKey(
            id=strawberry.ID(of.id),
            name=of.name,
            prefix=of.prefix,
            role=Role(of.role),
            created_at=of.created_at,
            last_used_at=of.last_used_at,
            revoked_at=of.revoked_at,
        )


@strawberry.type
class Viewer:
    kind: ActorKind
    role: Role | None
    workspace: str
    test_mode: bool
    now: datetime = strawberry.field(description="The workspace's clock.")
    customer: Customer | None
    scopes: list[str]
    late_event_cutoff: str = strawberry.field(
        description="Usage older than this (ISO 8601 duration) is not burned but put before an operator."
    )


async def read_viewer(context: Context) -> Viewer:
    """Who is asking, and in which workspace."""
    caller = context.caller
    async with context.page() as page:
        workspace = page.workspace
    own = None if caller.customer_id is None else await context.loaders.customers.load(caller.customer_id)
    return Viewer(
        kind=ActorKind(caller.kind),
        role=None if caller.role is None else Role(caller.role),
        workspace=workspace.name,
        test_mode=workspace.test_mode,
        now=workspace.now,
        customer=None if own is None else Customer.from_value(own),
        scopes=sorted(caller.scopes),
        late_event_cutoff=as_duration(
            workspace.late_cutoff if own is None or own.late_cutoff is None else own.late_cutoff
        ),
    )
