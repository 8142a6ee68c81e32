"""Disputes: opened and withdrawn by customers, worked on and decided by operators."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import strawberry

from credits import durations
from credits.disputes.change import open_dispute, update_dispute, withdraw_dispute
from credits.disputes.disputes import Dispute as DisputeValue
from credits.disputes.disputes import Place, place_of
from credits.disputes.reads import read_disputes
from credits.disputes.resolve import resolving
from credits.errors import Refusal
from schema.acting import actor_id_of
from schema.context import Context
from schema.mutations.corrections import entry_id
from schema.permission import allow, customer, staff
from schema.types.disputes import Dispute
from schema.types.enums import DisputeStatus
from schema.types.ledger import Info
from schema.types.refusals import not_found, refusal_of
from schema.types.results import DisputeOk, DisputeResult

_OF_CUSTOMERS = allow(staff("BACKEND", "SUPPORT"), customer("dispute:create"))
_OPERATORS = allow(staff("SUPPORT"))


@strawberry.type
class DisputeMutations:
    @strawberry.mutation(
        description="Contests burns and settlements of one customer, in one credit type.", metadata=_OF_CUSTOMERS
    )
    async def open_dispute(self, info: Info, entries: list[strawberry.ID], reason: str) -> DisputeResult:
        context = info.context
        named = [entry_id(text) for text in entries]
        found = [each for each in named if each is not None and _is_visible(context, each.customer_id)]
        if len(found) < len(named):
            return not_found("entry")
        async with context.changing() as page:
            actor_id = await actor_id_of(context, page)
            sla: timedelta = context.services.dispute_sla
            opened = await open_dispute(page, found, reason, actor_id=actor_id, sla=sla)
        return _shape(context, opened)

    @strawberry.mutation(metadata=_OF_CUSTOMERS)
    async def withdraw_dispute(self, info: Info, id: strawberry.ID) -> DisputeResult:
        context = info.context
        place = place_of(id)
        if place is None or not _is_visible(context, place[0]):
            return not_found("dispute")
        async with context.changing() as page:
            withdrawn = await withdraw_dispute(page, place, actor_id=await actor_id_of(context, page))
        return _shape(context, withdrawn)

    @strawberry.mutation(
        description="What is left out stays; assignee: null assigns it to nobody. Decided by resolveDispute.",
        metadata=_OPERATORS,
    )
    async def update_dispute(
        self,
        info: Info,
        *,
        id: strawberry.ID,
        status: DisputeStatus | None = None,
        assignee: str | None = strawberry.UNSET,
        note: str | None = None,
    ) -> DisputeResult:
        place = place_of(id)
        if place is None:
            return not_found("dispute")
        given = {"status": None if status is None else status.value, "note": note}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if assignee is not strawberry.UNSET:
            changes["assignee"] = assignee
        async with info.context.changing() as page:
            updated = await update_dispute(page, place, changes, actor_id=info.context.caller.actor_id)
        return _shape(info.context, updated)

    @strawberry.mutation(
        description="UPHELD reverses the amount (all of it when null) in the same transaction.", metadata=_OPERATORS
    )
    async def resolve_dispute(
        self,
        info: Info,
        *,
        id: strawberry.ID,
        uphold: bool,
        resolution: str,
        idempotency_key: str,
        amount: Decimal | None = None,
    ) -> DisputeResult:
        context = info.context
        place = place_of(id)
        dispute = None if place is None else await _load(context, place)
        if dispute is None:
            return not_found("dispute")
        actor_id = context.caller.actor_id
        command = resolving(
            dispute, upheld=uphold, amount=amount, resolution=resolution, key=idempotency_key, actor_id=actor_id
        )
        problem = command if isinstance(command, Refusal) else command.form()
        if isinstance(command, Refusal) or problem is not None:
            return refusal_of(context, problem or command)  # type: ignore[arg-type]
        answer = await context.services.writer.post(context.workspace_id, command)
        if isinstance(answer, Refusal):
            return refusal_of(context, answer)
        resolved = await _load(context, dispute.place)
        return _shape(context, resolved or dispute)


async def _load(context: Context, place: Place) -> DisputeValue | None:
    async with context.page() as page:
        return (await read_disputes(page.connection, [place])).get(place)


def _is_visible(context: Context, customer_id: int) -> bool:
    """A customer's own; what is another's does not exist."""
    return not context.caller.is_customer or customer_id == context.caller.customer_id


def _shape(context: Context, result: DisputeValue | Refusal) -> DisputeResult:
    if isinstance(result, Refusal):
        return refusal_of(context, result)
    context.services.publish_dispute(context.workspace_id, result.customer_id, durations.micros(result.changed_at))
    return DisputeOk(dispute=Dispute.from_value(result))
