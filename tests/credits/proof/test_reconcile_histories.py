"""Random histories through the one way in that go through everything: late usage, grants that begin in the past,
corrections, disputes, limits, expiry under holds, batches. Whatever came of them, every law holds, every chain is sound,
the book reconciles, and what time travel says of now is what is."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from credits.db import bare
from credits.disputes.disputes import Dispute
from credits.disputes.resolve import resolving
from credits.ledger.history import balance_at
from credits.ledger.rows import entry_of
from credits.posting.commands import Command, HoldId
from credits.posting.outcomes import Burned, Granted, HoldTaken
from credits.posting.standings import Keeper
from credits.usage.envelope import from_attributes
from credits.usage.rollups import compare_rollups, roll_up
from tests.credits.ledger.histories import DAY, HOUR, SECOND, History, asked
from tests.credits.posting.limiting import check_windows, limit, member
from tests.credits.posting.till import Till
from tests.credits.proof.test_reconcile import reconciled

SEEDS = range(24)
STEPS = 70
_MEMBERS = (None, "ann", "bob")


class Everything(History):
    """What `History` does, and events, disputes, limits, and several commands in one batch."""

    def __init__(self, till: Till, seed: int) -> None:
        super().__init__(till, seed)
        self.told: list[Any] = []
        self.keeper = Keeper(till.database, spacing=self.draw.choice((3, 7, 1_000)))
        self.orders = 0
        self.wealth = self.draw.choice((1, 6, 20))

    async def grant(self, now: datetime) -> None:
        for _ in range(self.draw.randint(1, self.wealth)):
            await super().grant(now)

    async def step(self) -> None:
        (verb,) = self.draw.choices(("any", "events", "batch", "dispute", "limit", "derive"), (10, 3, 3, 2, 1, 1))
        if verb == "any":
            await super().step()
            return
        await self.till.jump(self.draw.choice((SECOND / 7, SECOND * 20, HOUR, 5 * HOUR)) * self.draw.random())
        await getattr(self, verb)()

    async def events(self) -> None:
        now = await self.till.now()
        events = []
        for _ in range(self.draw.randint(1, 6)):
            self.orders += 1
            at = now - self.draw.choice((SECOND, HOUR, DAY, 3 * DAY)) * self.draw.random()
            data = {"tokens": str(self.draw.randint(1, 40)), "member": self.draw.choice(_MEMBERS)}
            events.append(from_attributes(f"e{self.orders}", "tests", "chat", "acme", at, data))
        await self.till.many(*events)

    async def batch(self) -> None:
        """Several at once: each sees what the one before it did."""
        now = await self.till.now()
        commands = [self.one(now) for _ in range(self.draw.randint(2, 6))]
        for answer in await self.till.many(*commands):
            if isinstance(answer, Burned) and answer.entry.kind.name == "BURN":
                self.burned.append(answer.entry)
            elif isinstance(answer, Granted):
                self.granted.append(answer)
            elif isinstance(answer, HoldTaken) and answer.decision is not None:
                self.holds.append(HoldId(answer.customer_id, answer.credit_type_id, answer.hold.number))
                self.known(answer, answer.hold.opened_at)

    def one(self, now: datetime) -> Command:
        draw, till = self.draw, self.till
        verb = draw.choice(("burn", "late", "grant", "past", "hold", "settle", "release", "reverse", "correct"))
        if verb == "grant":
            return till.grant(
                self.amount(), expires_at=now + HOUR * draw.randint(1, 40), priority=draw.choice((10, 50))
            )
        if verb == "past":
            return till.grant(
                self.amount(), effective_at=now - DAY * draw.random(), expires_at=draw.choice((None, now + DAY))
            )
        if verb == "hold":
            return till.hold(self.amount(), ttl=f"PT{draw.randint(1, 20)}H")
        if verb == "settle" and self.holds:
            return till.settle(draw.choice(self.holds), self.amount(), partial=draw.random() < 0.5)
        if verb == "release" and self.holds:
            return till.release(draw.choice(self.holds))
        if verb == "reverse" and self.burned:
            return till.reverse(draw.choice(self.burned), draw.choice((None, "1", "3")))
        if verb == "correct" and self.granted:
            return self.correction(draw.choice(("void", "longer", "adjust", "claw")), draw.choice(self.granted), now)
        at = now - DAY * draw.random() if verb == "late" else None
        return till.burn(self.amount(), occurred_at=at)

    async def dispute(self) -> None:
        rows = await self.till.rows("SELECT * FROM entries WHERE kind IN (2, 4) ORDER BY sequence")
        if not rows:
            return
        some = [entry_of(row) for row in self.draw.sample(rows, min(len(rows), self.draw.randint(1, 3)))]
        opened = await self.till.contest(*some)
        if not isinstance(opened, Dispute):
            return
        amount = self.draw.choice((None, Decimal(1)))
        upheld = self.draw.random() < 0.8
        command = resolving(
            opened,
            upheld=upheld,
            amount=amount if upheld else None,
            resolution="so",
            key=self.till.key(),
            actor_id=None,
        )
        assert not hasattr(command, "code")
        await self.till.post(command)  # type: ignore[arg-type]

    async def limit(self) -> None:
        if self.draw.random() < 0.3:
            await member(self.till, self.draw.choice(("ann", "bob")), group=self.draw.choice((None, "lab")))
            return
        scope = self.draw.choice(({}, {"member": "ann"}, {"group": "lab"}, {"feature": "chat"}))
        await limit(self.till, str(self.draw.randint(50, 500)), self.draw.choice(("HOUR", "DAY", "MONTH")), **scope)

    async def derive(self) -> None:
        await roll_up(self.till.database, self.till.workspace_id, behind=1)
        await self.keeper.look_through(self.till.workspace_id)
        await self.keeper.keep()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_book_that_went_through_everything_is_sound(till: Till, seed: int):
    print(f"seed {seed}")
    await till.policy("SOFT")
    await till.jump(DAY)
    history = Everything(till, seed)
    for _ in range(STEPS):
        await history.step()
    await till.jump(2 * HOUR)  # behind whatever went back
    await till.check()
    found = await reconciled(till)
    assert found.mismatches == []
    assert found.ok
    await time_travel_agrees(till)
    await till.sweep()
    await till.check()
    assert (await reconciled(till)).ok
    await time_travel_agrees(till)
    await check_windows(till)
    await history.derive()
    assert (await reconciled(till)).ok
    of = await asked(till)
    async with till.reader.page(till.workspace_id) as page:
        driver = await bare(page.connection)
        assert await compare_rollups(driver, of.workspace_id, of.customer_id, of.credit_type_id) == []


async def time_travel_agrees(till: Till) -> None:
    of = await asked(till)
    customer = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        account = (await page.accounts(customer)).get((of.customer_id, of.credit_type_id))
        if account is None:
            return
        present = page.balance(customer, account)
        then = await balance_at(page.connection, of, page.workspace.now, present.overdraft_limit)
    for name in ("balance", "held", "available", "granted", "burned", "expired", "given_back", "voided", "clawed_back"):
        assert getattr(then, name) == getattr(present, name), name
    assert sorted(then.lots, key=str) == sorted(present.lots, key=str)
