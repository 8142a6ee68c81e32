"""Which grant burns first: tables of cases for each of the four orders, and that each is total."""

import itertools
import random
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits import ledger
from credits.ledger.burn_order import order
from tests.credits.ledger.given import DAY, NOON, US, a_grant, an_account, give, spend

ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
PAID = {"cost_amount": Decimal("0.01"), "cost_currency": "EUR"}
FREE_OF_CHARGE = {"cost_amount": Decimal(0), "cost_currency": "EUR"}
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)

# Name → grants, in the order in which they burn under the orders named.
CASES = {
    "a smaller number is a higher priority": (
        ("PRIORITY_THEN_EXPIRY",),
        [{"priority": -3}, {"priority": 0}, {"priority": 10}, {}, {"priority": 51}],
    ),
    "priority comes before expiry": (
        ("PRIORITY_THEN_EXPIRY",),
        [{"priority": 10}, {"priority": 50, "expires_at": NOON + DAY}],
    ),
    "expiry comes before priority": (
        ("EXPIRY_FIRST", "PAID_LAST"),
        [{"priority": 90, "expires_at": NOON + DAY}, {"priority": 10, "expires_at": NOON + 2 * DAY}],
    ),
    "the sooner expiry first, never last": (
        ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST"),
        [{"expires_at": NOON + US}, {"expires_at": NOON + 2 * US}, {"expires_at": LAST_INSTANT}, {"expires_at": None}],
    ),
    "never comes after the last instant even when it was effective first": (
        ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST"),
        [{"expires_at": LAST_INSTANT}, {"expires_at": None, "effective_at": NOON - DAY}],
    ),
    "of one expiry the smaller priority": (
        ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST"),
        [{"priority": 1, "expires_at": NOON + DAY}, {"priority": 2, "expires_at": NOON + DAY}],
    ),
    "then the earlier effective": (
        ORDERS,
        [{"effective_at": NOON - US}, {"effective_at": NOON}, {"effective_at": NOON + US}],
    ),
    "free before paid, whatever expires first": (
        ("PAID_LAST",),
        [{"expires_at": None, "priority": 99}, {"expires_at": NOON + DAY, "priority": 1, **PAID}],
    ),
    "a cost basis of zero is a cost basis": (("PAID_LAST",), [{}, FREE_OF_CHARGE]),
    "paid among themselves by expiry, then priority": (
        ("PAID_LAST",),
        [
            {"expires_at": NOON + DAY, "priority": 99, **PAID},
            {"expires_at": NOON + 2 * DAY, "priority": 1, **PAID},
            {"priority": 1, **PAID},
            {"priority": 2, **PAID},
        ],
    ),
    "the oldest first, whatever else": (
        ("OLDEST_FIRST",),
        [
            {"effective_at": NOON - 2 * DAY, "priority": 99},
            {"effective_at": NOON - DAY, "expires_at": NOON + DAY, "priority": 1},
        ],
    ),
    "equal in everything: the smaller number": (ORDERS, [{}, {}, {}, {}]),
}


@pytest.mark.parametrize(("case", "name"), [(case, name) for case, (names, _) in CASES.items() for name in names])
def test_grants_burn_in_this_order(case: str, name: str):
    wanted = [a_grant(number=number, **fields) for number, fields in enumerate(CASES[case][1], 1)]
    for shuffled in itertools.islice(itertools.permutations(wanted), 120):
        assert [grant.number for grant in order(shuffled, name)] == [grant.number for grant in wanted]


instants = st.sampled_from([NOON - DAY, NOON, NOON + US, NOON + DAY])
any_grants = st.lists(
    st.builds(
        dict,
        priority=st.sampled_from([10, 50]),
        expires_at=st.none() | st.sampled_from([NOON + 2 * DAY, NOON + 3 * DAY]),
        effective_at=instants,
        cost_amount=st.sampled_from([None, Decimal(0), Decimal(1)]),
    ),
    min_size=2,
    max_size=7,
)


@given(any_grants, st.sampled_from(ORDERS), st.randoms(use_true_random=False))
def test_each_order_is_total_and_does_not_depend_on_the_order_of_asking(
    many: list[dict[str, object]], name: str, draw: random.Random
):
    made = [a_grant(number=number, **fields) for number, fields in enumerate(many, 1)]
    shuffled = list(made)
    draw.shuffle(shuffled)
    once = [grant.number for grant in order(made, name)]
    assert [grant.number for grant in order(shuffled, name)] == once
    for first, second in itertools.combinations(made, 2):
        pair = [grant.number for grant in order([second, first], name)]
        assert pair == sorted(pair, key=once.index), "what comes first of two does not depend on who else is there"


@pytest.mark.parametrize("name", ORDERS)
def test_a_burn_draws_in_that_order_and_says_so(name: str):
    account = an_account(name)
    give(account, 10, expires_at=NOON + 9 * DAY)
    give(account, 10, priority=10, **PAID)
    give(account, 10, expires_at=NOON + DAY, effective_at=NOON - DAY, **PAID)
    wanted = [grant.number for grant in order(account.grants.values(), name)]
    entry = spend(account, 25)
    assert list(entry.allocations) == [(wanted[0], 10), (wanted[1], 10), (wanted[2], 5)]


def test_an_unknown_order_is_an_error_and_not_the_default():
    with pytest.raises(KeyError):
        order([a_grant()], "NEWEST_FIRST")


def test_no_sql_sorts_grants_for_burning():
    """There is one order, in one place. SQL that sorted by it would have to be pinned to it here."""
    root = Path(ledger.__path__[0]).parent
    sources = [path for kind in ("*.py", "*.sql") for path in root.rglob(kind) if path.name != "burn_order.py"]
    assert len(sources) > 30
    sorting = re.compile(r"(?i)order.by\b[^\n]*\b(priority|effective_at)\b")
    assert [path.name for path in sources if sorting.search(path.read_text())] == []
