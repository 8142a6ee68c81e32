"""Usage series, held against what the entries add up to one by one."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from credits.ledger.entries import Kind
from credits.posting.corrections import EntryId
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import CATALOG, Till
from tests.credits.usage.asking import (
    DAY,
    GROUPS,
    HOUR,
    MEMBERS,
    QUARTER,
    ZONES,
    differences,
    place,
    roll_up,
    send,
    series,
    till,
)
from tests.model.trace import read_trace

__all__ = ["till"]


# ─── the slow way ──────────────────────────────────────────────────────────────────────────────────
def label(interval: str, at: datetime, zone: ZoneInfo) -> tuple[object, ...]:
    local = at.astimezone(zone)
    hour = (local.date(), local.hour, local.utcoffset())
    return {"HOUR": hour, "DAY": (local.date(),), "WEEK": local.isocalendar()[:2]}.get(
        interval, (local.year, local.month)
    )


async def the_slow_way(till: Till, since: datetime, until: datetime, *, interval: str, group: str, zone: str) -> Any:
    """{(bucket, group): (amount, quantity, events)}, entry by entry."""
    own = dict(zip(("customer", "type"), await place(till), strict=True))
    rows = await till.rows(
        "SELECT * FROM entries WHERE customer_id = :customer AND credit_type_id = :type ORDER BY sequence", **own
    )
    features = {row["id"]: row["key"] for row in await till.rows("SELECT id, key FROM features")}
    sources = {row["key"]: row["source"] for row in await till.rows("SELECT key, source FROM usage_events")}
    by_sequence = {row["sequence"]: row for row in rows}
    sums: dict[Any, list[Any]] = defaultdict(lambda: [0, Decimal(0), set()])
    for row in rows:
        if row["kind"] not in (Kind.BURN, Kind.SETTLE, Kind.REVERSE):
            continue
        cause = by_sequence[row["reverses"]] if row["kind"] == Kind.REVERSE else row
        at = cause["occurred_at"] or cause["recorded_at"]
        if not since <= at < until:
            continue
        feature, source = features.get(cause["feature_id"]), sources.get(cause["event"])
        name = {"NONE": None, "FEATURE": feature, "MEMBER": cause["member"], "SOURCE": source}[group]
        kept = sums[label(interval, at, ZoneInfo(zone)), name]
        kept[0] -= row["amount"]
        if row["kind"] != Kind.REVERSE:
            kept[1] += row["quantity"] or 0
            kept[2].add(row["event"] or row["sequence"])
    return {key: (amount, quantity, len(events)) for key, (amount, quantity, events) in sums.items()}


async def hold_against_the_slow_way(till: Till, since: datetime, until: datetime, **asked: str) -> None:
    interval, group, zone = asked["interval"], asked["group_by"], asked["timezone"]
    found = await series(till, since, until, **asked)
    features = {str(row["id"]): row["key"] for row in await till.rows("SELECT id, key FROM features")}
    told = {}
    for point in found.points:
        assert point.start < point.end
        name = features[point.label] if group == "FEATURE" and point.label else point.label
        key = (label(interval, max(point.start, since), ZoneInfo(zone)), name)
        assert key not in told, "each bucket and group once"
        told[key] = (point.amount_micro, point.quantity, point.events)
    wanted = await the_slow_way(till, since, until, interval=interval, group=group, zone=zone)
    if group == "NONE":
        told = {key: value for key, value in told.items() if value != (0, 0, 0) or key in wanted}
    assert told == wanted
    assert found.total_micro == sum(amount for amount, _, _ in wanted.values())


# ─── random histories ──────────────────────────────────────────────────────────────────────────────
class History:
    """Burns, holds, events, reversals at all times; roll-ups now and then."""

    def __init__(self, till: Till, seed: int) -> None:
        self.till, self.draw, self.steps = till, random.Random(seed), 0

    async def play(self, steps: int) -> None:
        await self.till.must(self.till.grant("1000000"))
        for _ in range(steps):
            self.steps += 1
            step = self.draw.choices(
                (self.burn, self.happen, self.hold, self.give_back, self.wait, self.roll), (6, 6, 3, 2, 3, 2)
            )
            await step[0]()

    async def sometime(self) -> datetime:
        """Now, or within the cutoff, often on a border."""
        now = await self.till.now()
        at = now - self.draw.choice((0, 0, 1, 7, 30, 100)) * HOUR
        border = self.draw.choice((None, None, QUARTER, HOUR, DAY))
        if border is None:
            return at
        return datetime.fromtimestamp(at.timestamp() // border.total_seconds() * border.total_seconds(), UTC)

    async def burn(self) -> None:
        at, draw, till = await self.sometime(), self.draw, self.till
        command = till.chat(str(draw.randint(1, 9))) if draw.random() < 0.5 else till.burn(str(draw.randint(1, 9)))
        command.spend.member = draw.choice(MEMBERS)
        command.occurred_at = at
        await till.must(command)

    async def happen(self) -> None:
        draw, who = self.draw, self.draw.choice(MEMBERS)
        data: dict[str, Any] = {
            "n": draw.randint(1, 5),
            "tokens": draw.randint(1, 50),
            **({"member": who} if who else {}),
        }
        kind, source = draw.choice(("chat", "twice", "free")), draw.choice(("edge", "core"))
        await send(self.till, f"e{self.steps}", kind, await self.sometime(), source=source, **data)

    async def hold(self) -> None:
        held = await self.till.open_hold("5", ttl="PT1M")
        if self.draw.random() < 0.7:
            await self.till.must(self.till.settle(held, "3", partial=self.draw.random() < 0.5))

    async def give_back(self) -> None:
        burns = await self.till.rows("SELECT sequence FROM entries WHERE kind IN (2, 4) AND amount < -1000000")
        if burns:  # never more than is left of it
            at = EntryId(*(await place(self.till)), self.draw.choice(burns)["sequence"])
            answer = await self.till.post(self.till.reverse_by_place(at, self.draw.choice(("0.25", "1"))))
            assert getattr(answer, "code", None) in (None, "OVER_REVERSED"), answer

    async def wait(self) -> None:
        await self.till.jump(self.draw.choice((1, 20, 600, 4000)) * timedelta(minutes=1))

    async def roll(self) -> None:
        await roll_up(self.till)

    async def question(self) -> dict[str, Any]:
        first, second = sorted([await self.sometime(), await self.sometime()])
        since = first - self.draw.choice((0, 1, 40)) * DAY
        until = second + self.draw.choice((timedelta(microseconds=1), QUARTER, DAY))
        zone, group = self.draw.choice(ZONES), self.draw.choice(GROUPS)
        interval = self.draw.choice(("HOUR", "DAY", "WEEK", "MONTH"))
        return {"since": since, "until": until, "interval": interval, "group_by": group, "timezone": zone}


@pytest.mark.parametrize("seed", range(6))
async def test_every_answer_is_what_the_entries_add_up_to(till: Till, seed: int):
    history = History(till, seed)
    for _ in range(3):
        await history.play(25)
        for _ in range(12):
            question = await history.question()
            await hold_against_the_slow_way(till, **question)
        assert await differences(till) == []


async def test_the_real_trace_adds_up_whatever_of_it_is_rolled_up(till: Till):
    """An hour of a production service, under one customer: 19,366 events of two features each."""
    features = [
        {"key": key, "name": key, "eventType": "llm.tokens", "quantity": f"{key}_tokens", "unit": "token"}
        for key in ("input", "output")
    ]
    rates = [
        {"feature": key, "creditType": "ai", "perUnit": price}
        for key, price in (("input", "0.001"), ("output", "0.002"))
    ]
    card = {
        "cohort": "default",
        "effectiveAt": "2020-01-01T00:00:00Z",
        "rates": [*CATALOG["rateCards"][0]["rates"], *rates],
    }
    await till.apply({"features": [*CATALOG["features"], *features], "rateCards": [card]})
    rows = read_trace()
    events = [
        from_attributes(
            f"{row.number}",
            f"gpu-{row.number % 3}",
            "llm.tokens",
            "acme",
            datetime.fromisoformat(row.timestamp[:26]).replace(tzinfo=UTC),
            {"input_tokens": row.input_tokens, "output_tokens": row.output_tokens, "member": row.customer},
            accept_late=True,
        )
        for row in rows
    ]
    since, until = datetime(2023, 11, 16, 18, 20, 0, 123, tzinfo=UTC), datetime(2023, 11, 16, 19, 5, 7, tzinfo=UTC)
    whole = {"since": datetime(2023, 11, 1, tzinfo=UTC), "until": datetime(2023, 12, 1, tzinfo=UTC)}
    for part in (events[:9_000], events[9_000:]):
        await till.many(*part)
        await hold_against_the_slow_way(till, since, until, interval="HOUR", group_by="FEATURE", timezone="UTC")
        assert await roll_up(till) == 2 * len(part)
        for group in GROUPS:
            await hold_against_the_slow_way(
                till, since, until, interval="HOUR", group_by=group, timezone="Asia/Kathmandu"
            )
    total = await series(till, **whole)
    assert total.total_micro == sum(1_000 * row.input_tokens + 2_000 * row.output_tokens for row in rows)
    assert sum(point.events for point in total.points) == len(rows)
    assert await differences(till) == []
