"""What can be asked about payments."""

import strawberry

from credits.recharge.reads import list_issues, read_top_ups
from credits.recharge.top_ups import Place, place_of
from schema.context import Context
from schema.permission import READERS, allow, customer, staff
from schema.types.ledger import Info
from schema.types.top_ups import PaymentIssue, TopUp

_TOP_UPS = allow(staff(*READERS), customer("topup:create"))
_ISSUES = allow(staff("SUPPORT", "FINANCE"))


@strawberry.type
class PaymentQueries:
    @strawberry.field(metadata=_TOP_UPS)
    async def top_up(self, info: Info, id: strawberry.ID) -> TopUp | None:
        place = own_top_up(info.context, id)
        if place is None:
            return None
        async with info.context.page() as page:
            found = (await read_top_ups(page.connection, [place])).get(place)
        return None if found is None else TopUp.from_value(info.context, found)

    @strawberry.field(
        description=(
            "What of payments does not fit together, newest first: what nobody has seen to, (true) what somebody has, or (null) "
            "all."
        ),
        metadata=_ISSUES,
    )
    async def payment_issues(self, info: Info, resolved: bool | None = False) -> list[PaymentIssue]:
        async with info.context.page() as page:
            found = await list_issues(page.connection, resolved=resolved)
        return [PaymentIssue.from_value(issue) for issue in found]


def own_top_up(context: Context, text: str) -> Place | None:
    """The place of an id that the caller may see; a foreign one does not exist."""
    place = place_of(text)
    foreign = context.caller.is_customer and place is not None and place[0] != context.caller.customer_id
    return None if foreign else place
