"""The checkers of real time see what they are there for."""

import pytest

from tests.harness.client import Json, Reply
from tests.harness.history import Operation
from tests.harness.order import check_real_time_order, check_refusals


def asked(began: float, ended: float, **answer: str) -> Operation:
    return Operation("c", "ai", "burn", {}, began, ended, Reply("burn", "refused" if answer else "ok", dict(answer)))


def entry(sequence: int, balance: str, held: str = "0") -> Json:
    at = f"1970-01-01T00:00:{sequence:02d}Z"
    return {"sequence": sequence, "balanceAfter": balance, "heldAfter": held, "recordedAt": at}


def test_overlapping_operations_may_come_in_either_order():
    check_real_time_order({1: asked(2, 4), 2: asked(1, 3), 3: asked(3.5, 9)})


def test_what_was_answered_before_another_was_asked_must_come_before_it():
    with pytest.raises(AssertionError, match="was answered before"):
        check_real_time_order({1: asked(5, 6), 2: asked(7, 8), 3: asked(1, 4)})


LEDGER = [entry(1, "10"), entry(2, "6", "1"), entry(3, "2")]
MADE = {1: asked(1, 1.5), 2: asked(2, 2.5), 3: asked(3, 3.5)}


def refusal(began: float, ended: float, available: str, needed: str = "20") -> Operation:
    shortfall = str(int(needed) - int(available))
    return asked(began, ended, needed=needed, available=available, shortfall=shortfall, overdraftLeft="0")


@pytest.mark.parametrize(
    ("began", "ended", "available", "true"),
    [
        (0.1, 0.9, "0", True),
        (1.6, 1.9, "10", True),
        (1.6, 1.9, "5", False),
        (1.6, 2.1, "5", True),
        (2.6, 2.9, "5", True),
        (2.6, 2.9, "10", False),
        (4, 5, "2", True),
        (4, 5, "5", False),
    ],
)
def test_a_refusal_must_name_what_was_available_between_question_and_answer(began, ended, available, true):
    refused = refusal(began, ended, available)
    if true:
        check_refusals(LEDGER, MADE, [refused])
    else:
        with pytest.raises(AssertionError, match="never available"):
            check_refusals(LEDGER, MADE, [refused])
