"""Random traffic on shared accounts: many clients, each drawing from its own seed, every answer recorded.

Amounts are powers of two (the applied set can be read from a balance) and spans are short, so that credits run out,
holds lapse and grants expire while others burn.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.client import Client, Json
from tests.harness.history import History, Operation

Account = tuple[str, str]  # customer key, credit type key

_VERBS = {
    "grantCredits": 14,
    "burn": 34,
    "hold": 22,
    "settle": 18,
    "release": 6,
    "extendHold": 3,
    "again": 6,
    "changed": 3,
}
_AMOUNTS = ("1", "2", "4", "8", "0.5", "0.125", "16")


class Traffic:
    """What the clients share: the accounts, the open holds, the history.

    `begins_in_s`: how far ahead of the request scheduled grants begin; further than any request takes, because a grant
    that begins before it is given has burns laid again, which the model does not do.
    """

    def __init__(
        self,
        seed: int,
        accounts: Sequence[Account],
        history: History | None = None,
        *,
        begins_in_s: tuple[float, ...] = (2.5, 4),
    ) -> None:
        self.seed, self.accounts, self.begins_in_s = seed, accounts, begins_in_s
        self.history = history or History()
        self.holds: list[tuple[Account, str]] = []
        self.stopping = asyncio.Event()

    async def run(self, client: Client, number: int, steps: int) -> None:
        """One client's `steps` operations, or as many as there are before `stopping`."""
        draw = random.Random(f"{self.seed}/{number}")
        for step in range(steps):
            if self.stopping.is_set():
                return
            await self.act(client, draw, f"{number}.{step}")

    async def act(self, client: Client, draw: random.Random, key: str) -> None:
        account = draw.choice(self.accounts)
        verb = draw.choices(list(_VERBS), list(_VERBS.values()))[0]
        if verb in ("again", "changed"):
            await self.repeat(client, draw, verb)
            return
        if verb in ("settle", "release", "extendHold"):
            if not self.holds:
                return
            place = draw.randrange(len(self.holds)) if draw.random() < 0.5 else -1
            account, hold = self.holds[place]
            if verb != "extendHold" and draw.random() < 0.8:  # sometimes it is left for another to settle again
                self.holds.pop(place)
            fields = self.on_hold(draw, verb, hold, key)
        else:
            fields = self.fresh(draw, verb, account, key)
        operation = await self.history.perform(client, *account, verb, **fields)
        if verb == "hold" and operation.reply.ok:
            self.holds.append((account, operation.reply["hold"]["id"]))

    def fresh(self, draw: random.Random, verb: str, account: Account, key: str) -> Json:
        customer, credit_type = account
        fields: dict[str, Any] = {"customer": customer, "creditType": credit_type, "amount": draw.choice(_AMOUNTS)}
        fields["idempotencyKey"] = key
        now = datetime.now(UTC)
        if verb == "hold":
            fields["ttl"] = draw.choice(("PT1S", "PT2S", "PT30S"))
        if verb == "grantCredits":
            fields["amount"] = draw.choice(("4", "8", "16"))
            fields["priority"] = draw.choice((10, 50, 50))
            if draw.random() < 0.6:
                fields["expiresAt"] = (now + timedelta(seconds=draw.choice((0.7, 1.5, 3, 60)))).isoformat()
            if draw.random() < 0.4:
                fields["costBasis"] = {"amount": "0.05", "currency": "USD"}
            if draw.random() < 0.2 and self.begins_in_s:
                fields["effectiveAt"] = (now + timedelta(seconds=draw.choice(self.begins_in_s))).isoformat()
        return fields

    def on_hold(self, draw: random.Random, verb: str, hold: str, key: str) -> Json:
        if verb == "extendHold":
            return {"hold": hold, "ttl": draw.choice(("PT1S", "PT2S"))}
        if verb == "release":
            return {"hold": hold, "idempotencyKey": key}
        partial = draw.random() < 0.3
        return {"hold": hold, "amount": draw.choice(_AMOUNTS), "partial": partial, "idempotencyKey": key}

    async def repeat(self, client: Client, draw: random.Random, how: str) -> None:
        """An old key again: the same payload is a replay with the same entry, another one a conflict."""
        for _ in range(20):
            first = draw.choice(self.history.operations) if self.history.operations else None
            if first is not None and first.reply.ok and first.key:
                await self.check_repeat(client, first, how)
                return

    async def check_repeat(self, client: Client, first: Operation, how: str) -> None:
        if how == "again":
            reply = await client.put(first.verb, **first.fields)
            if reply.ok:
                assert reply["replayed"] is True, (first, reply)
                entry = first.reply.answer.get("entry")  # a scheduled grant had none yet
                assert entry in (None, reply.answer.get("entry")), (first, reply)
        else:
            changed = {**first.fields, "amount": "3"}
            if first.verb == "release":
                other = "0" if not first.fields["hold"].endswith("_1") else "2"
                changed = {**first.fields, "hold": first.fields["hold"].rsplit("_", 1)[0] + f"_{other}"}
            reply = await client.put(first.verb, **changed)
        expected = {"again": ("ok",), "changed": ("refused",)}[how]
        assert reply.outcome in (*expected, "unknown"), (first, reply)
        if reply.outcome == "refused":
            assert reply.code == "IDEMPOTENCY_CONFLICT", (first, reply)


async def run_clients(traffic: Traffic, clients: Sequence[Client], steps: int) -> None:
    """All clients at once; the first that fails ends the test."""
    async with asyncio.TaskGroup() as group:
        for number, client in enumerate(clients):
            group.create_task(traffic.run(client, number, steps))
