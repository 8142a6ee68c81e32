"""What can be asked."""

import strawberry

from credits import ids
from credits.access.keys import list_keys
from credits.customers.customers import Customer as CustomerValue
from credits.customers.customers import find_customer, read_customers, search_customers
from credits.disputes.reads import list_disputes
from credits.enforcement.policies import list_policies
from credits.errors import Refusal
from credits.ledger import reads
from credits.posting.reader import Page
from credits.usage import reads as usage_reads
from credits.webhooks.endpoints import list_endpoints
from schema.context import Context
from schema.errors import bad_request
from schema.inputs import SpendInput, spend_of
from schema.pages import PageInfo, cursor, page_size, position, text_position
from schema.payments import PaymentQueries
from schema.permission import READERS, allow, customer, staff
from schema.proof import ProofQueries
from schema.revenue import RevenueQueries
from schema.types.access import ApiKey, Viewer, read_viewer
from schema.types.balance import Balance, Decision
from schema.types.catalog import Catalog
from schema.types.customer import Customer
from schema.types.disputes import Dispute
from schema.types.enforcement import EnforcementPolicy
from schema.types.enums import DisputeStatus, EventOutcome
from schema.types.ledger import Hold, Info, LedgerEntry
from schema.types.refusals import not_found, refusal_of
from schema.types.results import CheckResult
from schema.types.usage import DeadLetter, DeadLetterConnection, DeadLetterEdge, UsageEvent
from schema.types.webhooks import WebhookEndpoint

# Named here: within the class, `customer` is a field.
_ANYONE = allow(staff(*READERS), customer())
_LEDGER = allow(staff(*READERS), customer("ledger:read"))
_USAGE = allow(staff(*READERS), customer("usage:read"))
_BALANCE = allow(staff(*READERS), customer("balance:read"))


@strawberry.type
class CustomerEdge:
    node: Customer
    cursor: str


@strawberry.type
class CustomerConnection:
    edges: list[CustomerEdge]
    page_info: PageInfo


