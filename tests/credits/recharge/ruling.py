"""A counter with a rule that buys: a card that is saved, usage, and what came of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from credits.db import Database, bare
from credits.posting.configuration import Configuration
from credits.posting.reader import Reader
from credits.posting.writer import Writer
from credits.recharge.provider import Method
from credits.recharge.reads import list_attempts
from credits.recharge.recharger import Recharger
from credits.recharge.rules import Rule, RuleWish, read_rule, set_rule
from credits.recharge.spending import read_spent
from credits.recharge.top_ups import TopUp
from tests.credits.recharge.counter import Counter, open_cashier

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass
class Process:
    """One of several: with doors of its own, and a job that looks at the rule after each commit."""

    writer: Writer
    recharger: Recharger
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def rest(self) -> None:
        """Until nothing is under way."""
        while self.tasks:
            await asyncio.gather(*self.tasks)


@dataclass
class Ruling:
    """The customer `acme`, credit type `ai`; a pack is 1,100 credits for 10 EUR."""

    counter: Counter
    recharger: Recharger

    @property
    def till(self) -> Any:
        return self.counter.till

    @property
    def bank(self) -> Any:
        return self.counter.bank

    async def account(self, customer: str = "acme", credit_type: str = "ai") -> tuple[int, int]:
        found = await self.till.customer(customer)
        return found.id, self.till.reader.catalog(self.till.workspace_id).credit_type_by_key(credit_type).id

    async def card(self, kind: str = "ok", customer: str = "acme") -> str:
        """Saves a card of that kind, as the default."""
        found = await self.till.customer(customer)
        saved = self.bank.saved.get(found.id, ())
        name = f"card-{len(saved) + 1}-{found.id}"
        self.bank.cards[name] = kind
        others = tuple(Method(each.provider_id, each.label, each.expires, is_default=False) for each in saved)
        self.bank.saved[found.id] = (*others, Method(name, kind, "2030-04", is_default=True))
        assert await self.counter.cashier.refresh_methods(self.till.workspace_id, found)
        return name

    async def filled(self) -> "Ruling":
        """150 credits, a rule that buys below 100, and a card that pays."""
        await self.till.must(self.till.grant("150"))
        await self.card()
        await self.rule()
        return self

    async def try_rule(self, **wish: Any) -> Any:
        fixed = {"credit_type": "ai", "enabled": True, "threshold": "100", "bundle": "pack", "target": None}
        given = {**fixed, "cap": "1000", "currency": "EUR", "customer": "acme", **wish}
        customer = await self.till.customer(given.pop("customer"))
        cap, currency, target = Decimal(given.pop("cap")), given.pop("currency"), given.pop("target")
        amounts = {
            "threshold": Decimal(given.pop("threshold")),
            "target": None if target is None else Decimal(target),
            "cap_amount": cap,
            "cap_currency": currency,
        }
        async with self.till.reader.changing(self.till.workspace_id) as page:
            return await set_rule(page, customer, RuleWish(**given, **amounts), actor_id=None)

    async def rule(self, **wish: Any) -> Rule:
        made = await self.try_rule(**wish)
        assert isinstance(made, Rule), made
        return made

    async def read(self, **of: Any) -> Rule:
        account = await self.account(**of)
        async with self.till.reader.page(self.till.workspace_id) as page:
            found = await read_rule(await bare(page.connection), *account)
        assert found is not None
        return found

    async def spent(self) -> int:
        rule = await self.read()
        async with self.till.reader.page(self.till.workspace_id) as page:
            return await read_spent(page, rule)

    async def fire(self, **of: Any) -> TopUp | None:
        return await self.recharger.fire(self.till.workspace_id, await self.account(**of))

    async def sweep(self) -> list[TopUp]:
        """What the job's sweep does."""
        made = []
        for account in await self.recharger.below(self.till.workspace_id, 10_000):
            attempt = await self.recharger.fire(self.till.workspace_id, account)
            assert attempt is None or attempt.automatic
            made += [] if attempt is None else [attempt]
        await self.recharger.give_up_unconfirmed(self.till.workspace_id, 100)
        return made

    async def attempts(self, **of: Any) -> list[TopUp]:
        """Oldest first."""
        account = await self.account(**of)
        async with self.till.reader.page(self.till.workspace_id) as page:
            return (await list_attempts(page.connection, account, 500))[::-1]

    async def statuses(self, **of: Any) -> list[str]:
        return [attempt.status for attempt in await self.attempts(**of)]

    async def available(self, **of: Any) -> int:
        return int(await self.till.available(**of))

    async def spend(self, amount: str, **more: Any) -> Any:
        return await self.till.must(self.till.burn(amount, **more))

    async def pass_time(self, by: timedelta) -> None:
        """Of both clocks."""
        self.counter.real[0] += by
        await self.till.advance(by)

    async def start_of(self, day: datetime) -> None:
        """The workspace's clock at that instant."""
        await self.till.advance(day - await self.till.now())

    async def process(self) -> Process:
        """Another process whose rules are asked after each of its commits."""
        own = await Database.connect(self.till.owner_url, size=3)
        configuration = Configuration(timedelta(days=7))
        reader = Reader(own, configuration)

        def publish(workspace_id: int, customer_id: int, credit_type_id: int, _version: int) -> None:
            job = made.recharger.fire(workspace_id, (customer_id, credit_type_id))
            task = asyncio.create_task(job)
            made.tasks.add(task)
            task.add_done_callback(made.tasks.discard)

        writer = Writer(own, configuration, publish=publish)
        self.till._opened.append((writer, own))
        cashier = open_cashier(reader, writer, self.bank, lambda *_: None, self.counter.real)
        made = Process(writer, Recharger(reader, cashier, lambda _: self.bank, lambda: self.counter.real[0]))
        return made


@asynccontextmanager
async def open_ruling(counter: Counter) -> AsyncIterator[Ruling]:
    recharger = Recharger(counter.till.reader, counter.cashier, lambda _: counter.bank, lambda: counter.real[0])
    await counter.till.now()  # so that the catalog was read
    yield Ruling(counter, recharger)
