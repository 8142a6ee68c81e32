"""What one event of Stripe's makes happen, whichever way it came: by webhook, or read from the list.

The event says where to look. What is there is read again from Stripe by the cashier, who settles it, whatever the order
events come in and however often. Then, and only then, the event is kept as told: whoever dies before is told again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal, Protocol, TypeAlias
from weakref import WeakValueDictionary

from credits.db import Database
from credits.recharge.provider import ProviderName
from credits.recharge.settle import Issue
from credits.recharge.told import keep_told, told_before
from credits.recharge.top_ups import Place, TopUp
from credits.workspaces import WorkspaceName, list_workspaces
from server.stripe_gateway.asking import Asker, Json, Refused
from server.stripe_gateway.events import ACTED, Behind, Ours, about, ours_of

logger = logging.getLogger(__name__)

# done; told before; not for us (mode, account); an order that is not here; nothing of ours
Outcome: TypeAlias = Literal["done", "seen", "foreign", "unknown", "ignored"]

PROVIDER: ProviderName = "stripe"


class Looks(Protocol):
    """What of the cashier is needed here."""

    async def look(self, workspace_id: int, place: Place) -> TopUp | None: ...
    async def report(self, workspace_id: int, issue: Issue, place: Place | None = None) -> None: ...


Refresh: TypeAlias = Callable[[int, int], Awaitable[None]]  # workspace, customer: their saved methods are read again


class Teller:
    """Acts upon events. One per process."""

    def __init__(
        self,
        database: Database,
        cashier: Looks,
        asker: Asker,
        *,
        refresh: Refresh,
        live: bool,
        real_now: Callable[[], datetime],
    ) -> None:
        self._database, self._cashier, self._asker, self._refresh = database, cashier, asker, refresh
        self._live, self._real_now = live, real_now
        self._workspaces: dict[int, WorkspaceName] = {}
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def take(self, event: Json) -> Outcome:
        """Acts upon one event. Raises `Unavailable` or `ProviderUnavailable`: then it is to be told again."""
        if event["type"] not in ACTED:
            return "ignored"
        if event["livemode"] is not self._live or event.get("account"):
            return await self._foreign(event)
        ours = await self.whose(event)
        if ours is None:
            return "ignored"
        if await self._workspace(ours.workspace_id) is None:
            logger.warning("%s of Stripe names workspace %s, which is not here", event["id"], ours.workspace_id)
            return "unknown"
        # Two of one event, or all those of one payment, come at the same time: one after the other they cost one look.
        turn = self._turns.setdefault((ours.workspace_id, ours.order_id or str(ours.customer_id)), asyncio.Lock())
        async with turn:
            if await told_before(self._database, ours.workspace_id, PROVIDER, [event["id"]]):
                return "seen"
            outcome = await self.act(ours, event["id"])
            told = [(event["id"], event["type"])]
            await keep_told(self._database, ours.workspace_id, PROVIDER, told, self._real_now())
            return outcome

    async def whose(self, event: Json) -> Ours | None:
        """Whom the event concerns: by our metadata on its object, else on what that belongs to, as Stripe has it."""
        found = about(event)
        if not isinstance(found, Behind):
            return found
        try:
            return await self._behind(found)
        except Refused as refused:
            logger.warning("what %s is about cannot be read: %s", event["id"], refused)
            return None

    async def _behind(self, found: Behind) -> Ours | None:
        asker = self._asker
        if found.intent is not None:
            intent = found.intent
            ours = ours_of(await asker.find(lambda: asker.v1.payment_intents.retrieve_async(intent)))
            return ours if ours is not None and ours.order_id is not None else None
        customer = found.customer or ""
        ours = ours_of(await asker.find(lambda: asker.v1.customers.retrieve_async(customer)))
        return Ours(ours.workspace_id, None, ours.customer_id) if ours is not None and ours.customer_id else None

    async def act(self, ours: Ours, event_id: str) -> Outcome:
        """Has it looked at."""
        if ours.order_id is None:
            if ours.customer_id is not None:
                await self._refresh(ours.workspace_id, ours.customer_id)
            return "done"
        place = ours.place
        found = None if place is None else await self._cashier.look(ours.workspace_id, place)
        if found is not None:
            return "done"
        logger.error("Stripe was paid, or asked to be, for %s, which is not here (%s)", ours.order_id[:100], event_id)
        message = "Stripe knows an order of ours that is not here: was an older backup restored?"
        await self._cashier.report(
            ours.workspace_id, Issue("UNKNOWN_ORDER", message, None, ours.order_id[:100], event_id)
        )
        return "unknown"

    async def tell_failed(self, ours: Ours, event_id: str, kind: str) -> None:
        """An operator is told of what cannot be acted upon."""
        message = "what Stripe told of this could not be acted upon; see the log"
        await self._cashier.report(
            ours.workspace_id, Issue("EVENT_FAILED", message, None, f"{kind}, {(ours.order_id or '')[:100]}", event_id)
        )

    async def _foreign(self, event: Json) -> Outcome:
        """Well signed, and not for us: somebody has mixed up endpoints, or has our secret."""
        live = "live" if event["livemode"] else "test"
        account = event.get("account")
        logger.error("event %s is not for us: %s mode, account %s", event["id"], live, str(account)[:50])
        ours = ours_of(event["data"]["object"])
        if ours is not None and await self._workspace(ours.workspace_id) is not None:
            message = "a well-signed webhook of another mode or account names an order of ours; nothing was done"
            kind = "ACCOUNT" if account else "MODE"
            expected = "live mode" if self._live else "test mode"
            told = f"{str(account)[:50] if account else live + ' mode'}, {(ours.order_id or '')[:100]}"
            await self._cashier.report(ours.workspace_id, Issue(kind, message, expected, told, event["id"]))
        return "foreign"

    async def _workspace(self, workspace_id: int) -> WorkspaceName | None:
        if workspace_id not in self._workspaces:  # they come, and never go
            self._workspaces = {each.id: each for each in await list_workspaces(self._database)}
        return self._workspaces.get(workspace_id)
