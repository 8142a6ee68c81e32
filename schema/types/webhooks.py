"""Who is told what has happened, and what became of each message."""

from datetime import datetime

import strawberry

from credits.webhooks import deliveries, endpoints
from credits.webhooks.deliveries import list_deliveries
from schema.pages import page_size
from schema.types.enums import WebhookDeliveryStatus
from schema.types.ledger import Info


@strawberry.type(description="One message on its way to one endpoint. Instants are real time.")
class WebhookDelivery:
    id: strawberry.ID
    message_id: str = strawberry.field(description="`webhook-id`: the same at each attempt, and at each endpoint.")
    type: str
    status: WebhookDeliveryStatus
    attempts: int
    response_code: int | None
    error: str | None = strawberry.field(description="Of the last attempt, with the beginning of the answer.")
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None = strawberry.field(
        description="Null before the first attempt, which waits for the customer's messages before it."
    )
    closed_at: datetime | None

    @staticmethod
    def from_value(of: deliveries.Delivery) -> "WebhookDelivery":
        return WebhookDelivery(
            id=strawberry.ID(of.id),
            message_id=of.message_id,
            type=of.type,
            status=WebhookDeliveryStatus(of.status),
            attempts=of.attempts,
            response_code=of.response_code,
            error=of.error,
            created_at=of.created_at,
            last_attempt_at=of.attempted_at,
            next_attempt_at=of.next_at if of.status == "WAITING" else None,
            closed_at=of.closed_at,
        )


@strawberry.type(description="An address that is told what happens (Standard Webhooks).")
class WebhookEndpoint:
    of: strawberry.Private[endpoints.Endpoint]
    id: strawberry.ID
    url: str
    events: list[str] = strawberry.field(description="Types of message that it wants; * is all of them.")
    enabled: bool
    disabled_because: str | None = strawberry.field(description="Why the system has disabled it.")
    secret: str | None = strawberry.field(
        description="Signs what is sent (Standard Webhooks); shown when it is made, and never again."
    )
    failures: int = strawberry.field(description="Attempts in a row that failed.")
    last_delivery_at: datetime | None
    rotated_at: datetime | None = strawberry.field(
        description="When its secret was exchanged; the one before signs beside it for 24 hours."
    )
    created_at: datetime

    @strawberry.field(description="Newest first; kept for 30 days after it was delivered or given up.")
    async def deliveries(self, info: Info, first: int | None = 50) -> list[WebhookDelivery]:
        size = page_size(first)
        async with info.context.page() as page:
            found = await list_deliveries(page.connection, self.of.number, size)
        return [WebhookDelivery.from_value(delivery) for delivery in found]

    @staticmethod
    def from_value(of: endpoints.Endpoint, secret: str | None = None) -> "WebhookEndpoint":
        return WebhookEndpoint(
            of=of,
            id=strawberry.ID(of.id),
            url=of.url,
            events=list(of.events),
            enabled=of.enabled,
            disabled_because=of.disabled_because,
            secret=secret,
            failures=of.failures,
            last_delivery_at=of.last_delivery_at,
            rotated_at=of.rotated_at,
            created_at=of.created_at,
        )
