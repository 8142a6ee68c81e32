"""What the demo tells of its past follows from two instants, so that telling it again is a replay."""

from datetime import UTC, datetime, timedelta

import pytest

from credits.durations import after
from credits.usage.envelope import from_cloud_event
from server.demo_controls import a_month_on
from server.demo_history import CUTOFF, grants_of, past_events
from server.demo_world import STUDIO

ACTOR = 7
OPENED = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)

# Two instants, whether they get the same grants, and when the plan's credits of the first one's month end.
CASES = [
    (
        "the first and the last instant of a month",
        "2026-11-01T00:00:00Z",
        "2026-11-30T23:59:59.999999Z",
        True,
        "2027-01-01",
    ),
    ("two months", "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z", False, "2027-01-01"),
    ("December ends in the next year", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", True, "2027-02-01"),
    ("February has 29 days", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", True, "2028-04-01"),
    ("a month is UTC's", "2026-12-01T00:30:00+01:00", "2026-11-15T00:00:00Z", True, "2027-01-01"),
]


@pytest.mark.parametrize(("_what", "first", "second", "same", "ends"), CASES, ids=[case[0] for case in CASES])
def test_the_same_month_gives_the_same_grants(_what: str, first: str, second: str, same: bool, ends: str):
    one, other = (list(grants_of(datetime.fromisoformat(text), OPENED, ACTOR)) for text in (first, second))
    assert (one == other) is same
    plans = [grant for grant in one if grant.source == "PLAN"]
    assert plans[-1].expires_at == datetime.fromisoformat(ends).replace(tzinfo=UTC)
    assert len(plans) == 2


def test_no_key_ever_means_two_things():
    instants = [datetime(2026, month, day, tzinfo=UTC) for month in range(1, 13) for day in (1, 15, 28)]
    meanings: dict[tuple[str, str], set[int]] = {}
    for now in instants:
        for grant in grants_of(now, OPENED, ACTOR):
            meanings.setdefault((grant.customer, grant.key), set()).add(grant.meaning())
    assert all(len(found) == 1 for found in meanings.values())
    assert len([key for customer, key in meanings if customer == STUDIO.key]) == 13 + 2


@pytest.mark.parametrize("day", range(366))
def test_on_any_day_of_a_year_the_past_can_be_told(day: int):
    """Nothing lies before the cutoff, ahead of the clock, or outside what the studio held."""
    opened = datetime(2028, 1, 1, 9, 30, tzinfo=UTC) + timedelta(days=day)
    earliest = opened - (after(OPENED, CUTOFF) - OPENED)
    grants = [grant for grant in grants_of(opened, opened, ACTOR) if grant.customer == STUDIO.key]
    assert [grant.form() for grant in grants] == [None] * 4
    assert all(earliest < grant.effective_at <= opened < grant.expires_at for grant in grants)  # type: ignore[operator]
    events = [from_cloud_event(event) for event in past_events(opened)]
    assert all(event.problem is None and event.time is not None for event in events)
    times = [event.time for event in events if event.time]
    assert times == sorted(times)
    began = min(grant.effective_at for grant in grants if grant.effective_at)
    assert began <= times[0] < opened - timedelta(days=25)
    assert times[-1] < opened
    assert len({event.event_id for event in events}) == len(events)


def test_the_past_is_told_the_same_way_each_time():
    assert past_events(OPENED) == past_events(OPENED)


MONTHS = [
    ("2026-11-26T09:30:00Z", "2026-12-01T00:00:00Z", "2026-12-26T09:30:00Z"),
    ("2026-12-31T09:30:00Z", "2027-01-01T00:00:00Z", "2027-01-31T09:30:00Z"),
    ("2027-01-31T09:30:00Z", "2027-02-01T00:00:00Z", "2027-02-28T09:30:00Z"),
    ("2028-01-30T23:59:59Z", "2028-02-01T00:00:00Z", "2028-02-29T23:59:59Z"),
]


@pytest.mark.parametrize(("now", "first", "then"), MONTHS)
def test_a_month_on_goes_by_the_first_of_the_next(now: str, first: str, then: str):
    moved = a_month_on(datetime.fromisoformat(now))
    assert moved == (datetime.fromisoformat(first), datetime.fromisoformat(then))
