"""Who may do what: API keys, and the caller itself."""

from datetime import datetime

import strawberry

from credits.access import keys
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
