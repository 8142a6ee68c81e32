"""What can be told, and how a message says it. PURE."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from credits import bounds
from credits.errors import InvalidInput

EVERYTHING = "*"
TYPES = (
    "balance.low",
    "balance.depleted",
    "balance.negative",
    "grant.created",
    "grant.expiring",
    "grant.expired",
    "hold.lapsed",
    "recharge.succeeded",
    "recharge.failed",
    "recharge.suspended",
    "topup.succeeded",
    "topup.failed",
    "dispute.opened",
    "dispute.resolved",
    "event.dead_lettered",
    "enforcement.changed",
)
OF_THE_WORKSPACE = 0  # instead of a customer


@dataclass(frozen=True, slots=True)
class Message:
    """One fact to be told. `at` is when it happened, by the workspace's clock. `fact` names it within its type: the
    same fact is told once, however often somebody tells it. `data` is JSON; amounts in it are decimal strings.
    `customer_id`: messages about one customer arrive in the order in which they were written."""

    workspace_id: int
    type: str
    at: datetime
    fact: str
    data: Mapping[str, Any]
    customer_id: int = OF_THE_WORKSPACE

    @property
    def key(self) -> UUID:
        """The same for the same fact, different for any other."""
        named = orjson.dumps([self.workspace_id, self.type, self.fact])
        return UUID(bytes=hashlib.sha256(named).digest()[:16])

    @property
    def body(self) -> str:
        """The bytes that are signed and sent."""
        told = {"type": self.type, "timestamp": instant(self.at), "data": self.data}
        return orjson.dumps(told, default=_instant, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def public_id(key: UUID) -> str:
    """`webhook-id`: by which a receiver knows a message again."""
    return f"msg_{key.hex}"


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, as the API writes instants."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def packed(messages: Sequence[Message]) -> str:
    """The messages as the statements of the outbox take them: one JSON text, in order."""
    return orjson.dumps(
        [
            {
                "position": position,
                "workspace_id": message.workspace_id,
                "customer_id": message.customer_id,
                "key": message.key,
                "type": message.type,
                "body": message.body,
            }
            for position, message in enumerate(messages)
        ]
    ).decode()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The types that somebody in a workspace wants to be told of."""

    types: frozenset[str] = frozenset()

    @classmethod
    def by(cls, endpoints: Iterable[Sequence[str]]) -> "Wanted":
        """From the `events` of each enabled endpoint."""
        named = frozenset(name for events in endpoints for name in events)
        return cls(frozenset(TYPES) if EVERYTHING in named else named)

    def __contains__(self, type_: str) -> bool:
        return type_ in self.types

    def __bool__(self) -> bool:
        return bool(self.types)


NOTHING_WANTED = Wanted()


def events_form(events: Sequence[str]) -> InvalidInput | None:
    """Why these cannot be what an endpoint wants."""
    if not events:
        return InvalidInput('name at least one event, or "*" for all of them', field="events")
    unknown = [name for name in events if name != EVERYTHING and name not in TYPES]
    if unknown:
        shown = ", ".join(repr(name[: bounds.EVENT_NAME_MAX]) for name in unknown[: bounds.PROBLEMS_MAX])
        return InvalidInput(f"no such event: {shown}; there are {', '.join(TYPES)}, and * for all", field="events")
    return None


def in_order(events: Sequence[str]) -> list[str]:
    """Each once, in our order."""
    return [name for name in (EVERYTHING, *TYPES) if name in events]
