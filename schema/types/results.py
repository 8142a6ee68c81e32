"""What mutations answer: what was done, or one of the refusals."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.types.access import ApiKey
from schema.types.balance import Balance, Decision
from schema.types.catalog import Catalog, CatalogChange
from schema.types.customer import Customer
from schema.types.enforcement import EnforcementPolicy
from schema.types.enums import EventOutcome
from schema.types.ledger import Grant, Hold, LedgerEntry
from schema.types.refusals import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidInput,
    NotAllowed,
    NotFound,
)


@strawberry.type
class BurnOk:
    entry: LedgerEntry
    balance: Balance
    decision: Decision
    replayed: bool


@strawberry.type
class GrantOk:
    grant: Grant
    entry: LedgerEntry | None
    balance: Balance
    replayed: bool


@strawberry.type
class HoldOk:
    hold: Hold
    balance: Balance
    decision: Decision | None
    replayed: bool


@strawberry.type
class SettleOk:
    hold: Hold
    entry: LedgerEntry
    balance: Balance
    replayed: bool


@strawberry.type
class CustomerOk:
    customer: Customer
    created: bool


@strawberry.type
class EmbedTokenOk:
    token: str
    expires_at: datetime


@strawberry.type
class RejectedEvent:
    index: int
    id: str | None
    outcome: EventOutcome
    message: str


@strawberry.type
class IngestResult:
    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


@strawberry.type
class PolicyOk:
    policy: EnforcementPolicy


@strawberry.type
class CatalogOk:
    catalog: Catalog
    changes: list[CatalogChange]


@strawberry.type(description="The only time a key's secret is shown.")
class ApiKeyOk:
    api_key: ApiKey
    secret: str | None


@strawberry.type
class ClockOk:
    now: datetime
    happened: list[str]


@strawberry.type
class LateEventCutoffOk:
    cutoff: str | None = strawberry.field(description="ISO 8601 duration; null where the next wider one applies.")


BurnResult = Annotated[
    BurnOk | InsufficientCredits | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("BurnResult"),
]
GrantResult = Annotated[
    GrantOk | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict, strawberry.union("GrantResult")
]
HoldResult = Annotated[
    HoldOk | InsufficientCredits | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("HoldResult"),
]
SettleResult = Annotated[
    SettleOk | InsufficientCredits | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("SettleResult"),
]
CustomerResult = Annotated[CustomerOk | InvalidInput | NotAllowed, strawberry.union("CustomerResult")]
EmbedTokenResult = Annotated[EmbedTokenOk | InvalidInput | NotFound | NotAllowed, strawberry.union("EmbedTokenResult")]
PolicyResult = Annotated[PolicyOk | InvalidInput | NotFound | NotAllowed, strawberry.union("PolicyResult")]
CatalogResult = Annotated[CatalogOk | InvalidInput | NotAllowed | Conflict, strawberry.union("CatalogResult")]
ApiKeyResult = Annotated[ApiKeyOk | InvalidInput | NotFound | NotAllowed, strawberry.union("ApiKeyResult")]
ClockResult = Annotated[ClockOk | InvalidInput | NotAllowed, strawberry.union("ClockResult")]
LateEventCutoffResult = Annotated[
    LateEventCutoffOk | InvalidInput | NotFound | NotAllowed, strawberry.union("LateEventCutoffResult")
]
CheckResult = Annotated[Decision | InvalidInput | NotFound, strawberry.union("CheckResult")]
