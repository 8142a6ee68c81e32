"""Rating: exact against fractions, rounded once; the most specific match wins."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.amount import INT64_MAX, MICRO
from credits.catalog.matching import ambiguities
from credits.catalog.values import Rate, RateCard
from credits.errors import InvalidInput
from credits.rating.rate import Rated, find_rate, rate

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_rate(per_unit: str | Decimal = "1", rounding: Any = "HALF_EVEN", match: Any = None, number: int = 1) -> Rate:
    return Rate(number, 1, 1, 1, match or {}, Decimal(per_unit), rounding)


def a_card(*matches: dict[str, Any]) -> RateCard:
    """A card whose rates are for feature 1, numbered from 1."""
    rates = tuple(a_rate(match=match, number=number) for number, match in enumerate(matches, 1))
    return RateCard(1, "default", 1, START, START, False, None, rates)


@pytest.mark.parametrize(
    ("quantity", "per_unit", "scale", "rounding", "micro"),
    [
        ("374", "0.001", 3, "HALF_EVEN", 374_000),
        ("44", "0.002", 3, "HALF_EVEN", 88_000),
        ("0", "5", 3, "UP", 0),
        ("7", "0", 3, "UP", 0),
        # Halves: to the even neighbour
        ("1", "0.0005", 3, "HALF_EVEN", 0),
        ("3", "0.0005", 3, "HALF_EVEN", 2_000),
        ("1", "2.5", 0, "HALF_EVEN", 2_000_000),
        ("1", "3.5", 0, "HALF_EVEN", 4_000_000),
        ("1", "2.500000000001", 0, "HALF_EVEN", 3_000_000),
        # Up: never gives a fraction away
        ("1", "0.000000000001", 0, "UP", 1_000_000),
        ("1", "0.000000000001", 6, "UP", 1),
        ("0.000000000001", "0.000000000001", 6, "UP", 1),
        ("1", "2", 0, "UP", 2_000_000),
        # Down: never charges one
        ("1", "0.999999999999", 0, "DOWN", 0),
        ("1", "1.999999999999", 6, "DOWN", 1_999_999),
        # A third three times is not one
        ("0.333333333333", "1", 6, "HALF_EVEN", 333_333),
    ],
)
def test_the_product_is_rounded_once_to_the_scale(
    quantity: str, per_unit: str, scale: int, rounding: str, micro: int
) -> None:
    rated = rate(a_rate(per_unit, rounding), Decimal(quantity), scale)
    assert isinstance(rated, Rated)
    assert rated.amount_micro == micro
    assert rated.exact == Decimal(quantity) * Decimal(per_unit)
    assert rated.rounded == (rated.exact * MICRO != micro)


DECIMALS = st.builds(
    lambda whole, fraction: Decimal(f"{whole}.{fraction:012d}"),
    st.one_of(st.integers(0, 10**13 - 1), st.integers(0, 2000)),
    st.one_of(st.integers(0, 10**12 - 1), st.sampled_from([0, 5 * 10**11, 5 * 10**8, 10**9, 1])),
)


@given(DECIMALS, DECIMALS, st.integers(0, 6), st.sampled_from(["UP", "HALF_EVEN", "DOWN"]))
def test_every_amount_is_what_fractions_say(quantity: Decimal, per_unit: Decimal, scale: int, rounding: str) -> None:
    exact = Fraction(quantity) * Fraction(per_unit)
    units = exact * 10**scale
    down = units.numerator // units.denominator
    # Of the neighbours, the one that the rounding names: an own spelling, so that both would have to be wrong alike.
    wanted = {"DOWN": down, "UP": -(-units.numerator // units.denominator), "HALF_EVEN": round(units)}[rounding]
    micro = wanted * 10 ** (6 - scale)
    rated = rate(a_rate(per_unit, rounding), quantity, scale)
    if micro > INT64_MAX:
        assert isinstance(rated, InvalidInput)
    else:
        assert isinstance(rated, Rated)
        assert rated.amount_micro == micro
        assert Fraction(rated.exact) == exact
        assert rated.rounded == (exact * MICRO != micro)


@given(DECIMALS, DECIMALS, st.integers(0, 6))
def test_up_and_down_enclose_the_exact_price(quantity: Decimal, per_unit: Decimal, scale: int) -> None:
    up, down = (rate(a_rate(per_unit, rounding), quantity, scale) for rounding in ("UP", "DOWN"))
    if isinstance(up, Rated) and isinstance(down, Rated):
        assert down.amount_micro <= up.exact * MICRO <= up.amount_micro
        assert up.amount_micro - down.amount_micro in (0, 10 ** (6 - scale))


def test_what_does_not_fit_an_amount_is_refused_and_the_last_that_does_is_not() -> None:
    most = Decimal(INT64_MAX) / MICRO
    rated = rate(a_rate("1"), most, 6)
    assert isinstance(rated, Rated)
    assert rated.amount_micro == INT64_MAX
    assert isinstance(rate(a_rate("1"), most + Decimal("0.000001"), 6), InvalidInput)
    assert isinstance(rate(a_rate("9999999999999"), Decimal(9999999999999), 6), InvalidInput)


def test_a_negative_quantity_is_refused() -> None:
    assert isinstance(rate(a_rate("1"), Decimal(-1), 6), InvalidInput)


LARGE_EU = {"model": "large", "region": "eu"}


@pytest.mark.parametrize(
    ("matches", "dimensions", "number"),
    [
        ([{}], {}, 1),
        ([{}], {"model": "large"}, 1),  # dimensions that no match names do not matter
        ([{}, {"model": "large"}], {"model": "large"}, 2),
        ([{"model": "large"}, {}], {"model": "large"}, 1),  # whatever the order of the rates
        ([{}, {"model": "large"}], {"model": "small"}, 1),
        ([{}, {"model": "large"}], {"Model": "large"}, 1),
        ([{"model": "large"}], {"model": "small"}, None),
        ([{"model": "large"}], {}, None),
        ([], {}, None),
        ([{"model": "large"}, LARGE_EU, {}], {**LARGE_EU, "x": 1}, 2),
        ([{"model": "large"}, LARGE_EU, {}], {"model": "large", "region": "us"}, 1),
        ([{"model": "large"}, LARGE_EU, {}], {"region": "eu"}, 3),
        # By meaning
        ([{"size": 1}], {"size": Decimal("1.0")}, 1),
        ([{"size": Decimal("0.5")}], {"size": Decimal("0.50")}, 1),
        ([{"size": 1}], {"size": "1"}, None),
        ([{"size": 1}], {"size": True}, None),
        ([{"fast": True}], {"fast": True}, 1),
        ([{"fast": True}], {"fast": 1}, None),
        ([{"fast": True}], {"fast": "true"}, None),
        ([{"fast": True}, {"fast": False}], {"fast": False}, 2),
        ([{}, {"model": "large"}], {"model": ["large"]}, 1),  # no scalar matches nothing
        ([{}, {"model": "large"}], {"model": None}, 1),
        ([{}, {"model": "large"}], {"model": {"large": 1}}, 1),
    ],
)
def test_the_most_specific_match_wins(
    matches: list[dict[str, Any]], dimensions: dict[str, Any], number: int | None
) -> None:
    found = find_rate(a_card(*matches), 1, dimensions)
    assert (found.id if found else None) == number


def test_another_feature_has_no_rate_here() -> None:
    assert find_rate(a_card({}), 2, {}) is None


VALUES = st.sampled_from(["a", "b", 1, True])
MATCHES = st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3)


def applies(match: dict[str, Any], dimensions: dict[str, Any]) -> bool:
    return all(
        name in dimensions and dimensions[name] == value and type(dimensions[name]) is type(value)
        for name, value in match.items()
    )


@given(st.lists(MATCHES, max_size=6), MATCHES)
def test_without_ambiguity_exactly_one_rate_is_the_most_specific(
    matches: list[dict[str, Any]], dimensions: dict[str, Any]
) -> None:
    card = a_card(*matches)
    fitting = [one for one in card.rates if applies(dict(one.match), dimensions)]
    longest = max((len(one.match) for one in fitting), default=0)
    best = [one for one in fitting if len(one.match) == longest]
    if ambiguities(card.rates):
        return
    assert len(best) <= 1, "what ambiguities() lets pass is never left to chance"
    assert find_rate(card, 1, dimensions) == (best[0] if best else None)


@given(MATCHES, MATCHES)
def test_two_matches_are_ambiguous_when_some_usage_would_carry_both(one: dict[str, Any], other: dict[str, Any]) -> None:
    both = {**one, **other}
    could = len(one) == len(other) and applies(one, both) and applies(other, both)
    assert bool(ambiguities(a_card(one, other).rates)) == could
