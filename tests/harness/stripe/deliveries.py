"""Webhooks: events signed and sent to whoever registered, again after a failure, and whatever the knobs do to them."""

import asyncio
import hashlib
import hmac
import itertools
import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.harness.stripe import forgery
from tests.harness.stripe.book import Json
from tests.harness.stripe.knobs import Knobs
from tests.harness.wire import Lost, Wire

AT_ONCE = 32
TIMEOUT_S = 10.0
RETRY_AFTER_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)  # Stripe: over three days


@dataclass
class Endpoint:
    """`secrets`: more than one while they are being changed; each signs. `types`: all, when empty."""

    url: str
    secrets: list[str]
    livemode: bool = False
    types: list[str] = field(default_factory=list)
    cut: bool = False


@dataclass
class Attempt:
    """One request sent. `status` 0: no answer. `forged`: what is wrong with it, "" when nothing."""

    event: str
    type: str
    url: str
    attempt: int
    forged: str
    at: float
    status: int = 0
    answer: str = ""
    order: int = 0


def signature(payload: bytes, secrets: list[str], *, at: int | None = None, scheme: str = "v1") -> str:
    """The Stripe-Signature header."""
    at = int(time.time()) if at is None else at
    macs = [hmac.new(s.encode(), b"%d.%s" % (at, payload), hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={at}", *(f"{scheme}={mac}" for mac in macs)])


class Deliveries:
    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.endpoints: list[Endpoint] = []
        self.sent: list[Attempt] = []
        self.retry_after_s: tuple[float, ...] = RETRY_AFTER_S
        self.dropped: list[str] = []
        self.given_up: list[str] = []
        self._order = random.Random(f"{knobs.seed}:order")
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: list[tuple[Endpoint, Json]] = []
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._idle: dict[str, list[Wire]] = defaultdict(list)

    def take(self, event: Json) -> None:
        """An event happened. Returns at once."""
        for endpoint in self.endpoints:
            if endpoint.livemode != event["livemode"] or (endpoint.types and event["type"] not in endpoint.types):
                continue
            event["pending_webhooks"] += 1
            self._route(endpoint, event)

    def _route(self, endpoint: Endpoint, event: Json) -> None:
        name = event["type"]
        if endpoint.cut or self.knobs["drop"].fires(name):
            self.dropped.append(event["id"])
            return
        if self.knobs["forge"].fires(name):
            kinds = self.knobs["forge"].options["kinds"] or forgery.KINDS
            self._start(self.forge(self.knobs["forge"].random.choice(kinds), endpoint, event))
        if self.knobs["shuffle"].fires(name):
            self._kept.append((endpoint, event))
            if len(self._kept) == 1:
                asyncio.get_running_loop().call_later(self.knobs["shuffle"].options["seconds"], self.release)
            return
        self._send_soon(endpoint, event)

    def _send_soon(self, endpoint: Endpoint, event: Json) -> None:
        wait_s = 0.0
        if self.knobs["delay"].fires(event["type"]):
            wait_s = self.knobs["delay"].options["seconds"]
        copies = 1
        if self.knobs["duplicate"].fires(event["type"]):
            copies += self.knobs["duplicate"].options["copies"]
        for _ in range(copies):
            self._start(self._deliver(endpoint, event, wait_s))

    def release(self) -> None:
        """What was kept for shuffling, in any order."""
        kept, self._kept = self._kept, []
        self._order.shuffle(kept)
        for endpoint, event in kept:
            self._send_soon(endpoint, event)

    async def _deliver(self, endpoint: Endpoint, event: Json, wait_s: float) -> None:
        for attempt, pause_s in enumerate((wait_s, *self.retry_after_s), 1):
            if pause_s:
                await asyncio.sleep(pause_s)
            if endpoint.cut:
                self.dropped.append(event["id"])
                return
            if await self.send(endpoint, event, attempt=attempt) // 100 == 2:
                event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
                return
        self.given_up.append(event["id"])

    async def send(self, endpoint: Endpoint, event: Json, *, attempt: int = 1) -> int:
        """One attempt; the status, 0 for none."""
        payload = orjson.dumps(event, option=orjson.OPT_INDENT_2)
        async with self._slots:
            header = signature(payload, endpoint.secrets)
            return (await self._post(endpoint, event, payload, header, attempt=attempt)).status

    async def forge(self, kind: str, endpoint: Endpoint, event: Json) -> Attempt:
        """One forged request, made of a true event."""
        made = forgery.make(kind, event)
        payload = orjson.dumps(made.event, option=orjson.OPT_INDENT_2)
        secrets = [made.secret] if made.secret else endpoint.secrets
        header = signature(payload, secrets, at=int(time.time()) + made.ahead_s, scheme=made.scheme)
        return await self._post(endpoint, made.event, forgery.after(kind, payload), header, forged=kind)

    async def _post(
        self, endpoint: Endpoint, event: Json, payload: bytes, header: str, *, attempt: int = 1, forged: str = ""
    ) -> Attempt:
        entry = Attempt(event["id"], event["type"], endpoint.url, attempt, forged, time.time(), order=len(self.sent))
        self.sent.append(entry)
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "stripe-signature": header,
        }
        idle = self._idle[endpoint.url]
        wire = idle.pop() if idle else Wire(endpoint.url, timeout_s=TIMEOUT_S)
        try:
            answer = await wire.request("POST", urlsplit(endpoint.url).path, headers, payload)
            entry.status, entry.answer = answer.status, answer.body[:500].decode(errors="replace")
        except Lost as error:
            entry.answer = str(error)
        idle.append(wire)
        return entry

    def log(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.sent]

    @property
    def under_way(self) -> int:
        """What is still to be sent, answered or tried again."""
        return len(self._tasks) + len(self._kept)

    def _start(self, sending: Any) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in itertools.chain.from_iterable(self._idle.values()):
            wire.drop()
