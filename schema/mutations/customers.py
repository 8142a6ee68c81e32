"""Customers, and the tokens that let them look at what is theirs."""

from typing import Any

import strawberry

from credits import ids
from credits.customers.customers import find_customer, upsert_customer
from credits.errors import InvalidInput
from schema.inputs import CustomerInput, EmbedTokenInput
from schema.permission import DEFAULT_SCOPES, SCOPES, allow, staff
from schema.types.customer import Customer
from schema.types.ledger import Info
from schema.types.refusals import not_found, refusal_of
from schema.types.results import CustomerOk, CustomerResult, EmbedTokenOk, EmbedTokenResult

_NAMES = ("name", "email", "timezone", "locale", "cohort", "rate_card_version", "metadata")


@strawberry.type
class CustomerMutations:
    @strawberry.mutation(metadata=allow(staff("BACKEND", "SUPPORT", "SALES")))
    async def upsert_customer(self, info: Info, input: CustomerInput) -> CustomerResult:
        changes = {name: value for name in _NAMES if (value := getattr(input, name)) is not strawberry.UNSET}
        async with info.context.page() as page:
            version = changes.get("rate_card_version")
            cohort: Any = changes.get("cohort")
            if version is not None:
                known = await find_customer(page.connection, input.key)
                cohort = cohort or (known.cohort if known else "default")
                if version not in [card.version for card in page.catalog.cards(cohort)]:
                    problem = InvalidInput(
                        f"cohort {cohort!r} has no published version {version}", field="rateCardVersion"
                    )
                    return refusal_of(info.context, problem)
            result = await upsert_customer(
                page.connection, info.context.workspace_id, input.key, changes, page.workspace.now
            )
        if isinstance(result, InvalidInput):
            return refusal_of(info.context, result)
        customer, created = result
        return CustomerOk(customer=Customer.from_value(customer), created=created)

    @strawberry.mutation(metadata=allow(staff("BACKEND")))
    async def create_embed_token(self, info: Info, input: EmbedTokenInput) -> EmbedTokenResult:
        ttl_s = 600 if input.ttl_seconds is None else input.ttl_seconds
        if not 30 <= ttl_s <= 900:
            return refusal_of(info.context, InvalidInput("must be 30 to 900", field="ttlSeconds"))
        scopes = sorted(DEFAULT_SCOPES) if input.scopes is None else input.scopes
        unknown = sorted(set(scopes) - SCOPES)
        if unknown:
            return refusal_of(info.context, InvalidInput(f"no such scope: {unknown[0]}", field="scopes"))
        async with info.context.page() as page:
            customer = await find_customer(page.connection, input.customer)
        if customer is None:
            return not_found("customer")
        token, expires_at = info.context.services.mint_token(
            workspace_id=info.context.workspace_id,
            customer_id=customer.id,
            subject=ids.make("cus", customer.id),
            scopes=scopes,
            ttl_s=ttl_s,
            origins=input.origins or [],
        )
        return EmbedTokenOk(token=token, expires_at=expires_at)
