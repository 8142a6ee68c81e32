"""Policies, and what they come to for one customer."""

from datetime import datetime

import strawberry

from credits.enforcement import decide, values
from schema.scalars import Credits
from schema.types.actor import Actor, actor_of
from schema.types.enums import EnforcementMode, FailurePolicy
from schema.types.ledger import Info


@strawberry.type(
    description="The most specific policy wins: customer and feature, customer, feature, credit type, workspace."
)
class EnforcementPolicy:
    of: strawberry.Private[values.Policy]
    id: strawberry.ID
    mode: EnforcementMode
    failure_policy: FailurePolicy
    customer: str | None
    feature: str | None
    credit_type: str | None
    rollout_percent: int = strawberry.field(
        description=("Share of customers it applies to, by a stable hash of the customer's key; the rest keep SHADOW.")
    )
    overdraft_limit: Credits | None
    updated_at: datetime

    @strawberry.field
    async def updated_by(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.updated_by)

    @staticmethod
    def from_value(of: values.Policy) -> "EnforcementPolicy":
        return EnforcementPolicy(
            of=of,
            id=strawberry.ID(of.id),
            mode=EnforcementMode(of.mode),
            failure_policy=FailurePolicy(of.failure_policy or decide.DEFAULT.failure_policy),
            customer=of.customer_key,
            feature=of.feature_key,
            credit_type=of.credit_type_key,
            rollout_percent=of.rollout_percent,
            overdraft_limit=of.overdraft_limit_micro,
            updated_at=of.updated_at,
        )


@strawberry.type
class EffectiveEnforcement:
    mode: EnforcementMode
    failure_policy: FailurePolicy
    overdraft_limit: Credits
    decided_by: str

    @staticmethod
    def from_value(of: decide.Effective) -> "EffectiveEnforcement":
        return EffectiveEnforcement(
            mode=EnforcementMode(of.mode),
            failure_policy=FailurePolicy(of.failure_policy),
            overdraft_limit=of.overdraft_limit_micro,
            decided_by=of.decided_by,
        )
