"""What is corrected: grants ended or extended, burns given back. Each is one command to the writer."""

from datetime import datetime
from decimal import Decimal

import strawberry

from credits import ids
from credits.posting.corrections import EntryId, ExtendGrant, GrantId, ReverseBurn, VoidGrant
from schema.mutations.spending import post
from schema.permission import allow, staff
from schema.types.enums import ReasonCode
from schema.types.ledger import Info
from schema.types.refusals import not_found
from schema.types.results import BurnResult, GrantResult

_CORRECTING = allow(staff("BACKEND", "SUPPORT"))


@strawberry.type
class CorrectionMutations:
    @strawberry.mutation(
        description="Moves what remains of a grant into a new one with another expiry.", metadata=_CORRECTING
    )
    async def extend_grant(
        self,
        info: Info,
        *,
        grant: strawberry.ID,
        reason: ReasonCode,
        idempotency_key: str,
        expires_at: datetime | None = None,
        note: str | None = None,
    ) -> GrantResult:
        found = grant_id(grant)
        if found is None:
            return not_found("grant")
        command = ExtendGrant(
            grant=found,
            expires_at=expires_at,
            reason=reason.value,
            note=note,
            key=idempotency_key,
            actor_id=info.context.caller.actor_id,
        )
        return await post(info.context, command)

    @strawberry.mutation(
        description="Ends what remains of a grant and is not held; held parts end when their holds close.",
        metadata=_CORRECTING,
    )
    async def void_grant(
        self, info: Info, grant: strawberry.ID, reason: ReasonCode, idempotency_key: str, note: str | None = None
    ) -> GrantResult:
        found = grant_id(grant)
        if found is None:
            return not_found("grant")
        command = VoidGrant(
            grant=found,
            reason=reason.value,
            note=note,
            key=idempotency_key,
            actor_id=info.context.caller.actor_id,
        )
        return await post(info.context, command)

    @strawberry.mutation(
        description="Gives back all or part of a burn, to the grants that bore it.", metadata=_CORRECTING
    )
    async def reverse_burn(
        self,
        info: Info,
        *,
        entry: strawberry.ID,
        reason: ReasonCode,
        idempotency_key: str,
        amount: Decimal | None = None,
        note: str | None = None,
    ) -> BurnResult:
        found = entry_id(entry)
        if found is None:
            return not_found("entry")
        command = ReverseBurn(
            entry=found,
            amount=amount,
            reason=reason.value,
            note=note,
            key=idempotency_key,
            actor_id=info.context.caller.actor_id,
        )
        return await post(info.context, command)


def grant_id(text: str) -> GrantId | None:
    """A grant's public id, taken apart; None for what can be no grant."""
    numbers = ids.parse("gra", text, 3)
    return None if numbers is None or max(numbers[1:]) >= 2**31 else GrantId(*numbers)


def entry_id(text: str) -> EntryId | None:
    """An entry's public id, taken apart; None for what can be no entry."""
    numbers = ids.parse("ent", text, 3)
    return None if numbers is None or max(numbers[1:]) >= 2**31 else EntryId(*numbers)
