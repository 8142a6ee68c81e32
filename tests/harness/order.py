"""Real time: what was answered before another was asked comes before it in the ledger; refusals told the truth."""

from tests.harness.client import Json
from tests.harness.history import Operation
from tests.harness.replay import instant
from tests.model.rating import micro

_US = 1_000_000
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
    spans: list[tuple[float, float]] = []
    for entry in ledger:
        operation = made.get(entry["sequence"])
        at = instant(entry["recordedAt"]) / _US
        spans.append((operation.began, operation.ended) if operation else (at - 0.01, at + _BOOKED_WITHIN_S))
    for operation in refused:
        told, begin = micro(operation.reply.answer["available"]), operation.began
        possible = {0} if not ledger or spans[0][1] >= begin else set()
        for index, entry in enumerate(ledger):
            ends = spans[index + 1][1] if index + 1 < len(ledger) else float("inf")
            if spans[index][0] <= operation.ended and ends >= begin:
                possible.add(micro(entry["balanceAfter"]) - micro(entry["heldAfter"]))
        assert told in possible, f"{told} was never available meanwhile, only {sorted(possible)}: {operation}"
        answer = operation.reply.answer
        assert micro(answer["shortfall"]) > 0, operation
        assert micro(answer["needed"]) == micro(answer["available"]) + micro(answer["overdraftLeft"]) + micro(
            answer["shortfall"]
        )
