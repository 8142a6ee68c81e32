"""YAML without surprises: numbers exact, text text, no key twice."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.exact_yaml import NotReadable, dump, load


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.001", Decimal("0.001")),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        ("-2.50", Decimal("-2.50")),
        ("3", 3),
        ("-3", -3),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # Text, whatever YAML 1.1 makes of it
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", "1e3"),
        (".5", ".5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("+1", "+1"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ('"0.001"', "0.001"),
        ("9" * 40, "9" * 40),
    ],
)
def test_a_scalar_is_what_was_written(written: str, meant: object) -> None:
    found = load(f"value: {written}")
    assert found == {"value": meant}
    assert isinstance(found, dict)
    assert type(found["value"]) is type(meant)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: 'a' is there twice"),
        ("rates: [{x: 1, x: 2}]", "line 1, column 16: 'x' is there twice"),
        ("a: [1", "line 1, column 6: "),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("\x00", "special characters are not allowed"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_says_where(written: str, said: str) -> None:
    with pytest.raises(NotReadable) as refused:
        load(written)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_written_once_can_be_named_again() -> None:
    assert load("base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}") == {"base": {"x": 1, "y": 2}, "other": {"x": 1, "y": 3}}


SCALARS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff"))
    | st.sampled_from(["NO", "0.5", "1", "null", "~", "true", "2026-01-01", "<<", "=", "1:30", "- a", "# b", ""])
    | st.integers(-(10**17), 10**17)
    | st.booleans()
    | st.none()
    | st.decimals(-1000, 1000, places=6).filter(lambda number: number != number.to_integral_value())
)


@given(
    st.dictionaries(
        st.text("abc", min_size=1), SCALARS | st.lists(SCALARS) | st.dictionaries(st.text("xyz", min_size=1), SCALARS)
    )
)
def test_what_is_dumped_is_loaded_as_it_was(value: dict[str, object]) -> None:
    assert load(dump(value)) == value
