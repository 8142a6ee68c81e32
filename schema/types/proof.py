"""The audit log, and what a reconciliation found."""

from datetime import datetime
from decimal import Decimal

import orjson
import strawberry

from credits import ids
from credits.audit.log import Recorded
from credits.proof import reconcile
from credits.proof.reports import Report
from schema.pages import PageInfo
from schema.scalars import JSON
from schema.types.actor import Actor, actor_of
from schema.types.ledger import Info


@strawberry.type
class AuditEvent:
    of: strawberry.Private[Recorded]
    id: strawberry.ID
    at: datetime
    action: str
    subject: str

    @strawberry.field
    async def actor(self, info: Info) -> Actor:
        return await actor_of(info.context, self.of.act.actor_id)

    @strawberry.field
    def before(self) -> JSON | None:
        return _as_json(self.of.act.before)

    @strawberry.field
    def after(self) -> JSON | None:
        return _as_json(self.of.act.after)

    @staticmethod
    def from_value(of: Recorded) -> "AuditEvent":
        number = strawberry.ID(ids.make("aud", of.number))
        return AuditEvent(of=of, id=number, at=of.at, action=of.act.action, subject=of.act.subject)


@strawberry.type
class AuditEdge:
    node: AuditEvent
    cursor: str


@strawberry.type
class AuditConnection:
    edges: list[AuditEdge]
    page_info: PageInfo


@strawberry.type(description="What the entries say (expected) and what is stored (actual).")
class Mismatch:
    customer: str
    credit_type: str
    check: str
    expected: Decimal
    actual: Decimal

    @staticmethod
    def from_value(of: reconcile.Mismatch) -> "Mismatch":
        return Mismatch(
            customer=of.customer,
            credit_type=of.credit_type,
            check=of.check,
            expected=of.expected,
            actual=of.actual,
        )


@strawberry.type
class Reconciliation:
    at: datetime = strawberry.field(
        description="When it was made: now where the book is small, else by the last run in the background."
    )
    accounts: int
    entries: int
    drift: Decimal = strawberry.field(description="By how much stored balances differ from the entries, in all.")
    mismatches: list[Mismatch] = strawberry.field(description="The first thousand.")
    chains_broken: int
    events_unaccounted: int
    ok: bool

    @staticmethod
    def from_value(of: Report) -> "Reconciliation":
        found = of.found
        return Reconciliation(
            at=of.at,
            accounts=found.accounts,
            entries=found.entries,
            drift=found.drift,
            mismatches=[Mismatch.from_value(each) for each in found.mismatches],
            chains_broken=found.chains_broken,
            events_unaccounted=found.events_unaccounted,
            ok=found.ok,
        )


def _as_json(text: str | None) -> JSON | None:
    """As it is stored, to the digit."""
    return None if text is None else orjson.Fragment(text)
