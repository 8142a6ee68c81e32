"""Buying credits, paying back what was paid, and saving a way to pay."""

from typing import Any

import strawberry

from credits import ids
from credits.customers.customers import Customer as CustomerValue
from credits.errors import Refusal
from credits.recharge import issues, top_ups
from credits.recharge.orders import Wish
from credits.recharge.provider import ProviderUnavailable
from credits.recharge.refunds import RefundWish
from schema.acting import actor_id_of
from schema.context import Context
from schema.errors import unavailable
from schema.inputs import MoneyInput, TopUpInput
from schema.payments import own_top_up
from schema.permission import allow, customer, staff
from schema.queries import visible_customer
from schema.return_urls import problem_of
from schema.types.enums import ReasonCode
from schema.types.ledger import Info
from schema.types.refusals import not_found, refusal_of
from schema.types.results import (
    PaymentIssueOk,
    PaymentIssueResult,
    PaymentSetupOk,
    PaymentSetupResult,
    TopUpOk,
    TopUpResult,
)
from schema.types.top_ups import PaymentIssue, TopUp


@strawberry.type
class TopUpMutations:
    @strawberry.mutation(
        description=(
            "Buys bundles. A customer token buys for its own customer alone. Where the payment provider cannot answer "
            "(UNAVAILABLE), the same key finishes it; nobody is asked for money twice."
        ),
        metadata=allow(staff("BACKEND"), customer("topup:create")),
    )
    async def start_top_up(self, info: Info, input: TopUpInput) -> TopUpResult:
        context = info.context
        problem = problem_of(input.return_url, context.caller, context.services.allowed_origins)
        found = problem or await _whose(context, input.customer)
        if not isinstance(found, tuple):
            return refusal_of(context, found) if isinstance(found, Refusal) else not_found("customer")
        whose, actor_id = found
        replaces = None if input.replaces is None else own_top_up(context, input.replaces)
        if input.replaces is not None and (replaces is None or replaces[0] != whose.id):
            return not_found("top-up")
        wish = Wish(
            bundle=input.bundle,
            quantity=1 if input.quantity is None else input.quantity,
            mode=input.mode.value,
            return_url=input.return_url,
            key=input.idempotency_key,
            actor_id=actor_id,
            replaces=replaces,
        )
        return _shape(context, await context.services.cashier.start(context.workspace_id, whose, wish))

    @strawberry.mutation(
        description="Ends what has not been paid; what is canceled stays so.",
        metadata=allow(staff("BACKEND", "SUPPORT"), customer("topup:create")),
    )
    async def cancel_top_up(self, info: Info, id: strawberry.ID) -> TopUpResult:
        context = info.context
        place = own_top_up(context, id)
        if place is None:
            return not_found("top-up")
        canceled = await context.services.cashier.cancel(context.workspace_id, place)
        return _shape(context, canceled, declines=False)

    @strawberry.mutation(
        description=(
            "Pays back a part of what was paid (with tax), or (null) all that is left of it; that part of the credits is "
            "clawed back: first what remains of their grant, the rest is overdraft, whatever the limit."
        ),
        metadata=allow(staff("FINANCE")),
    )
    async def refund_top_up(
        self,
        info: Info,
        *,
        id: strawberry.ID,
        reason: ReasonCode,
        idempotency_key: str,
        amount: MoneyInput | None = None,
        note: str | None = None,
    ) -> TopUpResult:
        context = info.context
        place = top_ups.place_of(id)
        if place is None:
            return not_found("top-up")
        wish = RefundWish(
            amount=None if amount is None else amount.amount,
            currency=None if amount is None else amount.currency,
            reason=reason.value,
            note=note,
            key=idempotency_key,
            actor_id=context.caller.actor_id,
        )
        return _shape(context, await context.services.cashier.refund(context.workspace_id, place, wish))

    @strawberry.mutation(
        description="Where, or with which secret, the customer saves a payment method.",
        metadata=allow(staff("BACKEND"), customer("recharge:manage")),
    )
    async def setup_payment_method(
        self, info: Info, customer: str | None = None, return_url: str | None = None
    ) -> PaymentSetupResult:
        context = info.context
        problem = problem_of(return_url, context.caller, context.services.allowed_origins)
        if problem is not None:
            return refusal_of(context, problem)
        async with context.page() as page:
            found = await visible_customer(context, page, customer)
        if found is None:
            return not_found("customer")
        try:
            setup = await context.services.cashier.set_up(context.workspace_id, found, "HOSTED", return_url)
        except ProviderUnavailable:
            raise unavailable("the payment provider cannot answer now; try again") from None
        if isinstance(setup, Refusal):
            return refusal_of(context, setup)
        return PaymentSetupOk(url=setup.url, client_secret=setup.client_secret)

    @strawberry.mutation(
        description="Says that an operator has seen to it. Once more changes nothing.",
        metadata=allow(staff("SUPPORT", "FINANCE")),
    )
    async def resolve_payment_issue(self, info: Info, id: strawberry.ID, note: str) -> PaymentIssueResult:
        context = info.context
        numbers = ids.parse("iss", id, 1)
        if numbers is None:
            return not_found("payment issue")
        async with context.changing() as page:
            resolved = await issues.resolve(page, numbers[0], note, actor_id=context.caller.actor_id)
        if isinstance(resolved, Refusal):
            return refusal_of(context, resolved)
        return PaymentIssueOk(issue=PaymentIssue.from_value(resolved))


async def _whose(context: Context, key: str | None) -> tuple[CustomerValue, int | None] | None:
    """For whom, and who asks; None: nobody that the caller may buy for."""
    async with context.page() as page:
        found = await visible_customer(context, page, key)
    if found is None:
        return None
    if context.caller.actor_id is not None or context.caller.customer_id is None:
        return found, context.caller.actor_id
    async with context.changing() as page:
        return found, await actor_id_of(context, page)


def _shape(context: Context, result: top_ups.TopUp | Refusal, *, declines: bool = True) -> Any:
    if isinstance(result, Refusal):
        return refusal_of(context, result)
    failed = top_ups.failed(result) if declines else None
    return TopUpOk(top_up=TopUp.from_value(context, result)) if failed is None else refusal_of(context, failed)
