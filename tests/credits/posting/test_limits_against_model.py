"""Spend limits, held against a model that adds everything up anew for every question."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from credits.enforcement.values import LimitReached, SpendLimit
from credits.ledger.entries import Entry
from credits.posting.commands import HoldId
from credits.posting.corrections import EntryId
from credits.posting.outcomes import Burned, HoldTaken
from tests.credits.posting.limiting import (
    HOUR,
    check_windows,
    event,
    limit,
    live_in,
    member,
    metered,
    rich,
    spend,
    unlimit,
)
from tests.credits.posting.till import Till

__all__ = ["rich"]

MEMBERS = (None, "ann", "bob", "cyd")
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York")


def entry_id(entry: Entry) -> EntryId:
    return EntryId(entry.customer_id, entry.credit_type_id, entry.sequence)


@dataclass
class Fact:
    """One thing that counts: when, whose, for what, how much."""

    at: datetime
    member: str | None
    feature: str | None
    amount: Decimal
    hold: HoldId | None = None
    kept: Decimal = Decimal(0)
    expires: datetime | None = None
    burned: EntryId | None = None


@dataclass
class Model:
    """Every fact, and sums made anew for every question."""

    facts: list[Fact] = field(default_factory=list)
    groups: dict[str, str | None] = field(default_factory=dict)
    timezone: str = "UTC"

    def label(self, interval: str, at: datetime) -> tuple[object, ...]:
        local = at.astimezone(ZoneInfo(self.timezone))
        if interval == "HOUR":
            return (local.date(), local.hour, local.utcoffset())
        return {"DAY": (local.date(),), "WEEK": local.isocalendar()[:2]}.get(interval, (local.year, local.month))

    def used(self, limit: SpendLimit, features: dict[int, str], at: datetime, now: datetime) -> Decimal:
        total = Decimal(0)
        for fact in self.facts:
            if limit.member is not None and fact.member != limit.member:
                continue
            if limit.group is not None and self.groups.get(fact.member or "") != limit.group:
                continue
            if limit.feature_id is not None and fact.feature != features[limit.feature_id]:
                continue
            if self.label(limit.interval, fact.at) != self.label(limit.interval, at):
                continue
            total += fact.amount + (fact.kept if fact.expires is None or fact.expires > now else 0)
        return total


class History:
    """A seeded history of one customer, each answer compared with the model's."""

    def __init__(self, till: Till, seed: int) -> None:
        self.till, self.draw, self.model = till, random.Random(seed), Model()
        self.limits: dict[str, SpendLimit] = {}
        self.features: dict[int, str] = {}
        self.refused = self.events = 0

    async def play(self, steps: int) -> None:
        rows = await self.till.rows("SELECT id, key FROM features")
        self.features = {row["id"]: row["key"] for row in rows}
        for interval, amount in (("DAY", "25"), ("WEEK", "60")):
            made = await limit(self.till, amount, interval)
            self.limits[made.id] = made
        for _ in range(steps):
            step = self.draw.choices(
                (
                    *(self.spending, self.ending, self.happening, self.giving_back),
                    *(self.limiting, self.unlimiting, self.moving, self.waiting),
                ),
                (10, 5, 3, 3, 3, 1, 1, 3),
            )[0]
            await step()
            await self.compare()

    def somebody(self) -> str | None:
        return self.draw.choice(MEMBERS)

    async def spending(self) -> None:
        """A batch of burns, some late, and holds; the model is asked before each."""
        now = await self.till.now()
        commands, asked = [], []
        for _ in range(self.draw.randint(1, 5)):
            who, feature = self.somebody(), self.draw.choice((None, "chat"))
            amount, late = Decimal(self.draw.randint(1, 9)), self.draw.choice((0, 0, 1, 5, 26, 150))
            of = spend(str(amount), who, feature)
            if self.draw.random() < 0.3:
                minutes = self.draw.choice((30, 200))
                commands.append(replace(self.till.hold(), spend=of, ttl=f"PT{minutes}M"))
                asked.append(Fact(now, who, feature, Decimal(0), kept=amount, expires=now + minutes * HOUR / 60))
            else:
                at = now - late * HOUR
                commands.append(self.till.burn(spend=of, **({"occurred_at": at} if late else {})))
                asked.append(Fact(at, who, feature, amount))
        for fact, answer in zip(asked, await self.till.many(*commands), strict=True):
            over = [each for each in self.limits.values() if self.would_exceed(each, fact, now)]
            assert isinstance(answer, LimitReached) == bool(over), (answer, over, fact)
            if over:
                self.refused += 1
                assert answer.metered.limit.id in {each.id for each in over}
                continue
            if isinstance(answer, HoldTaken):
                fact.hold = HoldId(answer.customer_id, answer.credit_type_id, answer.hold.number)
            if isinstance(answer, Burned):
                fact.burned = entry_id(answer.entry)
            self.model.facts.append(fact)

    def would_exceed(self, limit: SpendLimit, fact: Fact, now: datetime) -> bool:
        before = self.model.used(limit, self.features, fact.at, now)
        self.model.facts.append(fact)
        after = self.model.used(limit, self.features, fact.at, now)
        self.model.facts.pop()
        return after > before and after > Decimal(limit.amount_micro).scaleb(-6)

    async def ending(self) -> None:
        now = await self.till.now()
        held = [fact for fact in self.model.facts if fact.hold and fact.kept and fact.expires and fact.expires > now]
        if not held:
            return
        fact = self.draw.choice(held)
        assert fact.hold is not None
        if self.draw.random() < 0.3:
            await self.till.must(self.till.release(fact.hold))
            fact.kept = Decimal(0)
            return
        amount, partial = Decimal(self.draw.randint(1, 12)), self.draw.random() < 0.5
        settled = await self.till.must(self.till.settle(fact.hold, str(amount), partial=partial))
        fact.burned = entry_id(settled.entry)
        fact.amount += amount
        fact.kept = max(Decimal(0), fact.kept - amount) if partial else Decimal(0)

    async def giving_back(self) -> None:
        """A part of a burn, or of what a hold has burned."""
        given = [fact for fact in self.model.facts if fact.burned]
        if not given:
            return
        fact = self.draw.choice(given)
        assert fact.burned is not None
        amount = self.draw.choice((Decimal("0.5"), Decimal(1)))
        answer = await self.till.post(self.till.reverse_by_place(fact.burned, str(amount)))
        code = getattr(answer, "code", None)
        assert code in (None, "OVER_REVERSED"), answer
        if code is None:
            fact.amount -= amount

    async def happening(self) -> None:
        self.events += 1
        who, tokens = self.somebody(), self.draw.randint(1, 30)
        at = await self.till.now() - self.draw.choice((0, 0, 3, 50)) * HOUR
        await event(self.till, f"e{self.events}", tokens, at, who)
        self.model.facts.append(Fact(at, who, "chat", Decimal(tokens) / 2))

    async def limiting(self) -> None:
        scope = {"member": self.somebody(), "group": self.draw.choice((None, None, "red", "blue"))}
        feature = self.draw.choice((None, None, "chat"))
        interval = self.draw.choice(("HOUR", "DAY", "WEEK", "MONTH"))
        made = await limit(self.till, str(self.draw.randint(3, 40)), interval, feature=feature, **scope)
        self.limits[made.id] = made

    async def unlimiting(self) -> None:
        if self.limits:
            gone = self.limits.pop(self.draw.choice(sorted(self.limits)))
            assert (await unlimit(self.till, gone.id)).id == gone.id

    async def moving(self) -> None:
        if self.draw.random() < 0.3:
            self.model.timezone = self.draw.choice(ZONES)
            await live_in(self.till, self.model.timezone)
            return
        who, group = self.draw.choice(MEMBERS[1:]), self.draw.choice((None, "red", "blue"))
        self.model.groups[who] = group
        await member(self.till, who, group=group)

    async def waiting(self) -> None:
        await self.till.jump(self.draw.choice((10, 50, 180, 1500)) * HOUR / 60)

    async def compare(self) -> None:
        now = await self.till.now()
        found = {each.limit.id: Decimal(each.used_micro).scaleb(-6) for each in await metered(self.till)}
        wanted = {name: self.model.used(each, self.features, now, now) for name, each in self.limits.items()}
        assert found == wanted


@pytest.mark.parametrize("seed", range(12))
async def test_every_decision_is_the_models_over_a_random_history(rich: Till, seed: int):
    history = History(rich, seed)
    await history.play(60)
    assert history.refused > 3
    await check_windows(rich)
    await rich.check()


def test_the_model_knows_the_hours_of_kathmandu():
    model = Model(timezone="Asia/Kathmandu")
    first = datetime(2026, 3, 1, 18, 14, tzinfo=UTC)
    assert model.label("DAY", first) != model.label("DAY", first + timedelta(minutes=1))
