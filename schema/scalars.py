"""The four scalars of the contract. Nothing becomes a float, in or out.

On the way in each refuses whatever it does not take with a message; graphql-core puts the path before it. On the
way out a string is taken as formatted already, and an `int` in a Decimal field is micro-credits, as everywhere in
the house: most answers consist of amounts.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NewType

import orjson
import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, ListValueNode, ObjectValueNode, StringValueNode
from graphql.language import BooleanValueNode, NullValueNode, ValueNode, VariableNode
from strawberry.types.scalar import ScalarDefinition

from credits.amount import INT64_MAX, parse_plain, plain, plain_micro
from credits.bounds import JSON_DEPTH_MAX

if TYPE_CHECKING:
    Credits = int
    JSON = Any
else:
    Credits = NewType("Credits", int)  # micro-credits in Python, Decimal in the contract
    JSON = NewType("JSON", object)

_NUMBER_DIGITS_MAX = 64  # digits and exponent of a number within JSON: 1e999999 would be a megabyte in plain notation
_INT_DIGITS = 19  # an integer of fewer fits 64 bits
_WHOLE_MAX = 10**13  # what parse_plain takes before the point; keeps a hostile integer from being written out

_DATE_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


# ─── Decimal ───────────────────────────────────────────────────────────────────────────────────────
def decimal_in(value: object) -> Decimal:
    """A string in plain notation, or a whole number; a JSON float has lost its decimals already and is refused."""
    if isinstance(value, str):
        try:
            number = parse_plain(value)
        except ValueError as error:
            raise GraphQLError(str(error)) from None
        return number.copy_abs() if number.is_zero() else number  # "-0" is zero: no sign may hide in it
    if isinstance(value, int) and not isinstance(value, bool):
        if -_WHOLE_MAX < value < _WHOLE_MAX:
            return Decimal(value)
        raise GraphQLError("not a plain decimal: at most 13 digits before the point")
    raise GraphQLError('a decimal is written as a string, such as "0.25"; floats are not taken')


def decimal_out(value: object) -> str:
    """Plain notation. An `int` is micro-credits; a string is formatted already."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return plain_micro(value)
    if isinstance(value, Decimal) and value.is_finite():
        return plain(value)
    raise TypeError(f"{type(value).__name__} in a Decimal field")


def _decimal_literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> Decimal:
    if isinstance(node, StringValueNode):
        return decimal_in(node.value)
    if isinstance(node, IntValueNode):
        return decimal_in(_whole(node))
    raise GraphQLError('a decimal is written as a string, such as "0.25"; floats are not taken', node)


def _whole(node: IntValueNode) -> int:
    if len(node.value) > _NUMBER_DIGITS_MAX:
        raise GraphQLError("a number of too many digits", node)
    return int(node.value)


# ─── DateTime and Date ─────────────────────────────────────────────────────────────────────────────
def date_time_in(value: object) -> datetime:
    """RFC 3339 with offset → UTC. Digits beyond microseconds are cut; without an offset it is no instant."""
    found = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError('not an instant in RFC 3339 with offset, such as "2026-01-31T09:30:00Z"')
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    micro = int((found[7] or "").ljust(6, "0")[:6])
    try:
        zone = UTC if found[8] else _offset(found[9], int(found[10]), int(found[11]))
        return datetime(year, month, day, hour, minute, second, micro, zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError(f"no such instant: {error}") from None


def _offset(sign: str, hours: int, minutes: int) -> timezone:
    if hours > 23 or minutes > 59:
        raise ValueError("offset beyond 23:59")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)


def date_time_out(value: object) -> str:
    """UTC with microseconds: `2026-01-01T00:00:00.000000Z`. A naive datetime is a bug, not midnight somewhere."""
    if isinstance(value, str):
        return value
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{type(value).__name__} in a DateTime field, or a naive one")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[:26] + "Z"


def date_in(value: object) -> date:
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError('not a date such as "2026-01-31"')
    try:
        return date(*map(int, found.groups()))
    except ValueError as error:
        raise GraphQLError(f"no such date: {error}") from None


