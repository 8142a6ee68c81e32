"""The pure core against the reference model: every law after every step. `SCRIP_SEED` replays a run to the same log."""

import os
import random
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.desk import Desk
from tests.model.laws import check_laws
from tests.model.ledger import Account
from tests.model.pure_core import Core, step
from tests.model.walk import ORDERS, STEPS_PER_ACCOUNT, Command, Walk

STEPS = 150_000
SOAK_STEPS = 10_000_000
REPORT_EVERY = 1_000_000
REPEATED = 0.1  # of the steps are followed by a key that was used before


def run_loop(seed: int, steps: int, kind: type[Core] = Core) -> Walk:
    """`steps` commands from `seed`, on a fresh pair of accounts every so often. A failure names what replays it."""
    walk = Walk(random.Random(seed), burn_min=0 if kind is Core else 1)
    model = real = None
    since = 0
    history: list[Command] = []
    began = time.monotonic()
    for number in range(steps):
        command = walk.next_command()
        if walk.account is not model:
            model, real, since, history = walk.account, kind(walk.account.order), 0, []
        history.append(command)
        assert real is not None
        try:
            answer = walk.apply(model, command)
            check_laws(model)
            since = step(real, model, command, answer, since)
            if isinstance(real, Desk) and real.used and walk.draw.random() < REPEATED:
                real.ask_again(walk.draw)
        except AssertionError as error:
            story = "\n".join(map(str, history[-STEPS_PER_ACCOUNT:]))
            raise AssertionError(f"SCRIP_SEED={seed}, step {number}, order {model.order}:\n{story}") from error
        if number and number % REPORT_EVERY == 0:
            print(f"seed {seed}: {number:,} steps, {number / (time.monotonic() - began):,.0f}/s")
    return walk


def seed_of(default: int) -> int:
    return int(os.environ.get("SCRIP_SEED", default))


@pytest.mark.parametrize("kind", [Core, Desk], ids=["the rules", "the desk"])
def test_the_core_and_the_model_agree_over_a_long_random_history(kind):
    walk = run_loop(seed_of(20260101), STEPS, kind)
    kinds = ("SETTLE", "RELEASE", "LAPSE", "EXPIRE", "HOLD", "BURN", "GRANT", "REVERSE", "VOID", "CLAWBACK")
    kinds = (*kinds, "REVERSE of CLAWBACK")
    rare = {kind: walk.tally[kind] for kind in kinds}
    assert min(rare.values()) > STEPS // 100, f"the walk does not reach enough: {rare}"


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", [Core, Desk], ids=["the rules", "the desk"])
def test_the_core_and_the_model_agree_over_ten_million_steps(kind):
    seed = seed_of(time.time_ns() % 10**9)
    print(f"SCRIP_SEED={seed}")
    run_loop(seed, int(os.environ.get("SCRIP_SOAK_STEPS", SOAK_STEPS)) // 2, kind)


class LedgerMachine(RuleBasedStateMachine):
    """The same by Hypothesis, which shrinks what it breaks to the shortest story."""

    amounts = st.integers(1, 30)
    spans = st.integers(0, 12)
    floors = st.sampled_from((0, 0, 4, None))

    @initialize(order=st.sampled_from(ORDERS))
    def begin(self, order: str) -> None:
        self.model, self.real = Account(order), Core(order)
        self.now, self.since = 0, 0

    def put(self, command: Command) -> None:
        answer = Walk.apply(self.model, command)
        check_laws(self.model)
        self.since = step(self.real, self.model, command, answer, self.since)

    @rule(span=spans)
    def time_passes(self, span: int) -> None:
        self.now += span

    @rule(
        amount=amounts,
        begins=st.none() | st.integers(0, 9),
        lasts=st.none() | st.integers(-1, 20),
        priority=st.sampled_from((10, 50)),
        paid=st.booleans(),
    )
    def grant(self, amount: int, begins: int | None, lasts: int | None, priority: int, paid: bool) -> None:
        effective = None if begins is None else self.now + begins
        expires = None if lasts is None else self.now + lasts
        times = {"effective": effective, "expires": expires}
        self.put(Command("grant", self.now, amount, **times, priority=priority, paid=paid))

    @rule(amount=st.integers(0, 30), floor=floors)
    def burn(self, amount: int, floor: int | None) -> None:
        self.put(Command("burn", self.now, amount, floor))

    @rule(amount=amounts, floor=floors, lasts=st.integers(1, 15))
    def hold(self, amount: int, floor: int | None, lasts: int) -> None:
        self.put(Command("hold", self.now, amount, floor, expires=self.now + lasts))

    @rule(draw=st.data(), amount=amounts, floor=floors, partial=st.booleans())
    def settle(self, draw: st.DataObject, amount: int, floor: int | None, partial: bool) -> None:
        self.on_a_hold("settle", draw, amount=amount, floor=floor, partial=partial)

    @rule(draw=st.data())
    def release(self, draw: st.DataObject) -> None:
        self.on_a_hold("release", draw)

    @rule(draw=st.data(), lasts=st.integers(1, 15))
    def extend(self, draw: st.DataObject, lasts: int) -> None:
        self.on_a_hold("extend", draw, expires=self.now + lasts)

    @rule(draw=st.data())
    def void(self, draw: st.DataObject) -> None:
        self.on_a_grant("void", draw)

    @rule(draw=st.data(), amount=amounts)
    def claw_back(self, draw: st.DataObject, amount: int) -> None:
        self.on_a_grant("clawback", draw, amount=amount)

    @rule(draw=st.data(), amount=amounts)
    def reverse(self, draw: st.DataObject, amount: int) -> None:
        if self.model.entries:
            sequence = draw.draw(st.integers(1, len(self.model.entries)))
            self.put(Command("reverse", self.now, amount, entry=sequence))

    @rule(draw=st.data(), amount=amounts)
    def reverse_a_clawback(self, draw: st.DataObject, amount: int) -> None:
        clawbacks = [entry.sequence for entry in self.model.entries if entry.kind == "CLAWBACK"]
        if clawbacks:
            self.put(Command("unclaw", self.now, amount, entry=draw.draw(st.sampled_from(clawbacks))))

    def on_a_grant(self, verb: str, draw: st.DataObject, **fields: object) -> None:
        if self.model.grants:
            number = draw.draw(st.sampled_from(sorted(self.model.grants)))
            self.put(Command(verb, self.now, grant=number, **fields))  # type: ignore[arg-type]

    def on_a_hold(self, verb: str, draw: st.DataObject, **fields: object) -> None:
        if self.model.holds:
            number = draw.draw(st.sampled_from(sorted(self.model.holds)))
            self.put(Command(verb, self.now, hold=number, **fields))  # type: ignore[arg-type]


LedgerMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLedgerMachine = LedgerMachine.TestCase