@strawberry.type
class Query(PaymentQueries, RevenueQueries, ProofQueries):
    @strawberry.field(metadata=_ANYONE)
    async def viewer(self, info: Info) -> Viewer:
        return await read_viewer(info.context)

    @strawberry.field(description="`key` may be left out with a customer token.", metadata=_ANYONE)
    async def customer(self, info: Info, key: str | None = None) -> Customer | None:
        if key is None and not info.context.caller.is_customer:
            raise bad_request("key: is missing")
        own_id = info.context.caller.customer_id
        if own_id is not None:  # a page of widgets asks many times at once, and reads once
            found = await info.context.loaders.customers.load(own_id)
            return None if found is None or key not in (None, found.key) else Customer.from_value(found)
        async with info.context.page() as page:
            found = await visible_customer(info.context, page, key)
        return None if found is None else Customer.from_value(found)

    @strawberry.field(metadata=allow(staff(*READERS)))
    async def customers(
        self, info: Info, search: str | None = None, first: int | None = 50, after: str | None = None
    ) -> CustomerConnection:
        first = page_size(first)
        async with info.context.page() as page:
            found, more = await search_customers(page.connection, search, first, text_position(after))
        edges = [CustomerEdge(node=Customer.from_value(item), cursor=cursor(item.key)) for item in found]
        return CustomerConnection(
            edges=edges, page_info=PageInfo.of([edge.cursor for edge in edges], more=more, after=after)
        )

    @strawberry.field(metadata=_ANYONE)
    async def catalog(self, info: Info) -> Catalog:
        async with info.context.page() as page:
            return Catalog.from_value(page.catalog)

    @strawberry.field(metadata=_LEDGER)
    async def entry(self, info: Info, id: strawberry.ID) -> LedgerEntry | None:
        place = _own_place(info.context, "ent", id)
        found = None if place is None else await info.context.loaders.entries.load(place)
        return None if found is None else LedgerEntry.from_value(found)

    @strawberry.field(metadata=_USAGE)
    async def event(self, info: Info, source: str, event_id: str) -> UsageEvent | None:
        async with info.context.page() as page:
            found = await usage_reads.find_event_by_source(page.connection, source, event_id)
        if found is None or _is_foreign(info.context, found.customer_id):
            return None
        return UsageEvent.from_value(found)

    @strawberry.field(metadata=_LEDGER)
    async def hold(self, info: Info, id: strawberry.ID) -> Hold | None:
        place = _own_place(info.context, "hld", id)
        if place is None:
            return None
        async with info.context.page() as page:
            stored = (await reads.read_holds(page.connection, [place])).get(place)
            accounts = await reads.read_accounts(page.connection, page.catalog, [place[0]], page.workspace.now)
        if stored is None:
            return None
        return Hold.from_value(*place[:2], accounts[place[0], place[1]].holds.get(place[2], stored))

    @strawberry.field(
        description="Would this be allowed, and what would it cost? Changes nothing.",
        metadata=_BALANCE,
    )
    async def check(self, info: Info, input: SpendInput) -> CheckResult:
        async with info.context.page() as page:
            found = await visible_customer(info.context, page, input.customer)
            if found is None:
                return not_found("customer")
            decision = await page.check(found, spend_of(input))
        if isinstance(decision, Refusal):
            return refusal_of(info.context, decision)
        verdict, balance = decision
        return Decision.from_value(info.context, verdict, Balance.from_value(balance))

    @strawberry.field(
        description="What is due first stands first; at most 1,000. `overdue`: undecided at its due instant, or not.",
        metadata=allow(staff("VIEWER", "SUPPORT", "SALES", "FINANCE")),
    )
    async def disputes(
        self, info: Info, status: DisputeStatus | None = None, overdue: bool | None = None
    ) -> list[Dispute]:
        async with info.context.page() as page:
            wanted = status.value if status else None
            found = await list_disputes(page.connection, wanted, overdue, page.workspace.now)
        return [Dispute.from_value(dispute) for dispute in found]

    @strawberry.field(metadata=allow(staff("SUPPORT", "FINANCE")))
    async def dead_letters(
        self, info: Info, outcome: EventOutcome | None = None, first: int | None = 50, after: str | None = None
    ) -> DeadLetterConnection:
        first = page_size(first)
        async with info.context.page() as page:
            found, more = await usage_reads.list_dead_letters(
                page.connection, outcome.value if outcome else None, first, position(after, 3)
            )
        edges = [DeadLetterEdge(node=DeadLetter.from_value(item), cursor=cursor(*item.position)) for item in found]
        return DeadLetterConnection(
            edges=edges, page_info=PageInfo.of([edge.cursor for edge in edges], more=more, after=after)
        )

    @strawberry.field(metadata=allow(staff("VIEWER", "SUPPORT", "SALES", "FINANCE")))
    async def policies(self, info: Info) -> list[EnforcementPolicy]:
        async with info.context.page() as page:
            return [EnforcementPolicy.from_value(policy) for policy in await list_policies(page.connection)]

    @strawberry.field(metadata=allow(staff("ADMIN")))
    async def api_keys(self, info: Info) -> list[ApiKey]:
        async with info.context.page() as page:
            return [ApiKey.from_value(key) for key in await list_keys(page.connection)]

    @strawberry.field(description="Oldest first.", metadata=allow(staff("ADMIN")))
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint]:
        async with info.context.page() as page:
            return [WebhookEndpoint.from_value(endpoint) for endpoint in await list_endpoints(page.connection)]


async def visible_customer(context: Context, page: Page, key: str | None) -> CustomerValue | None:
    """The customer with that key, as far as the caller may see it: a customer token sees its own and no other.

    Read on the page's own connection: who holds one and waits for another waits for ever once all do the same.
    """
    if not context.caller.is_customer:
        return None if key is None else await find_customer(page.connection, key)
    own_id = context.caller.customer_id
    own = None if own_id is None else (await read_customers(page.connection, [own_id])).get(own_id)
    return own if own is not None and (key is None or key == own.key) else None


def _own_place(context: Context, kind: str, text: str) -> tuple[int, int, int] | None:
    """The place of an id that the caller may see; a foreign one does not exist."""
    numbers = ids.parse(kind, text, 3)
    if numbers is None or max(numbers[1:]) >= 2**31 or _is_foreign(context, numbers[0]):
        return None
    return (numbers[0], numbers[1], numbers[2])


def _is_foreign(context: Context, customer_id: int | None) -> bool:
    return context.caller.is_customer and customer_id != context.caller.customer_id
