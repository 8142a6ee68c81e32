"""A customer, and everything that is read through it."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from credits import durations, ids
from credits.customers.customers import Customer as CustomerValue
from credits.customers.customers import storable
from credits.customers.cutoff import as_duration
from credits.customers.members import list_members
from credits.db import bare
from credits.disputes.reads import list_of_customer
from credits.ledger import reads
from credits.ledger.entries import Kind
from credits.recharge.reads import list_methods, list_top_ups
from credits.recharge.rules import read_rule
from credits.usage.reads import find_event
from schema.errors import bad_request
from schema.pages import PageInfo, cursor, instant, page_size, position, text_position
from schema.permission import READERS, allow, customer, staff
from schema.scalars import JSON
from schema.types.balance import Balance
from schema.types.catalog import Bundle
from schema.types.disputes import Dispute
from schema.types.enforcement import EffectiveEnforcement
from schema.types.enums import DisputeStatus, EntryKind, GrantStatus, HoldStatus, Interval, UsageGroup
from schema.types.ledger import (
    Expiration,
    Grant,
    GrantConnection,
    GrantEdge,
    Hold,
    HoldConnection,
    HoldEdge,
    Info,
    LedgerConnection,
    LedgerEdge,
    LedgerEntry,
)
from schema.types.members import Member, MemberConnection, MemberEdge, SpendLimit
from schema.types.recharge import RechargeRule
from schema.types.series import UsageSeries, usage_of
from schema.types.top_ups import PaymentMethod, TopUp, TopUpConnection, TopUpEdge
from schema.types.travel import Explanation, Runway, explained, losses, past_balance, runway_of

_BALANCE = allow(staff(*READERS), customer("balance:read"))
_LEDGER = allow(staff(*READERS), customer("ledger:read"))
_USAGE = allow(staff(*READERS), customer("usage:read"))
_DISPUTES = allow(staff(*READERS), customer("dispute:create"))
_TOP_UPS = allow(staff(*READERS), customer("topup:create"))
_METHODS = allow(staff(*READERS), customer("recharge:manage"))
_LIMITS = allow(staff(*READERS), customer("limits:read"))


@strawberry.input
class LedgerFilter:
    credit_type: str | None = None
    kinds: list[EntryKind] | None = None
    feature: str | None = None
    member: str | None = None
    from_: datetime | None = strawberry.field(default=None, name="from")
    to: datetime | None = None
    event: str | None = None


@strawberry.type
class Customer:
    of: strawberry.Private[CustomerValue]
    id: strawberry.ID
    key: str
    name: str
    email: str | None
    timezone: str
    locale: str | None
    cohort: str
    rate_card_version: int | None
    metadata: JSON
    created_at: datetime

    @strawberry.field(
        description="Usage of this customer that is older than this (ISO 8601 duration) is put before an operator."
    )
    async def late_event_cutoff(self, info: Info) -> str:
        if self.of.late_cutoff is not None:
            return as_duration(self.of.late_cutoff)
        async with info.context.page() as page:
            return as_duration(page.workspace.late_cutoff)

    @strawberry.field(metadata=_BALANCE)
    async def balances(self, info: Info) -> list[Balance]:
        async with info.context.page() as page:
            accounts = await page.accounts(self.of)
            return [Balance.from_value(page.balance(self.of, account)) for _, account in sorted(accounts.items())]

    @strawberry.field(
        description=(
            "The balance as it was at `at` (event time), as we knew it at `knownAt` (recording time). Defaults: now, now. "
            "Nothing is known yet of what comes after now, so a later `knownAt` is now; a later `at` shows what is known to "
            "fall due until then. Totals are exact; the overdraft limit is the present one."
        ),
        metadata=_BALANCE,
    )
    async def balance(
        self, info: Info, credit_type: str, at: datetime | None = None, known_at: datetime | None = None
    ) -> Balance | None:
        async with info.context.page() as page:
            known = page.catalog.credit_type_by_key(credit_type)
            if known is None:
                return None
            if at is not None or known_at is not None:
                return await past_balance(page, self.of, known, at, known_at)
            account = (await page.accounts(self.of)).get((self.of.id, known.id))
            if account is None:
                return Balance.from_value(page.empty_balance(self.of, known))
            return Balance.from_value(page.balance(self.of, account))

    @strawberry.field(
        description="Why the balance is what it is between two instants: what occurred in [from, to), as known now.",
        metadata=_LEDGER,
    )
    async def explain(
        self,
        info: Info,
        credit_type: str,
        from_: Annotated[datetime, strawberry.argument(name="from")],
        to: datetime,
    ) -> Explanation:
        async with info.context.page() as page:
            return await explained(page, self.of, credit_type, from_, to)

    @strawberry.field(
        description="How long the credits last at the present burn rate; `basis` says what it is the mean of.",
        metadata=_BALANCE,
    )
    async def runway(self, info: Info, credit_type: str) -> Runway:
        async with info.context.page() as page:
            return await runway_of(page, self.of, credit_type)

    @strawberry.field(metadata=_LEDGER)
    async def grants(
        self,
        info: Info,
        credit_type: str | None = None,
        status: GrantStatus | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> GrantConnection:
        first = page_size(first)
        async with info.context.page() as page:
            wanted = None if credit_type is None else page.catalog.credit_type_by_key(credit_type)
            if credit_type is not None and wanted is None:
                return GrantConnection(edges=[], page_info=PageInfo.of([], more=False, after=after))
            listed = await reads.list_grants(
                page.connection,
                self.of.id,
                await page.accounts(self.of),
                credit_type_id=wanted.id if wanted else None,
                status=status.value if status else None,
                first=first,
                after=_listed_after(after),
            )
        edges = [
            GrantEdge(
                node=Grant.from_value(self.of.id, credit_type_id, grant),
                cursor=cursor(durations.micros(grant.created_at), credit_type_id, grant.number),
            )
            for credit_type_id, grant in listed.items
        ]
        return GrantConnection(edges=edges, page_info=_page_info(edges, listed.more, after))

    @strawberry.field(
        description="Live grants that expire within an ISO 8601 duration, soonest first.", metadata=_BALANCE
    )
    async def expirations(
        self, info: Info, credit_type: str | None = None, within: str | None = "P90D"
    ) -> list[Expiration]:
        async with info.context.page() as page:
            try:
                until = durations.after(page.workspace.now, within or "P90D")
            except ValueError as error:
                raise bad_request(f"within: {error}") from None
            wanted = None if credit_type is None else page.catalog.credit_type_by_key(credit_type)
            ending = [
                (grant.expires_at, of_type, grant)
                for (_, of_type), account in (await page.accounts(self.of)).items()
                for grant in account.grants.values()
                if grant.state == "ACTIVE" and grant.remaining and grant.expires_at and grant.expires_at <= until
                if credit_type is None or (wanted is not None and of_type == wanted.id)
            ]
            lost = {
                of_type: losses(info.context, self.of, item)
                for of_type in {of_type for _, of_type, _ in ending}
                if (item := page.catalog.credit_type(of_type)) is not None
            }
        ending.sort(key=lambda item: (item[0], item[1], item[2].number))
        return [
            Expiration(
                grant=Grant.from_value(self.of.id, of_type, grant),
                amount=grant.remaining,
                expires_at=at,
                lost=lost[of_type],
            )
            for at, of_type, grant in ending
        ]

    @strawberry.field(metadata=_LEDGER)
    async def ledger(
        self, info: Info, filter: LedgerFilter | None = None, first: int | None = 50, after: str | None = None
    ) -> LedgerConnection:
        first = page_size(first)
        at = position(after, 2, small=2)
        async with info.context.page() as page:
            wanted = await _entry_filter(page, self.of, filter or LedgerFilter())
            if wanted is None:
                return LedgerConnection(edges=[], page_info=PageInfo.of([], more=False, after=after))
            found, more = await reads.read_ledger(
                page.connection, self.of.id, wanted, first, None if at is None else (at[0], at[1])
            )
        edges = [
            LedgerEdge(node=LedgerEntry.from_value(entry), cursor=cursor(entry.sequence, entry.credit_type_id))
            for entry in found
        ]
        return LedgerConnection(edges=edges, page_info=_page_info(edges, more, after))

    @strawberry.field(metadata=_LEDGER)
    async def holds(
        self, info: Info, status: HoldStatus | None = HoldStatus.OPEN, first: int | None = 50, after: str | None = None
    ) -> HoldConnection:
        first = page_size(first)
        async with info.context.page() as page:
            listed = await reads.list_holds(
                page.connection,
                self.of.id,
                await page.accounts(self.of),
                status=status.value if status else None,
                first=first,
                after=_listed_after(after),
            )
        edges = [
            HoldEdge(
                node=Hold.from_value(self.of.id, credit_type_id, hold),
                cursor=cursor(durations.micros(hold.opened_at), credit_type_id, hold.number),
            )
            for credit_type_id, hold in listed.items
        ]
        return HoldConnection(edges=edges, page_info=_page_info(edges, listed.more, after))

    @strawberry.field(description="Newest first.", metadata=_DISPUTES)
    async def disputes(self, info: Info, status: DisputeStatus | None = None) -> list[Dispute]:
        async with info.context.page() as page:
            found = await list_of_customer(page.connection, self.of.id, status.value if status else None)
        return [Dispute.from_value(dispute) for dispute in found]

    @strawberry.field(description="Newest first.", metadata=_TOP_UPS)
    async def top_ups(self, info: Info, first: int | None = 50, after: str | None = None) -> TopUpConnection:
        first = page_size(first)
        at = position(after, 1, small=1)
        async with info.context.page() as page:
            found, more = await list_top_ups(page.connection, self.of.id, first, None if at is None else at[0])
            edges = [TopUpEdge(node=TopUp.from_value(info.context, item), cursor=cursor(item.number)) for item in found]
        return TopUpConnection(edges=edges, page_info=_page_info(edges, more, after))

    @strawberry.field(description="Null: there never was one.", metadata=_BALANCE)
    async def recharge(self, info: Info, credit_type: str) -> RechargeRule | None:
        async with info.context.page() as page:
            known = page.catalog.credit_type_by_key(credit_type)
            found = None if known is None else await read_rule(await bare(page.connection), self.of.id, known.id)
        return None if found is None else RechargeRule.from_value(info.context, found)

    @strawberry.field(
        description="What the customer can be charged by without being there, the default first.", metadata=_METHODS
    )
    async def payment_methods(self, info: Info) -> list[PaymentMethod]:
        async with info.context.page() as page:
            found = await list_methods(page.connection, self.of.id)
        return [PaymentMethod.from_value(method) for method in found]

    @strawberry.field(metadata=_USAGE)
    async def usage(
        self,
        info: Info,
        *,
        credit_type: str,
        from_: Annotated[datetime, strawberry.argument(name="from")],
        to: datetime,
        interval: Interval = Interval.DAY,
        group_by: UsageGroup = UsageGroup.NONE,
        timezone: str | None = None,
    ) -> UsageSeries:
        return await usage_of(
            info.context,
            self.of,
            credit_type,
            since=from_,
            until=to,
            interval=interval,
            group_by=group_by,
            timezone=timezone,
        )

    @strawberry.field(description="Members that were upserted, by key.", metadata=_USAGE)
    async def members(self, info: Info, first: int | None = 50, after: str | None = None) -> MemberConnection:
        first = page_size(first)
        async with info.context.page() as page:
            found, more = await list_members(page.connection, self.of.id, first, text_position(after))
        edges = [MemberEdge(node=Member.from_value(member), cursor=cursor(member.key)) for member in found]
        return MemberConnection(edges=edges, page_info=_page_info(edges, more, after))

    @strawberry.field(metadata=_LIMITS)
    async def limits(self, info: Info) -> list[SpendLimit]:
        async with info.context.page() as page:
            return [SpendLimit.from_value(metered) for metered in await page.limits(self.of)]

    @strawberry.field(metadata=_LIMITS)
    async def enforcement(self, info: Info, feature: str | None = None) -> EffectiveEnforcement:
        async with info.context.page() as page:
            known = None if feature is None else page.catalog.feature_by_key(feature)
            if feature is not None and known is None:
                raise bad_request(f"feature: no feature {feature!r} in the catalog")
            return EffectiveEnforcement.from_value(page.enforcement(self.of, known.id if known else None, None))

    @strawberry.field(description="What is on sale for this customer.")
    async def bundles(self, info: Info, credit_type: str | None = None) -> list[Bundle]:
        async with info.context.page() as page:
            wanted = None if credit_type is None else page.catalog.credit_type_by_key(credit_type)
            return [
                Bundle.from_value(page.catalog, bundle, available=True)
                for bundle in page.catalog.on_sale()
                if credit_type is None or (wanted is not None and bundle.credit_type_id == wanted.id)
            ]

    @staticmethod
    def from_value(of: CustomerValue) -> "Customer":
        return Customer(
            of=of,
            id=strawberry.ID(ids.make("cus", of.id)),
            key=of.key,
            name=of.name,
            email=of.email,
            timezone=of.timezone,
            locale=of.locale,
            cohort=of.cohort,
            rate_card_version=of.rate_card_version,
            metadata=of.metadata,
            created_at=of.created_at,
        )


async def _entry_filter(page: Any, of: CustomerValue, wanted: LedgerFilter) -> reads.EntryFilter | None:
    """The filter with its names looked up; None where it can match nothing."""
    credit_type = None if wanted.credit_type is None else page.catalog.credit_type_by_key(wanted.credit_type)
    feature = None if wanted.feature is None else page.catalog.feature_by_key(wanted.feature)
    if (wanted.credit_type is not None and credit_type is None) or (wanted.feature is not None and feature is None):
        return None
    if wanted.member is not None and not storable(wanted.member):
        return None
    places: tuple[tuple[int, int], ...] | None = None
    if wanted.event is not None:
        events = await find_event(page.connection, event_id=wanted.event, customer_id=of.id)
        places = tuple((credit_type_id, sequence) for event in events for _, credit_type_id, sequence in event.entries)
        if not places:
            return None
    return reads.EntryFilter(
        credit_type_id=credit_type.id if credit_type else None,
        kinds=None if wanted.kinds is None else tuple(Kind[kind.value] for kind in wanted.kinds),
        feature_id=feature.id if feature else None,
        member=wanted.member,
        since=wanted.from_,
        until=wanted.to,
        places=places,
    )


def _listed_after(after: str | None) -> tuple[datetime, int, int] | None:
    at = position(after, 3, small=2)
    return None if at is None else (instant(at[0]), at[1], at[2])


def _page_info(edges: list[Any], more: bool, after: str | None) -> PageInfo:
    return PageInfo.of([edge.cursor for edge in edges], more=more, after=after)
