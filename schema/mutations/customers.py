"""Customers, and the tokens that let them look at what is theirs."""

from typing import Any

import strawberry

from credits.customers.customers import find_customer, upsert_customer
from credits.enforcement.spend_limits import recount
from credits.errors import InvalidInput
from schema.context import Context
from schema.inputs import CustomerInput, EmbedTokenInput
from schema.permission import DEFAULT_SCOPES, SCOPES, allow, staff
from schema.types.customer import Customer
from schema.types.ledger import Info
from schema.types.refusals import not_found, refusal_of
from schema.types.results import CustomerOk, CustomerResult, EmbedTokenOk, EmbedTokenResult

MINTING = allow(staff("BACKEND"))
_NAMES = ("name", "email", "timezone", "locale", "cohort", "rate_card_version", "metadata")


@strawberry.type
class CustomerMutations:
    @strawberry.mutation(metadata=allow(staff("BACKEND", "SUPPORT", "SALES")))
    async def upsert_customer(self, info: Info, input: CustomerInput) -> CustomerResult:
        changes = {name: value for name in _NAMES if (value := getattr(input, name)) is not strawberry.UNSET}
        async with info.context.changing() as page:
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
                page.connection,
                info.context.workspace_id,
                input.key,
                changes,
                page.workspace.now,
                actor_id=info.context.caller.actor_id,
            )
            if isinstance(result, InvalidInput):
                return refusal_of(info.context, result)
            customer, created = result
            if customer.limited and "timezone" in changes:
                await recount(page.connection, customer, page.workspace.now)
        return CustomerOk(customer=Customer.from_value(customer), created=created)

    @strawberry.mutation(metadata=MINTING)
    async def create_embed_token(self, info: Info, input: EmbedTokenInput) -> EmbedTokenResult:
        return await embed_token(info.context, input)


async def embed_token(context: Context, given: EmbedTokenInput) -> Any:
    """A token for the customer, or a refusal: the one way to mint, by GraphQL and by `/v1/embed-token`."""
    ttl_s = 600 if given.ttl_seconds is None else given.ttl_seconds
    if not 30 <= ttl_s <= 900:
        return refusal_of(context, InvalidInput("must be 30 to 900", field="ttlSeconds"))
    scopes = sorted(DEFAULT_SCOPES) if given.scopes is None else given.scopes
    unknown = sorted(set(scopes) - SCOPES)
    if unknown:
        return refusal_of(context, InvalidInput(f"no such scope: {unknown[0]}", field="scopes"))
    async with context.page() as page:
        customer = await find_customer(page.connection, given.customer)
    if customer is None:
        return not_found("customer")
    token, expires_at = context.services.mint_token(
        workspace_id=context.workspace_id,
        customer_id=customer.id,
        scopes=scopes,
        ttl_s=ttl_s,
        origins=given.origins or [],
    )
    return EmbedTokenOk(token=token, expires_at=expires_at)
