"""What answers point to, read in one statement per kind and request instead of one per row."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.dataloader import DataLoader

from credits.access.actors import Actor, read_actors
from credits.customers.customers import Customer, read_customers
from credits.db import Database
from credits.ledger.account import Grant, Hold
from credits.ledger.entries import Entry
from credits.ledger.reads import read_entries, read_grants, read_holds

K = TypeVar("K")
V = TypeVar("V")
Place = tuple[int, int, int]  # customer, credit type, number or sequence


class Loaders:
    """One per request."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self.actors: DataLoader[int, Actor | None] = self._loader(read_actors)
        self.customers: DataLoader[int, Customer | None] = self._loader(read_customers)
        self.entries: DataLoader[Place, Entry | None] = self._loader(read_entries)
        self.grants: DataLoader[Place, Grant | None] = self._loader(read_grants)
        self.holds: DataLoader[Place, Hold | None] = self._loader(read_holds)

    def _loader(
        self, read: Callable[[AsyncConnection, Iterable[K]], Awaitable[dict[K, V]]]
    ) -> "DataLoader[K, V | None]":
        async def load(keys: list[K]) -> list[V | None]:
            async with self._database.transaction(self._workspace_id) as connection:
                found = await read(connection, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load_fn=load)
