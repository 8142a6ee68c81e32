"""An event's envelope: what is taken, what is refused and kept, what is recognised as the same."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits import bounds
from credits.posting.commands import TakeEvent
from credits.usage.envelope import event_key, from_attributes, from_cloud_event
from credits.usage.parse import Form, Unreadable, parse_body, parse_event

SOUND: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "tests",
    "type": "llm.tokens",
    "subject": "acme",
    "time": "2026-01-31T09:30:00.123456789Z",
    "data": {"model": "chat", "input_tokens": 12},
}
AT = datetime(2026, 1, 31, 9, 30, 0, 123456, UTC)


def taken(**changes: Any) -> TakeEvent:
    """The sound event with some attributes changed; `...` leaves one out."""
    event = {name: value for name, value in {**SOUND, **changes}.items() if value is not ...}
    return from_cloud_event(event)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"d": value}
    return value


def test_a_sound_event_becomes_what_the_ledger_takes() -> None:
    event = taken()
    assert (event.event_id, event.source, event.type, event.subject) == ("e1", "tests", "llm.tokens", "acme")
    assert (event.time, event.problem, event.accept_late) == (AT, None, False)
    assert event.data == SOUND["data"]
    assert event.data_text == '{"model":"chat","input_tokens":12}'
    assert event.key == UUID(bytes=sha256(b"tests\0e1").digest()[:16]) == event_key("tests", "e1")


@pytest.mark.parametrize(
    "changes",
    [
        {"time": ...},
        {"time": None},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "Application/JSON; charset=utf-8"},
        {"datacontenttype": "application/vnd.acme+json"},
        {"dataschema": "https://example.com/usage.json", "traceparent": "00-ab-cd-01", "sampled": 1},
        {"data": {}},
        {"data": {"member": None}},
        {"data": {"member": ""}},
        {"data": {"member": "ann@example.com", "nested": {"list": [1, {"deep": True}]}}},
        {"data": nested(bounds.JSON_DEPTH_MAX)},
        {"data": {f"d{number}": number for number in range(bounds.DIMENSIONS_MAX)} | {"list": [], "object": {}}},
        {"data": {"pad": "x" * (bounds.JSON_BYTES_MAX - 20)}},
        {"data": {"list": ["x" * 1_000] * 60}},
        {"data": {"text": "a literal \\u0000 is no NUL"}},
        {"id": "x" * bounds.EVENT_NAME_MAX, "source": "https://example.com/ä?b#c"},
    ],
)
def test_what_may_vary_varies(changes: dict[str, Any]) -> None:
    assert taken(**changes).problem is None


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31t09:30:00z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31 09:30:00+00:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T10:30:00+01:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T04:00:00-05:30", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00.1Z", datetime(2026, 1, 31, 9, 30, 0, 100_000, UTC)),
        ("2026-01-31T09:30:00.9999999Z", datetime(2026, 1, 31, 9, 30, 0, 999_999, UTC)),
        ("2026-01-31T09:30:00.000000999Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
    ],
)
def test_time_is_an_instant_cut_to_microseconds(time: str, instant: datetime) -> None:
    event = taken(time=time)
    assert (event.problem, event.time) == (None, instant)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"specversion": ...}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": ...}, "id is missing"),
        ({"id": ""}, "id must be text"),
        ({"id": 7}, "id must be text"),
        ({"id": "x" * (bounds.EVENT_NAME_MAX + 1)}, "id must be text"),
        ({"id": "a\0b"}, "id must be text"),
        ({"id": "line\nbreak"}, "id must be text"),
        ({"id": "\ud800"}, "id must be text"),
        ({"source": None}, "source is missing"),
        ({"type": ["llm.tokens"]}, "type must be text"),
        ({"subject": ...}, "subject is missing"),
        ({"subject": "\x7f"}, "subject must be text"),
        ({"time": "yesterday"}, "time must be"),
        ({"time": "2026-01-31T09:30:00"}, "time must be"),
        ({"time": "2026-01-31"}, "time must be"),
        ({"time": "20260131T093000Z"}, "time must be"),
        ({"time": "٢٠٢٦-01-31T09:30:00Z"}, "time must be"),
        ({"time": 1_769_851_800}, "time must be"),
        ({"time": "2026-02-30T09:30:00Z"}, "time is no such instant"),
        ({"time": "2026-01-31T25:30:00Z"}, "time is no such instant"),
        ({"time": "9999-12-31T23:59:59-12:00"}, "time is no such instant"),
        ({"time": "0001-01-01T00:00:00+12:00"}, "time is no such instant"),
        ({"data": ...}, "data is missing"),
        ({"data": None}, "data is missing"),
        ({"data": []}, "data must be a JSON object"),
        ({"data": "text"}, "data must be a JSON object"),
        ({"data": ..., "data_base64": "e30="}, "data_base64 is not taken"),
        ({"data_base64": "e30="}, "data_base64 is not taken"),
        ({"datacontenttype": "text/csv"}, "datacontenttype"),
        ({"datacontenttype": 7}, "datacontenttype"),
        ({"data": {"member": 7}}, "data.member must be text"),
        ({"data": {"member": "a\nb"}}, "data.member must be text"),
        ({"data": {"member": "x" * (bounds.NAME_MAX + 1)}}, "data.member must be text"),
        ({"data": {"note": "a\0b"}}, "NUL"),
        ({"data": {"a\0b": 1}}, "NUL"),
        ({"data": {"list": [{"deep": "a\0b"}]}}, "NUL"),
        ({"data": {"note": "\ud800"}}, "that can be kept"),
        ({"data": {"n": Decimal("NaN")}}, "data.n is not a number"),
        ({"data": {"n": [Decimal("-Infinity")]}}, "data.n is not a number"),
        ({"data": {"n": Decimal("1E+400")}}, "more than 64 digits"),
        ({"data": {"n": {"m": Decimal("9" * 65)}}}, "data.n.m is a number of more than 64 digits"),
        ({"data": {"n": 2**70}}, "that can be kept"),
        ({"data": {"n": 1.5}}, "not a JSON value of ours"),
        ({"data": nested(bounds.JSON_DEPTH_MAX + 1)}, "nested deeper"),
        ({"data": nested(400)}, "nested deeper"),
        ({"data": nested(900)}, "nested deeper"),
        ({"data": {"list": ["x" * 1_000] * 70}}, "at most 65536 bytes"),
        ({"data": {f"d{number}": number for number in range(bounds.DIMENSIONS_MAX + 1)}}, "at most 50 plain fields"),
        ({"data": {"pad": "x" * bounds.JSON_BYTES_MAX}}, "at most 16384 bytes"),
    ],
)
def test_what_cannot_be_taken_is_kept_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    event = taken(**changes)
    assert event.problem is not None
    assert reason in event.problem
    assert (event.type, event.data) == ("", {})
    _can_be_stored(event)
    kept = parse_event(event.data_text.encode())
    if isinstance(kept, dict):
        assert kept.get("source") == {**SOUND, **changes}["source"]


def _can_be_stored(event: TakeEvent) -> None:
    """What PostgreSQL takes as text and as `json`: no NUL, whole characters, bounded."""
    for text in (event.source, event.event_id, event.type, event.subject, event.data_text, event.problem or ""):
        assert "\0" not in text
        text.encode()
    assert not isinstance(parse_event(event.data_text.encode()), Unreadable)
    assert len(event.data_text) <= 6 * bounds.EVENT_BYTES_MAX + 10


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        (17, "17"),
        (None, "null"),
        ([SOUND], orjson.dumps([SOUND]).decode()),
        (Unreadable('{"id": tru}', "is not JSON"), '{"id": tru}'),
        (Unreadable("a\0b", "is not JSON"), "a\ufffdb"),
        (Unreadable("x" * 10_000_000, "is not JSON"), "x" * bounds.EVENT_BYTES_MAX + "…"),
    ],
)
def test_what_is_no_object_is_kept_as_its_text_under_a_key_of_its_own(received: object, kept: str) -> None:
    one, other = from_cloud_event(received), from_cloud_event(received)
    assert one.problem == (received.reason if isinstance(received, Unreadable) else "is not a JSON object")
    assert orjson.loads(one.data_text) == kept
    assert (one.event_id, one.source, one.subject, one.time) == ("", "", "", None)
    assert one.key != other.key


def test_an_unsound_event_of_known_source_and_id_is_recognised_when_it_comes_again() -> None:
    one, again, other = taken(data=[]), taken(data=[]), taken(data=[1])
    assert one.key == again.key == other.key == taken().key
    assert one.content == again.content != other.content
    assert one.content != taken().content
    assert (one.event_id, one.source, one.subject, one.time) == ("e1", "tests", "acme", AT)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"specversion": "1.0", "datacontenttype": "application/json", "extension": "x"}, True),
        ({"time": "2026-01-31T10:30:00.123456+01:00"}, True),
        ({"data": {"input_tokens": Decimal("12.00"), "model": "chat"}}, True),
        ({"data": {"input_tokens": "12", "model": "chat"}}, False),
        ({"data": {"input_tokens": 13, "model": "chat"}}, False),
        ({"data": {"input_tokens": 12}}, False),
        ({"time": "2026-01-31T09:30:00.123457Z"}, False),
        ({"time": ...}, False),
        ({"type": "llm.token"}, False),
        ({"subject": "other"}, False),
    ],
)
def test_content_is_compared_by_what_it_means(changes: dict[str, Any], same: bool) -> None:
    event = taken(**changes)
    assert event.problem is None
    assert event.key == taken().key
    assert (event.content == taken().content) is same


def test_an_event_is_the_same_however_it_comes() -> None:
    parts = [SOUND[name] for name in ("id", "source", "type", "subject")]
    for instant in (AT, AT.astimezone(timezone(timedelta(hours=5, minutes=53, seconds=28)))):
        event = from_attributes(*parts, instant, SOUND["data"])
        assert event == taken()
    late = from_attributes(*parts, None, SOUND["data"], accept_late=True)
    assert (late.time, late.accept_late, late.content) == (None, True, taken(time=...).content)


def test_numbers_are_kept_as_they_were_written() -> None:
    data = b'{"a": 1.50, "b": 1e3, "c": 0.000000000001, "d": 12345678901234567890123, "e": [-0.0]}'
    (event,) = map(from_cloud_event, parse_body(orjson.dumps({**SOUND, "data": orjson.Fragment(data)}), Form.ONE))
    assert event.problem is None
    assert event.data_text == '{"a":1.50,"b":1E+3,"c":1E-12,"d":12345678901234567890123,"e":[-0.0]}'
    again = parse_event(event.data_text.encode())
    assert str(again) == str(dict(event.data))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_names = st.sampled_from([*SOUND, "datacontenttype", "data_base64", "extension"])


@given(st.one_of(_json, st.dictionaries(_names, _json), _json.map(lambda data: {**SOUND, "data": {"x": data}})))
def test_whatever_comes_becomes_something_that_can_be_stored(received: object) -> None:
    event = from_cloud_event(received)
    _can_be_stored(event)
    assert (event.problem is None) == bool(event.type)
    assert event.time is None or event.time.tzinfo is UTC
    assert -(2**63) <= event.content < 2**63


@given(st.text(), st.text(), st.text(), st.text())
def test_two_events_share_a_key_only_with_both_source_and_id(
    source: str, one: str, other_source: str, other: str
) -> None:
    first, second = taken(source=source, id=one), taken(source=other_source, id=other)
    if first.problem is None and second.problem is None:
        assert (first.key == second.key) == ((source, one) == (other_source, other))
