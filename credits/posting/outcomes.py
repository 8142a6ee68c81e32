"""What the ledger answers. A refusal of `credits.errors` is the other answer to any command.

None of it is ever changed. What every burn makes anew is not `frozen`, which doubles what making one costs.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from credits.enforcement.values import LimitReached
from credits.errors import InsufficientCredits, Refusal
from credits.ledger.account import Grant, Hold
from credits.ledger.balance import Balance
from credits.ledger.entries import Entry


@dataclass(slots=True)
class Decision:
    """What enforcement said. `would_block`: in SHADOW and SOFT, what ENFORCE would have answered."""

    allowed: bool
    would_block: bool
    mode: str
    reason: InsufficientCredits | LimitReached | None
    cost_micro: int
    credit_type_id: int


@dataclass(slots=True)
class Burned:
    entry: Entry
    balance: Balance
    decision: Decision
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    customer_id: int
    credit_type_id: int
    grant: Grant
    entry: Entry | None  # None: scheduled for later
    balance: Balance
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class HoldTaken:
    customer_id: int
    credit_type_id: int
    hold: Hold
    entry: Entry | None  # None: extended
    balance: Balance
    decision: Decision | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    customer_id: int
    credit_type_id: int
    hold: Hold
    entry: Entry
    balance: Balance
    replayed: bool = False


class EventOutcome(IntEnum):
    """What became of a usage event. The numbers are stored: never renumber. From LATE on they are dead letters."""

    PENDING = 0
    BURNED = 1
    DUPLICATE = 2
    LATE = 3
    FUTURE = 4
    INVALID = 5
    UNKNOWN_CUSTOMER = 6
    UNKNOWN_TYPE = 7
    UNRATED = 8
    DISCARDED = 9


@dataclass(slots=True)
class EventTaken:
    """`message` says why, where the event did not burn."""

    outcome: EventOutcome
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """What the clock booked for a customer."""

    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Reversals that were made together with what else they belong to; of a repeat they are not told again."""

    entries: list[Entry]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class HappenedBefore:
    """The companion says so, and the key does not know of it: nothing has changed, and there is nothing to tell again."""


@dataclass(slots=True)
class UsedKey:
    """What an idempotency key stands for: one of an entry, a hold, a grant."""

    fingerprint: int
    first_seen_at: datetime
    customer_id: int
    credit_type_id: int
    sequence: int | None
    grant_number: int | None
    hold_number: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The key was used before: the first answer with the present balance, or a conflict where the payload differs.

    It is read once the batch has committed: the first answer may be part of the same batch.
    """

    used: UsedKey
    contradicts: bool


Answer = Burned | Granted | HoldTaken | Settled | EventTaken | Advanced | GivenBack | HappenedBefore | Refusal
