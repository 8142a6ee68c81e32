"""What an operator does with dead letters: try them again, or give them up.

A letter that is tried again is judged as if its event had just arrived, at the time it carries: a customer that exists
by now, a price that was published since, a cutoff that is set aside. It burns once: the letter's new outcome and the
burns commit together, and whatever has burned already is a duplicate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import ids as public
from credits.audit.log import Act, record_all
from credits.bounds import NOTE_MAX
from credits.errors import InvalidInput
from credits.posting.commands import TakeEvent, note_form
from credits.posting.outcomes import EventOutcome
from credits.posting.writer import Writer
from credits.usage.envelope import from_cloud_event
from credits.usage.events import UsageEvent, key_of
from credits.usage.ingest import Ingested, RejectedEvent, ingest
from credits.usage.parse import parse_event
from credits.usage.reads import read_contents, read_events
from credits.usage.tables import usage_events

DEAD = frozenset(outcome for outcome in EventOutcome if EventOutcome.LATE <= outcome < EventOutcome.DISCARDED)
_NO_SUCH = "no such dead letter"


async def read_letters(
    connection: AsyncConnection, ids: Sequence[str], *, accept_late: bool, actor_id: int | None = None
) -> list[TakeEvent | None]:
    """The letters as events to be taken again, in the order asked for; None for what is no event of ours."""
    keys = [key_of(text) for text in ids]
    known = [key for key in keys if key is not None]
    events = await read_events(connection, known)
    contents = await read_contents(connection, known)
    return [
        replace(_again(events[key], contents[key], accept_late=accept_late), actor_id=actor_id)
        if key is not None and key in events
        else None
        for key in keys
    ]


async def retry(writer: Writer, workspace_id: int, ids: Sequence[str], letters: Sequence[TakeEvent | None]) -> Ingested:
    """Takes the letters again, each by itself. Raises `Busy`, `Unavailable`."""
    found = [index for index, letter in enumerate(letters) if letter is not None]
    ingested = await ingest(writer, workspace_id, [letter for letter in letters if letter is not None])
    rejected = [replace(each, index=found[each.index], event_id=ids[found[each.index]]) for each in ingested.rejected]
    return replace(ingested, rejected=sorted([*rejected, *_unknown(ids, letters)], key=lambda each: each.index))


async def discard(
    connection: AsyncConnection, ids: Sequence[str], note: str, now: datetime, *, actor_id: int | None = None
) -> tuple[Ingested, list[UUID]] | InvalidInput:
    """Gives the letters up, for ever: each is rejected as DISCARDED with the note, or was no open dead letter. And the
    keys of those that were given up."""
    if not note.strip():
        return InvalidInput(f"must say why, in 1 to {NOTE_MAX} characters", field="note")
    problem = note_form(note)
    if problem:
        return problem
    keys = [key_of(text) for text in ids]
    # Of two operators who give up and try again at once, the row's lock decides; the other finds it done.
    dead = (
        usage_events.c.key.in_([key for key in keys if key is not None]),
        usage_events.c.outcome.in_([int(outcome) for outcome in DEAD]),
    )
    locked = select(usage_events.c.key, usage_events.c.outcome).where(*dead).order_by(usage_events.c.key)
    was = {row.key: EventOutcome(row.outcome) for row in await connection.execute(locked.with_for_update())}
    changed = await connection.execute(
        update(usage_events)
        .where(*dead)
        .values(
            outcome=int(EventOutcome.DISCARDED),
            message=func.concat(usage_events.c.message, "; given up: ", note),
            resolved_at=now,
        )
        .returning(usage_events.c.key)
    )
    done = {row.key for row in changed}
    after = {"outcome": EventOutcome.DISCARDED.name}
    await record_all(
        connection,
        [
            Act(actor_id, "deadLetter.discarded", public.event(key), {"outcome": was[key].name}, after)
            for key in sorted(done)
        ],
    )
    rejected = [
        RejectedEvent(index, ids[index], EventOutcome.DISCARDED, note)
        if key in done
        else RejectedEvent(index, ids[index], EventOutcome.INVALID, _NO_SUCH)
        for index, key in enumerate(keys)
    ]
    return Ingested(rejected=rejected), sorted(done)


def _again(event: UsageEvent, content: int, *, accept_late: bool) -> TakeEvent:
    data = parse_event(event.data.encode())
    if not event.sound:  # kept whole, because its envelope could not be read: it says so again
        told = replace(from_cloud_event(data, accept_late=accept_late), data_text=event.data)
        return replace(told, key=event.key, content=content, again=True)
    return TakeEvent(
        event.key,
        content,
        event.source,
        event.event_id,
        event.type,
        event.subject,
        event.occurred_at,
        data if isinstance(data, dict) else {},
        event.data,
        None,
        accept_late,
        again=True,
    )


def _unknown(ids: Sequence[str], letters: Iterable[TakeEvent | None]) -> list[RejectedEvent]:
    return [
        RejectedEvent(index, ids[index], EventOutcome.INVALID, _NO_SUCH)
        for index, letter in enumerate(letters)
        if letter is None
    ]