def date_out(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a Date field")


# ─── JSON ──────────────────────────────────────────────────────────────────────────────────────────
def exact_whole(digits: str) -> int | Decimal:
    """A whole number as JSON writes it: an `int`, or a Decimal where 64 bits do not hold it."""
    return int(digits) if len(digits) < _INT_DIGITS else exact_number(digits)


def exact_number(digits: str) -> Decimal:
    """Any number as JSON writes it, with the digits it is written with."""
    if len(digits) > 2 * _NUMBER_DIGITS_MAX:
        raise GraphQLError("a number of too many digits")
    return Decimal(digits)


def json_in(value: object) -> object:
    """Any JSON value of bounded depth, with numbers as `int` or `Decimal`: exactly the digits that were written."""
    _check_json(value, 1)
    return value


def _check_json(value: object, depth: int) -> None:
    if depth > JSON_DEPTH_MAX:
        raise GraphQLError(f"JSON nested deeper than {JSON_DEPTH_MAX}")
    if isinstance(value, dict):
        for item in value.values():
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, Decimal):
        _check_number(value)
    elif isinstance(value, int):
        if abs(value) > INT64_MAX:  # exact_number makes Decimals of these; orjson writes no longer integers
            raise GraphQLError("a number of too many digits")
    elif value is not None and not isinstance(value, str):
        raise GraphQLError(f"{type(value).__name__} is no JSON value")


def _check_number(number: Decimal) -> None:
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    if not isinstance(exponent, int) or len(digits) > _NUMBER_DIGITS_MAX or abs(exponent) > _NUMBER_DIGITS_MAX:
        raise GraphQLError("a number of too many digits")


def _json_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> object:
    value = _literal_value(node, variables or {}, 1)
    _check_json(value, 1)  # a variable within the literal brings its own depth
    return value


def _literal_value(node: ValueNode, variables: Mapping[str, Any], depth: int) -> object:
    if depth > JSON_DEPTH_MAX:
        raise GraphQLError(f"JSON nested deeper than {JSON_DEPTH_MAX}", node)
    match node:
        case StringValueNode() | BooleanValueNode():
            return node.value
        case IntValueNode():
            return exact_whole(node.value)
        case FloatValueNode():
            return exact_number(node.value)
        case NullValueNode():
            return None
        case VariableNode():
            return variables.get(node.name.value)
        case ListValueNode():
            return [_literal_value(item, variables, depth + 1) for item in node.values]
        case ObjectValueNode():
            return {field.name.value: _literal_value(field.value, variables, depth + 1) for field in node.fields}
        case _:
            raise GraphQLError("an enum value is no JSON value", node)


def json_out(value: object) -> object:
    """As it is: a Python value, or `orjson.Fragment` of what the database holds, which is not even parsed."""
    return value


def encode_other(value: object) -> object:
    """orjson's `default`: exact numbers within JSON, written as the numbers they are."""
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(plain(value).encode())
    raise TypeError(f"{type(value).__name__} is no JSON value")


# ─── for Strawberry ────────────────────────────────────────────────────────────────────────────────
def _string_literal(parse: Callable[[object], Any]) -> Callable[..., Any]:
    def literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> Any:
        return parse(node.value if isinstance(node, StringValueNode) else None)

    return literal


_DECIMAL = strawberry.scalar(
    name="Decimal",
    description="Exact, as a string, never a float; credits at most 6 decimal places, rates and quantities 12.",
    serialize=decimal_out,
    parse_value=decimal_in,
    parse_literal=_decimal_literal,
)
SCALARS: dict[object, ScalarDefinition] = {
    Decimal: _DECIMAL,
    Credits: _DECIMAL,
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339 with offset in, UTC with microseconds out.",
        serialize=date_time_out,
        parse_value=date_time_in,
        parse_literal=_string_literal(date_time_in),
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day, such as 2026-01-31.",
        serialize=date_out,
        parse_value=date_in,
        parse_literal=_string_literal(date_in),
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value; numbers keep the digits they are written with.",
        serialize=json_out,
        parse_value=json_in,
        parse_literal=_json_literal,
    ),
}

__all__ = [
    "JSON",
    "SCALARS",
    "Credits",
    "date_in",
    "date_out",
    "date_time_in",
    "date_time_out",
    "decimal_in",
    "decimal_out",
    "encode_other",
    "exact_number",
    "exact_whole",
    "json_in",
    "json_out",
]
