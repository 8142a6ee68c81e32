"""The rule that buys, as its customer sees it."""

from datetime import UTC, datetime

import strawberry

from credits.catalog.currencies import from_minor
from credits.recharge import reads
from credits.recharge.rules import Rule
from credits.recharge.spending import read_spent
from schema.context import Context
from schema.permission import READERS, allow, customer, refusal, rule_in, staff
from schema.scalars import Credits
from schema.types.catalog import Bundle, CreditType, Money
from schema.types.ledger import Info
from schema.types.top_ups import TopUp

_TOP_UPS = rule_in(allow(staff(*READERS), customer("topup:create")))


@strawberry.type(description="Buys bundles by itself when the available balance falls below the threshold.")
class RechargeRule:
    of: strawberry.Private[Rule]
    credit_type: CreditType
    enabled: bool
    threshold: Credits
    bundle: Bundle
    target: Credits | None = strawberry.field(
        description=(
            "Recharge up to this available balance by buying whole bundles in one charge; null: back to the threshold, at "
            "least one."
        )
    )
    monthly_cap: Money = strawberry.field(
        description="A calendar month of the customer's timezone; what does not fit is not bought."
    )
    suspended_reason: str | None = strawberry.field(
        description=(
            "Why it buys nothing more: until the payment method changes, or, where no attempt has failed, the rule is set "
            "anew. Null: it is not suspended."
        )
    )

    @strawberry.field(description="By recharges that are paid or under way.")
    async def spent_this_month(self, info: Info) -> Money:
        async with info.context.page() as page:
            spent = await read_spent(page, self.of)
        return Money(amount=from_minor(spent, self.of.currency), currency=self.of.currency)

    @strawberry.field(
        description=(
            "Newest first; also those for which nobody was asked for money. A token sees none of them without the scope "
            "`topup:create`."
        )
    )
    async def attempts(self, info: Info, first: int | None = 20) -> list[TopUp]:
        if refusal(_TOP_UPS, info.context.caller) is not None:
            return []  # not an error: that would take the rule with it, and a change of it that was made
        place = (self.of.customer_id, self.of.credit_type_id)
        async with info.context.page() as page:
            found = await reads.list_attempts(page.connection, place, 20 if first is None else first)
            return [TopUp.from_value(info.context, attempt) for attempt in found]

    @strawberry.field(description="What is charged: a label, no card data. Null: nothing is saved.")
    async def payment_method(self, info: Info) -> str | None:
        async with info.context.page() as page:
            taker = info.context.services.cashier.taker(page.workspace)
            saved = await reads.list_methods(page.connection, self.of.customer_id, taker)
        return saved[0].label if saved else None

    @strawberry.field(
        description="Not before it, after an attempt that failed or found too little room in the cap; null: at any time."
    )
    def next_attempt_at(self) -> datetime | None:
        waits = [until for until in (self.of.try_at, self.of.capped_until) if until is not None]
        return max(waits).astimezone(UTC) if waits else None

    @staticmethod
    def from_value(context: Context, of: Rule) -> "RechargeRule":
        catalog = context.catalog
        bundle = catalog.bundle(of.bundle_id)
        if bundle is None:
            raise LookupError(f"bundle {of.bundle_id}")
        return RechargeRule(
            of=of,
            credit_type=CreditType.of(catalog, of.credit_type_id),
            enabled=of.enabled,
            threshold=of.threshold,
            bundle=Bundle.from_value(catalog, bundle, available=bundle in catalog.on_sale()),
            target=of.target,
            monthly_cap=Money(amount=from_minor(of.cap, of.currency), currency=of.currency),
            suspended_reason=of.suspended_reason,
        )


@strawberry.type
class RechargeOk:
    rule: RechargeRule
