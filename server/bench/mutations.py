"""What a burn costs beyond a mutation that does nothing, and what one hot account costs beyond a thousand."""

from collections.abc import Iterator
from statistics import median

from server.bench.load import Stream
from server.bench.report import AtLeast, Figure, ratio
from server.bench.requests import CUSTOMER, KEY, GraphQL
from server.bench.run import Run
from server.bench.world import HOT

OF_NOOP = AtLeast(0.80)
OF_SPREAD = AtLeast(0.9)
CLIENTS = (32, 128)
HOT_CLIENTS = 64
GRAPHQL, BARE, STOCK = "/graphql", "/bare", "/stock"
_WHERE = {GRAPHQL: "", BARE: " of a bare route", STOCK: " of the stock stack"}

_DOCUMENT = """mutation($input: BurnInput!) { answer: %s(input: $input) { __typename
  ... on BurnOk { replayed entry { id sequence } balance { available version } }
  ... on Refusal { code message } } }"""
_INPUT = {"customer": CUSTOMER, "feature": "input-tokens", "quantity": "374", "idempotencyKey": KEY}


def mutation(run: Run, name: str, customers: tuple[str, ...], path: str = GRAPHQL) -> GraphQL:
    """`burn` or `noop`: the same input, the same shape of answer. On BARE nobody reads it."""
    expected = "{}" if path == BARE else "BurnOk"
    return GraphQL(run.stage.world.secret, _DOCUMENT % name, {"input": _INPUT}, customers, expected, path)


def burn_against_noop(run: Run) -> Iterator[Figure]:
    return (figure for clients in CLIENTS for figure in _against_noop(run, clients))


def _against_noop(run: Run, clients: int) -> tuple[Figure, Figure]:
    """Against our own no-op, and against that of the stock stack: raising the ceiling makes the first one harder."""
    everybody = run.stage.world.customers

    def rate(name: str, path: str, seconds: float) -> float:
        phase = f"{name}{_WHERE[path]}, {clients} clients"
        return run.phase(phase, Stream(mutation(run, name, everybody, path), clients, seconds))[0].per_second

    rate("burn", GRAPHQL, run.seconds / 2)  # statements prepared, caches filled
    bare, stock, noops, burns = run.in_turns(
        f"burn against no-op, {clients} clients",
        lambda: rate("noop", BARE, run.seconds / 2),
        lambda: rate("noop", STOCK, run.seconds),
        lambda: rate("noop", GRAPHQL, run.seconds),
        lambda: rate("burn", GRAPHQL, run.seconds),
    )
    return Figure(
        f"burn / no-op mutation, {clients} clients",
        f"{median(burns):,.0f} against {median(noops):,.0f} mutations/s (a bare route: {median(bare):,.0f})",
        ratio(burns, noops),
        OF_NOOP,
    ), Figure(
        f"burn / no-op mutation of the stock stack, {clients} clients",
        f"{median(burns):,.0f} against {median(stock):,.0f} mutations/s",
        ratio(burns, stock),
        OF_NOOP,
    )


def hot_against_spread(run: Run) -> Iterator[Figure]:
    everybody = run.stage.world.customers

    def rate(phase: str, customers: tuple[str, ...]) -> float:
        stream = Stream(mutation(run, "burn", customers), HOT_CLIENTS, run.seconds)
        return run.phase(f"burn, {phase}", stream)[0].per_second

    spread, hot = run.in_turns(
        "one hot account against spread ones",
        lambda: rate("spread accounts", everybody),
        lambda: rate("one hot account", (HOT,)),
    )
    yield Figure(
        "one hot account / 1,000 accounts",
        f"{median(hot):,.0f} against {median(spread):,.0f} burns/s, {HOT_CLIENTS} clients",
        ratio(hot, spread),
        OF_SPREAD,
    )
