"""What answers point to is read once for all that ask at the same moment, whoever of them goes away meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import cast

import pytest

from credits.customers.customers import Customer, upsert_customer
from credits.db import Database
from credits.errors import Refusal
from credits.posting.reader import Reader
from credits.workspaces import ensure_workspace
from schema.loaders import Loaders

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 10.0


@pytest.fixture
async def known(database_url: str) -> AsyncIterator[tuple[Loaders, Customer]]:
    """The loaders of a workspace, and a customer of it."""
    database = await Database.connect(database_url, size=1)
    workspace = await ensure_workspace(database, "loaders", test_mode=True, now=NOW)
    async with database.transaction(workspace.id) as connection:
        upserted = await upsert_customer(connection, workspace.id, "acme", {}, NOW)
        assert not isinstance(upserted, Refusal)
    yield Loaders(database, workspace.id, cast("Reader", None)), upserted[0]
    await database.close()


async def test_all_that_ask_at_once_are_answered(known: tuple[Loaders, Customer]):
    loaders, customer = known
    found = await loaders.customers.load_many([customer.id, customer.id + 1, customer.id])
    assert [None if each is None else each.key for each in found] == ["acme", None, "acme"]


def at_once(cancel: Callable[[], object]) -> None:
    cancel()


def a_turn_later(cancel: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(cancel)


@pytest.mark.parametrize("when", [at_once, a_turn_later])
@pytest.mark.parametrize("turns", range(4))
async def test_who_gives_up_takes_nobody_along(
    known: tuple[Loaders, Customer], when: Callable[[Callable[[], object]], None], turns: int
):
    """A socket that closes in the moment in which it asked, and somebody else who asks so many turns of the loop later."""
    loaders, customer = known
    when(asyncio.ensure_future(loaders.customers.load(customer.id)).cancel)
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        found = await loaders.customers.load(customer.id)
    assert found is not None
    assert found.key == "acme"
