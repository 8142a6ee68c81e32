"""What each scalar takes, refuses and writes. The words of the refusals are tested where a path stands before them."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st

from credits.amount import plain_micro
from credits.bounds import JSON_DEPTH_MAX
from schema.execution import Engine
from schema.scalars import (
    SCALARS,
    Credits,
    date_in,
    date_out,
    date_time_in,
    date_time_out,
    decimal_in,
    decimal_out,
    encode_other,
    json_in,
)
from tests.schema.sample import BACKEND, SampleContext, build

HOSTILE_DECIMALS: list[Any] = [
    "NaN", "sNaN", "nan", "Infinity", "-Infinity", "inf", "1e400", "1E5", "1e-3", "0x10", "1_000", "1,000", " 1 ", "1 ",
    "\n1", "1\n", "", "-", ".", ".5", "5.", "+1", "--1", "−1", "٣", "１", "1.٣", "1.1234567890123", "12345678901234",
    "9" * 5000, "1;DROP", "1\x00", True, False, 1.5, 0.1, float("nan"), float("inf"), 10**13, -(10**13), 2**63, 10**4000,
    Decimal("1.5"), [], {}, ["1"], b"1",
]  # fmt: skip

DECIMALS: list[tuple[Any, Decimal]] = [
    ("1", Decimal(1)),
    ("1.50", Decimal("1.5")),
    ("0.000000000001", Decimal("1e-12")),
    ("-9999999999999.999999", Decimal("-9999999999999.999999")),
    ("007", Decimal(7)),
    (7, Decimal(7)),
    (0, Decimal(0)),
    (-(10**13) + 1, Decimal(-(10**13) + 1)),
]


@pytest.mark.parametrize("value", HOSTILE_DECIMALS, ids=lambda value: repr(value)[:20])
def test_a_decimal_is_plain_or_refused(value: Any):
    with pytest.raises(GraphQLError):
        decimal_in(value)


@pytest.mark.parametrize(("value", "meant"), DECIMALS)
def test_plain_decimals_are_taken_exactly(value: Any, meant: Decimal):
    assert decimal_in(value) == meant


@pytest.mark.parametrize("value", ["-0", "-0.0", "-0.000000", "0"])
def test_minus_zero_is_zero_without_a_sign(value: str):
    assert str(decimal_in(value)).lstrip("0.") == ""
    assert not decimal_in(value).is_signed()


@pytest.mark.parametrize("literal", ["1.5", "1e3", "true", "NAN", "[1]", "{a: 1}", "9" * 5000, '"NaN"', '"""1 """'])
def test_a_decimal_literal_is_a_string_or_a_whole_number(literal: str):
    definition = SCALARS[Decimal]
    assert definition.parse_literal is not None
    with pytest.raises(GraphQLError):
        definition.parse_literal(parse_value(literal), None)
    assert definition.parse_literal(parse_value("3"), None) == 3
    assert definition.parse_literal(parse_value('"0.25"'), None) == Decimal("0.25")


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_every_amount_comes_out_as_the_decimal_it_is(micro: int):
    written = decimal_out(micro)
    assert Decimal(written) * 1_000_000 == micro
    assert "e" not in written.lower()
    assert written == decimal_out(plain_micro(micro)) == decimal_out(Decimal(micro).scaleb(-6))


@pytest.mark.parametrize("value", [1.5, True, None, Decimal("NaN"), Decimal("Infinity"), b"1"])
def test_what_is_no_decimal_does_not_come_out(value: Any):
    with pytest.raises(TypeError):
        decimal_out(value)


INSTANTS = [
    ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
    ("2026-01-01t00:00:00z", datetime(2026, 1, 1, tzinfo=UTC)),
    ("2026-01-01 02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ("2025-12-31T18:30:00.5-05:30", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
    ("2026-01-01T00:00:00.123456789Z", datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)),
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "meant"), INSTANTS)
def test_an_instant_is_taken_with_its_offset(text: str, meant: datetime):
    taken = date_time_in(text)
    assert taken == meant
    assert taken.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T00:00:00", "2026-01-01", "20260101T000000Z", "2026-1-1T00:00:00Z", "2026-W01-1T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+0200", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠٢٦-01-01T00:00:00Z", " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n", "now", "", 0, 1_767_225_600, None, True, ["2026-01-01T00:00:00Z"],
    ],
)  # fmt: skip
def test_an_instant_without_offset_or_out_of_form_is_refused(value: Any):
    with pytest.raises(GraphQLError):
        date_time_in(value)


def test_an_instant_comes_out_in_utc_with_microseconds():
    assert date_time_out(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
    india = timezone(timedelta(hours=5, minutes=30))
    assert date_time_out(datetime(2026, 1, 1, 5, 30, 0, 7, tzinfo=india)) == "2026-01-01T00:00:00.000007Z"
    with pytest.raises(TypeError):
        date_time_out(datetime(2026, 1, 1))  # noqa: DTZ001 -- it must not come out


def test_a_date_is_a_calendar_day():
    assert date_in("2024-02-29") == date(2024, 2, 29)
    assert date_out(date(2024, 2, 29)) == "2024-02-29"
    for wrong in ["2023-02-29", "2024-2-29", "20240229", "2024-02-29T00:00:00Z", "", 20240229, None]:
        with pytest.raises(GraphQLError):
            date_in(wrong)
    with pytest.raises(TypeError):
        date_out(datetime(2026, 1, 1, tzinfo=UTC))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_json_is_bounded_in_depth_and_digits():
    json_in(nested(JSON_DEPTH_MAX - 1))
    refused = [nested(JSON_DEPTH_MAX), {"a": nested(JSON_DEPTH_MAX)}, 0.1, {"a": [0.1]}, 10**64, Decimal("1e400")]
    for wrong in [*refused, Decimal("1e999999"), Decimal("1e-400"), Decimal("NaN"), object(), {"a": b"1"}]:
        with pytest.raises(GraphQLError):
            json_in(wrong)


@pytest.mark.parametrize(
    ("literal", "meant"),
    [
        ("{a: 0.1, b: [1, 2.50, true, null, \"x\"]}", {"a": Decimal("0.1"), "b": [1, Decimal("2.50"), True, None, "x"]}),
        ("0.10000000000000000000000000001", Decimal("0.10000000000000000000000000001")),
        ("123456789012345678901234567890", Decimal("123456789012345678901234567890")),
        ("999999999999999999", 999999999999999999),
        ("null", None),
        ("{}", {}),
    ],
)  # fmt: skip
async def test_json_literals_keep_every_digit(literal: str, meant: Any):
    context = SampleContext(BACKEND)
    answer = await Engine(build()).execute(f"{{ echo(value: {literal}) }}", None, None, context)
    assert not answer.errors
    assert context.seen == [(None, meant)]
    assert type(context.seen[0][1]) is type(meant)
    written = orjson.dumps(answer.data, default=encode_other)
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == {"echo": meant}


async def test_variables_within_json_literals_keep_their_values():
    context = SampleContext(BACKEND)
    query = "query($a: JSON, $b: String) { echo(value: {a: $a, b: [$b], c: $missing}) }".replace(", c: $missing", "")
    answer = await Engine(build()).execute(query, {"a": {"x": Decimal("0.1")}, "b": "s"}, None, context)
    assert not answer.errors
    assert context.seen == [(None, {"a": {"x": Decimal("0.1")}, "b": ["s"]})]


@pytest.mark.parametrize("literal", ["ENUM", "{a: ENUM}", "[" * 17 + "]" * 17, "9" * 65, "1e400", "{a: 1e400}"])
async def test_json_literals_out_of_bounds_are_refused(literal: str):
    answer = await Engine(build()).execute(f"{{ echo(value: {literal}) }}", None, None, SampleContext(BACKEND))
    assert not answer.executed
    assert answer.errors[0].extensions == {"code": "BAD_REQUEST"}
    assert "echo.value" in answer.errors[0].message


INPUT = {"customer": "acme", "idempotencyKey": "k"}
BURN = "mutation($input: BurnInput!) { noop(input: $input) }"
MANY = "mutation($inputs: [BurnInput!]!) { burnMany(inputs: $inputs) { __typename } }"


@pytest.mark.parametrize(
    ("query", "variables", "path"),
    [
        (BURN, {"input": {**INPUT, "amount": "NaN"}}, "'$input' has invalid value at .amount"),
        (BURN, {"input": {**INPUT, "amount": 0.1}}, "'$input' has invalid value at .amount"),
        (BURN, {"input": {**INPUT, "cost": {"amount": "1e5"}}}, "at .cost.amount"),
        (BURN, {"input": {**INPUT, "occurredAt": "2026-01-01T00:00:00"}}, "at .occurredAt"),
        (BURN, {"input": {**INPUT, "dimensions": {"a": 0.1}}}, "at .dimensions"),
        (MANY, {"inputs": [INPUT, {**INPUT, "amount": "٣"}]}, "'$inputs' has invalid value at [1].amount"),
        ("mutation { noop(input: {customer: \"a\", idempotencyKey: \"k\", amount: 1.5}) }", {}, "at noop.input.amount"),
        ("mutation { x: noop(input: {customer: \"a\", idempotencyKey: \"k\", costs: [{amount: \"-\"}]}) }", {},
         "at x.input.costs.0.amount"),
        ("query($a: Decimal = 1.5) { echo(amount: $a) }", {}, "at $a"),
    ],
)  # fmt: skip
async def test_a_refused_input_names_its_path(query: str, variables: dict[str, Any], path: str):
    answer = await Engine(build()).execute(query, variables, None, SampleContext(BACKEND))
    assert not answer.executed
    assert path in answer.errors[0].message
    assert answer.errors[0].extensions == {"code": "BAD_REQUEST"}


async def test_credits_come_out_of_their_integers():
    query = "{ entry(number: 3) { amount quantity occurredAt data } }"
    answer = await Engine(build()).execute(query, None, None, SampleContext(BACKEND))
    assert answer.data == {
        "entry": {
            "amount": decimal_out(Credits(-4_500_000)),
            "quantity": "0.1",
            "occurredAt": "2026-01-01T12:00:00.000000Z",
            "data": {"model": "large", "share": Decimal("0.1")},
        }
    }
    assert answer.data["entry"]["amount"] == "-4.5"
