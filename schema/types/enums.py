"""The contract's enumerations. Their values are the words that the domain uses, so nothing is translated."""

from enum import Enum

import strawberry


@strawberry.enum(description="How credits came to the customer.")
class CreditSource(Enum):
    PURCHASE = "PURCHASE"
    RECHARGE = "RECHARGE"
    PLAN = "PLAN"
    TRIAL = "TRIAL"
    PROMOTION = "PROMOTION"
    MANUAL = "MANUAL"
    REFUND = "REFUND"
    ROLLOVER = "ROLLOVER"
    ADJUSTMENT = "ADJUSTMENT"


@strawberry.enum(description="Where a grant stands.")
class GrantStatus(Enum):
    PENDING_APPROVAL = "PENDING_APPROVAL"
    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    DEPLETED = "DEPLETED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"
    REJECTED = "REJECTED"


@strawberry.enum(description="What a ledger entry records.")
class EntryKind(Enum):
    GRANT = "GRANT"
    BURN = "BURN"
    HOLD = "HOLD"
    SETTLE = "SETTLE"
    RELEASE = "RELEASE"
    LAPSE = "LAPSE"
    EXPIRE = "EXPIRE"
    UNEXPIRE = "UNEXPIRE"
    REALLOCATE = "REALLOCATE"
    VOID = "VOID"
    REVERSE = "REVERSE"
    CLAWBACK = "CLAWBACK"
    ADJUST = "ADJUST"


@strawberry.enum(description="Where a hold stands.")
class HoldStatus(Enum):
    OPEN = "OPEN"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"
    LAPSED = "LAPSED"


@strawberry.enum(
    description="OFF decides nothing (kill switch); SHADOW decides and counts; SOFT also warns; ENFORCE blocks."
)
class EnforcementMode(Enum):
    OFF = "OFF"
    SHADOW = "SHADOW"
    SOFT = "SOFT"
    ENFORCE = "ENFORCE"


@strawberry.enum(description="What a host does when Scrip cannot be asked.")
class FailurePolicy(Enum):
    FAIL_OPEN = "FAIL_OPEN"
    FAIL_CLOSED = "FAIL_CLOSED"


@strawberry.enum(description="PENDING is stored and about to burn; from LATE on they are dead letters, or were.")
class EventOutcome(Enum):
    PENDING = "PENDING"
    BURNED = "BURNED"
    DUPLICATE = "DUPLICATE"
    LATE = "LATE"
    FUTURE = "FUTURE"
    INVALID = "INVALID"
    UNKNOWN_CUSTOMER = "UNKNOWN_CUSTOMER"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    UNRATED = "UNRATED"
    DISCARDED = "DISCARDED"


@strawberry.enum(description="What a secret key or an operator may do.")
class Role(Enum):
    VIEWER = "VIEWER"
    INGEST = "INGEST"
    BACKEND = "BACKEND"
    SUPPORT = "SUPPORT"
    SALES = "SALES"
    FINANCE = "FINANCE"
    ADMIN = "ADMIN"


@strawberry.enum(description="A calendar window in a timezone.")
class Interval(Enum):
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@strawberry.enum(description="What the points of a usage series are told by.")
class UsageGroup(Enum):
    NONE = "NONE"
    FEATURE = "FEATURE"
    MEMBER = "MEMBER"
    SOURCE = "SOURCE"


@strawberry.enum(description="Why an operator or a host gave, ended or moved credits.")
class ReasonCode(Enum):
    OUTAGE = "OUTAGE"
    GOODWILL = "GOODWILL"
    DISPUTE_UPHELD = "DISPUTE_UPHELD"
    SALES_PROMOTION = "SALES_PROMOTION"
    CONTRACT = "CONTRACT"
    MIGRATION = "MIGRATION"
    CORRECTION = "CORRECTION"
    REFERRAL = "REFERRAL"
    OTHER = "OTHER"


@strawberry.enum
class DisputeStatus(Enum):
    OPEN = "OPEN"
    INVESTIGATING = "INVESTIGATING"
    UPHELD = "UPHELD"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


@strawberry.enum(description="FAILED: given up, after its last attempt or because the endpoint answered 410 Gone.")
class WebhookDeliveryStatus(Enum):
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@strawberry.enum(
    description=(
        "PENDING: nobody has paid yet. REQUIRES_ACTION: the customer has to confirm it. FAILED and CANCELED: nothing was paid; "
        "what is paid after all is SUCCEEDED. REFUNDED: all of it was paid back. DISPUTED: the customer's bank has the money."
    )
)
class TopUpStatus(Enum):
    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"


@strawberry.enum(description="Where somebody pays: on a page of the provider's, or in an element in the host's own.")
class CheckoutMode(Enum):
    HOSTED = "HOSTED"
    ELEMENT = "ELEMENT"


@strawberry.enum(description="How money went back: paid back by us, or taken back at the customer's bank.")
class PaybackKind(Enum):
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"


@strawberry.enum(
    description=(
        "ASKED: the provider has not answered yet. DONE: the money is gone, and its credits with it. FAILED: it never went. "
        "UNDONE: it came back, and so did the credits."
    )
)
class PaybackStatus(Enum):
    ASKED = "ASKED"
    DONE = "DONE"
    FAILED = "FAILED"
    UNDONE = "UNDONE"


@strawberry.enum(description="Why a request was refused.")
class RefusalCode(Enum):
    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    NOT_ALLOWED = "NOT_ALLOWED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    LIMIT_REACHED = "LIMIT_REACHED"
    UNKNOWN_FEATURE = "UNKNOWN_FEATURE"
    NO_RATE = "NO_RATE"
    HOLD_NOT_OPEN = "HOLD_NOT_OPEN"
    GRANT_NOT_ACTIVE = "GRANT_NOT_ACTIVE"
    TOO_LATE = "TOO_LATE"
    OVER_REVERSED = "OVER_REVERSED"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_ACTION_REQUIRED = "PAYMENT_ACTION_REQUIRED"
    CONFLICT = "CONFLICT"
    UNAVAILABLE = "UNAVAILABLE"


@strawberry.enum(description="How grants are ordered when credits burn. Every order ends in: effective date, then id.")
class BurnOrder(Enum):
    PRIORITY_THEN_EXPIRY = "PRIORITY_THEN_EXPIRY"
    EXPIRY_FIRST = "EXPIRY_FIRST"
    PAID_LAST = "PAID_LAST"
    OLDEST_FIRST = "OLDEST_FIRST"


@strawberry.enum(description="How a rated amount is rounded, once, to the scale of its credit type.")
class Rounding(Enum):
    UP = "UP"
    HALF_EVEN = "HALF_EVEN"
    DOWN = "DOWN"


@strawberry.enum(description="Who acts.")
class ActorKind(Enum):
    API_KEY = "API_KEY"
    OPERATOR = "OPERATOR"
    CUSTOMER = "CUSTOMER"
    SYSTEM = "SYSTEM"
    STRIPE = "STRIPE"
