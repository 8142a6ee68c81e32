"""The schema: the contract's types, each field with its declared rule."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.mutations.configuration import ConfigurationMutations
from schema.mutations.corrections import CorrectionMutations
from schema.mutations.customers import CustomerMutations
from schema.mutations.disputes import DisputeMutations
from schema.mutations.limits import LimitMutations
from schema.mutations.recharge import RechargeMutations
from schema.mutations.spending import SpendingMutations
from schema.mutations.top_ups import TopUpMutations
from schema.mutations.usage import UsageMutations
from schema.mutations.webhooks import WebhookMutations
from schema.queries import Query
from schema.scalars import SCALARS
from schema.subscriptions import Subscription


@strawberry.type
class Mutation(
    SpendingMutations,
    CorrectionMutations,
    DisputeMutations,
    UsageMutations,
    CustomerMutations,
    LimitMutations,
    ConfigurationMutations,
    TopUpMutations,
    RechargeMutations,
    WebhookMutations,
):
    pass


def build(mutation: type = Mutation) -> strawberry.Schema:
    """The schema; the benchmarks build one with a mutation more."""
    return strawberry.Schema(
        query=Query,
        mutation=mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


schema = build()
