"""Calendar windows against a calendar that knows no rule: it looks at the local clock at every instant that matters."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credits.windows import INTERVALS, Interval, Window, window, windows

# Twenty zones: whole, half and quarter hours, both hemispheres, midnights that are skipped or come twice, a skipped day.
ZONES = [
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "America/New_York", "America/St_Johns"),
    *("America/Sao_Paulo", "America/Havana", "America/Santiago", "America/Caracas", "Asia/Kathmandu", "Asia/Kolkata"),
    *("Asia/Tehran", "Asia/Beirut", "Asia/Gaza", "Africa/Cairo", "Africa/Casablanca", "Australia/Lord_Howe"),
    *("Pacific/Apia", "Pacific/Chatham"),
]
YEARS = range(2008, 2018)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def label(interval: Interval, local: datetime) -> tuple[object, ...]:
    """What the windows of a kind have in common on the local clock."""
    match interval:
        case "HOUR":
            return (local.date(), local.hour, local.utcoffset())
        case "DAY":
            return (local.date(),)
        case "WEEK":
            return local.isocalendar()[:2]
        case _:
            return (local.year, local.month)


def slow_borders(interval: Interval, zone: ZoneInfo, year: int, step: timedelta) -> list[datetime]:
    """Where windows begin, found by looking at the clock at every step. A day, once begun, is not begun again when the
    clock goes back over its midnight."""
    borders: list[datetime] = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + 1, 1, 1, tzinfo=UTC)
    before = label(interval, at.astimezone(zone))
    newest = before
    while (at := at + step) < end:
        now = label(interval, at.astimezone(zone))
        if interval == "HOUR":
            if now != before:
                borders.append(at)
        elif now > newest:
            borders.append(at)
        before, newest = now, max(now, newest) if interval != "HOUR" else now
    return borders


def fast_borders(interval: Interval, timezone: str, year: int) -> list[datetime]:
    first, last = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found = windows(interval, timezone, first, last, 20_000)
    return [each.start for each in found if first < each.start < last]


@pytest.mark.parametrize("timezone", ZONES)
def test_days_weeks_and_months_begin_where_the_local_clock_says_so(timezone: str):
    """R18, T1: twenty zones, ten years, every quarter of an hour; St. John's puts its clock at 00:01, so by the minute."""
    step = MINUTE if timezone in ("America/St_Johns", "Asia/Gaza") else QUARTER
    zone = ZoneInfo(timezone)
    for year in YEARS if step is QUARTER else range(2009, 2012):
        days = slow_borders("DAY", zone, year, step)
        assert fast_borders("DAY", timezone, year) == days, year
        mondays = [at for at in days if (at + 2 * timedelta(hours=1)).astimezone(zone).weekday() == 0]
        assert fast_borders("WEEK", timezone, year) == mondays, year
        firsts = [at for at in days if (at + 2 * timedelta(hours=1)).astimezone(zone).day == 1]
        assert fast_borders("MONTH", timezone, year) == firsts, year


@pytest.mark.parametrize("timezone", ZONES)
def test_hours_begin_where_the_local_clock_says_so(timezone: str):
    step = MINUTE if timezone in ("America/St_Johns", "Asia/Gaza") else QUARTER
    for year in (2009, 2011, 2016) if step is QUARTER else (2010,):
        assert fast_borders("HOUR", timezone, year) == slow_borders("HOUR", ZoneInfo(timezone), year, step), year


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spans(timezone: str, day: str, interval: Interval = "DAY") -> timedelta:
    found = window(interval, timezone, at(day).replace(tzinfo=ZoneInfo(timezone)))
    return found.end - found.start


def test_a_day_has_23_24_or_25_hours_and_as_many_windows():
    for day, hours in (("2026-03-29T12:00", 23), ("2026-07-01T12:00", 24), ("2026-10-25T12:00", 25)):
        whole = window("DAY", "Europe/Berlin", at(day).replace(tzinfo=ZoneInfo("Europe/Berlin")))
        assert whole.end - whole.start == timedelta(hours=hours)
        inside = windows("HOUR", "Europe/Berlin", whole.start, whole.end, 100)
        assert len(inside) == hours
        assert {each.end - each.start for each in inside} == {timedelta(hours=1)}


