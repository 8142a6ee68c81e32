"""Inputs of the contract, and what they mean to the domain."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry

from credits.posting.commands import Spend
from schema.scalars import JSON
from schema.types.enums import CheckoutMode, CreditSource, EnforcementMode, FailurePolicy, Interval, ReasonCode


@strawberry.input
class MoneyInput:
    amount: Decimal
    currency: str


@strawberry.input(
    description=(
        "Either feature and quantity (rated by the customer's rate card), or creditType and amount (already in credits)."
    )
)
class SpendInput:
    customer: str | None = None
    feature: str | None = None
    quantity: Decimal | None = None
    dimensions: JSON | None = None
    credit_type: str | None = None
    amount: Decimal | None = None
    member: str | None = None


@strawberry.input
class BurnInput:
    customer: str
    feature: str | None = None
    quantity: Decimal | None = None
    dimensions: JSON | None = None
    credit_type: str | None = None
    amount: Decimal | None = None
    member: str | None = None
    occurred_at: datetime | None = None
    note: str | None = None
    not_after: datetime | None = strawberry.field(
        default=None,
        description=(
            "Refused with TOO_LATE when it arrives after this: a refusal does not use up its key, "
            "so a delayed retry could otherwise still succeed."
        ),
    )
    idempotency_key: str


@strawberry.input
class GrantInput:
    customer: str
    credit_type: str
    amount: Decimal
    source: CreditSource = CreditSource.MANUAL
    reason: ReasonCode | None = None
    note: str | None = None
    priority: int | None = 50
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    cost_basis: MoneyInput | None = None
    metadata: JSON | None = None
    idempotency_key: str


@strawberry.input
class HoldInput:
    customer: str
    feature: str | None = None
    quantity: Decimal | None = None
    dimensions: JSON | None = None
    credit_type: str | None = None
    amount: Decimal | None = None
    member: str | None = None
    ttl: str | None = strawberry.field(
        default="PT15M", description="ISO 8601 duration; the hold lapses by itself after it."
    )
    not_after: datetime | None = None
    idempotency_key: str


@strawberry.input
class SettleInput:
    hold: strawberry.ID
    quantity: Decimal | None = None
    dimensions: JSON | None = None
    amount: Decimal | None = None
    partial: bool | None = strawberry.field(default=False, description="Keep the hold open for more settlements.")
    idempotency_key: str


@strawberry.input
class CustomerInput:
    key: str
    name: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    timezone: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    cohort: str | None = strawberry.UNSET
    rate_card_version: int | None = strawberry.UNSET
    metadata: JSON | None = strawberry.UNSET


@strawberry.input
class EventInput:
    id: str
    source: str
    type: str
    subject: str
    time: datetime | None = None
    data: JSON


@strawberry.input
class PolicyInput:
    mode: EnforcementMode
    failure_policy: FailurePolicy | None = None
    customer: str | None = None
    feature: str | None = None
    credit_type: str | None = None
    rollout_percent: int | None = 100
    overdraft_limit: Decimal | None = None


@strawberry.input
class LimitInput:
    credit_type: str
    amount: Decimal
    window: Interval
    member: str | None = None
    group: str | None = None
    feature: str | None = None


@strawberry.input
class RechargeInput:
    customer: str | None = strawberry.field(default=None, description="Not needed with a customer token: its own.")
    credit_type: str
    enabled: bool
    threshold: Decimal = strawberry.field(description="It buys when available credits fall below.")
    bundle: str
    target: Decimal | None = strawberry.field(
        default=None, description="What it buys up to, by whole bundles in one charge; null: the threshold."
    )
    monthly_cap: MoneyInput = strawberry.field(
        description="In the bundle's currency, for a calendar month of the customer's timezone."
    )


@strawberry.input
class TopUpInput:
    customer: str | None = strawberry.field(default=None, description="Not needed with a customer token: its own.")
    bundle: str
    quantity: int | None = 1
    return_url: str | None = strawberry.field(
        default=None,
        description="Where the payment page leads back to; with a customer token, to its origins or allowed ones alone.",
    )
    mode: CheckoutMode = CheckoutMode.HOSTED
    replaces: strawberry.ID | None = strawberry.field(
        default=None,
        description="One of the same customer, no recharge, that was declined or left open: it is canceled first, so that nobody "
        "pays both. "
        "Where it has been paid meanwhile, it is the answer, and nothing is bought.",
    )
    idempotency_key: str


@strawberry.input
class EmbedTokenInput:
    customer: str
    ttl_seconds: int | None = 600
    scopes: list[str] | None = None
    origins: list[str] | None = None


def spend_of(given: SpendInput | BurnInput | HoldInput) -> Spend:
    """What is to be spent, as the domain says it."""
    return Spend(
        feature=given.feature,
        quantity=given.quantity,
        dimensions=mapping(given.dimensions),
        credit_type=given.credit_type,
        amount=given.amount,
        member=given.member,
    )


def mapping(value: Any) -> Any:
    """What was left out means no dimensions; what is no object is refused by the verb, with its field."""
    return {} if value is None else value
