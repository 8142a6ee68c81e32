"""What is bought, what was paid back of it, and what of payments an operator has to see to."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from credits import ids
from credits.catalog.currencies import from_minor
from credits.recharge import reads, top_ups
from schema.context import Context
from schema.pages import PageInfo
from schema.permission import READERS, allow, customer, staff
from schema.scalars import Credits
from schema.types.actor import Actor, actor_of
from schema.types.catalog import Bundle, Money
from schema.types.enums import CheckoutMode, PaybackKind, PaybackStatus, ReasonCode, TopUpStatus
from schema.types.ledger import Grant, Info

if TYPE_CHECKING:
    from schema.types.customer import Customer

_LEDGER = allow(staff(*READERS), customer("ledger:read"))  # an edge opens no more than the root field does
_STAFF = allow(staff(*READERS))


@strawberry.type(description="A way to charge the customer while nobody is there. No card data: a label.")
class PaymentMethod:
    id: strawberry.ID
    label: str
    expires: str | None
    is_default: bool

    @staticmethod
    def from_value(of: reads.KeptMethod) -> "PaymentMethod":
        return PaymentMethod(
            id=strawberry.ID(of.provider_id), label=of.label, expires=of.expires, is_default=of.is_default
        )


@strawberry.type(description="Money of a top-up that went back, or is about to.")
class Payback:
    of: strawberry.Private[top_ups.KeptPayback]
    kind: PaybackKind
    status: PaybackStatus
    amount: Money = strawberry.field(description="Of what was paid, with tax.")
    credits: Credits = strawberry.field(description="What was clawed back for it.")
    reason: ReasonCode | None
    note: str | None
    reference: str | None = strawberry.field(description="The provider's id of it.")
    created_at: datetime | None
    settled_at: datetime | None

    @strawberry.field
    async def actor(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.actor_id)

    @staticmethod
    def from_value(of: top_ups.KeptPayback, currency: str) -> "Payback":
        return Payback(
            of=of,
            kind=PaybackKind(of.kind),
            status=PaybackStatus(of.status),
            amount=Money(amount=from_minor(of.amount, currency), currency=currency),
            credits=of.credits,
            reason=None if of.reason is None else ReasonCode(of.reason),
            note=of.note,
            reference=of.provider_id,
            created_at=of.created_at,
            settled_at=of.settled_at,
        )


@strawberry.type(description="Credits that are bought, by a person or by the recharge rule.")
class TopUp:
    of: strawberry.Private[top_ups.TopUp]
    id: strawberry.ID
    bundle: Bundle
    quantity: int
    credits: Credits
    price: Money = strawberry.field(description="Before tax, as it was when the top-up was started.")
    refunded: Money = strawberry.field(description="Of what was paid, with tax: what went back.")
    status: TopUpStatus
    mode: CheckoutMode | None = strawberry.field(description="Null: charged while nobody was there.")
    automatic: bool = strawberry.field(description="Bought by the recharge rule.")
    payment_intent: str | None = strawberry.field(description="The provider's id. For the customer, while it is open.")
    checkout_url: str | None = strawberry.field(description="Where to pay, while that is possible.")
    client_secret: str | None = strawberry.field(
        description="For the provider's element, while it is to be paid there."
    )
    receipt_url: str | None
    failure: str | None = strawberry.field(
        description="A sentence for the customer: why it is not paid, or not any more."
    )
    created_at: datetime
    settled_at: datetime | None

    @strawberry.field
    async def customer(self, info: Info) -> Annotated["Customer", strawberry.lazy("schema.types.customer")]:
        from schema.types.customer import Customer  # noqa: PLC0415 -- a customer has top-ups, a top-up its customer

        found = await info.context.loaders.customers.load(self.of.customer_id)
        if found is None:
            raise LookupError(f"top-up {self.of.place} has no customer")
        return Customer.from_value(found)

    @strawberry.field(metadata=_LEDGER)
    async def grant(self, info: Info) -> Grant | None:
        if self.of.grant_number is None:
            return None
        place = (self.of.customer_id, self.of.credit_type_id)
        found = await info.context.loaders.grants.load((*place, self.of.grant_number))
        return None if found is None else Grant.from_value(*place, found)

    @strawberry.field(description="What went back of it, oldest first.", metadata=_STAFF)
    async def paybacks(self, info: Info) -> list[Payback]:
        found = await info.context.loaders.paybacks.load(self.of.place) or []
        return [Payback.from_value(payback, self.of.currency) for payback in found]

    @staticmethod
    def from_value(context: Context, of: top_ups.TopUp) -> "TopUp":
        catalog = context.catalog
        bundle = catalog.bundle(of.bundle_id)
        if bundle is None:
            raise LookupError(f"bundle {of.bundle_id}")
        of_customer = context.caller.is_customer
        return TopUp(
            of=of,
            id=strawberry.ID(of.id),
            bundle=Bundle.from_value(catalog, bundle, available=bundle in catalog.on_sale()),
            quantity=of.quantity,
            credits=of.credits,
            price=Money(amount=from_minor(of.price, of.currency), currency=of.currency),
            refunded=Money(amount=from_minor(of.paid_back, of.currency), currency=of.currency),
            status=TopUpStatus(of.status),
            mode=None if of.mode == "OFF_SESSION" else CheckoutMode(of.mode),
            automatic=of.automatic,
            payment_intent=of.payment if of.is_open or not of_customer else None,
            checkout_url=of.checkout_url,
            client_secret=of.client_secret,
            receipt_url=of.receipt_url,
            failure=of.failure,
            created_at=of.created_at,
            settled_at=of.settled_at,
        )


@strawberry.type
class TopUpEdge:
    node: TopUp
    cursor: str


@strawberry.type
class TopUpConnection:
    edges: list[TopUpEdge]
    page_info: PageInfo


@strawberry.type(
    description="What of a payment does not fit together, for somebody to look at. What does not fit moves no credits."
)
class PaymentIssue:
    of: strawberry.Private[reads.KeptIssue]
    id: strawberry.ID
    at: datetime
    kind: str = strawberry.field(
        description=(
            "AMOUNT, CURRENCY, CUSTOMER, MODE, ACCOUNT, ORDER, PROVIDER, PAID_TWICE, PAID_BACK_TOO_MUCH, "
            "CLAWED_BACK_TOO_LITTLE, REFUSED, NOT_BOOKED, UNKNOWN_ORDER, EVENT_FAILED …"
        )
    )
    message: str
    expected: str | None
    actual: str | None
    event: str | None = strawberry.field(description="The provider's id of what told us.")
    resolved_at: datetime | None
    note: str | None

    @strawberry.field
    async def resolved_by(self, info: Info) -> Actor | None:
        if self.of.resolved_at is None:
            return None
        return await actor_of(info.context, self.of.resolved_by)

    @strawberry.field
    async def top_up(self, info: Info) -> TopUp | None:
        if self.of.customer_id is None or self.of.top_up is None:
            return None
        place = (self.of.customer_id, self.of.top_up)
        async with info.context.page() as page:
            found = (await reads.read_top_ups(page.connection, [place])).get(place)
        return None if found is None else TopUp.from_value(info.context, found)

    @staticmethod
    def from_value(of: reads.KeptIssue) -> "PaymentIssue":
        return PaymentIssue(
            of=of,
            id=strawberry.ID(ids.make("iss", of.id)),
            at=of.at,
            kind=of.kind,
            message=of.message,
            expected=of.expected,
            actual=of.actual,
            event=of.event,
            resolved_at=of.resolved_at,
            note=of.note,
        )
