"""Usage that already happened, and what could not burn."""

import strawberry

from credits import bounds
from credits.errors import InvalidInput
from credits.usage import dead_letters
from credits.usage.envelope import from_attributes
from credits.usage.ingest import Ingested, ingest
from schema.errors import bad_request
from schema.inputs import EventInput
from schema.permission import allow, staff
from schema.types.enums import EventOutcome
from schema.types.ledger import Info
from schema.types.results import IngestResult, RejectedEvent

_DEAD_LETTERS = allow(staff("SUPPORT"))


@strawberry.type
class UsageMutations:
    @strawberry.mutation(
        description="Usage that already happened: always taken, rated and burned in the background. At most 10,000.",
        metadata=allow(staff("BACKEND", "INGEST")),
    )
    async def ingest_events(self, info: Info, events: list[EventInput]) -> IngestResult:
        _bounded("events", events)
        taken = [from_attributes(e.id, e.source, e.type, e.subject, e.time, e.data) for e in events]
        return _result(await ingest(info.context.services.writer, info.context.workspace_id, taken))

    @strawberry.mutation(
        description=(
            "Takes dead letters as if their events had just arrived; with acceptLate also those older than the cutoff. "
            "At most 10,000."
        ),
        metadata=_DEAD_LETTERS,
    )
    async def retry_dead_letters(
        self, info: Info, ids: list[strawberry.ID], accept_late: bool | None = False
    ) -> IngestResult:
        _bounded("ids", ids)
        async with info.context.page() as page:
            letters = await dead_letters.read_letters(
                page.connection, ids, accept_late=bool(accept_late), actor_id=info.context.caller.actor_id
            )
        context = info.context
        return _result(await dead_letters.retry(context.services.writer, context.workspace_id, ids, letters))

    @strawberry.mutation(
        description="Gives dead letters up for ever; the note says why. At most 10,000.", metadata=_DEAD_LETTERS
    )
    async def discard_dead_letters(self, info: Info, ids: list[strawberry.ID], note: str) -> IngestResult:
        _bounded("ids", ids)
        async with info.context.changing() as page:
            discarded = await dead_letters.discard(
                page.connection, ids, note, page.workspace.now, actor_id=info.context.caller.actor_id
            )
        if isinstance(discarded, InvalidInput):
            raise bad_request(f"{discarded.field}: {discarded.message}")
        return _result(discarded[0])


def _bounded(name: str, given: list[EventInput] | list[strawberry.ID]) -> None:
    if len(given) > bounds.EVENTS_PER_REQUEST_MAX:
        raise bad_request(f"{name}: at most {bounds.EVENTS_PER_REQUEST_MAX}")


def _result(result: Ingested) -> IngestResult:
    return IngestResult(
        accepted=result.accepted,
        duplicates=result.duplicates,
        rejected=[
            RejectedEvent(index=r.index, id=r.event_id, outcome=EventOutcome(r.outcome.name), message=r.message)
            for r in result.rejected
        ],
    )
