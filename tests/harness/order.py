"""Real time: what was answered before another was asked comes before it in the ledger; refusals told the truth."""

from tests.harness.client import Json
from tests.harness.history import Operation
from tests.harness.replay import instant
from tests.model.rating import micro

_US = 1_000_000
_NUMBERS = ("needed", "available", "shortfall", "overdraftLeft")
_BOOKED_WITHIN_S = 2.0  # what the clock makes is visible at its instant; reads may see it before it is booked


def check_real_time_order(made: dict[int, Operation]) -> None:
    """Sequences respect real time: no operation comes after one that was asked only when it had been answered."""
    latest_asked, of = 0.0, None
    for sequence in sorted(made):
        operation = made[sequence]
        assert operation.ended >= latest_asked, f"{operation} was answered before {of} was asked, but comes after it"
        if operation.began > latest_asked:
            latest_asked, of = operation.began, operation


def check_refusals(ledger: list[Json], made: dict[int, Operation], refused: list[Operation]) -> None:
    """What a refusal for lack of credits called available was so at some instant between question and answer."""
    # State k holds from entry k to entry k + 1, which came to be somewhere between question and answer of its own.
    begins, ends, available = [float("-inf")], [], [0]
    for entry in ledger:
        operation = made.get(entry["sequence"])
        at = instant(entry["recordedAt"]) / _US
        ends.append(operation.ended if operation else at + _BOOKED_WITHIN_S)
        begins.append(operation.began if operation else at - 0.01)
        available.append(micro(entry["balanceAfter"]) - micro(entry["heldAfter"]))
    ends.append(float("inf"))
    for operation in refused:
        answer = {name: micro(operation.reply.answer[name]) for name in _NUMBERS}
        possible = {
            amount
            for first, last, amount in zip(begins, ends, available, strict=True)
            if first <= operation.ended and last >= operation.began
        }
        assert answer["available"] in possible, f"never available meanwhile, only {sorted(possible)}: {operation}"
        assert answer["shortfall"] > 0, operation
        there = max(0, answer["available"]) + answer["overdraftLeft"]
        assert answer["needed"] == there + answer["shortfall"], operation
