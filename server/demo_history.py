"""What Studio Lindqvist did in the thirty days before the demo came to be, and what it was given for it.

All of it follows from the moment the demo began and from months, so that saying it again changes nothing. Usage that is told
of afterwards counts as if it had come in time: that is how a host brings its history along.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from credits.posting.commands import GiveGrant
from server.demo_world import (
    BOUGHT_CREDITS,
    BOUGHT_FOR,
    CREDIT_TYPE,
    ENLARGEMENTS,
    EVENTS,
    IDEAS,
    OTHERS,
    OTHERS_HOLD,
    PLAN_CREDITS,
    PLATES,
    PROMOTION_CREDITS,
    PROOFS,
    SCENES,
    SHEETS,
    SIZES,
    SOURCE,
    STUDIO,
    TEAM,
    YOU,
)

DAYS = 30
CUTOFF = "P65D"  # reaches back to the first day of the month before
_SEED = 1989
_WEEKDAYS = 5
_HOURS = (7, 17)  # of work, UTC
# How much of a day's work each thing is, and how often a day has it.
_WORK = {"posters": 2.3, "postcards": 1.6, PROOFS: 6.5, IDEAS: 4.0, ENLARGEMENTS: 0.9}
_SHARES = {"ines": 38, "teo": 24, "maren": 22, YOU: 16}
_WEEKEND = 0.16
_BUSY_DAY, _BUSY = 11, 2.1  # the day before a fair, counted back from today

assert set(_SHARES) == {*TEAM, YOU}  # noqa: S101


def usage_event(chance: random.Random, event_id: str, subject: str, feature: str, member: str | None) -> dict[str, Any]:
    """One thing that somebody did, as a CloudEvent."""
    data: dict[str, Any] = {} if member is None else {"member": member}
    if feature in SHEETS.values():
        inks = chance.choice(list(PLATES))
        data |= {"plates": PLATES[inks], "inks": inks, "scene": chance.choice(SCENES)}
    if feature == ENLARGEMENTS:
        data["to"] = chance.choice(SIZES)
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": EVENTS[feature],
        "subject": subject,
        "data": data,
    }


def past_events(opened: datetime) -> list[dict[str, Any]]:
    """Thirty days of the team's work until shortly before `opened`, in order of time."""
    chance = random.Random(_SEED)  # noqa: S311 -- a demo's dice
    today = opened.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = opened - timedelta(minutes=1)
    found: list[tuple[datetime, dict[str, Any]]] = []
    for ago in range(DAYS, -1, -1):
        day = today - timedelta(days=ago)
        pace = 1.0 if day.weekday() < _WEEKDAYS else _WEEKEND
        if ago == _BUSY_DAY:
            pace = _BUSY
        for feature, often in _WORK.items():
            for _ in range(round(often * pace * chance.uniform(0.55, 1.5) + chance.uniform(-0.5, 0.5))):
                at = day + timedelta(seconds=chance.randint(_HOURS[0] * 3600, _HOURS[1] * 3600))
                member = chance.choices(list(_SHARES), weights=list(_SHARES.values()))[0]
                event_id = f"past-{ago}-{len(found)}"
                event = usage_event(chance, event_id, STUDIO.key, feature, member)
                found.append((at, event | {"time": at.isoformat()}))
    found = [(at, event) for at, event in found if at < until]
    return [event for _, event in sorted(found, key=lambda each: each[0])]


def grants_of(now: datetime, opened: datetime, actor_id: int) -> Iterator[GiveGrant]:
    """What everybody holds: Studio Lindqvist the credits of its plan for this month and the one before, an opening gift,
    and what it has bought; the others more than they can use. The same key always means the same."""

    def grant(customer: str, key: str, amount: Any, source: str, **rest: Any) -> GiveGrant:
        return GiveGrant(customer, CREDIT_TYPE, amount, source, f"overprint-{key}", actor_id, **rest)

    joined = opened.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS + 1)
    yield grant(
        STUDIO.key,
        "bought",
        BOUGHT_CREDITS,
        "PURCHASE",
        effective_at=joined,
        cost_total=BOUGHT_FOR,
        cost_currency="USD",
        expires_at=joined + timedelta(days=365),
    )
    yield grant(
        STUDIO.key,
        "gift",
        PROMOTION_CREDITS,
        "PROMOTION",
        effective_at=joined,
        expires_at=joined + timedelta(days=DAYS + 20),
    )
    this_month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for first in (_months_on(this_month, -1), this_month):
        month = f"{first:%Y-%m}"
        ends = _months_on(first, 2)
        yield grant(STUDIO.key, f"plan-{month}", PLAN_CREDITS, "PLAN", effective_at=first, expires_at=ends)
    for studio in OTHERS:
        yield grant(studio.key, "stock", OTHERS_HOLD, "PURCHASE")


def _months_on(first: datetime, count: int) -> datetime:
    """The first of the month that is so many later."""
    months = first.year * 12 + first.month - 1 + count
    return first.replace(year=months // 12, month=months % 12 + 1)
