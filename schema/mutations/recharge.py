"""The rule that buys: set by the customer, or for it."""

import strawberry

from credits.errors import Refusal
from credits.recharge.orders import nobody_takes_money
from credits.recharge.rules import RuleWish, set_rule
from schema.acting import actor_id_of
from schema.inputs import RechargeInput
from schema.permission import allow, customer, staff
from schema.queries import visible_customer
from schema.types.ledger import Info
from schema.types.recharge import RechargeOk, RechargeRule
from schema.types.refusals import not_found, refusal_of
from schema.types.results import RechargeResult


@strawberry.type
class RechargeMutations:
    @strawberry.mutation(
        description=(
            "Makes the rule of a credit type, or changes it. What it has suffered by attempts that failed stays, until the "
            "payment method changes."
        ),
        metadata=allow(staff("BACKEND", "SUPPORT"), customer("recharge:manage")),
    )
    async def set_recharge(self, info: Info, input: RechargeInput) -> RechargeResult:
        context = info.context
        wish = RuleWish(
            credit_type=input.credit_type,
            enabled=input.enabled,
            threshold=input.threshold,
            bundle=input.bundle,
            target=input.target,
            cap_amount=input.monthly_cap.amount,
            cap_currency=input.monthly_cap.currency,
        )
        async with context.changing() as page:
            found = await visible_customer(context, page, input.customer)
            if found is None:
                return not_found("customer")
            if wish.enabled and context.services.cashier.taker(page.workspace) is None:
                return refusal_of(context, nobody_takes_money())
            rule = await set_rule(page, found, wish, actor_id=await actor_id_of(context, page))
        if isinstance(rule, Refusal):
            return refusal_of(context, rule)
        context.services.watch_rule(context.workspace_id, rule.customer_id, rule.credit_type_id)
        return RechargeOk(rule=RechargeRule.from_value(context, rule))
