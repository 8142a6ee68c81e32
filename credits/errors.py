"""Every expected refusal, in one tree. They are values that verbs return, not exceptions.

Refusal
├── InvalidInput            INVALID_INPUT
├── NotFound                NOT_FOUND, UNKNOWN_FEATURE, NO_RATE
├── NotAllowed              NOT_ALLOWED
├── Conflict                HOLD_NOT_OPEN, GRANT_NOT_ACTIVE, TOO_LATE, OVER_REVERSED, CONFLICT, UNAVAILABLE
├── IdempotencyConflict     IDEMPOTENCY_CONFLICT
├── InsufficientCredits     INSUFFICIENT_CREDITS
└── LimitReached            LIMIT_REACHED (with the limit, in credits/enforcement/values.py)

The one exception of the domain is `Unavailable`: the database could not be reached or refused the write; the
caller does not know whether anything happened and asks again with the same idempotency key. Its kind `Busy` is known
to have changed nothing: too much is waiting already.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expected answer that changes nothing."""

    message: str


@dataclass(frozen=True, slots=True)
class InvalidInput(Refusal):
    """The input cannot be taken; `field` is its path as the caller wrote it."""

    field: str | None = None
    code: str = "INVALID_INPUT"


@dataclass(frozen=True, slots=True)
class NotFound(Refusal):
    """What was named does not exist, or belongs to somebody else: the two are not told apart."""

    code: str = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class NotAllowed(Refusal):
    """The credential may not do this."""

    code: str = "NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Conflict(Refusal):
    """The state of things forbids it."""

    code: str = "CONFLICT"


@dataclass(frozen=True, slots=True)
class IdempotencyConflict(Refusal):
    """The key was used before with another payload."""

    first_seen_at: datetime
    code: str = "IDEMPOTENCY_CONFLICT"


@dataclass(frozen=True, slots=True)
class InsufficientCredits(Refusal):
    """Too little is available. Amounts are micro-credits."""

    credit_type_id: int
    needed_micro: int
    available_micro: int
    overdraft_left_micro: int
    code: str = "INSUFFICIENT_CREDITS"

    @property
    def shortfall_micro(self) -> int:
        """What is missing, overdraft counted. What is left of it has been lessened by the debt already."""
        return self.needed_micro - max(0, self.available_micro) - self.overdraft_left_micro


class Unavailable(Exception):
    """The store cannot answer now. Nothing is known to have happened; the same key may be sent again."""


class Busy(Unavailable):
    """Too much is waiting: this was not even tried. Come back a little later."""
