"""A fake of a test's own, the library pointed at it, and somebody who receives its webhooks."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stripe

from tests.harness.stripe.handle import FakeStripe
from tests.harness.stripe.receiving import Receiver


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    started = FakeStripe()
    yield started
    started.close()


@pytest.fixture(scope="session")
def shared_client() -> Iterator[stripe.StripeClient]:
    """For calls that are refused: what else the fake holds does not matter to them."""
    started = FakeStripe()
    yield started.client()
    started.close()


@pytest.fixture
def client(fake: FakeStripe) -> stripe.StripeClient:
    return fake.client()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiving:
        yield receiving
