"""Webhooks out: where to, with which secret, and once more by hand."""

from typing import Any

import strawberry

from credits.errors import InvalidInput, Refusal
from credits.webhooks.deliveries import replay
from credits.webhooks.endpoints import Endpoint, create_endpoint, remove_endpoint, rotate_secret, set_enabled
from schema.context import Context
from schema.permission import allow, staff
from schema.types.ledger import Info
from schema.types.refusals import refusal_of
from schema.types.results import WebhookDeliveryOk, WebhookDeliveryResult, WebhookOk, WebhookResult
from schema.types.webhooks import WebhookDelivery, WebhookEndpoint

_ADMIN = allow(staff("ADMIN"))


@strawberry.type
class WebhookMutations:
    @strawberry.mutation(
        description="`events` names what to tell, or * for everything. The answer shows the secret, this once.",
        metadata=_ADMIN,
    )
    async def create_webhook_endpoint(self, info: Info, url: str, events: list[str]) -> WebhookResult:
        context = info.context
        # Outside of any database transaction: it asks the network.
        problem = await context.services.webhook_problem(url)
        if problem is not None:
            return refusal_of(context, InvalidInput(problem, field="url"))
        async with context.changing() as page:
            made = await create_endpoint(
                page.connection,
                context.workspace_id,
                url=url,
                events=events,
                pepper=context.services.pepper,
                actor_id=context.caller.actor_id,
            )
        return _shape(context, made)

    @strawberry.mutation(
        description="Ends it; the answer says what it was. What waits for it is never sent.", metadata=_ADMIN
    )
    async def remove_webhook_endpoint(self, info: Info, id: strawberry.ID) -> WebhookResult:
        async with info.context.changing() as page:
            removed = await remove_endpoint(page.connection, id, actor_id=info.context.caller.actor_id)
        return _shape(info.context, removed)

    @strawberry.mutation(
        description="Another secret, shown this once. The one before signs beside it for 24 hours.", metadata=_ADMIN
    )
    async def rotate_webhook_secret(self, info: Info, id: strawberry.ID) -> WebhookResult:
        async with info.context.changing() as page:
            by = info.context.caller.actor_id
            rotated = await rotate_secret(page.connection, id, pepper=info.context.services.pepper, actor_id=by)
        return _shape(info.context, rotated)

    @strawberry.mutation(
        description=(
            "Off: nothing new is written for it; what waits is kept for 30 days. On: what waits goes on at once, its failures "
            "are forgotten."
        ),
        metadata=_ADMIN,
    )
    async def enable_webhook_endpoint(self, info: Info, id: strawberry.ID, enabled: bool) -> WebhookResult:
        async with info.context.changing() as page:
            by = info.context.caller.actor_id
            switched = await set_enabled(page.connection, id, enabled=enabled, actor_id=by)
        return _shape(info.context, switched)

    @strawberry.mutation(description="Sends a message once more, under its own id.", metadata=_ADMIN)
    async def replay_webhook(self, info: Info, id: strawberry.ID) -> WebhookDeliveryResult:
        async with info.context.changing() as page:
            replayed = await replay(page.connection, id, actor_id=info.context.caller.actor_id)
        if isinstance(replayed, Refusal):
            return refusal_of(info.context, replayed)
        return WebhookDeliveryOk(delivery=WebhookDelivery.from_value(replayed))


def _shape(context: Context, result: Endpoint | tuple[Endpoint, str] | Refusal) -> Any:
    """The endpoint, with its secret where one was made."""
    if isinstance(result, Refusal):
        return refusal_of(context, result)
    context.services.publish_config(context.workspace_id, 0)
    endpoint, secret = result if isinstance(result, tuple) else (result, None)
    return WebhookOk(endpoint=WebhookEndpoint.from_value(endpoint, secret))
