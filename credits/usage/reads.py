"""Reading usage events and dead letters. `data` is read as text: parsed, a number might come out as another one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, Text, cast, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from credits import bounds, durations
from credits.customers.customers import valid_text
from credits.posting.outcomes import EventOutcome
from credits.usage.envelope import SPECVERSION, event_key
from credits.usage.events import DeadLetter, UsageEvent, key_of
from credits.usage.parse import parse_event
from credits.usage.tables import usage_events

# A position is three numbers that fit 62 bits: the instant, and the first 122 bits of the key. More never decide:
# the key is a hash, and only one instant's letters are told apart by it.
_PART = 61
_REST = 128 - 2 * _PART

_columns = [column for column in usage_events.c if column.name != "data"]


def _events() -> Select[Any]:
    return select(*_columns, cast(usage_events.c.data, Text).label("data"))


async def read_events(connection: AsyncConnection, keys: Iterable[UUID]) -> dict[UUID, UsageEvent]:
    """The events with those keys, by key."""
    rows = await connection.execute(_events().where(usage_events.c.key.in_(list(keys))))
    return {row.key: _event(row) for row in rows}


async def read_contents(connection: AsyncConnection, keys: Iterable[UUID]) -> dict[UUID, int]:
    """The fingerprints of the events' contents, by key."""
    query = select(usage_events.c.key, usage_events.c.content).where(usage_events.c.key.in_(list(keys)))
    return {row.key: row.content for row in await connection.execute(query)}


async def find_event_by_source(connection: AsyncConnection, source: str, event_id: str) -> UsageEvent | None:
    """The event that this source calls so."""
    if not (valid_text(source, bounds.EVENT_NAME_MAX) and valid_text(event_id, bounds.EVENT_NAME_MAX)):
        return None
    key = event_key(source, event_id)
    return (await read_events(connection, [key])).get(key)


async def find_event(connection: AsyncConnection, *, event_id: str, customer_id: int) -> list[UsageEvent]:
    """A customer's events of that name: one by its public id, else those that any source calls so.

    By public id it is one look-up; by a source's own id it reads all events of the workspace, which no index leads to.
    """
    key = key_of(event_id)
    if key is not None:
        events = (await read_events(connection, [key])).values()
        return [event for event in events if event.customer_id == customer_id]
    if not valid_text(event_id, bounds.EVENT_NAME_MAX):
        return []
    named = _events().where(usage_events.c.customer_id == customer_id, usage_events.c.event_id == event_id)
    return [_event(row) for row in await connection.execute(named)]


async def list_dead_letters(
    connection: AsyncConnection, outcome: str | None, first: int, after: Sequence[int] | None = None
) -> tuple[list[DeadLetter], bool]:
    """Dead letters, newest first, after the `position` of another one; and whether there are more.

    Those that somebody should look at; what was given up only where it is asked for by its outcome.
    """
    place = tuple_(usage_events.c.received_at, usage_events.c.key)
    query = _events().where(usage_events.c.message.is_not(None))
    if outcome is None:
        query = query.where(usage_events.c.resolved_at.is_(None))
    else:
        query = query.where(usage_events.c.outcome == EventOutcome[outcome].value)
    if after is not None:
        found = _placed(after)
        if found is None:
            return [], False
        query = query.where(place < tuple_(*found))
    query = query.order_by(usage_events.c.received_at.desc(), usage_events.c.key.desc()).limit(first + 1)
    letters = [_dead_letter(row) for row in await connection.execute(query)]
    return letters[:first], len(letters) > first


def _event(row: Any) -> UsageEvent:
    numbers = row.entries or []
    return UsageEvent(
        key=row.key,
        customer_id=row.customer_id,
        event_id=row.event_id,
        source=row.source,
        type=row.type or _type_within(row.data),
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        data=row.data,
        outcome=EventOutcome(row.outcome),
        entries=tuple((row.customer_id, *pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)),
        subject=row.subject,
        sound=bool(row.type),
    )


def _type_within(data: str) -> str:
    """The type that an event names which is kept whole, because its envelope is unsound."""
    event = parse_event(data.encode())
    found = event.get("type") if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""


def _dead_letter(row: Any) -> DeadLetter:
    number = row.key.int >> _REST
    return DeadLetter(
        key=row.key,
        event=_as_cloud_event(row) if row.type else row.data,
        outcome=EventOutcome(row.outcome),
        message=row.message,
        customer=row.subject or None,
        received_at=row.received_at,
        attempts=row.attempts,
        resolved_at=row.resolved_at,
        position=(durations.micros(row.received_at), number >> _PART, number & (2**_PART - 1)),
    )


def _as_cloud_event(row: Any) -> str:
    event = {
        "specversion": SPECVERSION,
        "id": row.event_id,
        "source": row.source,
        "type": row.type,
        "subject": row.subject,
        "time": row.occurred_at,
        "data": orjson.Fragment(row.data),
    }
    return orjson.dumps(event, option=orjson.OPT_UTC_Z).decode()


def _placed(position: Sequence[int]) -> tuple[datetime, UUID] | None:
    """The place in the index that a position means; None for what is none."""
    micros, high, low = position
    if not (0 <= high < 2**_PART and 0 <= low < 2**_PART):
        return None
    try:
        instant = durations.instant(micros)
    except OverflowError:
        return None
    # Newest first goes on below it, and the key itself is not below its own first bits.
    return instant, UUID(int=(high << _PART | low) << _REST)
