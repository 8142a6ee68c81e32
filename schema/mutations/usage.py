"""Usage that already happened."""

import strawberry

from credits import bounds
from credits.usage.envelope import from_attributes
from credits.usage.ingest import ingest
from schema.errors import bad_request
from schema.inputs import EventInput
from schema.permission import allow, staff
from schema.types.enums import EventOutcome
from schema.types.ledger import Info
from schema.types.results import IngestResult, RejectedEvent


@strawberry.type
class UsageMutations:
    @strawberry.mutation(
        description="Usage that already happened: always taken, rated and burned in the background. At most 10,000.",
        metadata=allow(staff("BACKEND", "INGEST")),
    )
    async def ingest_events(self, info: Info, events: list[EventInput]) -> IngestResult:
        if len(events) > bounds.EVENTS_PER_REQUEST_MAX:
            raise bad_request(f"events: at most {bounds.EVENTS_PER_REQUEST_MAX}")
        taken = [from_attributes(e.id, e.source, e.type, e.subject, e.time, e.data) for e in events]
        result = await ingest(info.context.services.writer, info.context.workspace_id, taken)
        return IngestResult(
            accepted=result.accepted,
            duplicates=result.duplicates,
            rejected=[
                RejectedEvent(index=r.index, id=r.event_id, outcome=EventOutcome(r.outcome.name), message=r.message)
                for r in result.rejected
            ],
        )
