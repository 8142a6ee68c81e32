"""JSON from outside: every number as it is written, everything odd refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.exact_json import NotJson, exact_json

EXACT: list[tuple[str, Any]] = [
    ('{"a": 0.1}', {"a": Decimal("0.1")}),
    ("[1.0]", [Decimal("1.0")]),
    ('{"a":-0.10000000000000000000001}', {"a": Decimal("-0.10000000000000000000001")}),
    ("[1e2, 1E-7]", [Decimal("1e2"), Decimal("1E-7")]),
    ("[9007199254740993]", [9007199254740993]),
    ("[18446744073709551616]", [Decimal("18446744073709551616")]),
    ("[123456789012345678901234567890]", [Decimal("123456789012345678901234567890")]),
    ('{"a": [ -1 , 2 ]}', {"a": [-1, 2]}),
    ('{"note": ": 1.5 [2.5"}', {"note": ": 1.5 [2.5"}),
    ('{"a":\n\t 0.3}', {"a": Decimal("0.3")}),
]


@pytest.mark.parametrize(("text", "value"), EXACT)
def test_numbers_keep_their_digits(text: str, value: Any):
    assert exact_json(text.encode()) == value
    assert repr(exact_json(text.encode())) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"{'a': 1}", b"[NaN]", b"[Infinity]", b"[-Infinity]", b"[01]", b"[1.]", b"[.5]", b"[0x10]", b"[1_000]",
        b"[+1]", b'["\x00"]', b'["\\u0000"]', b'{"query": "{ a(b: \\"\\\\u0000\\") }"}', b'["\\ud800"]', b'["\xff"]',
        b"[" * 100_000, b"[" * 2_000 + b"]" * 2_000, b'{"a":' * 1_500 + b"0.5" + b"}" * 1_500, b"[1e999999999999999999]",
        b"[" + b"9" * 5_000 + b"]", b"[0." + b"9" * 5_000 + b"]", b"[1] [2]", b"[1,]", b'{"a": 0.5,}',
    ],
)  # fmt: skip
def test_what_is_no_plain_json_is_refused(text: bytes):
    with pytest.raises(NotJson):
        exact_json(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals(-(10**9), 10**9, places=9)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_any_value_is_read_as_exactly_as_by_the_standard_library(value: Any):
    text = json.dumps(_marked(value)).replace('"\\ue000', "").replace('\\ue001"', "")
    if "\\u0000" in text:
        return
    exact = exact_json(text.encode())
    assert exact == json.loads(text, parse_float=Decimal, parse_int=_whole)


def _marked(value: Any) -> Any:
    """Decimals as text between two private characters, taken off again: json writes no Decimal."""
    if isinstance(value, Decimal):
        return f"\ue000{value:f}\ue001"
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return {key: _marked(item) for key, item in value.items()} if isinstance(value, dict) else value


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) < 19 else Decimal(digits)
