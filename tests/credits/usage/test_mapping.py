"""The import map: rows of files → events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.usage.envelope import from_cloud_event
from credits.usage.mapping import MapRefused, parse_map

# The example of the contract, word for word.
TRACE: dict[str, Any] = {
    "source": {"value": "trace"},
    "id": {"row": True},
    "type": {"value": "llm.tokens"},
    "subject": {"column": "CUSTOMER"},
    "time": {"column": "TIMESTAMP", "timezone": "UTC"},
    "data": {
        "model": {"value": "chat"},
        "input_tokens": {"column": "ContextTokens"},
        "output_tokens": {"column": "GeneratedTokens"},
    },
}
ROW = {"CUSTOMER": "acme", "TIMESTAMP": "2023-11-16 18:15:46.6805900", "ContextTokens": "374", "GeneratedTokens": "44"}


def mapped(row: dict[str, Any], **changes: Any) -> dict[str, object]:
    document = {name: origin for name, origin in {**TRACE, **changes}.items() if origin is not ...}
    return parse_map(document).event(row, "trace.csv", 7)


def test_the_example_of_the_contract_makes_the_event_that_a_backend_would_send() -> None:
    event = from_cloud_event(mapped(ROW))
    sent = from_cloud_event(
        {
            "specversion": "1.0",
            "id": "trace.csv:7",
            "source": "trace",
            "type": "llm.tokens",
            "subject": "acme",
            "time": "2023-11-16T18:15:46.680590Z",
            "data": {"model": "chat", "input_tokens": 374, "output_tokens": 44},
        }
    )
    assert event.problem is None
    assert event == sent


@pytest.mark.parametrize(
    ("written", "timezone", "instant"),
    [
        ("2023-11-16 18:15:46.6805999", "UTC", datetime(2023, 11, 16, 18, 15, 46, 680599, UTC)),
        ("2023-11-16T18:15:46Z", None, datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC)),
        ("2023-11-16T18:15:46+02:00", "America/New_York", datetime(2023, 11, 16, 16, 15, 46, tzinfo=UTC)),
        ("2023-07-01 12:00:00", "Europe/Berlin", datetime(2023, 7, 1, 10, tzinfo=UTC)),
        ("2023-07-01", "Europe/Berlin", datetime(2023, 6, 30, 22, tzinfo=UTC)),
        ("2023-03-26 02:30:00", "Europe/Berlin", datetime(2023, 3, 26, 1, 30, tzinfo=UTC)),  # moved over the gap
        ("2023-10-29 02:30:00", "Europe/Berlin", datetime(2023, 10, 29, 0, 30, tzinfo=UTC)),  # the first of two
        (" 2023-11-16 18:15:46 ", "UTC", datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC)),
    ],
)
def test_a_time_is_taken_in_its_timezone(written: str, timezone: str | None, instant: datetime) -> None:
    time = {"column": "TIMESTAMP"} if timezone is None else {"column": "TIMESTAMP", "timezone": timezone}
    event = from_cloud_event(mapped({**ROW, "TIMESTAMP": written}, time=time))
    assert (event.problem, event.time) == (None, instant)


@pytest.mark.parametrize("written", ["yesterday", "", "12.11.2023", "2023-11-16 18:15:46"])
def test_what_is_no_instant_is_left_to_the_envelope_to_refuse(written: str) -> None:
    event = from_cloud_event(mapped({**ROW, "TIMESTAMP": written}, time={"column": "TIMESTAMP"}))
    assert event.problem is not None
    assert event.problem.startswith("time must be")
    assert (event.source, event.event_id) == ("trace", "trace.csv:7"), "still known when it comes again"


def test_without_a_time_it_is_the_time_of_receipt() -> None:
    event = from_cloud_event(mapped(ROW, time=...))
    assert (event.problem, event.time) == (None, None)


@pytest.mark.parametrize(
    ("cell", "datum"),
    [
        ("374", 374),
        ("-1", -1),
        ("0", 0),
        ("0.50", Decimal("0.50")),
        ("1234567890123", 1234567890123),
        *(
            (text, text)
            for text in ("12345678901234", "007", "+1", "1e3", "1.", ".5", "0x10", "٣", "NaN", "1_000", " 1 ", "1,5")
        ),
    ],
)
def test_a_cell_that_is_plainly_a_number_is_one(cell: str, datum: object) -> None:
    data = mapped({**ROW, "ContextTokens": cell})["data"]
    assert isinstance(data, dict)
    assert (type(data["input_tokens"]), str(data["input_tokens"])) == (type(datum), str(datum))
    as_text = mapped({**ROW, "ContextTokens": cell}, data={"x": {"column": "ContextTokens", "as": "text"}})["data"]
    assert as_text == {"x": cell}


def test_a_member_is_text_and_an_empty_cell_is_left_out() -> None:
    data = {"member": {"column": "USER"}, "model": {"column": "MODEL"}, "n": {"value": 0}, "none": {"column": "absent"}}
    assert mapped({**ROW, "USER": "42", "MODEL": ""}, data=data)["data"] == {"member": "42", "n": 0}
    assert mapped({**ROW, "USER": "", "MODEL": "4"}, data=data)["data"] == {"model": 4, "n": 0}


def test_rows_of_json_keep_their_types() -> None:
    row = {**ROW, "CUSTOMER": 17, "ContextTokens": Decimal("1.50"), "GeneratedTokens": [1, {"a": None}]}
    event = mapped(row, id={"column": "n"})
    assert (event["subject"], event["id"]) == ("17", None)
    assert event["data"] == {"model": "chat", "input_tokens": Decimal("1.50"), "output_tokens": [1, {"a": None}]}
    assert from_cloud_event(event).problem == "id is missing"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "the map: must be a mapping"),
        ([], "the map: must be a mapping"),
        ({}, "source: is missing"),
        ({**TRACE, "sauce": {}}, "the map.sauce: is not known here; there is source, id"),
        ({name: origin for name, origin in TRACE.items() if name != "subject"}, "subject: is missing"),
        ({**TRACE, "source": "trace"}, "source: must be a mapping"),
        ({**TRACE, "source": {}}, "source: says one of column, value"),
        ({**TRACE, "source": {"row": True}}, "source.row: is not known here"),
        ({**TRACE, "id": {"row": True, "value": 1}}, "id: says one of column, value, row"),
        ({**TRACE, "id": {"row": False}}, "id.row: must be true"),
        ({**TRACE, "subject": {"column": 7}}, "subject.column: must be the name"),
        ({**TRACE, "subject": {"column": "C", "as": "text"}}, "subject.as: `text`, for a column of data"),
        ({**TRACE, "time": {"column": "T", "timezone": "Mars/Base"}}, "time.timezone: 'Mars/Base' is no IANA timezone"),
        ({**TRACE, "time": {"column": "T", "timezone": 1}}, "time.timezone: 1 is no IANA timezone"),
        ({**TRACE, "time": {"timezone": "UTC"}}, "time: says one of column, value"),
        ({**TRACE, "data": [1]}, "data: must say for each field"),
        ({**TRACE, "data": {"x": {"column": "C", "as": "number"}}}, "data.x.as: `text`"),
        ({**TRACE, "data": {"x": {"colum": "C"}}}, "data.x.colum: is not known here; there is column"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused_with_its_path(document: object, said: str) -> None:
    with pytest.raises(MapRefused) as refused:
        parse_map(document)
    assert str(refused.value).startswith(said)


def test_a_column_that_the_file_has_not_is_told_before_anything_is_read() -> None:
    event_map = parse_map(TRACE)
    event_map.check_columns(ROW)
    with pytest.raises(
        MapRefused, match=r"^data\.input_tokens: the file has no column 'ContextTokens'; it has CUSTOMER"
    ):
        event_map.check_columns(name for name in ROW if name != "ContextTokens")


def test_times_of_old_zones_with_seconds_in_their_offset_are_instants_too() -> None:
    time = {"column": "TIMESTAMP", "timezone": "Europe/Amsterdam"}
    event = from_cloud_event(mapped({**ROW, "TIMESTAMP": "1930-01-01 00:00:00"}, time=time))
    assert event.problem is None
    assert event.time is not None
    assert timedelta(0) < datetime(1930, 1, 1, tzinfo=UTC) - event.time < timedelta(hours=1)
