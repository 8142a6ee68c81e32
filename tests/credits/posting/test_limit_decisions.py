"""Spend limits, held against a model that adds everything up anew for every question."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from credits.customers.customers import find_customer, lock_customer, upsert_customer
from credits.customers.members import upsert_member
from credits.db import bare
from credits.enforcement.counting import count_window
from credits.enforcement.limits import Limits
from credits.enforcement.spend_limits import open_limits, recount, remove_limit, set_limit
from credits.enforcement.values import LimitReached, Metered, SpendLimit
from credits.posting.commands import HoldId, Spend
from credits.posting.outcomes import Burned, HoldTaken, Settled
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import Till

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MEMBERS = (None, "ann", "bob", "cyd")
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York")


# ─── what the till can do with limits ──────────────────────────────────────────────────────────────
async def limit(till: Till, amount: str, interval: str = "DAY", customer: str = "acme", **scope: Any) -> SpendLimit:
    async with till.reader.changing(till.workspace_id) as page:
        found = await find_customer(page.connection, customer)
        assert found is not None
        made = await set_limit(
            page.connection,
            till.workspace_id,
            found,
            page.catalog,
            **{
                "credit_type": "ai",
                "amount": Decimal(amount),
                "interval": interval,
                "now": page.workspace.now,
                **scope,
            },
        )
    assert isinstance(made, SpendLimit), made
    return made


async def unlimit(till: Till, limit_id: str) -> Any:
    async with till.reader.changing(till.workspace_id) as page:
        return await remove_limit(page.connection, limit_id)


async def member(till: Till, key: str, **changes: Any) -> None:
    async with till.reader.changing(till.workspace_id) as page:
        found = await find_customer(page.connection, "acme")
        assert found is not None
        locked = await lock_customer(page.connection, found.id)
        assert locked is not None
        now = page.workspace.now
        await upsert_member(page.connection, locked.id, key, changes, workspace_id=till.workspace_id, now=now)
        await recount(page.connection, locked, now)


async def live_in(till: Till, timezone: str) -> None:
    async with till.reader.changing(till.workspace_id) as page:
        made = await upsert_customer(
            page.connection, till.workspace_id, "acme", {"timezone": timezone}, page.workspace.now
        )
        assert isinstance(made, tuple)
        await recount(page.connection, made[0], page.workspace.now)


async def metered(till: Till, customer: str = "acme") -> list[Metered]:
    found = await till.customer(customer)
    async with till.reader.page(till.workspace_id) as page:
        return await page.limits(found)


async def used(till: Till) -> list[Decimal]:
    return [Decimal(each.used_micro).scaleb(-6) for each in await metered(till)]


def spend(amount: str, who: str | None = None, feature: str | None = None) -> Spend:
    if feature is None:
        return Spend(credit_type="ai", amount=Decimal(amount), member=who)
    return Spend(feature=feature, quantity=2 * Decimal(amount), member=who)  # half a credit a token


async def burn(till: Till, amount: str, who: str | None = None, **more: Any) -> Any:
    return await till.post(till.burn(spend=spend(amount, who), **more))


async def event(till: Till, name: str, tokens: int, time: datetime | None = None, who: str | None = None) -> None:
    data: dict[str, Any] = {"tokens": tokens, **({"member": who} if who else {})}
    await till.must(from_attributes(name, "tests", "chat", "acme", time, data))


@pytest.fixture
async def rich(till: Till) -> Till:
    """At ten in the morning on a Wednesday in the middle of a month, with more credits than limits let through."""
    now = await till.now()
    morning = (now + 40 * DAY).replace(day=14, hour=10, minute=0, second=0)
    morning += ((2 - morning.weekday()) % 7) * DAY
    await till.jump(morning - now)
    await till.must(till.grant("1000000"))
    return till


# ─── examples ──────────────────────────────────────────────────────────────────────────────────────
async def test_a_limit_lets_through_exactly_its_amount(rich: Till):
    made = await limit(rich, "10", "DAY")
    assert isinstance(await burn(rich, "4"), Burned)
    answer = await burn(rich, "6.000001")
    assert isinstance(answer, LimitReached)
    assert answer.metered == Metered(made, 4_000_000, answer.metered.resets_at)
    assert answer.metered.resets_at == (await rich.now()).replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    assert answer.message == "would go beyond the limit of 10 per day"
    assert isinstance(await burn(rich, "6"), Burned)
    assert isinstance(await burn(rich, "0.000001"), LimitReached)
    await rich.jump(DAY)
    assert isinstance(await burn(rich, "10"), Burned)
    assert await used(rich) == [10]
    await rich.check()


async def test_a_limit_comes_before_the_credits_and_after_the_mode(till: Till):
    await limit(till, "5")
    assert isinstance(await burn(till, "6"), LimitReached), "there are no credits either"
    assert getattr(await burn(till, "5"), "code", None) == "INSUFFICIENT_CREDITS"
    await till.policy("OFF")
    answer = await burn(till, "6")
    assert isinstance(answer, Burned)
    assert (answer.decision.would_block, answer.decision.reason) == (False, None), "off decides nothing"
    for mode in ("SOFT", "SHADOW"):
        await till.policy(mode)
        answer = await burn(till, "1")
        assert isinstance(answer, Burned)
        assert answer.decision.would_block
        assert isinstance(answer.decision.reason, LimitReached)
    assert await used(till) == [8], "in every mode usage counts"


async def test_a_refusal_by_a_limit_leaves_everything_as_it_was(rich: Till):
    await limit(rich, "5")
    before = await rich.state(), await rich.rows("SELECT * FROM limit_windows")
    for _ in range(3):
        assert isinstance(await burn(rich, "6"), LimitReached)
        assert isinstance(await rich.post(rich.hold("6")), LimitReached)
    assert (await rich.state(), await rich.rows("SELECT * FROM limit_windows")) == before


async def test_holds_count_from_their_opening_until_they_are_freed(rich: Till):
    await limit(rich, "10")
    first = await rich.open_hold("6")
    assert isinstance(await burn(rich, "5"), LimitReached)
    await rich.must(rich.settle(first, "1", partial=True))
    assert await used(rich) == [6], "one burned, five still kept"
    await rich.must(rich.settle(first, "2"))
    assert await used(rich) == [3], "the rest is released"
    second = await rich.open_hold("7")
    await rich.must(rich.release(second))
    assert await used(rich) == [3]
    await rich.open_hold("7", ttl="PT1M")
    assert await used(rich) == [10]
    await rich.jump(timedelta(minutes=2))
    assert await used(rich) == [3], "it has lapsed, booked or not"
    assert isinstance(await burn(rich, "7"), Burned)


async def test_a_hold_counts_where_it_was_opened_also_what_it_burns_later(rich: Till):
    await limit(rich, "10", "HOUR")
    held = await rich.open_hold("8", ttl="PT3H")
    await rich.jump(HOUR)
    assert await used(rich) == [0]
    settled = await rich.must(rich.settle(held, "9"))
    assert isinstance(settled, Settled)
    assert await used(rich) == [0]
    late = await burn(rich, "1.000001", occurred_at=await rich.now() - HOUR)
    assert isinstance(late, LimitReached), "that hour has 9 of 10"


async def test_late_usage_counts_in_the_window_of_its_occurrence_also_from_before_the_limit_was_set(rich: Till):
    now = await rich.now()
    await burn(rich, "4", occurred_at=now - DAY)
    await burn(rich, "3")
    await limit(rich, "10")
    assert await used(rich) == [3], "set in the middle of a window, a limit knows what came before"
    assert isinstance(await burn(rich, "7", occurred_at=now - DAY), LimitReached)
    assert isinstance(await burn(rich, "6", occurred_at=now - DAY), Burned)
    assert isinstance(await burn(rich, "1", occurred_at=now - DAY), LimitReached)
    assert await used(rich) == [3]


async def test_events_burn_beyond_any_limit_and_count(rich: Till):
    await limit(rich, "10", feature="chat")
    await event(rich, "big", 40)
    assert await used(rich) == [20]
    refused = await rich.post(rich.chat("1"))
    assert isinstance(refused, LimitReached)
    assert refused.metered.used_micro == 20_000_000
    assert isinstance(await burn(rich, "1"), Burned), "credits as they are name no feature"


async def test_members_and_groups_have_limits_of_their_own_and_combinations(rich: Till):
    await member(rich, "ann", group="red")
    await member(rich, "bob", group="red")
    await limit(rich, "10", member="ann")
    await limit(rich, "15", group="red")
    await limit(rich, "2", group="red", member="bob", feature="chat")
    assert isinstance(await burn(rich, "11", "ann"), LimitReached)
    assert isinstance(await burn(rich, "10", "ann"), Burned)
    assert isinstance(await burn(rich, "6", "bob"), LimitReached), "red has 10 of 15"
    assert isinstance(await burn(rich, "3", "bob"), Burned)
    assert isinstance(await rich.post(rich.burn(spend=spend("2.5", "bob", "chat"))), LimitReached)
    assert isinstance(await rich.post(rich.burn(spend=spend("2", "bob", "chat"))), Burned)
    assert isinstance(await burn(rich, "500", "cyd"), Burned)
    assert isinstance(await burn(rich, "500"), Burned), "no member, no group: none of them applies"
    assert await used(rich) == [10, 15, 2]


async def test_what_a_member_used_goes_with_it_to_another_group(rich: Till):
    await member(rich, "ann", group="red")
    await limit(rich, "10", group="red")
    await limit(rich, "10", group="blue")
    await burn(rich, "8", "ann")
    await member(rich, "ann", group="blue")
    assert await used(rich) == [0, 8]
    assert isinstance(await burn(rich, "3", "ann"), LimitReached)
    await member(rich, "ann", group=None)
    assert await used(rich) == [0, 0]


async def test_of_several_reached_limits_the_one_that_holds_longest_is_named(rich: Till):
    await limit(rich, "1", "HOUR")
    month = await limit(rich, "3", "MONTH")
    await limit(rich, "2", "DAY")
    answer = await burn(rich, "4")
    assert isinstance(answer, LimitReached)
    assert answer.metered.limit.id == month.id
    assert isinstance(await burn(rich, "1"), Burned)


async def test_the_same_scope_again_changes_the_amount_and_removing_ends_it(rich: Till):
    first = await limit(rich, "10", member="ann")
    await burn(rich, "4", "ann")
    second = await limit(rich, "5", member="ann")
    assert second.id == first.id
    assert await used(rich) == [4]
    assert isinstance(await burn(rich, "2", "ann"), LimitReached)
    assert (await unlimit(rich, first.id)).amount_micro == 5_000_000
    assert isinstance(await burn(rich, "20", "ann"), Burned)
    assert await rich.rows("SELECT * FROM limit_windows") == []
    assert (await rich.customer()).limited is False
    for unknown in (first.id, "lim_1_1", "lim_zzzzzzzzzzzz_zzzzzz", "lim_1_zzzzzzzz", "x", ""):
        assert (await unlimit(rich, unknown)).message == f"no limit {unknown!r}"


async def test_what_cannot_be_a_limit_is_refused_by_name(rich: Till):
    found = await rich.customer()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("9223372036854.775808")}, "amount"),
        ({"interval": "YEAR"}, "window"),
        ({"member": ""}, "member"),
        ({"group": "a\0b"}, "group"),
        ({"credit_type": "none"}, "no credit type 'none' in the catalog"),
        ({"feature": "none"}, "no feature 'none' in the catalog"),
    ]
    for given, named in cases:
        async with rich.reader.changing(rich.workspace_id) as page:
            fields = {"credit_type": "ai", "amount": Decimal(1), "interval": "DAY", "now": page.workspace.now, **given}
            made = await set_limit(page.connection, rich.workspace_id, found, page.catalog, **fields)
        assert named in (getattr(made, "field", None), made.message), made  # type: ignore[union-attr]


async def test_another_timezone_has_other_windows(rich: Till):
    """The day has begun at 18:15 UTC in Kathmandu."""
    await limit(rich, "10")
    await rich.jump(9 * HOUR)  # 19:00 UTC
    await burn(rich, "4", occurred_at=await rich.now() - 2 * HOUR)
    await burn(rich, "3")
    assert await used(rich) == [7]
    await live_in(rich, "Asia/Kathmandu")
    assert await used(rich) == [3]
    ((_, resets_at),) = [(each, each.resets_at) for each in await metered(rich)]
    assert (resets_at.hour, resets_at.minute) == (18, 15)


async def test_customers_without_limits_leave_no_trace_in_the_tables_of_limits(rich: Till):
    await limit(rich, "10", customer="other")
    await burn(rich, "5")
    await event(rich, "e", 3)
    assert await rich.rows("SELECT used FROM limit_windows") == [{"used": 0}]


# ─── random histories ──────────────────────────────────────────────────────────────────────────────
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
                (self.spending, self.ending, self.happening, self.limiting, self.unlimiting, self.moving, self.waiting),
                (10, 5, 3, 3, 1, 1, 3),
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
        await self.till.must(self.till.settle(fact.hold, str(amount), partial=partial))
        fact.amount += amount
        fact.kept = max(Decimal(0), fact.kept - amount) if partial else Decimal(0)

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


async def check_windows(till: Till) -> None:
    """Every window that is written down is what the entries say, once everything due is booked."""
    await till.sweep()
    found = await till.customer()
    async with till.reader.page(till.workspace_id) as page:
        limits: Limits = await open_limits(page.connection, found, page.workspace.now)
        by_number = {each.number: each for each in limits.all}
        driver = await bare(page.connection)
        rows = await driver.fetch("SELECT number, starts_at, used FROM limit_windows WHERE customer_id = $1", found.id)
        for row in rows:
            each = by_number[row["number"]]
            within = limits.window(each, row["starts_at"])
            assert within.start == row["starts_at"]
            assert await count_window(driver, each, limits.members_of(each), within) == row["used"], each


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
