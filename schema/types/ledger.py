"""Grants, holds, and the entries of the book."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import orjson
import strawberry

from credits import bounds, ids
from credits.amount import from_micro
from credits.ledger import account, entries
from credits.ledger.explanation import sentence
from credits.posting.keys import given_key
from schema.context import Context
from schema.pages import PageInfo
from schema.permission import READERS, allow, customer, staff
from schema.scalars import JSON, Credits
from schema.types.actor import Actor, actor_of, note_for
from schema.types.catalog import CreditType, Feature, Money, match_of
from schema.types.enums import CreditSource, EntryKind, GrantStatus, HoldStatus, ReasonCode
from schema.types.members import Member

if TYPE_CHECKING:
    from schema.types.disputes import Dispute
    from schema.types.top_ups import TopUp
    from schema.types.usage import UsageEvent

Info = strawberry.Info[Context, None]
_USAGE = allow(staff(*READERS), customer("usage:read"))  # an edge opens no more than the root field does
_TOP_UPS = allow(staff(*READERS), customer("topup:create"))
_DISPUTES = allow(staff(*READERS), customer("dispute:create"))


@strawberry.type
class Grant:
    of: strawberry.Private[account.Grant]
    place: strawberry.Private[tuple[int, int]]
    id: strawberry.ID
    source: CreditSource
    status: GrantStatus
    amount: Credits
    remaining: Credits
    held: Credits
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    reason: ReasonCode | None
    created_at: datetime

    @strawberry.field
    def credit_type(self, info: Info) -> CreditType:
        return CreditType.of(info.context.catalog, self.place[1])

    @strawberry.field
    async def note(self, info: Info) -> str | None:
        return await note_for(info.context, self.of.actor_id, self.of.note)

    @strawberry.field
    async def issued_by(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.actor_id)

    @strawberry.field(description="Money paid per credit; null where none was paid.")
    def cost_basis(self) -> Money | None:
        if self.of.cost_amount is None:
            return None
        return Money(amount=self.of.cost_amount, currency=self.of.cost_currency or "")

    @strawberry.field(description="The grant that this one continues: extended, or given back after it had ended.")
    async def rolled_from(self, info: Info) -> "Grant | None":
        if self.of.rolled_from is None:
            return None
        before = await info.context.loaders.grants.load((*self.place, self.of.rolled_from))
        return None if before is None else Grant.from_value(*self.place, before)

    @strawberry.field(description="The top-up that has bought it.", metadata=_TOP_UPS)
    async def top_up(self, info: Info) -> Annotated["TopUp", strawberry.lazy("schema.types.top_ups")] | None:
        from schema.types.top_ups import TopUp  # noqa: PLC0415 -- a grant knows its top-up, a top-up its grant

        found = await info.context.loaders.top_ups_of.load((*self.place, self.of.number))
        return None if found is None else TopUp.from_value(info.context, found)

    @strawberry.field
    def metadata(self) -> JSON:
        return orjson.Fragment(self.of.metadata or "{}")

    @staticmethod
    def from_value(customer_id: int, credit_type_id: int, of: account.Grant) -> "Grant":
        return Grant(
            of=of,
            place=(customer_id, credit_type_id),
            id=strawberry.ID(ids.make("gra", customer_id, credit_type_id, of.number)),
            source=CreditSource(of.source),
            status=GrantStatus(of.state),
            amount=of.amount,
            remaining=of.remaining,
            held=of.held,
            priority=of.priority,
            effective_at=of.effective_at,
            expires_at=of.expires_at,
            reason=None if of.reason is None else ReasonCode(of.reason),
            created_at=of.created_at,
        )


@strawberry.type(description="Which price made this amount: cohort, version and the rate that matched.")
class AppliedRate:
    cohort: str
    version: int
    match: JSON
    per_unit: Decimal | None
    exact_amount: Decimal


@strawberry.type(
    description="The part of an entry that one grant bore: positive; the entry's kind gives the direction."
)
class Allocation:
    grant: Grant | None
    amount: Credits
    overdraft: bool = strawberry.field(description="True where no grant covered it: overdraft.")


@strawberry.type
class Hold:
    of: strawberry.Private[account.Hold]
    place: strawberry.Private[tuple[int, int]]
    id: strawberry.ID
    status: HoldStatus
    amount: Credits
    settled: Credits
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None

    @strawberry.field
    def credit_type(self, info: Info) -> CreditType:
        return CreditType.of(info.context.catalog, self.place[1])

    @strawberry.field
    def feature(self, info: Info) -> Feature | None:
        return Feature.of(info.context.catalog, self.of.feature_id)

    @strawberry.field(metadata=_USAGE)
    async def member(self, info: Info) -> Member | None:
        key = self.of.member
        return None if key is None else await Member.load(info.context, self.place[0], key)

    @strawberry.field
    async def entries(self, info: Info) -> list["LedgerEntry"]:
        found = await info.context.loaders.hold_entries.load((*self.place, self.of.number)) or []
        return [LedgerEntry.from_value(entry) for entry in found]

    @staticmethod
    def from_value(customer_id: int, credit_type_id: int, of: account.Hold) -> "Hold":
        return Hold(
            of=of,
            place=(customer_id, credit_type_id),
            id=strawberry.ID(ids.make("hld", customer_id, credit_type_id, of.number)),
            status=HoldStatus(of.status),
            amount=of.amount,
            settled=of.settled,
            opened_at=of.opened_at,
            expires_at=of.expires_at,
            closed_at=of.closed_at,
        )


@strawberry.type
class LedgerEntry:
    of: strawberry.Private[entries.Entry]
    id: strawberry.ID
    sequence: int
    kind: EntryKind
    amount: Credits = strawberry.field(description="Signed effect on the posted balance.")
    held_amount: Credits = strawberry.field(description="Signed effect on what is held.")
    balance_after: Credits
    held_after: Credits
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When we learned of it.")

    @strawberry.field
    def credit_type(self, info: Info) -> CreditType:
        return CreditType.of(info.context.catalog, self.of.credit_type_id)

    @strawberry.field
    def late(self) -> bool:
        return self.of.recorded_at - self.of.occurred_at > bounds.LATE_AFTER

    @strawberry.field
    def feature(self, info: Info) -> Feature | None:
        return Feature.of(info.context.catalog, self.of.cause.feature_id)

    @strawberry.field
    def quantity(self) -> Decimal | None:
        return self.of.cause.quantity

    @strawberry.field
    def dimensions(self) -> JSON | None:
        return None if self.of.cause.dimensions is None else orjson.Fragment(self.of.cause.dimensions)

    @strawberry.field(metadata=_USAGE)
    async def member(self, info: Info) -> Member | None:
        key = self.of.cause.member
        return None if key is None else await Member.load(info.context, self.of.customer_id, key)

    @strawberry.field(metadata=_USAGE)
    async def event(self, info: Info) -> Annotated["UsageEvent", strawberry.lazy("schema.types.usage")] | None:
        from schema.types.usage import UsageEvent  # noqa: PLC0415 -- an entry knows its event, an event its entries

        return None if self.of.cause.event is None else await UsageEvent.load(info.context, self.of.cause.event)

    @strawberry.field
    async def hold(self, info: Info) -> Hold | None:
        if self.of.hold_number is None:
            return None
        place = (self.of.customer_id, self.of.credit_type_id)
        found = await info.context.loaders.holds.load((*place, self.of.hold_number))
        return None if found is None else Hold.from_value(*place, found)

    @strawberry.field
    def rate(self, info: Info) -> AppliedRate | None:
        cause = self.of.cause
        applied = None if cause.rate_id is None else info.context.catalog.rate(cause.rate_id)
        card = None if applied is None else info.context.catalog.card(applied.rate_card_id)
        if applied is None or card is None:
            return None
        whole = from_micro(max(abs(self.of.amount), abs(self.of.held_amount)))
        return AppliedRate(
            cohort=card.cohort,
            version=card.version,
            match=match_of(applied),
            per_unit=applied.per_unit,
            exact_amount=whole if cause.exact_amount is None else cause.exact_amount,
        )

    @strawberry.field
    async def allocations(self, info: Info) -> list[Allocation]:
        place = (self.of.customer_id, self.of.credit_type_id)
        parts = [part for part in self.of.allocations if part[1]]  # a void may name its grant and take nothing of it
        grants = await info.context.loaders.grants.load_many([(*place, abs(n)) for n, _ in parts if n])
        known = {grant.number: grant for grant in grants if grant is not None}
        return [
            Allocation(
                grant=Grant.from_value(*place, known[abs(number)]) if abs(number) in known else None,
                amount=amount,
                overdraft=number <= 0,
            )
            for number, amount in parts
        ]

    @strawberry.field(description="The burn, settlement or clawback that this entry gives back, or a part of it.")
    async def reverses(self, info: Info) -> "LedgerEntry | None":
        if self.of.cause.reverses is None:
            return None
        place = (self.of.customer_id, self.of.credit_type_id, self.of.cause.reverses)
        found = await info.context.loaders.entries.load(place)
        return None if found is None else LedgerEntry.from_value(found)

    @strawberry.field(description="How much of it has been given back.")
    async def reversed_amount(self, info: Info) -> Credits:
        if self.of.kind not in entries.GIVEN_BACK:
            return 0
        place = (self.of.customer_id, self.of.credit_type_id, self.of.sequence)
        return await info.context.loaders.reversed_amounts.load(place) or 0

    @strawberry.field(description="The latest dispute it is in; an open one, where there is one.", metadata=_DISPUTES)
    async def dispute(self, info: Info) -> Annotated["Dispute", strawberry.lazy("schema.types.disputes")] | None:
        from schema.types.disputes import Dispute  # noqa: PLC0415 -- an entry knows its dispute, a dispute its entries

        place = (self.of.customer_id, self.of.credit_type_id, self.of.sequence)
        found = await info.context.loaders.disputes_of.load(place)
        return None if found is None else Dispute.from_value(found)

    @strawberry.field
    async def actor(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.cause.actor_id)

    @strawberry.field
    def reason(self) -> ReasonCode | None:
        return None if self.of.cause.reason is None else ReasonCode(self.of.cause.reason)

    @strawberry.field
    async def note(self, info: Info) -> str | None:
        return await note_for(info.context, self.of.cause.actor_id, self.of.cause.note)

    @strawberry.field
    def idempotency_key(self) -> str | None:
        return given_key(self.of.cause.key)

    @strawberry.field(
        description="One sentence a customer understands: which feature, how much of it, at which rate, from which credits."
    )
    async def explanation(self, info: Info) -> str:
        place = (self.of.customer_id, self.of.credit_type_id)
        found = await info.context.loaders.grants.load_many([(*place, abs(n)) for n, _ in self.of.allocations if n])
        owner = await info.context.loaders.customers.load(self.of.customer_id)
        zone = ZoneInfo(owner.timezone if owner else "UTC")
        return sentence(self.of, info.context.catalog, {grant.number: grant for grant in found if grant}, zone)

    @strawberry.field
    def hash(self) -> str:
        return self.of.hash.hex()

    @strawberry.field
    async def previous_hash(self, info: Info) -> str:
        if self.of.sequence == 1:
            return entries.GENESIS.hex()
        place = (self.of.customer_id, self.of.credit_type_id, self.of.sequence - 1)
        before = await info.context.loaders.entries.load(place)
        if before is None:
            raise LookupError(f"entry {place} is missing")
        return before.hash.hex()

    @staticmethod
    def from_value(of: entries.Entry) -> "LedgerEntry":
        return LedgerEntry(
            of=of,
            id=strawberry.ID(ids.make("ent", of.customer_id, of.credit_type_id, of.sequence)),
            sequence=of.sequence,
            kind=EntryKind(of.kind.name),
            amount=of.amount,
            held_amount=of.held_amount,
            balance_after=of.balance_after,
            held_after=of.held_after,
            occurred_at=of.occurred_at,
            recorded_at=of.recorded_at,
        )


@strawberry.type
class Expiration:
    lost: strawberry.Private[Callable[[int], Awaitable[int]]]
    grant: Grant
    amount: Credits
    expires_at: datetime

    @strawberry.field(description="At the present burn rate, how much of it will be lost.")
    async def projected_loss(self) -> Credits:
        return await self.lost(self.grant.of.number)


@strawberry.type
class GrantEdge:
    node: Grant
    cursor: str


@strawberry.type
class GrantConnection:
    edges: list[GrantEdge]
    page_info: PageInfo


@strawberry.type
class HoldEdge:
    node: Hold
    cursor: str


@strawberry.type
class HoldConnection:
    edges: list[HoldEdge]
    page_info: PageInfo


@strawberry.type
class LedgerEdge:
    node: LedgerEntry
    cursor: str


@strawberry.type
class LedgerConnection:
    edges: list[LedgerEdge]
    page_info: PageInfo
