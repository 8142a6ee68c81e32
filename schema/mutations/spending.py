"""Whatever moves credits: grants, burns, holds. Each is one command to the writer."""

from typing import Any

import strawberry

from credits import bounds, ids
from credits.errors import Refusal
from credits.posting.commands import Burn, Command, ExtendHold, GiveGrant, HoldId, OpenHold, Release, Settle
from credits.posting.outcomes import Burned, Granted, HoldTaken, Settled
from schema.context import Context
from schema.errors import bad_request
from schema.inputs import BurnInput, GrantInput, HoldInput, SettleInput, mapping, spend_of
from schema.permission import allow, staff
from schema.types.balance import Balance, Decision
from schema.types.ledger import Grant, Hold, Info, LedgerEntry
from schema.types.refusals import not_found, refusal_of
from schema.types.results import BurnOk, BurnResult, GrantOk, GrantResult, HoldOk, HoldResult, SettleOk, SettleResult

_BACKEND = allow(staff("BACKEND"))
_GRANTING = allow(staff("BACKEND", "SUPPORT", "SALES"))


@strawberry.type
class SpendingMutations:
    @strawberry.mutation(metadata=_GRANTING)
    async def grant_credits(self, info: Info, input: GrantInput) -> GrantResult:
        return await post(info.context, _grant(info.context, input))

    @strawberry.mutation(description="In order, each by itself. At most 1,000.", metadata=_GRANTING)
    async def grant_many(self, info: Info, inputs: list[GrantInput]) -> list[GrantResult]:
        return await _post_many(info.context, [_grant(info.context, given) for given in _bounded(inputs)])

    @strawberry.mutation(metadata=_BACKEND)
    async def burn(self, info: Info, input: BurnInput) -> BurnResult:
        return await post(info.context, _burn(info.context, input))

    @strawberry.mutation(
        description="In order, each by itself: one refusal does not undo the others. At most 1,000.", metadata=_BACKEND
    )
    async def burn_many(self, info: Info, inputs: list[BurnInput]) -> list[BurnResult]:
        return await _post_many(info.context, [_burn(info.context, given) for given in _bounded(inputs)])

    @strawberry.mutation(metadata=_BACKEND)
    async def hold(self, info: Info, input: HoldInput) -> HoldResult:
        command = OpenHold(
            customer=input.customer,
            spend=spend_of(input),
            ttl=input.ttl if input.ttl is not None else "PT15M",
            key=input.idempotency_key,
            actor_id=info.context.caller.actor_id,
            not_after=input.not_after,
        )
        return await post(info.context, command)

    @strawberry.mutation(metadata=_BACKEND)
    async def settle(self, info: Info, input: SettleInput) -> SettleResult:
        hold = hold_id(input.hold)
        if hold is None:
            return not_found("hold")
        command = Settle(
            hold=hold,
            key=input.idempotency_key,
            actor_id=info.context.caller.actor_id,
            quantity=input.quantity,
            dimensions=mapping(input.dimensions),
            amount=input.amount,
            partial=bool(input.partial),
        )
        return await post(info.context, command)

    @strawberry.mutation(metadata=_BACKEND)
    async def release(self, info: Info, hold: strawberry.ID, idempotency_key: str) -> HoldResult:
        found = hold_id(hold)
        if found is None:
            return not_found("hold")
        return await post(info.context, Release(found, idempotency_key, info.context.caller.actor_id))

    @strawberry.mutation(metadata=_BACKEND)
    async def extend_hold(self, info: Info, hold: strawberry.ID, ttl: str) -> HoldResult:
        found = hold_id(hold)
        return not_found("hold") if found is None else await post(info.context, ExtendHold(found, ttl))


def hold_id(text: str) -> HoldId | None:
    """A hold's public id, taken apart; None for what can be no hold."""
    numbers = ids.parse("hld", text, 3)
    return None if numbers is None or max(numbers[1:]) >= 2**31 else HoldId(*numbers)


def _burn(context: Context, given: BurnInput) -> Burn:
    return Burn(
        customer=given.customer,
        spend=spend_of(given),
        key=given.idempotency_key,
        actor_id=context.caller.actor_id,
        occurred_at=given.occurred_at,
        note=given.note,
        not_after=given.not_after,
    )


def _grant(context: Context, given: GrantInput) -> GiveGrant:
    return GiveGrant(
        customer=given.customer,
        credit_type=given.credit_type,
        amount=given.amount,
        source=given.source.value,
        key=given.idempotency_key,
        actor_id=context.caller.actor_id,
        reason=given.reason.value if given.reason else None,
        note=given.note,
        priority=50 if given.priority is None else given.priority,
        effective_at=given.effective_at,
        expires_at=given.expires_at,
        cost_amount=given.cost_basis.amount if given.cost_basis else None,
        cost_currency=given.cost_basis.currency if given.cost_basis else None,
        metadata=mapping(given.metadata),
    )


def _bounded(inputs: list[Any]) -> list[Any]:
    if len(inputs) > bounds.BURNS_PER_REQUEST_MAX:
        raise bad_request(f"inputs: at most {bounds.BURNS_PER_REQUEST_MAX}")
    return inputs


async def post(context: Context, command: Any) -> Any:
    """Puts one command through; its answer as the contract says it."""
    problem = command.form()
    if problem:
        return refusal_of(context, problem)
    return _shape(context, await context.services.writer.post(context.workspace_id, command))


async def _post_many(context: Context, commands: list[Any]) -> list[Any]:
    """Each by itself: what is malformed is refused, the rest goes through in order."""
    problems = [command.form() for command in commands]
    sound: list[Command] = [command for command, problem in zip(commands, problems, strict=True) if problem is None]
    answers = iter(await context.services.writer.post_many(context.workspace_id, sound) if sound else [])
    return [refusal_of(context, problem) if problem else _shape(context, next(answers)) for problem in problems]


def _shape(context: Context, answer: Any) -> Any:
    """The domain's answer as the contract says it."""
    if isinstance(answer, Refusal):
        return refusal_of(context, answer)
    balance = Balance.from_value(answer.balance)
    match answer:
        case Burned():
            return BurnOk(
                entry=LedgerEntry.from_value(answer.entry),
                balance=balance,
                decision=Decision.from_value(context, answer.decision, balance),
                replayed=answer.replayed,
            )
        case Granted():
            return GrantOk(
                grant=Grant.from_value(answer.customer_id, answer.credit_type_id, answer.grant),
                entry=None if answer.entry is None else LedgerEntry.from_value(answer.entry),
                balance=balance,
                replayed=answer.replayed,
            )
        case HoldTaken():
            return HoldOk(
                hold=Hold.from_value(answer.customer_id, answer.credit_type_id, answer.hold),
                balance=balance,
                decision=None if answer.decision is None else Decision.from_value(context, answer.decision, balance),
                replayed=answer.replayed,
            )
        case Settled():
            return SettleOk(
                hold=Hold.from_value(answer.customer_id, answer.credit_type_id, answer.hold),
                entry=LedgerEntry.from_value(answer.entry),
                balance=balance,
                replayed=answer.replayed,
            )
