"""What the demo gives follows from the month alone, so that giving it again is a replay."""

from datetime import UTC, datetime

import pytest

from server.demo_seed import grants_of
from server.demo_world import STUDIO

ACTOR = 7

# Two instants, whether they get the same grants, and when the plan's credits of the first one end.
CASES = [
    (
        "the first and the last instant of a month",
        "2026-11-01T00:00:00Z",
        "2026-11-30T23:59:59.999999Z",
        True,
        "2026-12-01",
    ),
    ("two months", "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z", False, "2026-12-01"),
    ("December ends in the next year", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", True, "2027-01-01"),
    ("February has 29 days", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", True, "2028-03-01"),
    ("a month is UTC's", "2026-12-01T00:30:00+01:00", "2026-11-15T00:00:00Z", True, "2026-12-01"),
]


@pytest.mark.parametrize(("_what", "first", "second", "same", "ends"), CASES, ids=[case[0] for case in CASES])
def test_the_same_month_gives_the_same_grants(_what: str, first: str, second: str, same: bool, ends: str):
    one, other = (list(grants_of(datetime.fromisoformat(text), ACTOR)) for text in (first, second))
    assert (one == other) is same
    plan = next(grant for grant in one if grant.source == "PLAN")
    assert plan.expires_at == datetime.fromisoformat(ends).replace(tzinfo=UTC)


def test_no_key_ever_means_two_things():
    instants = [datetime(2026, month, day, tzinfo=UTC) for month in range(1, 13) for day in (1, 15, 28)]
    meanings: dict[tuple[str, str], set[int]] = {}
    for now in instants:
        for grant in grants_of(now, ACTOR):
            meanings.setdefault((grant.customer, grant.key), set()).add(grant.meaning())
    assert all(len(found) == 1 for found in meanings.values())
    assert len([key for customer, key in meanings if customer == STUDIO.key]) == 12 + 12 + 1


def test_every_grant_has_the_form_that_the_ledger_takes():
    assert [grant.form() for grant in grants_of(datetime(2026, 11, 23, tzinfo=UTC), ACTOR)] == [None] * 23
