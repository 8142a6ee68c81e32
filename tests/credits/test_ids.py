"""Public ids: one spelling each, and nothing else is one, however it is written. Callers write them as they like."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.ids import make, parse

numbers = st.integers(0, 2**63 - 1)


@given(st.lists(numbers, min_size=1, max_size=4))
def test_an_id_says_its_numbers(given_: list[int]):
    assert parse("ent", make("ent", *given_), len(given_)) == tuple(given_)


@given(st.text("ent_0123456789abcxyzEN-+ \u0661", max_size=20))
def test_whatever_is_an_id_is_spelt_as_we_spell_it(text: str):
    found = parse("ent", text, 3)
    assert found is None or make("ent", *found) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ent_-1_1_1",
            "ent_1_-1_1",
            "ent_1_1_-1",
            "ent_-0_1_1",
            "ent_+1_1_1",
            "ent_ 1_1_1",
            "ent_1_1_1 ",
            "ent_1_1_1\n",
        ),
        *(
            "",
            "_",
            "ent",
            "ent_",
            "ent___",
            "ent_1_1",
            "ent_1_1_1_1",
            "hld_1_1_1",
            "ENT_1_1_1",
            "ent_A_1_1",
            "_ent_1_1_1",
        ),
        *("ent_01_1_1", "ent_00_1_1", "ent_1y2p0ij32e8e8_1_1", "ent_zzzzzzzzzzzzz_1_1", "ent_1" + "0" * 60 + "_1_1"),
        *(
            "ent_١_1_1",
            "ent_1٠_1_1",
            "ent_é_1_1",
            "ent_\ud800_1_1",
            "ent_1_1_\0",
            "ent_0x1_1_1",
            "ent_1__1",
            "ent_1.0_1_1",
        ),
    ],
)
def test_what_is_no_id_is_found_out_at_once(text: str):
    """A minus once kept a server busy for ever: the number was written out again, digit by digit, without an end."""
    assert parse("ent", text, 3) is None


def test_a_text_as_long_as_a_body_is_found_out_at_once():
    began = time.monotonic()
    for text in ("ent_" + "1" * 10**7, "_" * 10**7, "ent_1_1_" + "z" * 10**7):
        assert parse("ent", text, 3) is None
    assert time.monotonic() - began < 1


def test_a_number_below_zero_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="natural"):
        make("ent", 1, -1)
