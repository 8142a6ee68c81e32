"""A balance is worth a message when it crosses a line on its way down, and not while it stays there."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.webhooks.crossing import crossed, threshold_of

LOW, DEPLETED, NEGATIVE = "balance.low", "balance.depleted", "balance.negative"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (100, 21, ()),
        (100, 20, ()),  # at the threshold is not below it
        (20, 19, (LOW,)),
        (19, 18, ()),  # it was told when it happened
        (100, 1, (LOW,)),
        (19, 0, (DEPLETED,)),
        (100, 0, (LOW, DEPLETED)),
        (100, -5, (LOW, DEPLETED, NEGATIVE)),
        (0, -5, (NEGATIVE,)),
        (1, -1, (DEPLETED, NEGATIVE)),
        (-5, -6, ()),
        (-5, 0, ()),  # upwards nothing is told
        (0, 0, ()),
        (0, 100, ()),
    ],
)
def test_each_line_is_told_at_its_crossing(before: int, after: int, told: tuple[str, ...]):
    assert crossed(before, after, 20) == told


def test_without_anything_to_be_low_of_a_balance_is_not_low():
    assert crossed(0, -1, 0) == (NEGATIVE,)
    assert crossed(5, 0, 0) == (DEPLETED,)


@pytest.mark.parametrize(("began", "rule", "line"), [(100, None, 20), (101, None, 21), (0, None, 0), (100, 60, 60)])
def test_low_is_below_the_customers_rule_or_a_fifth_of_its_grants(began: int, rule: int | None, line: int):
    assert threshold_of(began, rule) == line


@given(began=st.integers(0, 2**62), available=st.integers(0, 2**62))
def test_the_whole_line_is_exactly_a_fifth(began: int, available: int):
    assert (available < threshold_of(began)) == (5 * available < began)


@given(steps=st.lists(st.integers(-50, 150), min_size=2, max_size=40))
def test_between_two_messages_of_one_kind_the_balance_was_above_the_line(steps: list[int]):
    lines = {LOW: 20, DEPLETED: 1, NEGATIVE: 0}
    above = {type_: steps[0] >= line for type_, line in lines.items()}
    for before, after in pairwise(steps):
        for type_ in crossed(before, after, 20):
            assert above[type_]
            above[type_] = False
        above = {type_: above[type_] or after >= line for type_, line in lines.items()}
