"""Files of usage, row by row, and from the middle."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from credits import bounds
from credits.usage import files
from credits.usage.files import FileRefused, Kind, columns, kind_of, rows
from credits.usage.parse import Unreadable

CSV = 'CUSTOMER,n, note\r\nacme,1,"two\nlines, and a ""quote"""\r\n\r\nother,2,\xe4\r\nlast,3,none'
LINES = '{"n": 1.50}\n\n  \n[1, 2]\n"text"\n{"n": 4}'
ARRAY = '\n [ {"n": 1.50}, [1, 2] ,\n"a ] \\" , [", {"n": {"m": [4]}} ]\n'


def file_of(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "[", Kind.CSV),
        ("a.TSV", "x", Kind.CSV),
        ("a.json", ARRAY, Kind.ARRAY),
        ("a.ndjson", LINES, Kind.LINES),
        ("a", '\ufeff[{"n": 1}]', Kind.ARRAY),
        ("a", "", Kind.LINES),
        ("a", " " * 3_000_000 + "[", Kind.ARRAY),
    ],
)
def test_the_kind_of_a_file_is_seen_by_its_name_or_its_beginning(
    tmp_path: Path, name: str, text: str, kind: Kind
) -> None:
    assert kind_of(file_of(tmp_path, name, text)) is kind


def test_csv_rows_are_texts_by_column(tmp_path: Path) -> None:
    path = file_of(tmp_path, "a.csv", "\ufeff" + CSV)
    assert columns(path) == ["CUSTOMER", "n", "note"]
    assert [row.content for row in rows(path)] == [
        {"CUSTOMER": "acme", "n": "1", "note": 'two\nlines, and a "quote"'},
        {"CUSTOMER": "other", "n": "2", "note": "ä"},
        {"CUSTOMER": "last", "n": "3", "note": "none"},
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_may_be_separated_otherwise(tmp_path: Path, separator: str) -> None:
    path = file_of(tmp_path, "a.csv", f"a{separator}b\n1{separator}2\n")
    assert [row.content for row in rows(path)] == [{"a": "1", "b": "2"}]


def test_a_csv_row_of_another_length_says_so(tmp_path: Path) -> None:
    path = file_of(tmp_path, "a.csv", "a,b\n1\n1,2,3\n1,2\n")
    problems = [(row.content, row.problem) for row in rows(path)]
    assert problems == [
        ({"a": "1"}, "the row has 1 cells, the header 2"),
        ({"a": "1", "b": "2", "": ["3"]}, "the row has 3 cells, the header 2"),
        ({"a": "1", "b": "2"}, None),
    ]


@pytest.mark.parametrize("text", ["", "\n", "a,a\n1,2"])
def test_a_csv_file_whose_header_names_nothing_or_twice_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileRefused, match="the first line must name the columns"):
        columns(file_of(tmp_path, "a.csv", text))


def test_json_rows_are_values_with_exact_numbers(tmp_path: Path) -> None:
    lines = [row.content for row in rows(file_of(tmp_path, "a.jsonl", LINES))]
    assert lines == [{"n": Decimal("1.50")}, [1, 2], "text", {"n": 4}]
    array = [row.content for row in rows(file_of(tmp_path, "a.json", ARRAY))]
    assert array == [{"n": Decimal("1.50")}, [1, 2], 'a ] " , [', {"n": {"m": [4]}}]


@pytest.mark.parametrize("text", ["[]", " [ \n ] ", "[1]", "[[],{}]"])
def test_arrays_may_be_empty_or_hold_anything(tmp_path: Path, text: str) -> None:
    found = [row.content for row in rows(file_of(tmp_path, "a.json", text))]
    assert found == json.loads(text)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_broken_row_is_unreadable_alone(tmp_path: Path, name: str) -> None:
    texts = ['{"n": 1}', '{"n": tru}', '{"n": "\\ud800"}', '{"n": 2}']
    text = f"[{','.join(texts)}]" if name == "a.json" else "\n".join(texts)
    first, broken, half, last = [row.content for row in rows(file_of(tmp_path, name, text))]
    assert (first, half, last) == ({"n": 1}, {"n": "\ud800"}, {"n": 2})
    assert isinstance(broken, Unreadable)


@pytest.mark.parametrize("text", ["[1, 2", "[1}", "[1],", "[1] 2", "[1,,2]", "[1,]", '["a', "[1 2] ]"])
def test_an_array_that_is_none_stops_where_it_ends(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileRefused, match="is no JSON array"):
        list(rows(file_of(tmp_path, "a.json", text)))


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", CSV), ("a.jsonl", LINES), ("a.json", ARRAY), ("b.csv", "\ufeff" + CSV)]
)
@pytest.mark.parametrize("chunk", [1, 3, 1_000_000])
def test_reading_goes_on_after_any_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, chunk: int
) -> None:
    path = file_of(tmp_path, name, text)
    whole = list(rows(path))
    assert len(whole) >= 3
    if not name.endswith("csv"):
        monkeypatch.setattr(files, "_CHUNK_BYTES", chunk)
    for place, row in enumerate(whole):
        assert list(rows(path, offset=row.end, number=row.number)) == whole[place + 1 :]


def test_a_line_without_end_costs_no_memory_and_nothing_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BODY_BYTES_MAX", 1_000)
    path = file_of(tmp_path, "a.jsonl", '{"n": 1}\n' + "x" * 5_000_000 + '\n{"n": 2}\n')
    first, endless, last = list(rows(path))
    assert (first.content, last.content, last.number) == ({"n": 1}, {"n": 2}, 3)
    assert isinstance(endless.content, Unreadable)
    assert len(endless.content.text) <= 1_000
    array = file_of(tmp_path, "a.json", '[1, "' + "x" * 5_000_000 + '"]')
    with pytest.raises(FileRefused, match="larger than 1000 bytes"):
        list(rows(array))


def test_a_csv_cell_that_never_ends_is_told_with_its_row(tmp_path: Path) -> None:
    path = file_of(tmp_path, "a.csv", 'a,b\n1,2\n3,"' + "x" * 200_000)
    with pytest.raises(FileRefused, match="row 2: field larger than field limit"):
        list(rows(path))
