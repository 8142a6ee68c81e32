"""What is pushed. Every subscription starts with the present state and re-reads: a lost message does not matter."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import strawberry

from credits.customers.customers import Customer as CustomerValue
from credits.disputes.disputes import Dispute as DisputeValue
from credits.disputes.disputes import Place
from credits.disputes.reads import list_changed
from credits.enforcement.decide import Effective
from credits.errors import Unavailable
from credits.ledger import reads
from credits.ledger.balance import Balance as BalanceValue
from credits.ledger.entries import Entry
from credits.recharge.reads import read_top_ups
from credits.recharge.top_ups import TopUp as TopUpValue
from schema.context import Context
from schema.errors import bad_request, forbidden
from schema.payments import own_top_up
from schema.permission import READERS, allow, customer, staff
from schema.queries import visible_customer
from schema.types.balance import Balance
from schema.types.disputes import Dispute
from schema.types.enforcement import EffectiveEnforcement
from schema.types.ledger import Info, LedgerEntry
from schema.types.top_ups import TopUp

_HEARTBEAT_S = 15.0  # how stale a balance can get when every message is lost
_ENTRIES_PER_READ = 500
_COMMITTED_WITHIN = timedelta(minutes=1)  # a statement waits ten seconds for a lock, and is ended after fifteen
_PATIENCE_S = 10.0  # a database that is started again is back by then
_RETRY_S = 0.5

T = TypeVar("T")


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description=(
            "Answers at once with the present balance, then with every newer one; "
            "versions never go back and the last one always arrives."
        ),
        metadata=allow(staff(*READERS), customer("balance:read")),
    )
    async def balance_updated(
        self, info: Info, customer: str | None = None, credit_type: str | None = None
    ) -> AsyncGenerator[Balance, None]:
        context = info.context
        watched, credit_type_id = await _watched(context, customer, credit_type)
        sent: dict[int, BalanceValue] = {}
        async with context.services.watch(context.workspace_id, watched.id, credit_type_id) as signals:
            signal = "changed"
            while signal != "stopped":
                balances, wait_s = await _patiently(partial(_balances, context, watched, credit_type_id))
                for balance in balances:
                    before = sent.get(balance.credit_type_id)
                    if before is None or _is_news(before, balance):
                        sent[balance.credit_type_id] = balance
                        yield Balance.from_value(balance)
                signal = await signals.next(wait_s)

    @strawberry.subscription(metadata=allow(staff(*READERS), customer("ledger:read")))
    async def ledger_entry_added(
        self, info: Info, customer: str | None = None, credit_type: str | None = None
    ) -> AsyncGenerator[LedgerEntry, None]:
        context = info.context
        watched, credit_type_id = await _watched(context, customer, credit_type)
        async with context.services.watch(context.workspace_id, watched.id, credit_type_id) as signals:
            async with context.page() as page:
                seen = await reads.read_sequences(page.connection, watched.id)
            signal = "changed"
            while signal != "stopped":
                more = True
                while more:
                    news, more = await _patiently(partial(_news, context, watched, credit_type_id, seen))
                    for entry in news:
                        yield LedgerEntry.from_value(entry)
                signal = await signals.next(_HEARTBEAT_S)

    @strawberry.subscription(
        description=(
            "Of a customer, or (staff alone, null) of all: answers at once with what is undecided, "
            "then with every dispute that changes."
        ),
        metadata=allow(staff(*READERS), customer("dispute:create")),
    )
    async def dispute_updated(self, info: Info, customer: str | None = None) -> AsyncGenerator[Dispute, None]:
        context = info.context
        watched = None
        if customer is not None or context.caller.is_customer:
            watched = (await _watched(context, customer, None))[0].id
        seen: dict[Place, int] = {}
        since: datetime | None = None
        begun = False  # what was decided a moment ago is no news to who begins now
        async with context.services.watch_disputes(context.workspace_id, watched) as signals:
            signal = "changed"
            while signal != "stopped":
                news, since = await _patiently(partial(_changed_disputes, context, watched, since))
                for dispute in news:
                    before = seen.get(dispute.place, 0)
                    seen[dispute.place] = max(before, dispute.version)
                    if dispute.version > before and (begun or dispute.is_undecided):
                        yield Dispute.from_value(dispute)
                begun = True
                signal = await signals.next(_HEARTBEAT_S)

    @strawberry.subscription(
        description="Answers at once with the present state, then with each newer one; the last one always arrives.",
        metadata=allow(staff(*READERS), customer("topup:create")),
    )
    async def top_up_updated(self, info: Info, id: strawberry.ID) -> AsyncGenerator[TopUp, None]:
        context = info.context
        place = own_top_up(context, id)
        if place is None or await _top_up(context, place) is None:
            raise forbidden("no such top-up for this credential")
        version = 0
        async with context.services.watch_top_ups(context.workspace_id, place[0]) as signals:
            signal = "changed"
            while signal != "stopped":
                found = await _patiently(partial(_top_up, context, place))
                if found is not None and found.version > version:
                    version = found.version
                    yield TopUp.from_value(context, found)
                signal = await signals.next(_HEARTBEAT_S)

    @strawberry.subscription(
        description=(
            "What holds for a customer, or (staff alone, null) where no policy says otherwise: at once, then whenever it or "
            "what holds for one of its features becomes another. Ask again what you have checked."
        ),
        metadata=allow(staff(*READERS), customer("limits:read")),
    )
    async def enforcement_changed(
        self, info: Info, customer: str | None = None
    ) -> AsyncGenerator[EffectiveEnforcement, None]:
        context = info.context
        watched = None
        if customer is not None or context.caller.is_customer:
            watched = (await _watched(context, customer, None))[0]
        sent: list[Effective] = []
        async with context.services.watch_config(context.workspace_id) as signals:
            signal = "changed"
            while signal != "stopped":
                found = await _patiently(partial(_enforcement, context, watched))
                if found != sent:
                    sent = found
                    yield EffectiveEnforcement.from_value(found[0])
                signal = await signals.next(_HEARTBEAT_S)


async def _enforcement(context: Context, watched: CustomerValue | None) -> list[Effective]:
    """What holds in general, then for each feature; of nobody in particular, in general alone."""
    async with context.page() as page:
        if watched is None:
            return [page.policies.for_everybody()]
        features = [None, *(feature.id for feature in page.catalog.features)]
        return [page.enforcement(watched, feature_id, None) for feature_id in features]


async def _top_up(context: Context, place: Place) -> TopUpValue | None:
    async with context.page() as page:
        return (await read_top_ups(page.connection, [place])).get(place)


async def _changed_disputes(
    context: Context, customer_id: int | None, since: datetime | None
) -> tuple[list[DisputeValue], datetime]:
    """What has changed since the last look, at the first also what is undecided; and from when on to look next.

    A change is dated before it is committed: the next look begins a little earlier than this one.
    """
    async with context.page() as page:
        next_since = page.workspace.now - _COMMITTED_WITHIN
        found = await list_changed(page.connection, customer_id, since or next_since, undecided=since is None)
        return found, next_since


async def _watched(
    context: Context, customer_key: str | None, credit_type: str | None
) -> tuple[CustomerValue, int | None]:
    """Whom and what to watch. A foreign customer is FORBIDDEN; the socket lives on."""
    async with context.page() as page:
        found = await visible_customer(context, page, customer_key)
        known = None if credit_type is None else page.catalog.credit_type_by_key(credit_type)
    if found is None:
        raise forbidden("no such customer for this credential")
    if credit_type is not None and known is None:
        raise bad_request(f"creditType: no credit type {credit_type!r} in the catalog")
    return found, known.id if known else None


async def _patiently(read: Callable[[], Awaitable[T]]) -> T:
    """A store that is away for a moment ends no subscription; one that stays away does, and the client knows."""
    clock = asyncio.get_running_loop().time
    until = clock() + _PATIENCE_S
    while True:
        try:
            return await read()
        except Unavailable:
            if clock() > until:
                raise
        await asyncio.sleep(_RETRY_S)


async def _balances(
    context: Context, watched: CustomerValue, credit_type_id: int | None
) -> tuple[list[BalanceValue], float]:
    """The present balances, and how long they stay true by themselves: until something falls due."""
    async with context.page() as page:
        accounts = {
            of_type: account
            for (_, of_type), account in (await page.accounts(watched)).items()
            if credit_type_id in (None, of_type)
        }
        balances = [page.balance(watched, account) for account in accounts.values()]
        if credit_type_id is not None and credit_type_id not in accounts:
            known = page.catalog.credit_type(credit_type_id)
            balances += [page.empty_balance(watched, known)] if known else []
        now = page.workspace.now
    due = [account.due_at for account in accounts.values() if account.due_at is not None]
    left = min(due, default=now + timedelta(days=1)) - now
    return balances, min(_HEARTBEAT_S, max(0.05, left.total_seconds()))


def _is_news(before: BalanceValue, after: BalanceValue) -> bool:
    """Newer, and saying something else. At a due instant `available` changes before its entry is booked."""
    if after.version < before.version:
        return False
    return (after.version, after.available, after.held, after.lots) != (
        before.version,
        before.available,
        before.held,
        before.lots,
    ) or after.overdraft_limit != before.overdraft_limit


async def _news(
    context: Context, watched: CustomerValue, credit_type_id: int | None, seen: dict[int, int]
) -> tuple[list[Entry], bool]:
    """Entries since the last look, in order, none left out and none twice; and whether there are more.

    A page at a time: whoever takes them slowly does not keep a backlog in memory, nor a connection.
    """
    news: list[Entry] = []
    async with context.page() as page:
        newest = await reads.read_sequences(page.connection, watched.id)
        behind = [
            of_type
            for of_type, sequence in sorted(newest.items())
            if credit_type_id in (None, of_type) and sequence > seen.get(of_type, 0)
        ]
        for of_type in behind:
            room = _ENTRIES_PER_READ - len(news)
            found = await reads.read_entries_after(page.connection, watched.id, of_type, seen.get(of_type, 0), room)
            news.extend(found)
            if len(news) == _ENTRIES_PER_READ:
                break
    for entry in news:
        seen[entry.credit_type_id] = entry.sequence
    return news, any(newest[of_type] > seen.get(of_type, 0) for of_type in behind)
