"""JSON from outside, with each number as the number it is written as.

orjson reads most bodies whole. Where one holds a fraction or more digits than 64 bits hold, which orjson would make a
float of, the standard library reads it again and we make each number ourselves.
"""

import json
import re
from typing import Any

import orjson
from graphql import GraphQLError

from schema.scalars import exact_number, exact_whole

# A number stands at the beginning or after one of these. A string may look the same within; then the slower way
# reads it, with one result.
_INEXACT = re.compile(rb"(?:^|[:,\[])\s*-?(?:[0-9]+[.eE]|[0-9]{19})")
# PostgreSQL's text cannot hold it, and no field of ours means anything by it. Written in a GraphQL string it comes
# here with one backslash more.
_NUL = re.compile(rb"\\u(?:0000|\{0+\})")


class NotJson(ValueError):
    """The message says why."""


def exact_json(body: bytes) -> Any:
    """The value of a JSON text, numbers as `int` or `Decimal`. Raises `NotJson`."""
    try:
        value = orjson.loads(body)
        if _INEXACT.search(body):
            value = json.loads(body, parse_float=exact_number, parse_int=exact_whole)
    except (GraphQLError, ValueError, ArithmeticError) as error:
        raise NotJson(f"not JSON that can be taken: {error}") from None
    except RecursionError:
        raise NotJson("JSON nested far too deep") from None
    if _NUL.search(body):
        raise NotJson("the character NUL is not taken")
    return value


__all__ = ["NotJson", "exact_json"]
