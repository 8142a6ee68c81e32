"""Workspaces to play in: one a test module, each with the small world of `tests.harness.world`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.harness.client import Client
from tests.harness.databases import fresh_database
from tests.harness.server import Server
from tests.harness.stripe.handle import FakeStripe
from tests.harness.world import build_world
from tests.scenarios.shop import Shop, stripe_settings


class World:
    """One workspace on a running server, and the clients that its tests opened."""

    def __init__(self, url: str, secret: str) -> None:
        self.url, self.secret = url, secret
        self.clients: list[Client] = []

    async def client(self, url: str | None = None, *, secret: str | None = None) -> Client:
        """A connection of its own, closed when the module ends."""
        client = Client(url or self.url, secret or self.secret)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.wire.drop()


@asynccontextmanager
async def new_world(server: Server, *, test: bool = True) -> AsyncIterator[World]:
    world = World(server.url, await server.create_key(f"scenario-{uuid4()}", "ADMIN", test=test))
    await build_world(await world.client(), [])
    yield world
    world.close()


@pytest.fixture(scope="module")
async def world(server: Server) -> AsyncIterator[World]:
    """This module's test workspace, with an ADMIN key."""
    async with new_world(server) as opened:
        yield opened


@pytest.fixture(scope="module")
async def other_world(server: Server) -> AsyncIterator[World]:
    """Another tenant on the same server."""
    async with new_world(server) as opened:
        yield opened


@pytest.fixture(scope="module")
async def live_world(server: Server) -> AsyncIterator[World]:
    """A workspace that is not for tests: its clock is real time."""
    async with new_world(server, test=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def stripe_fake() -> Iterator[FakeStripe]:
    """One for all tests that leave its clock alone."""
    fake = FakeStripe()
    yield fake
    fake.close()


@pytest.fixture(scope="session")
async def stripe_server(
    template: str, tmp_path_factory: pytest.TempPathFactory, stripe_fake: FakeStripe
) -> AsyncIterator[Server]:
    """A server that is paid by it, and reconciles every second."""
    async with fresh_database(template) as url:
        settings = stripe_settings(stripe_fake)
        paid = Server(tmp_path_factory.mktemp("paid") / "data", database_url=url, broadcast_url=url, **settings)
        await paid.start()
        yield paid
        await paid.close()


@pytest.fixture(scope="module")
async def opened_shop(stripe_server: Server, stripe_fake: FakeStripe) -> AsyncIterator[Shop]:
    shop = await Shop.open(stripe_server, stripe_fake)
    yield shop
    shop.close()


@pytest.fixture
def shop(opened_shop: Shop) -> Iterator[Shop]:
    """The module's shop; nothing goes wrong yet, and nothing does afterwards."""
    opened_shop.fake.off()
    opened_shop.fake.restore_webhooks()
    yield opened_shop
    opened_shop.fake.off()
    opened_shop.fake.restore_webhooks()
