"""What concurrent clients did to shared accounts, recorded as they saw it: asked, answered, or never answered."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.harness.client import Client, Json, Reply

UNANSWERED = float("inf")
RESOLVE_S = 60.0
RESOLVE_EVERY_S = 0.2


@dataclass(slots=True)
class Operation:
    """One mutation: between `began` and `ended` (seconds since 1970) it happened, or it did not."""

    customer: str
    credit_type: str
    verb: str
    fields: Json
    began: float = 0.0
    ended: float = UNANSWERED
    reply: Reply = field(default_factory=lambda: Reply("", "unknown"))

    @property
    def key(self) -> str | None:
        return self.fields.get("idempotencyKey")


class History:
    """Everything that was asked, by whoever asked it."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    async def perform(self, client: Client, customer: str, credit_type: str, verb: str, /, **fields: Any) -> Operation:
        """Asks once and records the answer; a lost one stays unknown."""
        operation = Operation(customer, credit_type, verb, fields)
        self.operations.append(operation)
        operation.began = time.time()
        operation.reply = await client.put(verb, **fields)
        if operation.reply.outcome != "unknown":
            operation.ended = time.time()
        return operation

    async def resolve(self, clients: Sequence[Client]) -> int:
        """Asks every unknown one again under its own key until it is known; how many there were."""
        unknown = [operation for operation in self.operations if operation.reply.outcome == "unknown" and operation.key]

        async def ask_again(client: Client, operations: Sequence[Operation]) -> None:
            for operation in operations:
                until = time.monotonic() + RESOLVE_S
                while operation.reply.outcome == "unknown":
                    assert time.monotonic() < until, f"still unknown after {RESOLVE_S} s: {operation}"
                    operation.reply = await client.put(operation.verb, **operation.fields)
                    if operation.reply.outcome == "unknown":
                        await asyncio.sleep(RESOLVE_EVERY_S)
                operation.ended = time.time()

        count = len(clients)
        await asyncio.gather(*(ask_again(client, unknown[i::count]) for i, client in enumerate(clients)))
        return len(unknown)

    def by_key(self) -> dict[tuple[str, str], Operation]:
        """The operation that each customer's key stands for: the first, unless it was refused and a later one was not."""
        found: dict[tuple[str, str], Operation] = {}
        for operation in self.operations:
            if operation.key is not None:
                first = found.setdefault((operation.customer, operation.key), operation)
                if operation.reply.ok and not first.reply.ok:
                    found[operation.customer, operation.key] = operation
        return found

    def accounts(self) -> dict[tuple[str, str], list[Operation]]:
        """The operations of each account."""
        found: dict[tuple[str, str], list[Operation]] = defaultdict(list)
        for operation in self.operations:
            found[operation.customer, operation.credit_type].append(operation)
        return found

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def tally(self) -> dict[str, int]:
        """How often each verb ended how: `burn ok`, `burn INSUFFICIENT_CREDITS` …"""
        counts: dict[str, int] = defaultdict(int)
        for operation in self.operations:
            reply = operation.reply
            counts[f"{operation.verb} {reply.outcome if reply.outcome != 'refused' else reply.code}"] += 1
        return dict(sorted(counts.items()))
