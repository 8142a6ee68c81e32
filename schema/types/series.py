"""Usage over time."""

from datetime import datetime
from decimal import Decimal

import strawberry

from credits.customers.customers import Customer
from credits.usage import series
from schema.context import Context
from schema.errors import bad_request
from schema.scalars import Credits
from schema.types.catalog import CreditType, Feature
from schema.types.enums import Interval, UsageGroup


@strawberry.type(description="Usage in [start, end), of which the series' own from and to may leave a part out.")
class UsagePoint:
    start: datetime
    end: datetime
    group: str | None = strawberry.field(
        description="A feature's or a member's key, or a source; null where there is none."
    )
    amount: Credits = strawberry.field(description="Burned, net of what was given back of it.")
    quantity: Decimal
    events: int = strawberry.field(description="How often something was used; an event of several features once.")


@strawberry.type(
    description=(
        "Buckets begin at the timezone's own borders. Ungrouped there is a point for each, grouped for each group that "
        "used something in it."
    )
)
class UsageSeries:
    credit_type: CreditType
    interval: Interval
    timezone: str
    total: Credits
    points: list[UsagePoint]


async def usage_of(
    context: Context,
    of: Customer,
    credit_type: str,
    *,
    since: datetime,
    until: datetime,
    interval: Interval,
    group_by: UsageGroup,
    timezone: str | None,
) -> UsageSeries:
    """The customer's usage; an input error names what cannot be asked."""
    if until < since:
        raise bad_request("to: lies before from")
    async with context.page() as page:
        known = page.catalog.credit_type_by_key(credit_type)
        if known is None:
            raise bad_request(f"creditType: no credit type {credit_type!r} in the catalog")
        try:
            found = await series.read_series(
                page.connection,
                context.workspace_id,
                of,
                known.id,
                since=since,
                until=until,
                interval=interval.value,
                group_by=group_by.value,
                timezone=timezone,
            )
        except ValueError as error:
            raise bad_request(str(error)) from None
    points = [
        UsagePoint(
            start=point.start,
            end=point.end,
            group=_named(context, point.label, group_by),
            amount=point.amount_micro,
            quantity=point.quantity,
            events=point.events,
        )
        for point in found.points
    ]
    return UsageSeries(
        credit_type=CreditType.from_value(known),
        interval=interval,
        timezone=found.timezone,
        total=found.total_micro,
        points=points,
    )


def _named(context: Context, label: str | None, group_by: UsageGroup) -> str | None:
    if label is None or group_by is not UsageGroup.FEATURE:
        return label
    feature = Feature.of(context.catalog, int(label))
    return label if feature is None else feature.key
