"""One sentence for every kind of entry, as a customer reads it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from credits.catalog.values import Catalog, Cohort, CreditType, Feature, Rate, RateCard
from credits.ledger.account import Grant
from credits.ledger.entries import Allocations, Cause, Entry, Kind
from credits.ledger.explanation import label, sentence
from credits.ledger.wording import day, grouped, listed, unit
from tests.credits.ledger.given import a_grant

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
JAN_31, LAST_YEAR, NEXT_YEAR = (datetime(year, 1, 31, 6, tzinfo=UTC) for year in (2026, 2025, 2027))
MICRO = 1_000_000
NOTE = "operator says: he complained again, gra_1_2_3"

_RATES = tuple(
    Rate(number, 1, 1, 3, match, Decimal("0.001"), "UP")
    for number, match in enumerate(({}, {"model": "large"}, {"eu": True, "size": Decimal("1.50")}), 1)
)
CATALOG = Catalog(
    1,
    1,
    (CreditType(3, "ai", "AI credits", "credit", "credits", 3, "PRIORITY_THEN_EXPIRY", None, False),),
    (Feature(1, "input-tokens", "Input tokens", None, None, "tokens", "token", False),),
    (Cohort("default", False, (RateCard(1, "default", 1, AT, AT, False, None, _RATES),)),),
    (),
)


def given(number: int, amount: str = "500", source: str = "PLAN", expires_at: datetime | None = JAN_31) -> Grant:
    micro = int(Decimal(amount) * MICRO)
    return a_grant(micro, now=AT, number=number, source=source, expires_at=expires_at, note=NOTE)


GRANTS = {
    1: given(1),
    2: given(2, "1000", "PURCHASE", None),
    3: given(3, "7", "TRIAL", datetime(2026, 1, 5, tzinfo=UTC)),
    4: given(4, "0.000001", "PROMOTION", NEXT_YEAR),
    5: given(5, "3", "ROLLOVER"),
    6: given(6),
    7: replace(given(7, "20", "MANUAL", None), effective_at=AT - timedelta(days=1)),
    8: given(8, "6", "REFUND"),
    9: replace(given(9, "30", "PLAN", NEXT_YEAR), rolled_from=1),
}


def told(
    kind: Kind,
    amount: str,
    allocations: list[tuple[int, str]],
    *,
    held: str = "0",
    occurred_at: datetime = AT,
    zone: str = "UTC",
    **cause: Any,
) -> str:
    """The sentence of an entry; amounts in credits."""
    parts: Allocations = [(number, int(Decimal(part) * MICRO)) for number, part in allocations]
    micro, held_micro = (int(Decimal(text) * MICRO) for text in (amount, held))
    entry = Entry(
        *(1, 2, 3, 4, kind, micro, held_micro, 0, 0, occurred_at, AT, parts, None),
        Cause(**{"note": NOTE, "reason": "GOODWILL", "key": "secret", **cause}),
    )
    return sentence(entry, CATALOG, GRANTS, ZoneInfo(zone))


TOKENS: dict[str, Any] = {"feature_id": 1, "rate_id": 1, "quantity": Decimal(374)}
LARGE = TOKENS | {"rate_id": 2}
TABLE: list[tuple[Kind, dict[str, Any], str]] = [
    (
        Kind.GRANT,
        {"amount": "500", "allocations": [(1, "500")]},
        "500 credits from the plan, expiring Jan 31",
    ),
    (
        Kind.GRANT,
        {"amount": "1000", "allocations": [(2, "900"), (-2, "100")]},
        "1,000 credits bought, without expiry; 100 credits of it paid for earlier usage beyond what there was",
    ),
    (
        Kind.GRANT,
        {"amount": "0.000001", "allocations": [(4, "0.000001")]},
        "0.000001 credits from a promotion, expiring Jan 31, 2027",
    ),
    (
        Kind.GRANT,
        {"amount": "3", "allocations": [(5, "3")]},
        "3 credits rolled over from the period before, expiring Jan 31",
    ),
    (
        Kind.BURN,
        {"amount": "-0.374", "allocations": [(1, "0.374")], **LARGE},
        "374 tokens of Input tokens (model large) at 0.001 credits each, from 500 credits that expire Jan 31",
    ),
    (
        Kind.BURN,
        {"amount": "-0.001", "allocations": [(2, "0.001")], **TOKENS, "quantity": Decimal(1)},
        "1 token of Input tokens at 0.001 credits each, from 1,000 credits that never expire",
    ),
    (
        Kind.BURN,
        {"amount": "-9", "allocations": [(1, "5"), (2, "3"), (0, "1")]},
        "9 credits, from 5 of 500 credits that expire Jan 31, 3 of 1,000 credits that never expire and 1 more than there was",
    ),
    (
        Kind.BURN,
        {"amount": "-9", "allocations": [(1, "5"), (2, "1"), (3, "1"), (4, "1"), (0, "1")]},
        (
            "9 credits, from 5 of 500 credits that expire Jan 31, 1 of 1,000 credits that never expire, "
            "1 of 7 credits that expired Jan 5 and 2 more"
        ),
    ),
    (
        Kind.BURN,
        {"amount": "-1", "allocations": [(1, "1")], "occurred_at": datetime(2026, 1, 8, tzinfo=UTC)},
        "1 credit, used Jan 8 and reported Jan 10, from 500 credits that expire Jan 31",
    ),
    (
        Kind.BURN,
        {"amount": "-2.5", "allocations": [(0, "2.5")], "feature_id": 1},
        "2.5 credits for Input tokens, more than there was",
    ),
    (
        Kind.BURN,
        {"amount": "-0.374", "allocations": [(1, "0.374")], **TOKENS, "rate_id": 3, "quantity": Decimal("12345.60")},
        "12,345.6 tokens of Input tokens (eu true, size 1.5) at 0.001 credits each, from 500 credits that expire Jan 31",
    ),
    (
        Kind.HOLD,
        {"amount": "0", "held": "10", "allocations": [(1, "10")]},
        "Set aside: 10 credits, from 500 credits that expire Jan 31",
    ),
    (
        Kind.HOLD,
        {"amount": "0", "held": "0.374", "allocations": [(1, "0.374")], **LARGE},
        "Set aside: 374 tokens of Input tokens (model large) at 0.001 credits each, from 500 credits that expire Jan 31",
    ),
    (
        Kind.SETTLE,
        {"amount": "-4", "held": "-10", "allocations": [(1, "4")]},
        "4 credits, from 500 credits that expire Jan 31; free again: 6 credits that had been set aside",
    ),
    (
        Kind.SETTLE,
        {"amount": "-12", "held": "-10", "allocations": [(1, "12")]},
        "12 credits, from 500 credits that expire Jan 31",
    ),
    (
        Kind.RELEASE,
        {"amount": "0", "held": "-1", "allocations": [(1, "1")]},
        "Free again: 1 credit that had been set aside",
    ),
    (
        Kind.RELEASE,
        {"amount": "0", "held": "-5", "allocations": [(1, "3"), (-1, "2")]},
        "Free again: 5 credits that had been set aside; 2 credits of it paid for earlier usage beyond what there was",
    ),
    (
        Kind.LAPSE,
        {"amount": "0", "held": "-5", "allocations": [(1, "5")]},
        "Free again, because the time for it ran out: 5 credits that had been set aside",
    ),
    (
        Kind.EXPIRE,
        {"amount": "-300", "allocations": [(1, "300")]},
        "300 of 500 credits from the plan expired unused on Jan 31",
    ),
    (
        Kind.UNEXPIRE,
        {"amount": "20", "allocations": [(3, "20")], "occurred_at": datetime(2026, 1, 5, tzinfo=UTC)},
        "20 credits that expired on Jan 5 given back, because usage from before was reported late",
    ),
    (
        Kind.REALLOCATE,
        {"amount": "0", "allocations": [(1, "5"), (2, "-4"), (0, "-1")]},
        (
            "Usage reported late changes which credits were used: 5 more of 500 credits that expire Jan 31, "
            "4 less of 1,000 credits that never expire and 1 less beyond what there was"
        ),
    ),
    (
        Kind.REALLOCATE,
        {"amount": "0", "allocations": [(-2, "-2")]},
        (
            "Usage reported late changes which credits were used: 2 more beyond what there was "
            "and 2 less of 1,000 credits that never expire"
        ),
    ),
    (
        Kind.REALLOCATE,
        {"amount": "0", "allocations": [(1, "5"), (6, "-5")]},
        "Usage reported late changes which credits were used, of those with the same expiry",
    ),
    (
        Kind.REALLOCATE,
        {"amount": "0", "allocations": [(7, "3"), (2, "-3"), (-2, "-4")]},
        (
            "Credits added for a time in the past change which credits were used: "
            "3 more of 20 credits that never expire and 7 less of 1,000 credits that never expire"
        ),
    ),
    (
        Kind.REVERSE,
        {"amount": "6", "allocations": [(8, "6")], "feature_id": 1},
        "6 credits for Input tokens given back as new credits that expire Jan 31",
    ),
    (
        Kind.ADJUST,
        {"amount": "-30", "allocations": [(1, "30")], "key": None},
        "30 of 500 credits that expire Jan 31 moved to a new expiry",
    ),
    (
        Kind.ADJUST,
        {"amount": "30", "allocations": [(9, "30")]},
        "30 credits moved to a new expiry: credits that expire Jan 31, 2027",
    ),
    (
        Kind.BURN,
        {"amount": "-2", "allocations": [(1, "2")], "occurred_at": AT - timedelta(hours=3)},
        "2 credits, reported later on the same day, from 500 credits that expire Jan 31",
    ),
    (Kind.VOID, {"amount": "-300", "allocations": [(1, "300")]}, "300 of 500 credits that expire Jan 31 withdrawn"),
    (
        Kind.VOID,
        {"amount": "0", "allocations": [(1, "0")]},
        "500 credits that expire Jan 31 withdrawn before they began",
    ),
    (
        Kind.REVERSE,
        {"amount": "5", "allocations": [(1, "5")], "feature_id": 1},
        "5 credits for Input tokens given back, to 500 credits that expire Jan 31",
    ),
    (
        Kind.REVERSE,
        {"amount": "6", "allocations": [(1, "3"), (2, "2"), (0, "1")]},
        (
            "6 credits given back: 3 to 500 credits that expire Jan 31 and 2 to 1,000 credits that never expire; "
            "1 of it less used beyond what there was"
        ),
    ),
    (
        Kind.CLAWBACK,
        {"amount": "-1000", "allocations": [(2, "600"), (0, "400")]},
        (
            "1,000 credits taken back, because their payment was returned, "
            "from 600 of 1,000 credits that never expire and 400 more than there was"
        ),
    ),
    (
        Kind.ADJUST,
        {"amount": "12", "allocations": [(2, "2"), (-2, "10")]},
        (
            "Correction: 12 credits added, to 1,000 credits that never expire; "
            "10 credits of it paid for earlier usage beyond what there was"
        ),
    ),
    (
        Kind.CLAWBACK,
        {"amount": "-5", "allocations": [(2, "0"), (0, "5")]},
        "5 credits taken back, because their payment was returned, more than there was",
    ),
    (
        Kind.ADJUST,
        {"amount": "2", "allocations": [(2, "2")]},
        "Correction: 2 credits added, to 1,000 credits that never expire",
    ),
    (
        Kind.ADJUST,
        {"amount": "-2", "allocations": [(2, "2")]},
        "Correction: 2 credits taken, from 1,000 credits that never expire",
    ),
]


@pytest.mark.parametrize(("kind", "entry", "expected"), TABLE)
def test_each_kind_of_entry_is_one_sentence(kind: Kind, entry: dict[str, Any], expected: str):
    assert told(kind, **entry) == expected


def test_the_table_has_every_kind():
    assert {kind for kind, _, _ in TABLE} == set(Kind)


@pytest.mark.parametrize(("kind", "entry", "expected"), TABLE)
def test_no_sentence_repeats_what_an_operator_wrote_or_an_id(kind: Kind, entry: dict[str, Any], expected: str):
    for word in ("operator", "complained", "gra_", "secret", "GOODWILL"):
        assert word not in told(kind, **entry)


def test_days_are_those_of_the_customer():
    burn = {"amount": "-1", "allocations": [(1, "1")]}
    assert told(Kind.BURN, zone="America/Los_Angeles", **burn) == "1 credit, from 500 credits that expire Jan 30"
    assert told(Kind.BURN, zone="Asia/Kathmandu", **burn) == "1 credit, from 500 credits that expire Jan 31"


def test_the_last_day_of_the_calendar_is_a_day():
    last = datetime.max.replace(tzinfo=UTC)
    assert day(last, ZoneInfo("Pacific/Kiritimati"), beside=AT) == "Dec 31, 9999"
    assert day(datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), ZoneInfo("UTC"), beside=AT) == "Jan 19, 2038"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0", "0"),
        ("0.000001", "0.000001"),
        ("-0.5", "-0.5"),
        ("999", "999"),
        ("1234567.100", "1,234,567.1"),
        ("-1000", "-1,000"),
    ],
)
def test_numbers_keep_every_digit(number: str, written: str):
    assert grouped(Decimal(number)) == written


@pytest.mark.parametrize(
    ("name", "many"),
    [
        *(("token", "tokens"), ("query", "queries"), ("key", "keys"), ("GB", "GB"), ("kWh", "kWh"), ("box", "boxes")),
        *(("search", "searches"), ("minutes", "minutes"), ("Anfrage", "Anfrage"), ("API call", "API call"), ("", "")),
    ],
)
def test_units_are_told_in_the_plural_where_english_has_one(name: str, many: str):
    assert unit(name, Decimal(2)) == many
    assert unit(name, Decimal(1)) == name


def test_lists_end_in_and():
    assert [listed(list("abcde"[:count])) for count in range(1, 6)] == [
        *("a", "a and b", "a, b and c", "a, b, c and 1 more", "a, b, c and 2 more"),
    ]


def test_lines_of_an_explanation_have_a_name_for_every_kind_and_source():
    sources = ("PURCHASE", "RECHARGE", "PLAN", "TRIAL", "PROMOTION", "MANUAL", "REFUND", "ROLLOVER", "ADJUSTMENT")
    names = {label(Kind.GRANT, None, source, CATALOG) for source in sources}
    assert len(names) == len(sources)
    assert "Plan credits" in names
    assert label(Kind.EXPIRE, None, "PLAN", CATALOG) == "Expired: plan credits"
    assert label(Kind.BURN, 1, None, CATALOG) == label(Kind.SETTLE, 1, None, CATALOG) == "Input tokens"
    assert label(Kind.BURN, None, None, CATALOG) == "Credits used"
    assert label(Kind.REVERSE, 1, None, CATALOG) == "Given back: Input tokens"
    assert all(label(kind, None, None, CATALOG) for kind in Kind)
