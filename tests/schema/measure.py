"""What GraphQL itself costs, ours beside the stock stack: `python -m tests.schema.measure` (processor time, best of 5).

The stock stack is Strawberry with its parser and validation caches; what HTTP adds is measured by `scrip bench`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from schema.execution import Engine
from schema.scalars import SCALARS
from tests.schema.sample import BACKEND, InvalidInput, Mutation, Query, SampleContext, build

ENTRY = "__typename ... on BurnOk { entry { id kind amount quantity occurredAt allocations { amount overdraft } } replayed }"
INPUT = {"customer": "acme", "amount": "1.5", "idempotencyKey": "k-1"}
OPERATIONS: dict[str, tuple[str, dict[str, Any], int]] = {
    "no-op mutation": ("mutation($input: BurnInput!) { noop(input: $input) }", {"input": INPUT}, 2_000),
    "burn": (f"mutation($input: BurnInput!) {{ burn(input: $input) {{ {ENTRY} }} }}", {"input": INPUT}, 2_000),
    "burnMany, 1,000 inputs": (
        f"mutation($inputs: [BurnInput!]!) {{ burnMany(inputs: $inputs) {{ {ENTRY} }} }}",
        {"inputs": [INPUT] * 1_000},
        5,
    ),
}


async def cost_us(run: Callable[[], Awaitable[Any]], times: int) -> float:
    await run()
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for _ in range(times):
            await run()
        best = min(best, (time.process_time() - begun) / times)
    return best * 1e6


async def main() -> None:
    stock = strawberry.Schema(
        Query,
        Mutation,
        types=[InvalidInput],
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[ParserCache, ValidationCache],
    )
    context = SampleContext(BACKEND)
    before: dict[str, float] = {}
    for name, (query, variables, times) in OPERATIONS.items():
        before[name] = await cost_us(lambda: stock.execute(query, variables, context), times)  # noqa: B023 -- awaited here
        context.seen.clear()
    engine = Engine(build())  # only now: it gives the input classes, which both schemas share, a quicker way
    for name, (query, variables, times) in OPERATIONS.items():
        ours = await cost_us(lambda: engine.execute(query, variables, None, context), times)  # noqa: B023
        context.seen.clear()
        print(f"{name:24} stock {before[name]:10.1f} µs   ours {ours:10.1f} µs   {before[name] / ours:5.1f} ×")


if __name__ == "__main__":
    asyncio.run(main())
