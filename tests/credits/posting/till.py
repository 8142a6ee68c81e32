"""A till: one workspace with prices and customers, and a writer and a reader on it."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from sqlalchemy import text

from credits.amount import to_micro
from credits.catalog.apply import CatalogApplied, apply
from credits.customers.customers import Customer, find_customer, upsert_customer
from credits.db import Database
from credits.disputes.change import open_dispute
from credits.enforcement.policies import set_policy
from credits.enforcement.values import Policy
from credits.ledger.balance import Balance
from credits.ledger.entries import Entry
from credits.ledger.verify import Verified, verify
from credits.posting.clock import ClockMoved, advance_clock, sweep
from credits.posting.commands import Burn, Command, GiveGrant, HoldId, OpenHold, Release, Settle, Spend
from credits.posting.configuration import Configuration
from credits.posting.corrections import (
    Adjust,
    Clawback,
    EntryId,
    ExtendGrant,
    GrantId,
    ReverseBurn,
    ReverseClawback,
    VoidGrant,
)
from credits.posting.outcomes import Answer, Granted
from credits.posting.reader import Reader
from credits.posting.writer import Writer
from credits.workspaces import WorkspaceName

ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
TYPES = {"ai": ORDERS[0], "soonest": ORDERS[1], "free-first": ORDERS[2], "oldest": ORDERS[3]}
CATALOG: dict[str, Any] = {
    "creditTypes": [
        {"key": key, "name": key, "unitSingular": "credit", "unitPlural": "credits", "scale": 6, "burnOrder": order}
        for key, order in TYPES.items()
    ],
    "features": [
        {"key": "chat", "name": "Chat", "eventType": "chat", "quantity": "tokens", "unit": "token"},
        {"key": "free", "name": "Free", "eventType": "free", "quantity": "1", "unit": "call"},
        {"key": "twice-a", "name": "Twice", "eventType": "twice", "quantity": "n", "unit": "call"},
        {"key": "twice-b", "name": "Twice", "eventType": "twice", "quantity": "n", "unit": "call"},
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2020-01-01T00:00:00Z",
            "rates": [
                {"feature": "chat", "creditType": "ai", "perUnit": "0.5"},
                {"feature": "free", "creditType": "ai", "perUnit": "0"},
                {"feature": "twice-a", "creditType": "ai", "perUnit": "1"},
                {"feature": "twice-b", "creditType": "ai", "perUnit": "1"},
            ],
        }
    ],
}

# Law 3 and 4 in SQL, over every account of the workspace: none of these may find a row.
_LAWS = {
    "balance is what the grants keep, less the overdraft": """
        SELECT a.* FROM accounts a WHERE balance + overdraft <> (
          SELECT coalesce(sum(remaining), 0) FROM grants g
           WHERE g.customer_id = a.customer_id AND g.credit_type_id = a.credit_type_id AND g.state <> 'SCHEDULED')""",
    "balance and held are the sums of the entries": """
        SELECT a.* FROM accounts a WHERE (balance, held, sequence) NOT IN (
          SELECT coalesce(sum(amount), 0)::bigint, coalesce(sum(held_amount), 0)::bigint, coalesce(max(sequence), 0)
            FROM entries e WHERE e.customer_id = a.customer_id AND e.credit_type_id = a.credit_type_id)""",
    "held is what the open holds keep": """
        SELECT a.* FROM accounts a WHERE held <> (
          SELECT coalesce(sum(remaining), 0) FROM holds h
           WHERE h.customer_id = a.customer_id AND h.credit_type_id = a.credit_type_id)""",
    "a grant's held is what the holds' parts say": """
        SELECT g.* FROM grants g WHERE held <> (
          SELECT coalesce(sum(h.parts[i + 1]), 0) FROM holds h, generate_series(1, coalesce(cardinality(h.parts), 0), 2) i
           WHERE h.customer_id = g.customer_id AND h.credit_type_id = g.credit_type_id AND h.parts[i] = g.number)""",
    "of an entry no more is given back than it burned or took": """
        SELECT e.* FROM entries e WHERE kind IN (2, 4, 12) AND -e.amount < (
          SELECT coalesce(sum(amount), 0) FROM entries r WHERE r.customer_id = e.customer_id
             AND r.credit_type_id = e.credit_type_id AND r.reverses = e.sequence)""",
    "each total is the sum of its kind of entry": """
        SELECT a.* FROM accounts a WHERE
          (granted, -burned, -expired, given_back, -voided, -clawed_back, adjusted) NOT IN (
          SELECT coalesce(sum(amount) FILTER (WHERE kind = 1), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind IN (2, 4)), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind IN (7, 8)), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind = 11), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind = 10), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind = 12), 0)::bigint,
                 coalesce(sum(amount) FILTER (WHERE kind = 13), 0)::bigint
            FROM entries e WHERE e.customer_id = a.customer_id AND e.credit_type_id = a.credit_type_id)""",
    "open says whether a grant may still change": """
        SELECT g.* FROM grants g WHERE open <> (state = 'SCHEDULED' OR remaining > 0)""",
    "nothing falls due before the account says so": """
        SELECT a.* FROM accounts a WHERE due_at IS NULL AND (
          EXISTS (SELECT FROM holds h WHERE (h.customer_id, h.credit_type_id) = (a.customer_id, a.credit_type_id)
                   AND h.status = 'OPEN')
          OR EXISTS (SELECT FROM grants g WHERE (g.customer_id, g.credit_type_id) = (a.customer_id, a.credit_type_id)
                   AND ((g.state = 'ACTIVE' AND g.expires_at IS NOT NULL) OR g.state = 'SCHEDULED')))
        OR due_at > (SELECT min(at) FROM (
          SELECT expires_at AS at FROM holds h WHERE (h.customer_id, h.credit_type_id) = (a.customer_id, a.credit_type_id)
             AND h.status = 'OPEN'
          UNION ALL SELECT CASE state WHEN 'SCHEDULED' THEN effective_at ELSE expires_at END FROM grants g
           WHERE (g.customer_id, g.credit_type_id) = (a.customer_id, a.credit_type_id)
             AND state IN ('ACTIVE', 'SCHEDULED')) AS due)""",
}


def grant_id(granted: Granted) -> GrantId:
    return GrantId(granted.customer_id, granted.credit_type_id, granted.grant.number)


@dataclass
class Till:
    """The workspace, its writer and reader. Keys are made up where none is given."""

    database: Database
    owner_url: str
    workspace_id: int
    configuration: Configuration
    writer: Writer
    reader: Reader
    published: list[tuple[int, int, int, int]]
    _keys: Any = field(default_factory=itertools.count)
    _opened: list[tuple[Writer, Database]] = field(default_factory=list)

    def key(self) -> str:
        return f"key-{next(self._keys)}"

    def burn(self, amount: str = "1", customer: str = "acme", credit_type: str = "ai", **more: Any) -> Burn:
        spend = Spend(credit_type=credit_type, amount=Decimal(amount))
        return Burn(**{"customer": customer, "spend": spend, "key": self.key(), "actor_id": None, **more})

    def chat(self, tokens: str, customer: str = "acme", **more: Any) -> Burn:
        spend = Spend(feature="chat", quantity=Decimal(tokens))
        return Burn(**{"customer": customer, "spend": spend, "key": self.key(), "actor_id": None, **more})

    def grant(self, amount: str = "100", customer: str = "acme", credit_type: str = "ai", **more: Any) -> GiveGrant:
        fixed = {"customer": customer, "credit_type": credit_type, "amount": Decimal(amount), "source": "MANUAL"}
        return GiveGrant(**{**fixed, "key": self.key(), "actor_id": None, **more})

    def hold(self, amount: str = "10", customer: str = "acme", credit_type: str = "ai", **more: Any) -> OpenHold:
        spend = Spend(credit_type=credit_type, amount=Decimal(amount))
        fixed = {"customer": customer, "spend": spend, "ttl": "PT1H", "key": self.key(), "actor_id": None}
        return OpenHold(**{**fixed, **more})

    def settle(self, hold: HoldId, amount: str | None = None, **more: Any) -> Settle:
        given = None if amount is None else Decimal(amount)
        return Settle(**{"hold": hold, "key": self.key(), "actor_id": None, "amount": given, **more})

    def release(self, hold: HoldId, **more: Any) -> Release:
        return Release(**{"hold": hold, "key": self.key(), "actor_id": None, **more})

    def void(self, granted: Granted, **more: Any) -> VoidGrant:
        return VoidGrant(**{"grant": grant_id(granted), "key": self.key(), "actor_id": None, **more})

    def extend(self, granted: Granted, expires_at: datetime | None, **more: Any) -> ExtendGrant:
        fixed = {"grant": grant_id(granted), "expires_at": expires_at, "key": self.key(), "actor_id": None}
        return ExtendGrant(**{**fixed, **more})

    def adjust(self, granted: Granted, amount: str, **more: Any) -> Adjust:
        fixed = {"grant": grant_id(granted), "amount": Decimal(amount), "key": self.key(), "actor_id": None}
        return Adjust(**{**fixed, **more})

    def claw_back(self, granted: Granted, amount: str, **more: Any) -> Clawback:
        micro = to_micro(Decimal(amount))
        fixed = {"grant": grant_id(granted), "amount_micro": micro, "key": self.key(), "actor_id": None}
        return Clawback(**{**fixed, **more})

    def reverse(self, entry: Entry, amount: str | None = None, **more: Any) -> ReverseBurn:
        return self.reverse_by_place(EntryId(entry.customer_id, entry.credit_type_id, entry.sequence), amount, **more)

    def reverse_by_place(self, place: EntryId, amount: str | None = None, **more: Any) -> ReverseBurn:
        given = None if amount is None else Decimal(amount)
        return ReverseBurn(**{"entry": place, "amount": given, "key": self.key(), "actor_id": None, **more})

    def reverse_clawback(self, entry: Entry, amount: str | None = None, **more: Any) -> ReverseClawback:
        place = EntryId(entry.customer_id, entry.credit_type_id, entry.sequence)
        micro = None if amount is None else to_micro(Decimal(amount))
        return ReverseClawback(**{"entry": place, "amount_micro": micro, "key": self.key(), "actor_id": None, **more})

    async def contest(self, *entries: Entry, reason: str = "not me", **more: Any) -> Any:
        """A dispute on the entries, opened."""
        places = [EntryId(entry.customer_id, entry.credit_type_id, entry.sequence) for entry in entries]
        async with self.reader.changing(self.workspace_id) as page:
            return await open_dispute(page, places, reason, **{"actor_id": None, "sla": timedelta(days=5), **more})

    async def post(self, command: Command, writer: Writer | None = None) -> Answer:
        return await (writer or self.writer).post(self.workspace_id, command)

    async def many(self, *commands: Command, writer: Writer | None = None) -> list[Answer]:
        """As one batch, where nothing else runs."""
        return await (writer or self.writer).post_many(self.workspace_id, commands)

    async def must(self, command: Command) -> Any:
        """As `post`, where nothing but ok will do."""
        answer = await self.post(command)
        assert not hasattr(answer, "code"), answer
        return answer

    async def open_hold(self, amount: str = "10", **more: Any) -> HoldId:
        taken = await self.must(self.hold(amount, **more))
        return HoldId(taken.customer_id, taken.credit_type_id, taken.hold.number)

    async def another_process(self, publish: Callable[..., None] = lambda *_: None) -> Writer:
        """A writer with doors of its own to the same database."""
        own = await Database.connect(self.owner_url, size=3)
        writer = Writer(own, Configuration(timedelta(days=7)), publish=publish)
        self._opened.append((writer, own))
        return writer

    async def customer(self, key: str = "acme") -> Customer:
        async with self.reader.page(self.workspace_id) as page:
            found = await find_customer(page.connection, key)
        assert found is not None
        return found

    async def balance(self, customer: str = "acme", credit_type: str = "ai") -> Balance:
        asked = await self.customer(customer)
        async with self.reader.page(self.workspace_id) as page:
            known = page.catalog.credit_type_by_key(credit_type)
            assert known is not None
            account = (await page.accounts(asked)).get((asked.id, known.id))
            return page.empty_balance(asked, known) if account is None else page.balance(asked, account)

    async def available(self, customer: str = "acme", credit_type: str = "ai") -> Decimal:
        return Decimal((await self.balance(customer, credit_type)).available).scaleb(-6)

    async def now(self) -> datetime:
        async with self.reader.page(self.workspace_id) as page:
            return page.workspace.now

    async def advance(self, by: timedelta) -> ClockMoved:
        """The workspace's clock moved forward, and everything on the way booked."""
        moved = await advance_clock(self.reader, self.writer, self.workspace_id, await self.now() + by)
        assert isinstance(moved, ClockMoved), moved
        return moved

    async def sweep(self) -> list[Entry]:
        """Books what is due; the entries."""
        booked: list[Entry] = []
        await sweep(self.reader, self.writer, self.workspace_id, tell=booked.extend)
        return booked

    async def jump(self, by: timedelta) -> None:
        """The clock alone: nothing sweeps what fell due."""
        async with self.database.transaction(self.workspace_id) as connection:
            await connection.execute(
                text("UPDATE workspaces SET clock_offset_us = clock_offset_us + :by"),
                {"by": by // timedelta(microseconds=1)},
            )

    async def policy(self, mode: str = "ENFORCE", **scope: Any) -> None:
        async with self.database.transaction(self.workspace_id) as connection:
            made = await set_policy(
                connection, self.workspace_id, mode=mode, actor_id=None, now=datetime.now(UTC), **scope
            )
        assert isinstance(made, Policy), made

    async def apply(self, document: dict[str, Any]) -> None:
        async with self.database.transaction(self.workspace_id) as connection:
            applied = await apply(connection, self.workspace_id, document, datetime.now(UTC))
        assert isinstance(applied, CatalogApplied), applied

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of the workspace, as the application sees them."""
        async with self.database.transaction(self.workspace_id) as connection:
            return list((await connection.execute(text(query), values)).mappings())

    async def state(self) -> dict[str, list[Any]]:
        """Everything that the ledger keeps of this workspace: equal before and after a refusal."""
        tables = {
            "accounts": "customer_id, credit_type_id",
            "grants": "customer_id, credit_type_id, number",
            "holds": "customer_id, credit_type_id, number",
            "entries": "customer_id, credit_type_id, sequence",
            "customers": "id",
            "usage_events": "key",
        }
        return {
            name: [dict(row) for row in await self.rows(f"SELECT * FROM {name} ORDER BY {order}")]
            for name, order in tables.items()
        }

    async def verify(self) -> Verified:
        return await verify(self.database, self.workspace_id, progress=lambda _: None)

    async def check(self) -> None:
        """Every law, and every chain."""
        for law, query in _LAWS.items():
            assert not await self.rows(query), law
        assert (await self.verify()).broken == []

    async def as_owner(self) -> asyncpg.Connection:
        """The owner's own connection, for what the application cannot do; the caller closes it."""
        return await asyncpg.connect(self.owner_url)

    async def close(self) -> None:
        for writer, own in [*self._opened]:
            await writer.close()
            await own.close()


@asynccontextmanager
async def open_till(database: Database, owner_url: str, workspace: WorkspaceName) -> AsyncIterator[Till]:
    now = datetime.now(UTC)
    async with database.transaction(workspace.id) as connection:
        assert isinstance(await apply(connection, workspace.id, CATALOG, now), CatalogApplied)
        for key in ("acme", "other"):
            await upsert_customer(connection, workspace.id, key, {}, now)
    configuration = Configuration(timedelta(days=7))
    published: list[tuple[int, int, int, int]] = []
    writer = Writer(database, configuration, publish=lambda *news: published.append(news))
    reader = Reader(database, configuration)
    opened = Till(database, owner_url, workspace.id, configuration, writer, reader, published)
    yield opened
    await opened.close()
    await writer.close()
