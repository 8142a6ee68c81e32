"""Reading Stripe's own list of events, so that nothing depends on a webhook's coming.

The list is read from a point in time on, in slices, the oldest first; that point moves when a slice was read whole. It stays
minutes behind Stripe's clock, as the `Date` of its answers tells it: an event may be listed a little after the instant that
it bears. A slice that holds very much is cut shorter, so that whoever dies often comes forward too.

A few pages of a slice are acted upon together, newest first, and kept as told: who dies in between has less to do next time.
That order does no harm. What an order is looked at for has all happened before: its events until then, by Stripe's clock, need
no look of their own.

What has been done only the database knows: one that a standby has taken over may lack the last seconds, and then they are done
again. All that a process remembers is whose an event is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from stripe import StripeResponse

from credits.db import Database, is_unavailable
from credits.recharge.provider import ProviderUnavailable
from credits.recharge.told import advance_list, claim_list, keep_credited, keep_told, told_before
from credits.workspaces import list_workspaces
from server.stripe_gateway.asking import Asker, Json
from server.stripe_gateway.events import LISTED, PAID, Ours
from server.stripe_gateway.telling import PROVIDER, Teller

logger = logging.getLogger(__name__)

FIRST = timedelta(days=3)  # how far back a workspace begins: as long as Stripe would go on sending
KEPT = timedelta(days=30)  # what Stripe lists at most
SETTLES = timedelta(minutes=5)  # after that, by Stripe's clock, an instant has all its events in the list
UNDATED = timedelta(minutes=10)  # how far Stripe's clock may be behind ours where an answer bears no `Date`
APART = timedelta(minutes=1)  # the clocks of Stripe's own machines: whose says when it answered, whose when it happened
LEAST = timedelta(minutes=1)  # the first slice, and the one that is read to its end whatever it holds
SLICE = timedelta(hours=1)  # slices become longer while there is little in them, up to this
FULL = 50  # pages of Stripe's after which a longer slice is cut: some seconds
NEVER = datetime.min.replace(tzinfo=UTC) + APART
_TOGETHER = 500  # events acted upon together; after each so many, everybody waits for the slowest answer
_TOGETHER_S = 5.0  # or what has come after so long
_PAGES = 100_000  # of one slice; beyond any shop's hour
_UNANSWERED = 20  # questions of one round: Stripe is down, and the rest is read in the next one
_REMEMBERED = 50_000  # events of which we know whose they are: the last minutes are read again and again


class _Full(Exception):
    """There is more in the slice than fits."""


@dataclass
class _Round:
    """One reading of the list. `claimed`: workspace → how far it has been read; `held_at`: when we last said it is ours.
    `their_now`: Stripe's clock. `looked`: when an order was last looked at, by that clock; `covered`: those of which all that is
    left of the slice is older than the look. `failed`: what was not answered; the point in time stays before the first of it."""

    claimed: dict[int, datetime]
    held_at: datetime
    their_now: datetime
    new: int = 0
    pages: int = 0
    looked: dict[Ours, datetime] = field(default_factory=dict)
    covered: set[Ours] = field(default_factory=set)
    failed: list[BaseException] = field(default_factory=list)


class EventList:
    """Reads the list for every workspace that no other process is reading it for. One per process."""

    def __init__(
        self,
        database: Database,
        asker: Asker,
        teller: Teller,
        *,
        every: timedelta,
        real_now: Callable[[], datetime],
        turn: asyncio.Semaphore,
    ) -> None:
        """`turn`: what is asked takes one, so that buyers need not wait for it."""
        self._database, self._asker, self._teller = database, asker, teller
        self._every, self._real_now, self._turn = every, real_now, turn
        self._workspace_of: dict[str, int | None] = {}  # an event's, which never changes; None: it is nobody's here

    async def read(self) -> int:
        """Acts upon all that has happened since; how many events were new. Raises `Unavailable`, `ProviderUnavailable`:
        then what was not acted upon is read again next time."""
        claimed = await self._claim()
        if not claimed:
            return 0
        now = self._real_now()
        this = _Round(claimed, now, their_now=now)
        since, length = max(min(claimed.values()), now - KEPT), LEAST
        while len(this.failed) < _UNANSWERED:
            settled = this.their_now - SETTLES
            until = since + length if since + length < settled else None
            longest = min(length, settled - since)
            try:
                await self._slice(this, since, until, most=FULL if longest > LEAST else _PAGES)
            except _Full:
                length = max(longest / 8, LEAST)
                continue
            if this.pages < FULL / 4:
                length = min(length * 2, SLICE)
            settled = this.their_now - SETTLES
            since = settled if until is None else min(until, settled)
            if not this.failed:
                for workspace_id, reached in claimed.items():
                    # One that lies ahead of Stripe's clock was left by one of ours.
                    claimed[workspace_id] = min(max(since, reached), settled)
                await self._hold(this)
            if until is None:
                break
        if this.failed:  # the others are done and kept; these slices are read again for those alone
            raise next((error for error in this.failed if not isinstance(error, ProviderUnavailable)), this.failed[0])
        return this.new

    async def _hold_in_time(self, this: _Round) -> None:
        """Before the claim lapses, and another process begins to do the same."""
        if self._real_now() - this.held_at > self._every / 4:
            await self._hold(this)

    async def _hold(self, this: _Round) -> None:
        """They are ours for longer, and have been read up to there."""
        this.held_at = self._real_now()
        for workspace_id, reached in this.claimed.items():
            cursor = str(int(reached.timestamp()))
            await advance_list(self._database, workspace_id, PROVIDER, cursor, this.held_at)

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
                claimed[workspace.id] = datetime.fromtimestamp(int(cursor), now.tzinfo)
        return claimed

    async def _slice(self, this: _Round, since: datetime, until: datetime | None, *, most: int) -> None:
        """All of a slice. Raises `_Full` after `most` pages."""
        this.pages, this.covered = 0, set()
        async for events in self._pages(this, since, until, most):
            new = await self._act(this, events)
            this.new += new
            if len(this.failed) >= _UNANSWERED:
                return

    async def _act(self, this: _Round, events: list[Json]) -> int:
        """Some events, newest first, of which more than one may name an order; how many were new."""
        fresh = await self._fresh(this.claimed, events)

        async def whose(event: Json) -> Ours | None:
            async with self._turn:
                if len(this.failed) >= _UNANSWERED:
                    return None
                try:
                    ours = None if event.get("account") else await self._teller.whose(event)
                    await self._hold_in_time(this)
                except Exception as error:  # raised by whoever reads, once the others are done  # noqa: BLE001
                    this.failed.append(error)
                    return None
            self._remember({event["id"]: None if ours is None else ours.workspace_id})
            return ours

        concerned: dict[Ours, list[Json]] = {}
        for event, ours in zip(fresh, await asyncio.gather(*map(whose, fresh)), strict=True):
            if ours is not None and ours.workspace_id in this.claimed:
                concerned.setdefault(ours, []).append(event)

        known = await self._known(concerned)

        async def see_to(ours: Ours, named: list[Json]) -> None:
            newest = named[0]
            async with self._turn:
                if len(this.failed) >= _UNANSWERED:
                    return
                try:
                    happened_at = datetime.fromtimestamp(newest["created"], UTC)
                    # Of what is closer together it is not known which was first.
                    if ours not in this.covered and happened_at >= this.looked.get(ours, NEVER) - APART:
                        await self._look(ours, newest["id"])
                        this.looked[ours] = this.their_now
                    this.covered.add(ours)
                    told = [(event["id"], event["type"]) for event in named]
                    await keep_told(self._database, ours.workspace_id, PROVIDER, told, self._real_now())
                    await self._hold_in_time(this)
                except Exception as error:  # raised by whoever reads, once the others are done  # noqa: BLE001
                    this.failed.append(error)

        await asyncio.gather(*(see_to(ours, named) for ours, named in concerned.items() if ours not in known))
        return sum(map(len, concerned.values()))

    async def _known(self, concerned: Mapping[Ours, list[Json]]) -> set[Ours]:
        """Those of whom all that is told is that they are paid, by what we have credited them for: most of a good day. That is
        kept without a look; and as nobody has looked, what else is told of them by older pages is looked at."""
        known: set[Ours] = set()
        for workspace_id in {ours.workspace_id for ours in concerned}:
            paid = {
                ours.place: ours
                for ours, named in concerned.items()
                if ours.workspace_id == workspace_id
                and ours.place is not None
                and all(event["type"] in PAID for event in named)
            }
            told = {
                place: [(event["id"], event["type"], event["data"]["object"]["id"]) for event in concerned[ours]]
                for place, ours in paid.items()
            }
            kept = await keep_credited(self._database, workspace_id, PROVIDER, told, self._real_now())
            known.update(paid[place] for place in kept)
        return known

    async def _fresh(self, workspaces: Mapping[int, datetime], events: list[Json]) -> list[Json]:
        """Those that these workspaces were not told before, and that may be theirs."""
        left = {
            event["id"]: event
            for event in events
            if event["id"] not in self._workspace_of or self._workspace_of[event["id"]] in workspaces
        }
        for workspace_id in workspaces:
            asked = [event_id for event_id in left if self._workspace_of.get(event_id, workspace_id) == workspace_id]
            told = await told_before(self._database, workspace_id, PROVIDER, asked)
            self._remember(dict.fromkeys(told, workspace_id))
            for event_id in told:
                del left[event_id]
        return list(left.values())

    async def _look(self, ours: Ours, event_id: str) -> None:
        try:
            await self._teller.act(ours, event_id)
        except Exception as error:
            if isinstance(error, ProviderUnavailable) or is_unavailable(error):
                raise
            # One order that cannot be settled keeps no other from its own: an operator is told, and the list goes on.
            logger.exception("%s of Stripe cannot be acted upon", event_id)
            await self._teller.tell_failed(ours, event_id, type(error).__name__)

    async def _pages(
        self, this: _Round, since: datetime, until: datetime | None, most: int
    ) -> AsyncIterator[list[Json]]:
        events: list[Json] = []
        clock = asyncio.get_running_loop().time
        began = clock()
        async for event in self._listed(this, since, until, most):
            events.append(event)
            if len(events) == _TOGETHER or clock() - began > _TOGETHER_S:
                yield events
                events, began = [], clock()
        if events:
            yield events

    async def _listed(self, this: _Round, since: datetime, until: datetime | None, most: int) -> AsyncIterator[Json]:
        created = {"gte": int(since.timestamp())}
        if until is not None:
            created["lt"] = int(until.timestamp())

        async def page(asked: Json) -> StripeResponse:
            if this.pages == most:
                raise _Full
            answer = await self._asker.events(asked)
            if this.pages == 0:  # what happens from now on is not in it
                # Where the two do not agree, the earlier one: what is read once more does no harm.
                ours = self._real_now()
                this.their_now = min(_date_of(answer) or ours - UNDATED, ours)
            this.pages += 1
            await self._hold_in_time(this)
            return answer

        async for event in self._asker.pages(page, {"types": list(LISTED), "created": created}, most=_PAGES):
            # Of a whole page of events only this is kept: an hour may have many.
            item = event["data"]["object"]
            kept = {name: item.get(name) for name in ("id", "object", "metadata", "payment_intent", "customer")}
            data = {"object": kept, "previous_attributes": event["data"].get("previous_attributes")}
            yield {**{name: event.get(name) for name in ("id", "type", "created", "account")}, "data": data}

    def _remember(self, workspaces: Mapping[str, int | None]) -> None:
        self._workspace_of.update(workspaces)
        while len(self._workspace_of) > _REMEMBERED:
            del self._workspace_of[next(iter(self._workspace_of))]


def _date_of(answer: StripeResponse) -> datetime | None:
    """Stripe's clock, whole seconds; None where it says nothing of it."""
    try:
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
