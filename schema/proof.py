"""What operators ask to see that everything is as it should be."""

import strawberry

from credits import ids
from credits.audit.log import list_acts
from credits.customers.customers import find_customer
from schema.pages import PageInfo, cursor, page_size, position
from schema.permission import allow, staff
from schema.types.ledger import Info
from schema.types.proof import AuditConnection, AuditEdge, AuditEvent, Reconciliation

_OPERATORS = allow(staff("VIEWER", "SUPPORT", "SALES", "FINANCE"))


@strawberry.type
class ProofQueries:
    @strawberry.field(
        description=(
            "Each change of configuration and each act of an operator, newest first. `subject` is what it was done to: "
            "an id, a customer's key, or one of catalog, clock, enforcement, lateEventCutoff."
        ),
        metadata=_OPERATORS,
    )
    async def audit_log(
        self, info: Info, subject: str | None = None, first: int | None = 50, after: str | None = None
    ) -> AuditConnection:
        first, place = page_size(first), position(after, 1)
        async with info.context.page() as page:
            subjects = None if subject is None else [subject]
            if subject is not None and (customer := await find_customer(page.connection, subject)) is not None:
                subjects = [subject, ids.make("cus", customer.id)]
            found, more = await list_acts(page.connection, subjects, first, place[0] if place else None)
        edges = [AuditEdge(node=AuditEvent.from_value(item), cursor=cursor(item.number)) for item in found]
        return AuditConnection(
            edges=edges, page_info=PageInfo.of([edge.cursor for edge in edges], more=more, after=after)
        )

    @strawberry.field(metadata=_OPERATORS)
    async def reconciliation(self, info: Info) -> Reconciliation:
        return Reconciliation.from_value(await info.context.services.report(info.context.workspace_id))
