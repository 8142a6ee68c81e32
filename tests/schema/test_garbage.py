"""A request leaves nothing that only the garbage collector can free: its pauses would be everybody's."""

import gc

from schema.execution import Engine
from tests.schema.sample import BACKEND, SampleContext, build

BURN = 'mutation { burn(input: {customer: "acme", amount: "1", idempotencyKey: "k"}) { __typename ... on BurnOk { replayed entry { id } } } }'


async def test_a_request_leaves_no_cycles():
    engine = Engine(build())

    async def ask() -> None:
        answer = await engine.execute(BURN, None, None, SampleContext(BACKEND))
        assert answer.data is not None, answer.errors

    await ask()  # compiled and remembered
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await ask()
        assert gc.collect() < 20
    finally:
        gc.enable()
