"""What an event says that is priced: quantity and dimensions."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from credits.canonical import canonical_json
from credits.catalog.matching import Scalar
from credits.catalog.values import Catalog, Feature, Rate, RateCard
from credits.rating.meter import Meter, features_for, quantity_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def feature(number: int = 1, quantity: str = "tokens", *, archived: bool = False) -> Feature:
    return Feature(number, f"f{number}", f"F{number}", None, "call", quantity, "token", archived)


def metering(*features: Feature, card: RateCard | None = None) -> Meter:
    return Meter.of(Catalog(1, 1, (), features, (), ()), card, "call")


def parsed(data: str) -> Any:
    """As events are parsed: integers as they are, every other number a Decimal."""
    return json.loads(data, parse_float=Decimal)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("374", "374"),
        ("0", "0"),
        ("-0", "0"),
        ("0.1", "0.1"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("1.0000000000000000000000000000000000000000", "1"),
        ("0.000000000001", "0.000000000001"),
        ("9999999999999.999999999999", "9999999999999.999999999999"),
        ('"12.5"', "12.5"),  # text that is a plain decimal
        ("0e999999", "0"),
    ],
)
def test_a_quantity_is_the_decimal_it_is_written_as(written: str, meant: str) -> None:
    quantity = quantity_of(feature(), parsed(f'{{"tokens": {written}}}'))
    assert quantity == Decimal(meant)
    assert isinstance(quantity, Decimal)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("{}", "data.tokens is missing"),
        ('{"tokens": null}', "data.tokens is missing"),
        ('{"tokens": -1}', "data.tokens is negative"),
        ('{"tokens": -0.1}', "data.tokens is negative"),
        ('{"tokens": "-1"}', "data.tokens is negative"),
        ('{"tokens": true}', "data.tokens is not a number"),
        ('{"tokens": []}', "data.tokens is not a number"),
        ('{"tokens": {}}', "data.tokens is not a number"),
        ('{"tokens": "many"}', "data.tokens is not a plain decimal"),
        ('{"tokens": ""}', "data.tokens is not a plain decimal"),
        ('{"tokens": "1e3"}', "data.tokens is not a plain decimal"),
        ('{"tokens": "NaN"}', "data.tokens is not a plain decimal"),
        ('{"tokens": NaN}', "data.tokens is not a number"),  # the parser's float, which no event may carry
        ('{"tokens": 10000000000000}', "data.tokens has more than 13 digits"),
        ('{"tokens": 1e13}', "data.tokens has more than 13 digits"),
        ('{"tokens": 1e999999999}', "data.tokens has more than 13 digits"),
        ('{"tokens": 0.0000000000001}', "data.tokens has more than 12 decimals"),
        ('{"tokens": 1e-999999999}', "data.tokens has more than 12 decimals"),
        ('{"tokens": 1.00000000000000000000000000000000001}', "data.tokens has more than 12 decimals"),
        ('{"tokens": 1234567890123.0000000000001}', "data.tokens has more than 12 decimals"),
    ],
)
def test_what_cannot_be_counted_says_why(data: str, problem: str) -> None:
    found = quantity_of(feature(), parsed(data))
    assert isinstance(found, str)
    assert found.startswith(problem)


@pytest.mark.parametrize("infinite", ["Infinity", "-Infinity", "NaN", "sNaN"])
def test_a_decimal_that_is_no_number_is_none(infinite: str) -> None:
    assert quantity_of(feature(), {"tokens": Decimal(infinite)}) == "data.tokens is not a number"


def test_a_feature_that_counts_events_needs_nothing_of_their_data() -> None:
    assert quantity_of(feature(quantity="1"), {"1": 5}) == Decimal(1)


def test_dimensions_are_the_other_scalar_fields() -> None:
    data = parsed(
        '{"tokens": 1, "out": 2, "model": "large", "fast": true, "size": 0.5, "count": 3, '
        '"member": "ada", "nested": {"a": 1}, "list": [1], "none": null}'
    )
    both = metering(feature(1, "tokens"), feature(2, "out"))
    assert both.dimensions_of(data) == {"model": "large", "fast": True, "size": Decimal("0.5"), "count": 3}
    assert "out" in metering(feature()).dimensions_of(data), "only what is a quantity here is no dimension"
    assert metering(feature(1, "1")).dimensions_of({"1": "one"}) == {"1": "one"}


def test_usage_is_priced_by_what_its_dimensions_mean() -> None:
    """A rate that was found once is taken for whoever means the same, and for nobody else."""
    matches: list[dict[str, Scalar]] = [{}, {"n": 1}, {"n": "1"}, {"n": True}]
    rates = tuple(Rate(number, 1, 1, 1, match, Decimal(1), "UP") for number, match in enumerate(matches))
    meter = metering(feature(), card=RateCard(1, "default", 1, START, START, False, None, rates))
    said: list[tuple[dict[str, Scalar], int]] = [
        *(({}, 0), ({"n": 1}, 1), ({"n": "1"}, 2), ({"n": True}, 3), ({"n": False}, 0), ({"m": 1}, 0)),
        *(({"n": Decimal("1.0")}, 1), ({"n": Decimal("1.5")}, 0)),
    ]
    for dimensions, rate_id in said * 2:
        (applied,) = meter.priced(dimensions, canonical_json(dimensions) if dimensions else None)
        assert applied.rate is not None
        assert applied.rate.id == rate_id, dimensions


def test_an_archived_feature_meters_for_whoever_is_on_a_card_that_prices_it() -> None:
    live, archived = feature(1), feature(2, archived=True)
    catalog = Catalog(1, 1, (), (live, archived), (), ())

    def card(*feature_ids: int) -> RateCard:
        rates = tuple(Rate(n, 1, n, 1, {}, Decimal(1), "UP") for n in feature_ids)
        return RateCard(1, "default", 1, START, START, False, None, rates)

    assert features_for(catalog, "call", card(1, 2)) == (live, archived)
    assert features_for(catalog, "call", card(1)) == (live,)
    assert features_for(catalog, "call", card()) == (live,), "priced or not: unrated usage must be seen"
    assert features_for(catalog, "call", None) == (live,)
    assert features_for(catalog, "other", card(1)) == ()
