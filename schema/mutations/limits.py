"""Members, and what they may spend."""

from dataclasses import replace

import strawberry

from credits import ids
from credits.customers.customers import find_customer, lock_customer, read_customers
from credits.customers.members import read_members, upsert_member
from credits.enforcement.spend_limits import recount, remove_limit, set_limit
from credits.enforcement.values import Metered
from credits.errors import InvalidInput, NotFound, Refusal
from credits.posting.reader import Page
from schema.inputs import LimitInput
from schema.permission import allow, staff
from schema.types.ledger import Info
from schema.types.members import Member, SpendLimit
from schema.types.refusals import not_found, refusal_of
from schema.types.results import LimitOk, LimitResult, MemberOk, MemberResult

_BACKEND = allow(staff("BACKEND"))


@strawberry.type
class LimitMutations:
    @strawberry.mutation(metadata=allow(staff("BACKEND", "SUPPORT", "SALES")))
    async def upsert_member(
        self,
        info: Info,
        customer: str,
        key: str,
        name: str | None = strawberry.UNSET,
        group: str | None = strawberry.UNSET,
    ) -> MemberResult:
        given = {"name": name, "group": group}
        changes = {field: value for field, value in given.items() if value is not strawberry.UNSET}
        async with info.context.changing() as page:
            found = await find_customer(page.connection, customer)
            locked = None if found is None else await lock_customer(page.connection, found.id)
            if locked is None:
                return not_found("customer")
            place = (locked.id, key)
            before = (await read_members(page.connection, [place]))[place]
            now = page.workspace.now
            made = await upsert_member(
                page.connection,
                locked.id,
                key,
                changes,
                workspace_id=info.context.workspace_id,
                now=now,
                actor_id=info.context.caller.actor_id,
            )
            if isinstance(made, InvalidInput):
                return refusal_of(info.context, made)
            if locked.limited and made.group != before.group:
                await recount(page.connection, locked, now)
        return MemberOk(member=Member.from_value(made))

    @strawberry.mutation(metadata=_BACKEND)
    async def set_limit(self, info: Info, customer: str, input: LimitInput) -> LimitResult:
        async with info.context.changing() as page:
            found = await find_customer(page.connection, customer)
            if found is None:
                return not_found("customer")
            result = await set_limit(
                page.connection,
                info.context.workspace_id,
                found,
                page.catalog,
                credit_type=input.credit_type,
                amount=input.amount,
                interval=input.window.value,
                member=input.member,
                group=input.group,
                feature=input.feature,
                now=page.workspace.now,
                actor_id=info.context.caller.actor_id,
            )
            if isinstance(result, Refusal):
                return refusal_of(info.context, result)
            metered = await _metered(page, result.id)
        return not_found("limit") if metered is None else LimitOk(limit=SpendLimit.from_value(metered))

    @strawberry.mutation(metadata=_BACKEND)
    async def remove_limit(self, info: Info, id: strawberry.ID) -> LimitResult:
        async with info.context.changing() as page:
            metered = await _metered(page, id)
            removed = await remove_limit(page.connection, page.catalog, id, actor_id=info.context.caller.actor_id)
        if isinstance(removed, NotFound) or metered is None:
            return refusal_of(info.context, removed) if isinstance(removed, NotFound) else not_found("limit")
        return LimitOk(limit=SpendLimit.from_value(replace(metered, limit=removed)))


async def _metered(page: Page, limit_id: str) -> Metered | None:
    """The limit of that public id with what is used of it."""
    numbers = ids.parse("lim", limit_id, 2)
    if numbers is None:
        return None
    owner = (await read_customers(page.connection, [numbers[0]])).get(numbers[0])
    metered = [] if owner is None else await page.limits(owner)
    return next((each for each in metered if each.limit.id == limit_id), None)
