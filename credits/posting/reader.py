"""Reading: what is so now, or would be allowed now, without locking anybody.

A `Page` is one read of the database: the workspace's clock and configuration, and accounts advanced to that clock in
memory. It decides nothing itself; what enforcement says about a spend is asked of the same rules that the writer
uses.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from credits.catalog.values import Catalog, CreditType
from credits.customers.customers import Customer
from credits.db import Database
from credits.enforcement.decide import Effective, Policies
from credits.enforcement.limits import Usage
from credits.enforcement.spend_limits import open_limits, read_metered
from credits.enforcement.values import Metered
from credits.errors import InvalidInput, NotFound, Unavailable
from credits.ledger.account import Account
from credits.ledger.balance import Balance, balance_of
from credits.ledger.reads import Place, read_accounts
from credits.posting.book import Book, LockedCustomer
from credits.posting.commands import Spend
from credits.posting.configuration import Configuration
from credits.posting.decide import enforced
from credits.posting.outcomes import Decision
from credits.posting.pricing import Price, price
from credits.workspaces import Workspace, read_workspace


@dataclass(slots=True)
class Page:
    """What one read sees. `workspace.now` is the instant that everything on it is true for."""

    connection: AsyncConnection
    workspace: Workspace
    catalog: Catalog
    policies: Policies

    async def accounts(self, customer: Customer) -> dict[Place, Account]:
        """All accounts of the customer, advanced to now."""
        return await read_accounts(self.connection, self.catalog, [customer.id], self.workspace.now)

    def enforcement(self, customer: Customer, feature_id: int | None, credit_type_id: int | None) -> Effective:
        return self.policies.effective(customer.id, customer.key, feature_id, credit_type_id)

    def balance(self, customer: Customer, account: Account) -> Balance:
        limit = self.enforcement(customer, None, account.credit_type_id).overdraft_limit_micro
        return balance_of(account, self.workspace.now, limit)

    def empty_balance(self, customer: Customer, credit_type: CreditType) -> Balance:
        """The balance of an account that nothing was ever written to: zero, version 0."""
        return self.balance(customer, Account(self.workspace.id, customer.id, credit_type.id, credit_type.burn_order))

    async def check(self, customer: Customer, spend: Spend) -> tuple[Decision, Balance] | InvalidInput | NotFound:
        """Would this be allowed, and what would it cost? Changes nothing."""
        problem = spend.form()
        if problem:
            return problem
        asked = LockedCustomer(
            customer.id, customer.key, customer.timezone, customer.cohort, customer.rate_card_version
        )
        book = Book(
            workspace_id=self.workspace.id,
            now=self.workspace.now,
            late_cutoff=self.workspace.late_cutoff,
            catalog=self.catalog,
            policies=self.policies,
            customers={customer.id: asked},
            customer_ids={customer.key: customer.id},
            accounts=await self.accounts(customer),
        )
        if customer.limited:
            book.limits[customer.id] = await open_limits(self.connection, customer, book.now)
        priced = price(book, asked, spend, book.now)
        if not isinstance(priced, Price):
            return priced
        account = book.account(customer.id, priced.credit_type)
        feature_id = priced.feature.id if priced.feature else None
        usage = Usage(spend.member, book.now)
        return enforced(book, asked, account, feature_id, priced.amount_micro, usage=usage), book.balance(account)

    async def limits(self, customer: Customer) -> list[Metered]:
        """The customer's spend limits with what is used of them now."""
        if not customer.limited:
            return []
        advanced = (await self.accounts(customer)).values()
        return await read_metered(self.connection, customer, advanced, self.workspace.now)


class Reader:
    """Opens pages. One per process. `refuse_writes()` is asked before one is opened for changing: see `Writer`."""

    def __init__(
        self, database: Database, configuration: Configuration, *, refuse_writes: Callable[[], bool] = lambda: False
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._refuse_writes = refuse_writes

    @asynccontextmanager
    async def page(self, workspace_id: int) -> AsyncIterator[Page]:
        """One unmoving view, for reading alone. Raises `Unavailable`."""
        async with self._database.view(workspace_id) as connection:
            yield await self._open(connection, workspace_id)

    @asynccontextmanager
    async def changing(self, workspace_id: int) -> AsyncIterator[Page]:
        """The page of a database transaction that changes what is not the ledger: customers, configuration, keys,
        the clock. Each of its statements sees what was committed before it. Raises `Unavailable`."""
        if self._refuse_writes():
            raise Unavailable("writes are refused: too little free disk space")
        async with self._database.transaction(workspace_id) as connection:
            yield await self._open(connection, workspace_id)

    async def _open(self, connection: AsyncConnection, workspace_id: int) -> Page:
        workspace = await read_workspace(connection, workspace_id, self._configuration.late_cutoff)
        catalog, policies = await self._configuration.read(connection, workspace_id, workspace.config_version)
        return Page(connection, workspace, catalog, policies)

    def catalog(self, workspace_id: int) -> Catalog:
        """The newest catalog this process has read of the workspace: what an answer's names come from.

        Raises `LookupError` before the first read or write of the workspace.
        """
        return self._configuration.newest(workspace_id)
