"""What mutations answer: what was done, or one of the refusals."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.types.access import ApiKey
from schema.types.balance import Balance, Decision
from schema.types.catalog import Catalog, CatalogChange
from schema.types.customer import Customer
from schema.types.disputes import Dispute
from schema.types.enforcement import EnforcementPolicy
from schema.types.enums import EventOutcome
from schema.types.ledger import Grant, Hold, LedgerEntry
from schema.types.members import Member, SpendLimit
from schema.types.recharge import RechargeOk
from schema.types.refusals import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    PaymentFailed,
)
from schema.types.top_ups import PaymentIssue, TopUp
from schema.types.webhooks import WebhookDelivery, WebhookEndpoint


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
class MemberOk:
    member: Member


@strawberry.type
class LimitOk:
    limit: SpendLimit


@strawberry.type
class CatalogOk:
    catalog: Catalog
    changes: list[CatalogChange]


@strawberry.type(description="The only time a key's secret is shown.")
class ApiKeyOk:
    api_key: ApiKey
    secret: str | None


@strawberry.type
class WebhookOk:
    endpoint: WebhookEndpoint


@strawberry.type
class WebhookDeliveryOk:
    delivery: WebhookDelivery


@strawberry.type
class DisputeOk:
    dispute: Dispute


@strawberry.type
class TopUpOk:
    top_up: TopUp


@strawberry.type
class PaymentSetupOk:
    url: str | None
    client_secret: str | None


@strawberry.type
class PaymentIssueOk:
    issue: PaymentIssue


@strawberry.type
class ClockOk:
    now: datetime
    happened: list[str]


@strawberry.type
class LateEventCutoffOk:
    cutoff: str | None = strawberry.field(description="ISO 8601 duration; null where the next wider one applies.")


BurnResult = Annotated[
    BurnOk | InsufficientCredits | LimitReached | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("BurnResult"),
]
GrantResult = Annotated[
    GrantOk | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict, strawberry.union("GrantResult")
]
HoldResult = Annotated[
    HoldOk | InsufficientCredits | LimitReached | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("HoldResult"),
]
SettleResult = Annotated[
    SettleOk | InsufficientCredits | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("SettleResult"),
]
CustomerResult = Annotated[CustomerOk | InvalidInput | NotAllowed, strawberry.union("CustomerResult")]
EmbedTokenResult = Annotated[EmbedTokenOk | InvalidInput | NotFound | NotAllowed, strawberry.union("EmbedTokenResult")]
MemberResult = Annotated[MemberOk | InvalidInput | NotFound | NotAllowed, strawberry.union("MemberResult")]
LimitResult = Annotated[LimitOk | InvalidInput | NotFound | NotAllowed, strawberry.union("LimitResult")]
PolicyResult = Annotated[PolicyOk | InvalidInput | NotFound | NotAllowed, strawberry.union("PolicyResult")]
CatalogResult = Annotated[CatalogOk | InvalidInput | NotAllowed | Conflict, strawberry.union("CatalogResult")]
ApiKeyResult = Annotated[ApiKeyOk | InvalidInput | NotFound | NotAllowed, strawberry.union("ApiKeyResult")]
WebhookResult = Annotated[WebhookOk | InvalidInput | NotFound | NotAllowed, strawberry.union("WebhookResult")]
WebhookDeliveryResult = Annotated[
    WebhookDeliveryOk | InvalidInput | NotFound | NotAllowed, strawberry.union("WebhookDeliveryResult")
]
ClockResult = Annotated[ClockOk | InvalidInput | NotAllowed, strawberry.union("ClockResult")]
LateEventCutoffResult = Annotated[
    LateEventCutoffOk | InvalidInput | NotFound | NotAllowed, strawberry.union("LateEventCutoffResult")
]
DisputeResult = Annotated[
    DisputeOk | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict, strawberry.union("DisputeResult")
]
TopUpResult = Annotated[
    TopUpOk | PaymentFailed | InvalidInput | NotFound | NotAllowed | Conflict | IdempotencyConflict,
    strawberry.union("TopUpResult"),
]
RechargeResult = Annotated[RechargeOk | InvalidInput | NotFound | NotAllowed, strawberry.union("RechargeResult")]
PaymentSetupResult = Annotated[
    PaymentSetupOk | InvalidInput | NotFound | NotAllowed, strawberry.union("PaymentSetupResult")
]
PaymentIssueResult = Annotated[
    PaymentIssueOk | InvalidInput | NotFound | NotAllowed, strawberry.union("PaymentIssueResult")
]
CheckResult = Annotated[Decision | InvalidInput | NotFound, strawberry.union("CheckResult")]
