"""Reading Stripe's own list of events, so that nothing depends on a webhook's coming.

The list is read from a point in time on, in slices; a slice is behind us once it was read whole. Slices overlap by minutes:
an event may be listed a little after the instant that it bears. A slice may hold very much, so each page of it is acted
upon as it comes, newest first, and kept as told: who dies in between has less to do next time. That order does no harm.
What an order is looked at for has all happened before, so its older events need no look of their own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta

from credits.db import Database, is_unavailable
from credits.recharge.provider import ProviderUnavailable
from credits.recharge.told import advance_list, claim_list, keep_told, told_before
from credits.workspaces import list_workspaces
from server.stripe_gateway.asking import Asker, Json
from server.stripe_gateway.events import LISTED, Ours
from server.stripe_gateway.telling import PROVIDER, Teller

logger = logging.getLogger(__name__)

FIRST = timedelta(days=3)  # how far back a workspace begins: as long as Stripe would go on sending
KEPT = timedelta(days=30)  # what Stripe lists at most
OVERLAP = timedelta(minutes=5)
SLICE = timedelta(hours=1)
BEHIND = timedelta(minutes=10)  # how far the cursor stays behind our clock: Stripe's may be late
AT_ONCE = 8  # of the questions that one process asks at once, so that buyers need not wait for it
_TOGETHER = 100  # events acted upon together: a page of Stripe's
_PAGES = 100_000  # of one slice; beyond any shop's hour
_UNANSWERED = 20  # questions of one slice: Stripe is down, and the rest is read in the next round
_FORGOTTEN = 10_000  # events of nobody here that are remembered, so that they are not asked about again


class EventList:
    """Reads the list for every workspace that no other process is reading it for. One per process."""

    def __init__(
        self, database: Database, asker: Asker, teller: Teller, *, every: timedelta, real_now: Callable[[], datetime]
    ) -> None:
        self._database, self._asker, self._teller = database, asker, teller
        self._every, self._real_now = every, real_now
        self._ignored: dict[str, None] = {}

    async def read(self) -> int:
        """Acts upon all that has happened since; how many events were new. Raises `Unavailable`, `ProviderUnavailable`:
        then what was not acted upon is read again next time."""
        claimed = await self._claim()
        if not claimed:
            return 0
        since = max(min(claimed.values()), self._real_now() - KEPT)
        new = 0
        while True:
            started_at = self._real_now()
            until = since + SLICE if since + SLICE < started_at - BEHIND else None
            new = new + await self._slice(claimed, since - OVERLAP, until)
            since = until or max(since, started_at - BEHIND)
            for workspace_id, reached in claimed.items():
                claimed[workspace_id] = max(since, reached)
            await self._hold(claimed)
            if until is None:
                return new

    async def _hold(self, claimed: Mapping[int, datetime]) -> None:
        """They are ours for longer, and have been read up to there."""
        for workspace_id, reached in claimed.items():
            cursor = str(int(reached.timestamp()))
            await advance_list(self._database, workspace_id, PROVIDER, cursor, self._real_now())

    async def _claim(self) -> dict[int, datetime]:
        """Workspace → from when on; those that are ours to read for now."""
        claimed: dict[int, datetime] = {}
        now = self._real_now()
        first = str(int((now - FIRST).timestamp()))
        for workspace in await list_workspaces(self._database):
            # A little less than our own round: the next one must not find its own claim still fresh.
            cursor = await claim_list(
                self._database, workspace.id, PROVIDER, now, every=self._every * 3 / 4, first=first
            )
            if cursor is not None:
                # One that lies ahead was left by a clock that has been put right since.
                claimed[workspace.id] = min(datetime.fromtimestamp(int(cursor), now.tzinfo), now - BEHIND)
        return claimed

    async def _slice(self, claimed: Mapping[int, datetime], since: datetime, until: datetime | None) -> int:
        """All of a slice, each order looked at once however many events name it; how many events were new."""
        new, looked, failed = 0, set[Ours](), list[BaseException]()
        async for events in self._pages(since, until):
            new = new + await self._act(set(claimed), events, looked, failed)
            if len(failed) >= _UNANSWERED:
                break
            await self._hold(claimed)
        if failed:  # the others are done and kept; this slice is read again for those alone
            raise failed[0]
        return new

    async def _act(
        self, workspaces: set[int], events: list[Json], looked: set[Ours], failed: list[BaseException]
    ) -> int:
        """Some events, of which more than one may name an order. Adds to `looked` and `failed`; how many were new."""
        known: set[str] = set()
        for workspace_id in workspaces:
            known.update(await told_before(self._database, workspace_id, PROVIDER, [event["id"] for event in events]))
        fresh = [event for event in events if event["id"] not in known]
        turn = asyncio.Semaphore(AT_ONCE)

        async def whose(event: Json) -> Ours | None:
            async with turn:
                try:
                    ours = None if event.get("account") else await self._teller.whose(event)
                except ProviderUnavailable as error:
                    failed.append(error)
                    return None
            if ours is None:
                self._ignore(event["id"])
            return ours

        concerned: dict[Ours, list[tuple[str, str]]] = {}
        for event, ours in zip(fresh, await asyncio.gather(*map(whose, fresh)), strict=True):
            if ours is not None and ours.workspace_id in workspaces:
                concerned.setdefault(ours, []).append((event["id"], event["type"]))

        async def see_to(ours: Ours, told: list[tuple[str, str]]) -> None:
            async with turn:
                if ours not in looked:
                    await self._look(ours, told[0][0])
                    looked.add(ours)
                await keep_told(self._database, ours.workspace_id, PROVIDER, told, self._real_now())

        done = await asyncio.gather(*(see_to(*each) for each in concerned.items()), return_exceptions=True)
        failed += [each for each in done if isinstance(each, BaseException)]
        return sum(map(len, concerned.values()))

    async def _look(self, ours: Ours, event_id: str) -> None:
        try:
            await self._teller.act(ours, event_id)
        except Exception as error:
            if isinstance(error, ProviderUnavailable) or is_unavailable(error):
                raise
            # One order that cannot be settled keeps no other from its own: an operator is told, and the list goes on.
            logger.exception("%s of Stripe cannot be acted upon", event_id)
            await self._teller.tell_failed(ours, event_id, type(error).__name__)

    async def _pages(self, since: datetime, until: datetime | None) -> AsyncIterator[list[Json]]:
        events: list[Json] = []
        async for event in self._listed(since, until):
            if event["id"] in self._ignored:
                continue
            events.append(event)
            if len(events) == _TOGETHER:
                yield events
                events = []
        if events:
            yield events

    async def _listed(self, since: datetime, until: datetime | None) -> AsyncIterator[Json]:
        created = {"gte": int(since.timestamp())}
        if until is not None:
            created["lt"] = int(until.timestamp())
        asked = {"types": list(LISTED), "created": created}
        events = self._asker.pages(self._asker.events, asked, most=_PAGES)
        async for event in events:
            # Of a whole page of events only this is kept: an hour may have many.
            item = event["data"]["object"]
            kept = {name: item.get(name) for name in ("id", "object", "metadata", "payment_intent", "customer")}
            data = {"object": kept, "previous_attributes": event["data"].get("previous_attributes")}
            yield {"id": event["id"], "type": event["type"], "account": event.get("account"), "data": data}

    def _ignore(self, event_id: str) -> None:
        self._ignored[event_id] = None
        while len(self._ignored) > _FORGOTTEN:
            del self._ignored[next(iter(self._ignored))]
