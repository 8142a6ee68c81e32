"""Events in, what became of each out: stored and burned, seen before, or kept as a dead letter.

Invariant: when `ingest` answers, everything it says has been committed. Whoever gets no answer sends the same again;
what had been taken is then a duplicate.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from credits.posting.commands import TakeEvent
from credits.posting.outcomes import Answer, EventOutcome, EventTaken
from credits.posting.writer import Writer
from credits.usage.envelope import from_cloud_event

_SLICE = 250  # events that are read before others get a turn on the event loop: 10 ms


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """`index` is its place among the events sent; `event_id` None where it had none that could be read."""

    index: int
    event_id: str | None
    outcome: EventOutcome
    message: str


@dataclass(slots=True)
class Ingested:
    """`accepted` counts what is stored and burned, `rejected` lists what is kept as dead letters, and contradictions."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[RejectedEvent] = field(default_factory=list)


async def read_events(received: Iterable[object], *, accept_late: bool = False) -> list[TakeEvent]:
    """Reads the envelopes of a body, letting others have their turn in between."""
    events: list[TakeEvent] = []
    for event in received:
        events.append(from_cloud_event(event, accept_late=accept_late))
        if len(events) % _SLICE == 0:
            await asyncio.sleep(0)
    return events


async def ingest(writer: Writer, workspace_id: int, events: Sequence[TakeEvent]) -> Ingested:
    """Takes events in order, each by itself. Raises `Busy`, `Unavailable`."""
    ingested = Ingested()
    for index, answer in enumerate(await _post(writer, workspace_id, events)):
        assert isinstance(answer, EventTaken)  # noqa: S101 -- the writer's promise for this command
        if answer.outcome is EventOutcome.BURNED:
            ingested.accepted += 1
        elif answer.outcome is EventOutcome.DUPLICATE:
            ingested.duplicates += 1
        else:
            event_id = events[index].event_id or None
            ingested.rejected.append(RejectedEvent(index, event_id, answer.outcome, answer.message or ""))
    return ingested


async def _post(writer: Writer, workspace_id: int, events: Sequence[TakeEvent]) -> list[Answer]:
    """The answers, in order; of two events that contradict each other in their customer the first is taken first.

    The writer keeps the order within a customer, and takes several customers at once.
    """
    if len({event.key for event in events}) == len(events):
        return await writer.post_many(workspace_id, events)
    subjects: dict[UUID, str] = {}
    first: list[int] = []
    later: list[int] = []
    for index, event in enumerate(events):
        (first if subjects.setdefault(event.key, event.subject) == event.subject else later).append(index)
    answers: dict[int, Answer] = {}
    for indexes in (first, later):
        posted = await writer.post_many(workspace_id, [events[index] for index in indexes])
        answers.update(zip(indexes, posted, strict=True))
    return [answers[index] for index in range(len(events))]
