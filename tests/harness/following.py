"""A subscription followed in the background: everything it brought, and when."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.harness.client import Client

Json = dict[str, Any]


class Follower:
    """Reads a subscription to its end in the background, and remembers everything."""

    def __init__(self, payloads: AsyncIterator[Json], name: str) -> None:
        self.seen: list[Json] = []
        self.at: list[datetime] = []
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._follow(payloads, name))

    async def _follow(self, payloads: AsyncIterator[Json], name: str) -> None:
        async for payload in payloads:
            self.seen.append(payload[name])
            self.at.append(datetime.now(UTC))
            self._news.set()

    def forget(self) -> None:
        self.seen.clear()
        self.at.clear()

    async def until(self, met: Callable[[list[Json]], bool], within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not (self.seen and met(self.seen)):
                self._news.clear()
                waiting = asyncio.create_task(self._news.wait())
                done, _ = await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self.task in done:
                    self.task.result()
                    raise AssertionError(f"the subscription ended after {self.seen[-3:]}")


async def until_subscribed(follower: Follower, client: Client, customer: str, credit_type: str) -> int:
    """Gives a thousandth of a credit until a follower of entries is told of it: nothing else says that it listens.

    Returns the sequence of the last of these grants.
    """
    for number in range(100):
        fields = {"customer": customer, "creditType": credit_type, "amount": "0.001"}
        given = await client.must("grantCredits", **fields, idempotencyKey=f"listening-{id(follower)}-{number}")
        sequence = int(given["entry"]["sequence"])
        with contextlib.suppress(TimeoutError):
            await until_told(follower, credit_type, sequence, within_s=0.5)
            return sequence
    raise AssertionError("nothing is told")


async def until_told(follower: Follower, credit_type: str, sequence: int, within_s: float = 20.0) -> None:
    """Waits for an entry; those of one account come in order, so that all before it have come, too."""
    await follower.until(lambda seen: (credit_type, sequence) in map(_place, seen), within_s)


def _place(entry: Json) -> tuple[str, int]:
    return entry["creditType"]["key"], entry["sequence"]


@asynccontextmanager
async def following(client: Client, document: str, **variables: Any) -> AsyncIterator[Follower]:
    names = ("balanceUpdated", "ledgerEntryAdded", "disputeUpdated", "topUpUpdated", "enforcementChanged")
    name = next(name for name in names if name in document)
    async with client.subscribe(document, **variables) as payloads:
        follower = Follower(payloads, name)
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.gather(follower.task, return_exceptions=True)


def order_of(balance: Json) -> tuple[int, datetime]:
    return balance["version"], datetime.fromisoformat(balance["asOf"])


def check_never_back(seen: list[Json]) -> None:
    orders = [order_of(balance) for balance in seen]
    assert orders == sorted(orders)
    assert len({(o, json.dumps(b, sort_keys=True)) for o, b in zip(orders, seen, strict=True)}) == len(seen)
