"""Usage events as they came, and those that could not burn."""

from datetime import datetime
from uuid import UUID

import orjson
import strawberry

from credits.usage import reads
from credits.usage.events import DeadLetter as DeadLetterValue
from credits.usage.events import UsageEvent as UsageEventValue
from schema.context import Context
from schema.pages import PageInfo
from schema.permission import READERS, allow, customer, staff
from schema.scalars import JSON
from schema.types.enums import EventOutcome
from schema.types.ledger import Info, LedgerEntry

_LEDGER = allow(staff(*READERS), customer("ledger:read"))  # an edge opens no more than the root field does


@strawberry.type
class UsageEvent:
    of: strawberry.Private[UsageEventValue]
    id: strawberry.ID
    event_id: str
    source: str
    type: str
    occurred_at: datetime
    received_at: datetime
    outcome: EventOutcome

    @strawberry.field
    def data(self) -> JSON:
        return _as_json(self.of.data)

    @strawberry.field(metadata=_LEDGER)
    async def entries(self, info: Info) -> list[LedgerEntry]:
        found = await info.context.loaders.entries.load_many(list(self.of.entries))
        return [LedgerEntry.from_value(entry) for entry in found if entry is not None]

    @staticmethod
    async def load(context: Context, key: UUID) -> "UsageEvent | None":
        async with context.page() as page:
            found = await reads.read_events(page.connection, [key])
        return UsageEvent.from_value(found[key]) if key in found else None

    @staticmethod
    def from_value(of: UsageEventValue) -> "UsageEvent":
        return UsageEvent(
            of=of,
            id=strawberry.ID(of.id),
            event_id=of.event_id,
            source=of.source,
            type=of.type,
            occurred_at=of.occurred_at,
            received_at=of.received_at,
            outcome=EventOutcome(of.outcome.name),
        )


@strawberry.type
class DeadLetter:
    of: strawberry.Private[DeadLetterValue]
    id: strawberry.ID
    outcome: EventOutcome
    message: str
    customer: str | None
    received_at: datetime
    attempts: int
    resolved_at: datetime | None

    @strawberry.field
    def event(self) -> JSON:
        return _as_json(self.of.event)

    @staticmethod
    def from_value(of: DeadLetterValue) -> "DeadLetter":
        return DeadLetter(
            of=of,
            id=strawberry.ID(of.id),
            outcome=EventOutcome(of.outcome.name),
            message=of.message,
            customer=of.customer,
            received_at=of.received_at,
            attempts=of.attempts,
            resolved_at=of.resolved_at,
        )


@strawberry.type
class DeadLetterEdge:
    node: DeadLetter
    cursor: str


@strawberry.type
class DeadLetterConnection:
    edges: list[DeadLetterEdge]
    page_info: PageInfo


def _as_json(received: str) -> JSON:
    """What was received, to the digit; as text where a reader of JSON could choke on it (1e999), and with it on the
    whole answer."""
    try:
        orjson.loads(received)
    except orjson.JSONDecodeError:
        return received
    return orjson.Fragment(received)
