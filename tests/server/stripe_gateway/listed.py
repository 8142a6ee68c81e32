"""An event list upon the fake and a real database; who is asked to look; and the pages that are asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from credits.db import Database
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.listing import EventList
from server.stripe_gateway.telling import Teller
from tests.harness.stripe.handle import TEST_KEY

EVERY = timedelta(seconds=20)


class Looking:
    """Who is asked to look; `fails` says at whom it fails, and how, `stops_at` at whom it waits until `goes_on`."""

    def __init__(self) -> None:
        self.looked: list[Any] = []
        self.reported: list[Any] = []
        self.fails: dict[Any, Exception] = {}
        self.asked = 0
        self.takes: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(0)  # what else happens meanwhile
        self.stops_at: Any = None
        self.stopped, self.goes_on = asyncio.Event(), asyncio.Event()

    async def look(self, workspace_id: int, place: Any) -> Any:
        self.asked += 1
        await self.takes()
        if place == self.stops_at:
            self.stopped.set()
            await self.goes_on.wait()
        if place in self.fails:
            raise self.fails[place]
        self.looked.append(place)
        return object()

    async def report(self, workspace_id: int, issue: Any, place: Any = None) -> None:
        self.reported.append(issue.kind)

    async def refresh(self, workspace_id: int, customer_id: int) -> None:
        self.looked.append(customer_id)


class Shop:
    """An event list upon the fake, at a clock that tests move."""

    def __init__(self, database: Database, fake: Any, workspace_id: int) -> None:
        self.fake, self.workspace_id = fake, workspace_id
        self.now = datetime.now(UTC)
        self.looking = Looking()
        self.asker = Asker(TEST_KEY, fake.url, patience_s=3.0)
        self.teller = Teller(
            database,
            self.looking,
            self.asker,
            refresh=self.looking.refresh,
            live=False,
            real_now=lambda: self.now,  # type: ignore[arg-type]
        )
        self.database = database
        self.turn = asyncio.Semaphore(8)
        self.restart()

    def restart(self) -> None:
        """Another process, which remembers nothing."""
        self.events = self.another()

    def another(self) -> EventList:
        return EventList(self.database, self.asker, self.teller, every=EVERY, real_now=lambda: self.now, turn=self.turn)

    async def pay(self, order: str, **metadata: str) -> Any:
        named = {
            "scrip_workspace": str(self.workspace_id),
            "scrip_top_up": order,
            "scrip_customer": "cus_1",
            **metadata,
        }
        asked = {"amount": 700, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", "metadata": named}
        return await self.fake.client().v1.payment_intents.create_async(asked)

    async def read_later(self) -> int:
        """A round later."""
        self.now += EVERY
        return await self.events.read()


class Pages:
    """Counts the pages that are asked for; whoever asks for more than `left` dies."""

    def __init__(self, shop: Shop) -> None:
        self.asked: list[dict[str, int]] = []
        self.left = 1_000_000
        self._events = shop.asker.events
        shop.asker.events = self.page  # type: ignore[method-assign]

    async def page(self, asked: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise KilledError
        self.asked.append(asked["created"])
        return await self._events(asked)


class KilledError(BaseException):
    pass
