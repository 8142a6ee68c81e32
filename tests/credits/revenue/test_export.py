"""Cells of a CSV file: what a spreadsheet opens is text and numbers, never a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.revenue.export import cell, row


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1 (555)", "'+1 (555)"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\r=x", '"\'\r=x"'),
        ("＝1", "'＝1"),
        ('=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'),
        ("-3.74", "-3.74"),
        ("-٣", "'-٣"),
        ("500", "500"),
        ("-", "'-"),
        ("a,b", '"a,b"'),
        ("two\nlines", '"two\nlines"'),
        (None, ""),
        (0, "0"),
    ],
)
def test_a_cell_holds_no_formula(value: object, written: str):
    assert cell(value) == written


@given(st.lists(st.text(), min_size=1))
def test_a_reader_of_csv_finds_the_texts_again_and_none_begins_a_formula(texts: list[str]):
    (found,) = csv.reader(io.StringIO(row(texts), newline=""), strict=True)
    for text, read in zip(texts, found or [""], strict=True):
        assert read in (text, f"'{text}")
        if read[:1] in ("=", "+", "-", "@", "\t", "\r"):
            assert read.lstrip("-").replace(".", "", 1).isdigit()
