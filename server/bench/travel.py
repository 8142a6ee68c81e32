"""Five million entries in one account: how it was at any instant, why it changed in a month, and paging far back."""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median

from credits.db import Database
from credits.posting.standings import Keeper
from schema.pages import cursor
from server.bench import book
from server.bench.load import Outcome, Stream
from server.bench.report import AtMost, Figure, Spread, ratio
from server.bench.requests import CUSTOMER, GraphQL
from server.bench.run import Run

ENTRIES = 5_000_000
ENTRIES_QUICK = 30_000
OF_CURRENT = AtMost(5)
EXPLAINED_MS = AtMost(200)
OF_FIRST_PAGE = AtMost(2)
READER = "customer-book"
_INSTANTS = 2_000
_PAGE = 50
_MONTH = timedelta(days=30)

_CURRENT = """{ customer(key: "%s") { balance(creditType: "ai") {
  balance held available granted burned expired version buckets { amount source expiresAt } } } }"""
_PAST = """query($at: DateTime!) { customer(key: "%s") { balance(creditType: "ai", at: $at) {
  balance held available granted burned expired version buckets { amount source expiresAt } } } }"""
_EXPLAIN = """query($from: DateTime!, $to: DateTime!) { customer(key: "%s") {
  explain(creditType: "ai", from: $from, to: $to) { opening closing lines { kind label count amount } } } }"""
_LEDGER = """query($after: String) { customer(key: "%s") {
  ledger(filter: {creditType: "ai"}, first: %d, after: $after) {
    edges { node { id sequence kind amount balanceAfter occurredAt } } pageInfo { endCursor hasNextPage } } } }"""
_RUNWAY = """{ customer(key: "%s") { runway(creditType: "ai") { dailyBurn runsOutAt projectedExpiryLoss basis } } }"""


def travel(run: Run) -> Iterator[Figure]:
    made = _fill(run)
    yield from _balances(run, made)
    yield from _explained(run, made)
    yield from _pages(run, made)


def _fill(run: Run) -> book.LongBook:
    run.say("a book of five million entries")
    world = run.stage.world
    return asyncio.run(book.fill(run.stage.url, world.workspace_id, READER, run.many(ENTRIES, ENTRIES_QUICK)))


def _balances(run: Run, made: book.LongBook) -> Iterator[Figure]:
    began_at = time.perf_counter()
    standings = asyncio.run(_keep(run.stage.url, run.stage.world.workspace_id))
    took_s = time.perf_counter() - began_at
    yield Figure(
        "standings, entries/s",
        f"{standings:,} standings of {made.entries:,} entries in {took_s:.0f} s, in the background",
        Spread.of([made.entries / took_s]),
    )
    draw = random.Random(2)  # noqa: S311 -- a workload, no secret
    instants = tuple(_instant(made.begins + (made.ends - made.begins) * draw.random()) for _ in range(_INSTANTS))
    current = GraphQL(run.stage.world.secret, _CURRENT % READER, {}, ("",), '"version":')
    past = GraphQL(run.stage.world.secret, _PAST % READER, {"at": CUSTOMER}, instants, '"version":')

    def ask(phase: str, spec: GraphQL) -> Outcome:
        return run.phase(phase, Stream(spec, 1, run.seconds))[0]

    ask("balance, at an instant", past)  # statements prepared
    now, then = run.in_turns(
        "balances at instants",
        lambda: ask("balance, now", current),
        lambda: ask("balance, at an instant", past),
    )
    p95s = [[outcome.percentile_s(95) for outcome in rounds] for rounds in (then, now)]
    yield Figure(
        f"balance at a random instant / now, {made.entries:,} entries",
        f"p95 {median(p95s[0]) * 1e3:.2f} against {median(p95s[1]) * 1e3:.2f} ms, one caller, "
        f"{sum(outcome.answers for outcome in then):,} instants",
        ratio(*p95s),
        OF_CURRENT,
    )


def _explained(run: Run, made: book.LongBook) -> Iterator[Figure]:
    secret, taken = run.stage.world.secret, []
    for months in range(1, 12, 2):
        window: dict[str, object] = {
            "from": _instant(made.ends - (months + 1) * _MONTH),
            "to": _instant(made.ends - months * _MONTH),
        }
        spec = GraphQL(secret, _EXPLAIN % READER, window, ("",), '"lines":[{')
        taken.append(run.phase("explain a month", Stream(spec, 1, run.seconds))[0].percentile_s(95) * 1e3)
    yield Figure("explain over a month, ms", "p95, six months of the year, one caller", Spread.of(taken), EXPLAINED_MS)
    runway = GraphQL(secret, _RUNWAY % READER, {}, ("",), '"basis":')
    told = run.phase("runway", Stream(runway, 1, run.seconds))[0]
    yield Figure("runway, ms", "p95, one caller", Spread.of([told.percentile_s(95) * 1e3]))


def _pages(run: Run, made: book.LongBook) -> Iterator[Figure]:
    number = run.many(10_000, made.entries // _PAGE // 2)
    far = cursor(made.entries - (number - 1) * _PAGE + 1, made.credit_type_id)

    def page(phase: str, after: str | None) -> float:
        spec = GraphQL(run.stage.world.secret, _LEDGER % (READER, _PAGE), {"after": after}, ("",), '"sequence":')
        return run.phase(phase, Stream(spec, 1, run.seconds))[0].percentile_s(50)

    first, distant = run.in_turns(
        "pages of the ledger",
        lambda: page("ledger, page 1", None),
        lambda: page(f"ledger, page {number:,}", far),
    )
    yield Figure(
        f"ledger page {number:,} / page 1",
        f"p50 {median(distant) * 1e3:.2f} against {median(first) * 1e3:.2f} ms, {_PAGE} entries a page",
        ratio(distant, first),
        OF_FIRST_PAGE,
    )


async def _keep(url: str, workspace_id: int) -> int:
    database = await Database.connect(url, size=1)
    try:
        keeper = Keeper(database)
        await keeper.look_through(workspace_id)
        return await keeper.keep()
    finally:
        await database.close()


def _instant(at: datetime) -> str:
    """All of one length: one takes another's place in a request."""
    return at.isoformat(timespec="microseconds")
