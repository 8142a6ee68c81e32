"""Who is asking. What else a resolver needs stands beside it in the context of the request."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from credits.catalog.values import Catalog
from credits.db import Database
from credits.posting.reader import Page, Reader
from credits.posting.writer import Writer
from credits.proof.reports import Report
from credits.recharge.cashier import Cashier
from schema.loaders import Loaders

CallerKind = Literal["API_KEY", "CUSTOMER", "OPERATOR"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A credential, already checked: everything that decides what it may do.

    `role` is the contract's Role of a secret key or an operator, `scopes` are a customer token's. `expires_at` and
    `origins` are the token's own; None and empty: no end but revocation, any origin.
    """

    kind: CallerKind
    workspace_id: int
    subject: str  # its public id: key, operator or customer
    name: str = ""
    actor_id: int | None = None
    role: str | None = None
    customer_id: int | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    expires_at: datetime | None = None
    origins: tuple[str, ...] = ()
    host: str | None = None  # of ours, as a customer token's request has named it

    @property
    def is_customer(self) -> bool:
        return self.kind == "CUSTOMER"


class CallerContext(Protocol):
    """What execution itself needs of a request's context."""

    @property
    def caller(self) -> Caller: ...


class Watched(Protocol):
    """What a subscriber waits on: see `server.live.Signals`."""

    async def next(self, timeout_s: float) -> str: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What the process offers to every request. The server fills it; the schema knows no server."""

    database: Database
    reader: Reader
    writer: Writer
    watch: Callable[[int, int, int | None], AbstractAsyncContextManager[Watched]]
    publish_config: Callable[[int, int], None]
    mint_token: Callable[..., tuple[str, datetime]]
    pepper: str
    report: Callable[[int], Awaitable[Report]]
    loaders: Callable[[int], Loaders]
    watch_config: Callable[[int], AbstractAsyncContextManager[Watched]]
    watch_disputes: Callable[[int, int | None], AbstractAsyncContextManager[Watched]]
    publish_dispute: Callable[[int, int, int], None]
    dispute_sla: timedelta
    cashier: Cashier
    watch_rule: Callable[[int, int, int], None]  # workspace, customer, credit type: a recharge rule was set
    watch_top_ups: Callable[[int, int], AbstractAsyncContextManager[Watched]]
    allowed_origins: tuple[str, ...]
    webhook_problem: Callable[[str], Awaitable[str | None]]  # why a URL can be no webhook endpoint


class Context:
    """One request: who asks, and what is at hand. Each read opens a short database transaction of its own, because
    resolvers of one request run concurrently."""

    def __init__(self, caller: Caller, services: Services) -> None:
        self.caller = caller
        self.services = services

    @property
    def workspace_id(self) -> int:
        return self.caller.workspace_id

    @property
    def catalog(self) -> Catalog:
        """Where an answer's names come from: the newest catalog that this process has read."""
        return self.services.reader.catalog(self.caller.workspace_id)

    def page(self) -> AbstractAsyncContextManager[Page]:
        """For reading; what it says belongs together."""
        return self.services.reader.page(self.caller.workspace_id)

    def changing(self) -> AbstractAsyncContextManager[Page]:
        """For changing what is not the ledger."""
        return self.services.reader.changing(self.caller.workspace_id)

    @property
    def loaders(self) -> Loaders:
        return self.services.loaders(self.caller.workspace_id)
