"""Balances, and what enforcement says about spending them."""

from datetime import datetime

import strawberry

from credits.ledger.balance import Balance as BalanceValue
from credits.posting import outcomes
from schema.context import Context
from schema.scalars import Credits
from schema.types.catalog import CreditType
from schema.types.enums import CreditSource, EnforcementMode
from schema.types.refusals import Refusal, refusal_of

Info = strawberry.Info[Context, None]


@strawberry.type(
    description="Credits of one kind that expire together: '500 credits expiring Jan 31', '1,000 credits, no expiration'."
)
class BalanceBucket:
    amount: Credits
    source: CreditSource
    expires_at: datetime | None


@strawberry.type
class Balance:
    of: strawberry.Private[BalanceValue]
    balance: Credits = strawberry.field(
        description="Posted balance: grants that are live, less what burned, less overdraft."
    )
    held: Credits = strawberry.field(description="Set aside by open holds.")
    available: Credits = strawberry.field(
        description=(
            "What can be spent now: balance - held. Never counts an expired grant, "
            "whether or not its expiry has been booked."
        )
    )
    overdraft_limit: Credits
    granted: Credits = strawberry.field(description="Lifetime total, whatever became of it.")
    burned: Credits = strawberry.field(description="Lifetime total, whether or not it was given back.")
    expired: Credits = strawberry.field(description="Lifetime total.")
    given_back: Credits = strawberry.field(description="Lifetime total of what reversals gave back.")
    voided: Credits = strawberry.field(description="Lifetime total.")
    clawed_back: Credits = strawberry.field(description="Lifetime total.")
    adjusted: Credits = strawberry.field(
        description="Lifetime total, signed: balance = granted - burned - expired + givenBack - voided - clawedBack + adjusted."
    )
    version: int = strawberry.field(
        description=(
            "Grows by one with every ledger entry; a client drops what is older, by (version, asOf), than what it shows."
        )
    )
    as_of: datetime

    @strawberry.field
    def credit_type(self, info: Info) -> CreditType:
        return CreditType.of(info.context.catalog, self.of.credit_type_id)

    @strawberry.field
    def buckets(self) -> list[BalanceBucket]:
        return [
            BalanceBucket(amount=bucket.amount, source=CreditSource(bucket.source), expires_at=bucket.expires_at)
            for bucket in self.of.buckets
        ]

    @staticmethod
    def from_value(of: BalanceValue) -> "Balance":
        return Balance(
            of=of,
            balance=of.balance,
            held=of.held,
            available=of.available,
            overdraft_limit=of.overdraft_limit,
            granted=of.granted,
            burned=of.burned,
            expired=of.expired,
            given_back=of.given_back,
            voided=of.voided,
            clawed_back=of.clawed_back,
            adjusted=of.adjusted,
            version=of.version,
            as_of=of.as_of,
        )


@strawberry.type
class Decision:
    allowed: bool
    would_block: bool = strawberry.field(description="In SHADOW and SOFT: what ENFORCE would have answered.")
    mode: EnforcementMode
    reason: Refusal | None
    cost: Credits
    credit_type: CreditType
    balance: Balance

    @staticmethod
    def from_value(context: Context, of: outcomes.Decision, balance: Balance) -> "Decision":
        return Decision(
            allowed=of.allowed,
            would_block=of.would_block,
            mode=EnforcementMode(of.mode),
            reason=None if of.reason is None else refusal_of(context, of.reason),
            cost=of.cost_micro,
            credit_type=CreditType.of(context.catalog, of.credit_type_id),
            balance=balance,
        )
