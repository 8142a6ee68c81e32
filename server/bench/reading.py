"""Balances are read as fast from a long history as from a short one, and while their account is burned from."""

from collections.abc import Iterator
from statistics import median

from server.bench.filling import fill
from server.bench.load import Outcome, Stream
from server.bench.mutations import mutation
from server.bench.report import AtMost, Figure, ratio
from server.bench.requests import CUSTOMER, GraphQL
from server.bench.run import Run
from server.bench.world import FEW, HOT, MANY, SHOWN

OF_SHORT = AtMost(1.2)
OF_CALM = AtMost(1.2)
WIDGETS = 500
READS_A_SECOND = 250.0  # each widget looks every two seconds
BURNS_A_SECOND = 2_000.0
_BURNERS = 64

_DOCUMENT = """query($key: String!) { customer(key: $key) {
  balance(creditType: "ai") { available held version asOf buckets { amount expiresAt } } } }"""


def _balance(run: Run, customer: str) -> GraphQL:
    return GraphQL(run.stage.world.secret, _DOCUMENT, {"key": CUSTOMER}, (customer,), '"version":')


def long_against_short(run: Run) -> Iterator[Figure]:
    fill(run)

    def p50_s(phase: str, customer: str) -> float:
        return run.phase(f"balance, {phase}", Stream(_balance(run, customer), 1, run.seconds))[0].percentile_s(50)

    short, long = run.in_turns(
        "balance of a long history",
        lambda: p50_s("short history", FEW),
        lambda: p50_s("long history", MANY),
    )
    yield Figure(
        f"balance query at {run.many_entries:,} / 1,000 entries",
        f"p50 {median(long) * 1e3:.2f} against {median(short) * 1e3:.2f} ms, one caller",
        ratio(long, short),
        OF_SHORT,
    )


def widgets_of_a_hot_account(run: Run) -> Iterator[Figure]:
    """The same burns go on in both: what differs is whether the account that is read is the one that is locked."""
    rate = run.many(int(BURNS_A_SECOND), 200)

    def read(phase: str, customer: str) -> tuple[Outcome, Outcome]:
        burns = Stream(mutation(run, "burn", (HOT,)), _BURNERS, run.seconds, rate=rate)
        reads = Stream(
            _balance(run, customer), run.many(WIDGETS, 20), run.seconds, rate=run.many(int(READS_A_SECOND), 50)
        )
        burned, seen = run.phase(f"{WIDGETS} widgets, {phase}", burns, reads)
        return burned, seen

    calm, hot = run.in_turns(
        "widgets of a hot account",
        lambda: read("another account", SHOWN),
        lambda: read("the hot account", HOT),
    )
    p99s = [[seen.percentile_s(99) for _, seen in rounds] for rounds in (hot, calm)]
    burned = median(burns.per_second for burns, _ in hot)
    yield Figure(
        f"{WIDGETS} widgets read the hot / another account",
        f"p99 {median(p99s[0]) * 1e3:.0f} against {median(p99s[1]) * 1e3:.0f} ms while it burns {burned:,.0f} times a second",
        ratio(*p99s),
        OF_CALM,
    )
