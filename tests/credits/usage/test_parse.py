"""Bodies of events: every number as it was written, what is broken alone, what is no body at all."""

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits import bounds
from credits.usage.parse import Form, Malformed, TooManyEvents, Unreadable, parse_body, parse_event

ONE, BATCH, LINES, EITHER = Form.ONE, Form.BATCH, Form.LINES, Form.EITHER


@pytest.mark.parametrize(
    ("body", "form", "events"),
    [
        (b'{"a": 1}', ONE, [{"a": 1}]),
        (b'{"a": 1}', EITHER, [{"a": 1}]),
        (b' [{"a": 1}]', EITHER, [{"a": 1}]),
        (b'[{"a": 1}, 2, null, "x"]', BATCH, [{"a": 1}, 2, None, "x"]),
        (b"[]", BATCH, []),
        (b" [ ] ", BATCH, []),
        (b"", LINES, []),
        (b'{"a": 1}\n\n  \r\n{"b": 2}\r\n', LINES, [{"a": 1}, {"b": 2}]),
        (b"\xef\xbb\xbf[1]", BATCH, [1]),
        (b'{"a": 1, "a": 2}', ONE, [{"a": 2}]),
    ],
)
def test_each_form_gives_its_events(body: bytes, form: Form, events: list[object]) -> None:
    assert parse_body(body, form) == events


@pytest.mark.parametrize(
    ("body", "form"),
    [
        *((body, BATCH) for body in (b"", b" ", b"{", b"{}", b"null", b"17", b'"text"', b"\xff\xfe", b"[" * 100_000)),
        *(
            (body, BATCH)
            for body in (b"[{]", b"[1]x", b"[1,]", b"[,]", b"[1,,2]", b"[NaN", b"[NaN]]", b'["a]', b"x[tru]")
        ),
        *((body, ONE) for body in (b"", b"[]", b"17", b"{", b"nonsense", b'{"a": tru}', b"\xff")),
        *((body, EITHER) for body in (b"", b"17", b"[", b"{")),
    ],
)
def test_what_is_no_body_is_malformed(body: bytes, form: Form) -> None:
    with pytest.raises(Malformed, match="the body is"):
        parse_body(body, form)


@pytest.mark.parametrize("form", [BATCH, LINES])
@pytest.mark.parametrize(
    "broken",
    [
        b'{"a": tru}',
        b'{"a": "\xff"}',
        b"nonsense",
        b'{"a": 01}',
        b'{"x":' * 1_500 + b"1" + b"}" * 1_500,
        b'{"a": "tab\there"}',
    ],
)
def test_one_broken_event_is_unreadable_alone(broken: bytes, form: Form) -> None:
    sound = b'{"text": "a,b]}\\"[{", "n": [1, {"m": 2}]}'
    parts = [sound, broken, sound]
    body = b"[%s]" % b", ".join(parts) if form is BATCH else b"\n".join(parts)
    first, found, last = parse_body(body, form)
    assert first == last == json.loads(sound)
    assert isinstance(found, Unreadable)
    assert found.text.encode(errors="replace").strip()[:8] == broken.decode(errors="replace").encode()[:8]
    assert found.reason.startswith("is ")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.50", Decimal("1.50")),
        ("0.1", Decimal("0.1")),
        ("1e3", Decimal("1E+3")),
        ("-0.0", Decimal("-0.0")),
        ("9007199254740993.1", Decimal("9007199254740993.1")),
        ("18446744073709551616", Decimal("18446744073709551616")),
        ("-9223372036854775809", Decimal("-9223372036854775809")),
        ("1e999", Decimal("1E+999")),
        ("9" * 5_000, Decimal("9" * 5_000)),
        ("9007199254740993", 9007199254740993),
        ("9223372036854775807", 9223372036854775807),
    ],
)
def test_a_number_is_the_decimal_it_is_written_as(written: str, meant: int | Decimal) -> None:
    for body, form in (
        (f'[{{"n": {written}}}]', BATCH),
        (f'{{"n": {written}}}', LINES),
        (f'[[[{{"n": {written}}}]]]', BATCH),
    ):
        (found,) = parse_body(body.encode(), form)
        while isinstance(found, list):
            (found,) = found
        assert isinstance(found, dict)
        assert str(found["n"]) == str(meant)
        assert type(found["n"]) is type(meant)


def test_what_is_no_number_is_handed_on_to_be_refused() -> None:
    (found,) = parse_body(b'[{"a": NaN, "b": Infinity, "c": -Infinity}]', BATCH)
    assert isinstance(found, dict)
    assert all(isinstance(value, Decimal) and not value.is_finite() for value in found.values())


@pytest.mark.parametrize("separator", [b",", b"\n"])
def test_ten_thousand_events_are_taken_and_one_more_is_too_many(separator: bytes) -> None:
    form = BATCH if separator == b"," else LINES
    around = (b"[%s]" if form is BATCH else b"%s").__mod__
    assert len(parse_body(around(separator.join([b"1"] * bounds.EVENTS_PER_REQUEST_MAX)), form)) == 10_000
    for more in (b"1", b"broken"):
        with pytest.raises(TooManyEvents):
            parse_body(around(separator.join([*[b"1"] * bounds.EVENTS_PER_REQUEST_MAX, more])), form)


_numbers = st.one_of(
    st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=12), st.booleans(), st.none()
)
_values = st.recursive(
    _numbers | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " , ".join(map(_written, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)


@given(st.lists(_values, max_size=8))
def test_whatever_is_written_is_read_back_exactly_and_broken_neighbours_change_nothing(values: list[object]) -> None:
    texts = [_written(value) for value in values]
    alone = parse_body("[{}]".format(",".join(texts)).encode(), BATCH)
    assert [_written(value) for value in alone] == [
        _written(json.loads(text, parse_float=Decimal, parse_int=_as_read)) for text in texts
    ]
    beside = parse_body("[{}]".format(",".join([*texts, "{broken}"])).encode(), BATCH)
    assert list(map(repr, beside[:-1])) == list(map(repr, alone))
    assert isinstance(beside[-1], Unreadable)


def _as_read(digits: str) -> object:
    return orjson.loads(digits) if -(2**63) <= int(digits) < 2**64 else Decimal(digits)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    for form in Form:
        try:
            assert isinstance(parse_body(body, form), list)
        except Malformed:
            assert form is not LINES
    parse_event(body)
