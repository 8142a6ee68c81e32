"""Members of a customer, and spend limits with what is used of them."""

from datetime import datetime
from typing import Annotated

import strawberry

from credits.customers import members
from credits.enforcement.values import Metered
from credits.usage.series import read_member_burned
from schema.context import Context
from schema.errors import bad_request
from schema.pages import PageInfo
from schema.permission import READERS, allow, customer, staff
from schema.scalars import Credits
from schema.types.catalog import CreditType, Feature
from schema.types.enums import Interval

Info = strawberry.Info[Context, None]
_LIMITS = allow(staff(*READERS), customer("limits:read"))  # an edge opens no more than the customer's own field


@strawberry.type(
    description=(
        "A cap in a window: on the whole customer, a group, a member, or a feature; any that is null applies to all."
    )
)
class SpendLimit:
    of: strawberry.Private[Metered]
    id: strawberry.ID
    amount: Credits
    window: Interval
    member: str | None
    group: str | None
    used: Credits = strawberry.field(description="In the present window: burned, and set aside by open holds.")
    resets_at: datetime = strawberry.field(description="When the next window begins.")

    @strawberry.field
    def credit_type(self, info: Info) -> CreditType:
        return CreditType.of(info.context.catalog, self.of.limit.credit_type_id)

    @strawberry.field
    def feature(self, info: Info) -> str | None:
        found = Feature.of(info.context.catalog, self.of.limit.feature_id)
        return None if found is None else found.key

    @staticmethod
    def from_value(of: Metered) -> "SpendLimit":
        limit = of.limit
        return SpendLimit(
            of=of,
            id=strawberry.ID(limit.id),
            amount=limit.amount_micro,
            window=Interval(limit.interval),
            member=limit.member,
            group=limit.group,
            used=of.used_micro,
            resets_at=of.resets_at,
        )


@strawberry.type(description="A seat of the customer that shares the customer's pool of credits.")
class Member:
    of: strawberry.Private[members.Member]
    key: str
    name: str
    group: str | None

    @strawberry.field(description="The limits that name this member.", metadata=_LIMITS)
    async def limits(self, info: Info) -> list[SpendLimit]:
        found = await info.context.loaders.limits.load(self.of.customer_id) or []
        return [SpendLimit.from_value(metered) for metered in found if metered.limit.member == self.of.key]

    @strawberry.field(description="Burned in [from, to), net of what was given back.")
    async def burned(
        self,
        info: Info,
        credit_type: str,
        from_: Annotated[datetime, strawberry.argument(name="from")],
        to: datetime,
    ) -> Credits:
        if to < from_:
            raise bad_request("to: lies before from")
        async with info.context.page() as page:
            known = page.catalog.credit_type_by_key(credit_type)
            if known is None:
                raise bad_request(f"creditType: no credit type {credit_type!r} in the catalog")
            return await read_member_burned(
                page.connection,
                info.context.workspace_id,
                self.of.customer_id,
                self.of.key,
                credit_type_id=known.id,
                since=from_,
                until=to,
            )

    @staticmethod
    def from_value(of: members.Member) -> "Member":
        return Member(of=of, key=of.key, name=of.name, group=of.group)

    @staticmethod
    async def load(context: Context, customer_id: int, key: str) -> "Member":
        """The member that usage names; one that was never upserted is named by its key."""
        found = await context.loaders.members.load((customer_id, key))
        return Member.from_value(found or members.Member(customer_id, key, name=key))


@strawberry.type
class MemberEdge:
    node: Member
    cursor: str


@strawberry.type
class MemberConnection:
    edges: list[MemberEdge]
    page_info: PageInfo
