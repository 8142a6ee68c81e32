"""What answers point to, read in one statement for all that ask at the same moment, instead of one per row.

Shared by all requests of a workspace, so that what thirty-two burns point to is read once too, not thirty-two times.
Nothing is kept: the next moment reads again. A loader asks for places of one workspace, which is all that row-level
security lets it see; that the caller may see them was decided where the place came from.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.dataloader import DataLoader

from credits.access.actors import Actor, read_actors
from credits.customers.customers import Customer, read_customers
from credits.customers.members import Member, MemberPlace, read_members
from credits.db import Database
from credits.disputes.disputes import Dispute, DisputeEvent
from credits.disputes.reads import read_disputes_of_entries, read_timelines
from credits.enforcement.values import Metered
from credits.ledger.account import Grant, Hold
from credits.ledger.entries import Entry
from credits.ledger.reads import read_entries, read_grants, read_hold_entries, read_holds, read_reversed_amounts
from credits.posting.reader import Reader
from credits.recharge.reads import read_paybacks, read_top_ups_of_grants
from credits.recharge.top_ups import KeptPayback, TopUp

K = TypeVar("K")
V = TypeVar("V")
_PLACES_PER_READ = 1_000  # parameters of one statement are bounded
Place = tuple[int, int, int]  # customer, credit type, number or sequence


class _Loader(DataLoader[K, V]):
    """Strawberry's, which can be shared by requests of which some are given up.

    Its batch is called off where all that wait for it have gone, but stays the one that takes what comes next: whoever
    asked after that waited for ever, and with one loader for a workspace that was everybody.
    """

    def load(self, key: K) -> Awaitable[V]:
        batch = self.batch
        if batch is not None and not batch.dispatched and all(task.future.cancelled() for task in batch.tasks):
            self.batch = None
        return super().load(key)


class Loaders:
    """One per workspace and process."""

    def __init__(self, database: Database, workspace_id: int, reader: Reader) -> None:
        self._database = database
        self._reader = reader
        self._workspace_id = workspace_id
        self.actors: DataLoader[int, Actor | None] = self._loader(read_actors)
        self.customers: DataLoader[int, Customer | None] = self._loader(read_customers)
        self.disputes_of: DataLoader[Place, Dispute | None] = self._loader(read_disputes_of_entries)
        self.entries: DataLoader[Place, Entry | None] = self._loader(read_entries)
        self.grants: DataLoader[Place, Grant | None] = self._loader(read_grants)
        self.hold_entries: DataLoader[Place, list[Entry] | None] = self._loader(read_hold_entries)
        self.limits: DataLoader[int, list[Metered] | None] = _Loader(load_fn=self._read_limits, cache=False)
        self.members: DataLoader[MemberPlace, Member | None] = self._loader(read_members)
        self.reversed_amounts: DataLoader[Place, int | None] = self._loader(read_reversed_amounts)
        self.holds: DataLoader[Place, Hold | None] = self._loader(read_holds)
        self.paybacks: DataLoader[tuple[int, int], list[KeptPayback] | None] = self._loader(read_paybacks)
        self.top_ups_of: DataLoader[Place, TopUp | None] = self._loader(read_top_ups_of_grants)
        self.timelines: DataLoader[tuple[int, int], list[DisputeEvent] | None] = self._loader(read_timelines)

    async def _read_limits(self, customer_ids: list[int]) -> list[list[Metered] | None]:
        """Spend limits of the customers, with what is used of them."""
        async with self._reader.page(self._workspace_id) as page:
            found = await read_customers(page.connection, set(customer_ids))
            metered = {customer.id: await page.limits(customer) for customer in found.values()}
        return [metered.get(customer_id) for customer_id in customer_ids]

    def _loader(
        self, read: Callable[[AsyncConnection, Iterable[K]], Awaitable[dict[K, V]]]
    ) -> "DataLoader[K, V | None]":
        async def load(keys: list[K]) -> list[V | None]:
            async with self._database.transaction(self._workspace_id) as connection:
                found = await read(connection, dict.fromkeys(keys))
            return [found.get(key) for key in keys]

        return _Loader(load_fn=load, cache=False, max_batch_size=_PLACES_PER_READ)
