"""What customers contest."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from credits.disputes import disputes
from schema.permission import READERS, allow, customer, staff
from schema.scalars import Credits
from schema.types.actor import SUPPORT, Actor, actor_of
from schema.types.enums import ActorKind, DisputeStatus
from schema.types.ledger import Info, LedgerEntry

if TYPE_CHECKING:
    from schema.types.customer import Customer

_LEDGER = allow(staff(*READERS), customer("ledger:read"))  # an edge opens no more than the root field does


def _may_know(info: Info, actor: Actor) -> bool:
    """Whoever works on a dispute is an operator to the customer, also by a secret key."""
    return not info.context.caller.is_customer or actor.kind in (ActorKind.CUSTOMER, ActorKind.SYSTEM)


@strawberry.type
class DisputeEvent:
    of: strawberry.Private[disputes.DisputeEvent]
    at: datetime
    action: str = strawberry.field(
        description="opened, assigned, unassigned, investigating, reopened, note, upheld, rejected or withdrawn."
    )

    @strawberry.field(description="A customer sees of everybody else that it was Support.")
    async def actor(self, info: Info) -> Actor:
        found = await actor_of(info.context, self.of.actor_id)
        return found if _may_know(info, found) else SUPPORT

    @strawberry.field(
        description="What was noted; of an assignment, to whom. Not for the customer, but what is its own."
    )
    async def note(self, info: Info) -> str | None:
        return self.of.note if _may_know(info, await actor_of(info.context, self.of.actor_id)) else None


@strawberry.type
class Dispute:
    of: strawberry.Private[disputes.Dispute]
    id: strawberry.ID
    status: DisputeStatus
    reason: str
    amount: Credits = strawberry.field(description="What of its entries had not been given back when it was opened.")
    given_back: Credits = strawberry.field(description="What its resolution gave back.")
    opened_at: datetime
    due_at: datetime
    resolved_at: datetime | None
    resolution: str | None

    @strawberry.field
    async def customer(self, info: Info) -> Annotated["Customer", strawberry.lazy("schema.types.customer")]:
        from schema.types.customer import Customer  # noqa: PLC0415 -- a customer has disputes, a dispute its customer

        found = await info.context.loaders.customers.load(self.of.customer_id)
        if found is None:
            raise LookupError(f"dispute {self.of.place} has no customer")
        return Customer.from_value(found)

    @strawberry.field(metadata=_LEDGER)
    async def entries(self, info: Info) -> list[LedgerEntry]:
        found = await info.context.loaders.entries.load_many(self.of.entries)
        return [LedgerEntry.from_value(entry) for entry in found if entry is not None]

    @strawberry.field
    async def opened_by(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.opened_by)

    @strawberry.field
    async def assignee(self, info: Info) -> Actor | None:
        return None if self.of.assignee is None else await actor_of(info.context, self.of.assignee)

    @strawberry.field
    async def timeline(self, info: Info) -> list[DisputeEvent]:
        found = await info.context.loaders.timelines.load(self.of.place) or []
        return [DisputeEvent(of=event, at=event.at, action=event.action) for event in found]

    @staticmethod
    def from_value(of: disputes.Dispute) -> "Dispute":
        return Dispute(
            of=of,
            id=strawberry.ID(of.id),
            status=DisputeStatus(of.status),
            reason=of.reason,
            amount=of.amount_micro,
            given_back=of.given_back_micro,
            opened_at=of.opened_at,
            due_at=of.due_at,
            resolved_at=of.resolved_at,
            resolution=of.resolution,
        )