def test_half_an_hour_is_skipped_and_repeated_on_lord_howe():
    zone = "Australia/Lord_Howe"
    for day, minutes in (("2025-10-05T12:00", [30]), ("2026-04-05T12:00", [30])):
        whole = window("DAY", zone, at(day).replace(tzinfo=ZoneInfo(zone)))
        odd = [
            each
            for each in windows("HOUR", zone, whole.start, whole.end, 100)
            if each.end - each.start < timedelta(hours=1)
        ]
        assert [(each.end - each.start) // MINUTE for each in odd] == minutes


def test_a_midnight_that_is_skipped_begins_its_day_with_the_first_instant_after_it():
    begun = window("DAY", "America/Sao_Paulo", at("2017-10-15T12:00:00+00:00"))
    assert begun == Window(at("2017-10-15T03:00:00+00:00"), at("2017-10-16T02:00:00+00:00"))


def test_a_midnight_that_comes_twice_is_the_first():
    """In St. John's the clock went from 00:01 back to 23:01: the new day had begun."""
    begun = window("DAY", "America/St_Johns", at("2009-11-01T12:00:00+00:00"))
    assert begun.start == at("2009-11-01T02:30:00+00:00")
    assert window("DAY", "America/St_Johns", at("2009-11-01T03:00:00+00:00")) == begun, "though the clock says 23:30"


def test_a_skipped_day_is_no_window():
    """T1: Samoa had no 30 December 2011."""
    found = windows("DAY", "Pacific/Apia", at("2011-12-29T12:00:00-10:00"), at("2012-01-01T12:00:00+14:00"), 10)
    assert [each.start for each in found] == [
        at("2011-12-29T10:00:00+00:00"),
        at("2011-12-30T10:00:00+00:00"),
        at("2011-12-31T10:00:00+00:00"),
    ]
    assert spans("Pacific/Apia", "2011-12-15T00:00", "MONTH") == timedelta(days=30)


def test_quarter_hours_of_offset_move_every_border():
    assert window("DAY", "Asia/Kathmandu", at("2026-03-01T18:14:59.999999+00:00")).end == at(
        "2026-03-01T18:15:00+00:00"
    )
    assert window("HOUR", "Asia/Kathmandu", at("2026-03-01T18:15:00+00:00")).start == at("2026-03-01T18:15:00+00:00")


def test_the_29th_of_february_belongs_to_february():
    """T2."""
    assert spans("UTC", "2024-02-29T23:59:59", "MONTH") == 29 * DAY
    assert spans("UTC", "2026-02-28T23:59:59", "MONTH") == 28 * DAY
    assert spans("UTC", "2100-02-28T00:00:00", "MONTH") == 28 * DAY


def test_a_border_belongs_to_the_window_that_it_begins():
    """T5: half-open."""
    for interval in INTERVALS:
        found = window(interval, "Europe/Berlin", at("2026-03-29T01:00:00+00:00"))
        assert window(interval, "Europe/Berlin", found.start) == found
        assert window(interval, "Europe/Berlin", found.end).start == found.end
        assert window(interval, "Europe/Berlin", found.start - timedelta(microseconds=1)).end == found.start


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_the_ends_of_the_calendar_are_exact_or_refused(edge: str):
    """T6."""
    for interval in INTERVALS:
        for timezone in ("UTC", "Asia/Kathmandu", "America/New_York"):
            with suppress(ValueError):
                assert window(interval, timezone, at(edge)).holds(at(edge))
    with pytest.raises(ValueError, match="beyond the calendar"):
        window("MONTH", "UTC", at("9999-12-31T00:00:00+00:00"))
    assert window("DAY", "Asia/Tokyo", at("2038-01-19T03:14:08+00:00")).start == at("2038-01-18T15:00:00+00:00")


def test_no_more_windows_than_asked_for():
    begin = at("2026-01-01T00:00:00+00:00")
    assert len(windows("HOUR", "UTC", begin, begin + DAY, 24)) == 24
    with pytest.raises(ValueError, match="more than 23"):
        windows("HOUR", "UTC", begin, begin + DAY, 23)
    assert windows("DAY", "UTC", begin, begin, 1) == []


INSTANTS = st.integers(-80 * 365 * 24 * 60, 130 * 365 * 24 * 60).map(
    lambda past: at("1970-01-01T00:00:00+00:00") + past * MINUTE
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(INTERVALS), INSTANTS)
def test_every_instant_lies_in_one_window_and_each_window_is_followed_by_the_next(timezone, interval, instant):
    found = window(interval, timezone, instant)
    assert found.holds(instant)
    for other in neighbours(found):
        assert window(interval, timezone, other) == found
    assert window(interval, timezone, found.end).start == found.end


def neighbours(found: Window) -> Iterator[datetime]:
    yield found.start
    yield found.start + (found.end - found.start) / 3
    yield found.end - timedelta(microseconds=1)
