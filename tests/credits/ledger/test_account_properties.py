"""Properties of the rules over random histories, that no single case can show."""

import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credits.ledger import corrections, holds
from credits.ledger.account import Account
from credits.ledger.advance import advance
from credits.ledger.balance import balance_of
from credits.ledger.entries import GIVEN_BACK, REVERSIBLE, Kind
from credits.ledger.rows import flatten, pairs, sole_grant
from tests.credits.ledger.given import (
    NOBODY,
    NOON,
    an_account,
    check,
    give,
    hold,
    release,
    reverse,
    settle,
    spend,
    told,
)

TICK = timedelta(seconds=1)
ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
CORRECTIONS = ("reverse", "reverse", "void", "clawback", "unclaw", "adjust", "move")
ends = st.none() | st.integers(1, 12)


@dataclass(frozen=True)
class Step:
    """One thing done to an account, `wait` ticks after the last. `which` picks a hold."""

    verb: str
    wait: int
    amount: int
    begins: int = 0
    lasts: int | None = None
    priority: int = 50
    paid: bool = False
    which: int = 0
    closes: bool = True


steps = st.builds(
    Step,
    verb=st.sampled_from(
        ("grant", "grant", "grant", "burn", "burn", "hold", "hold", "settle", "release", "extend", *CORRECTIONS)
    ),
    wait=st.integers(0, 3),
    amount=st.integers(1, 12),
    begins=st.integers(-3, 6),
    lasts=ends,
    priority=st.sampled_from((10, 50)),
    paid=st.booleans(),
    which=st.integers(0, 5),
    closes=st.booleans(),
)
histories = st.lists(steps, max_size=25)
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def do(account: Account, step: Step, at: int) -> None:
    now = NOON + at * TICK
    open_holds = [of for of in account.holds.values() if of.status == "OPEN" and of.expires_at > now]
    if step.verb == "grant":
        advance(account, now)
        effective = now + step.begins * TICK
        end = None if step.lasts is None else max(now, effective) + step.lasts * TICK
        more = {"cost_amount": Decimal(1)} if step.paid else {}
        give(account, step.amount, now=now, effective_at=effective, expires_at=end, priority=step.priority, **more)
    elif step.verb == "burn":
        spend(account, step.amount, now=now)
    elif step.verb == "hold":
        hold(account, step.amount, now=now, lasts=(step.lasts or 4) * TICK)
    elif step.verb in CORRECTIONS:
        advance(account, now)
        correct(account, step, now)
    elif open_holds:
        chosen = open_holds[step.which % len(open_holds)]
        if step.verb == "settle":
            settle(account, chosen, step.amount, now=now, closes=step.closes)
        elif step.verb == "release":
            release(account, chosen, now=now)
        else:
            advance(account, now)
            holds.extend(account, chosen, now + (step.lasts or 4) * TICK, now=now)


def correct(account: Account, step: Step, now: datetime) -> None:
    """What the desk would let through: reversals of what is left, corrections of grants that can bear them."""
    if step.verb in ("reverse", "unclaw"):
        kinds = REVERSIBLE if step.verb == "reverse" else (Kind.CLAWBACK,)
        burned = [entry for entry in account.entries if entry.kind in kinds][-4:]
        left = [(e, corrections.left_of(e, account.entries[e.sequence :])) for e in burned]
        left = [(entry, amount) for entry, amount in left if amount]
        if left:
            entry, amount = left[step.which % len(left)]
            reverse(account, entry, min(step.amount, amount), now=now)
        return
    live = [g for g in account.grants.values() if g.state == "ACTIVE" and (g.free or step.verb in ("void", "clawback"))]
    if not live:
        return
    grant, cause = live[step.which % len(live)], NOBODY
    if step.verb == "void":
        corrections.void(account, grant, now=now, cause=cause)
    elif step.verb == "clawback":
        corrections.clawback(account, grant, step.amount, now=now, cause=cause)
    elif step.verb == "adjust":
        amount = step.amount if step.closes else -min(step.amount, grant.free)
        corrections.adjust(account, grant, amount, now=now, cause=cause)
    else:
        end = None if step.lasts is None else now + step.lasts * TICK
        corrections.move(account, grant, expires_at=end, now=now, cause=cause)


def play(history: list[Step], order: str) -> tuple[Account, int]:
    """The account after the history, and the tick at which it ended."""
    account, at = an_account(order), 0
    for step in history:
        at += step.wait
        do(account, step, at)
    return account, at


def state(account: Account) -> tuple[object, ...]:
    """Everything that is stored of an account, but how early it may be looked at again."""
    totals = (account.balance, account.held, account.overdraft, account.granted, account.burned, account.expired)
    totals += (account.given_back, account.voided, account.clawed_back, account.adjusted)
    return (totals, account.head, account.sequence, account.grants, account.holds, told(account))


@many
@given(histories, st.sampled_from(ORDERS))
def test_every_law_holds_after_every_step(history: list[Step], order: str):
    account, at = an_account(order), 0
    for step in history:
        at += step.wait
        do(account, step, at)
        check(account)
        for entry in account.entries[-3:]:
            assert pairs(flatten(entry.allocations)) == list(entry.allocations)
            assert sole_grant(entry) in (None, entry.allocations[0][0] if entry.allocations else None)
        for entry in account.entries:
            if entry.kind in GIVEN_BACK:
                assert corrections.left_of(entry, account.entries[entry.sequence :]) >= 0


@many
@given(histories, st.sampled_from(ORDERS), st.lists(st.integers(0, 30), max_size=4))
def test_the_clock_in_many_steps_is_the_clock_in_one(history: list[Step], order: str, stops: list[int]):
    account, at = play(history, order)
    other = copy.deepcopy(account)
    advance(account, NOON + (at + 30) * TICK)
    for stop in sorted(stops):
        advance(other, NOON + (at + stop) * TICK)
        check(other)
    advance(other, NOON + (at + 30) * TICK)
    assert state(account) == state(other)
    assert account.due_at == other.due_at


@many
@given(histories, st.sampled_from(ORDERS), st.integers(0, 30))
def test_the_clock_twice_is_the_clock_once(history: list[Step], order: str, later: int):
    account, at = play(history, order)
    advance(account, NOON + (at + later) * TICK)
    before = copy.deepcopy(state(account))
    advance(account, NOON + (at + later) * TICK)
    assert state(account) == before


@many
@given(histories, st.sampled_from(ORDERS), st.integers(0, 20))
def test_looking_in_between_changes_nothing_that_comes_after(history: list[Step], order: str, seed: int):
    """A sweep between any two steps, or none: the same book."""
    swept, at = an_account(order), 0
    for number, step in enumerate(history):
        if (number + seed) % 3 == 0:
            advance(swept, NOON + (at + step.wait) * TICK)
        at += step.wait
        do(swept, step, at)
    account, end = play(history, order)
    advance(account, NOON + end * TICK)
    advance(swept, NOON + end * TICK)
    assert state(account) == state(swept)


@many
@given(histories, histories, st.sampled_from(ORDERS))
def test_two_accounts_do_not_know_of_each_other(first: list[Step], second: list[Step], order: str):
    """Interleaved in any way or one after the other: each has its own book, and its own chain."""
    one, other = an_account(order), an_account(order)
    clocks = [0, 0]
    for number in range(max(len(first), len(second))):
        for which, (account, history) in enumerate(((one, first), (other, second))):
            if number < len(history):
                clocks[which] += history[number].wait
                do(account, history[number], clocks[which])
    assert state(one) == state(play(first, order)[0])
    assert state(other) == state(play(second, order)[0])


@many
@given(histories, st.sampled_from(ORDERS))
def test_whatever_is_held_and_given_up_leaves_available_as_if_it_had_never_been(history: list[Step], order: str):
    """Law 11, at one instant: open a hold and release it."""
    account, at = play(history, order)
    now = NOON + at * TICK
    advance(account, now)
    other = copy.deepcopy(account)
    release(account, hold(account, 7, now=now), now=now)
    assert (account.balance, account.held, account.overdraft) == (other.balance, other.held, other.overdraft)
    assert {n: g.remaining for n, g in account.grants.items()} == {n: g.remaining for n, g in other.grants.items()}
    check(account)


@many
@given(histories, histories, st.sampled_from(ORDERS), st.lists(st.integers(1, 30), max_size=4))
def test_a_burn_given_back_whole_leaves_available_as_if_it_had_never_been(
    before: list[Step], after: list[Step], order: str, parts: list[int]
):
    """Law 11: whatever was granted, held and repaid since, as long as nothing ended meanwhile."""
    account, at = play([replace(step, lasts=None) for step in before], order)
    entry = spend(account, 15, now=NOON + at * TICK)
    available = account.available
    refunds = sum(grant.source == "REFUND" for grant in account.grants.values())
    for step in after:
        if step.verb in ("grant", "burn", "hold", "settle", "adjust"):
            before_it = account.available
            do(account, replace(step, lasts=None, begins=0, wait=0), at)
            available += account.available - before_it
    left = 15
    for part in [*(min(part, 15) for part in parts), 15]:
        if left:
            reverse(account, entry, min(part, left), now=NOON + at * TICK)
            left -= min(part, left)
            check(account)
    assert account.available == available + 15
    assert corrections.left_of(entry, account.entries[entry.sequence :]) == 0
    assert sum(grant.source == "REFUND" for grant in account.grants.values()) == refunds


@many
@given(histories, st.sampled_from(ORDERS), st.integers(1, 40))
def test_a_burn_given_back_at_once_is_home_with_the_grants_that_bore_it(history: list[Step], order: str, amount: int):
    account, at = play(history, order)
    now = NOON + at * TICK
    advance(account, now)
    was = {n: (grant.remaining, grant.state) for n, grant in account.grants.items()}, account.overdraft
    reverse(account, spend(account, amount, now=now), now=now)
    assert ({n: (g.remaining, g.state) for n, g in account.grants.items()}, account.overdraft) == was
    check(account)


@many
@given(histories, st.sampled_from(ORDERS), st.integers(1, 40), st.integers(0, 5), st.integers(1, 40))
def test_a_clawback_given_back_at_once_leaves_everything_as_it_was(
    history: list[Step], order: str, amount: int, which: int, part: int
):
    """Of any grant that has begun, in one part or two; what other grants repaid of it is theirs again."""
    account, at = play(history, order)
    now = NOON + at * TICK
    advance(account, now)
    begun = [grant for grant in account.grants.values() if grant.state != "SCHEDULED"]
    if not begun:
        return
    was = {n: (grant.remaining, grant.state) for n, grant in account.grants.items()}, account.overdraft
    available = account.available
    entry = corrections.clawback(account, begun[which % len(begun)], amount, now=now, cause=NOBODY)
    assert account.available == available - amount
    for back in (min(part, amount), amount - min(part, amount)):
        if back:
            reverse(account, entry, back, now=now)
            check(account)
    assert ({n: (g.remaining, g.state) for n, g in account.grants.items()}, account.overdraft) == was


@many
@given(histories, st.sampled_from(ORDERS))
def test_the_buckets_are_the_balance_and_the_overdraft(history: list[Step], order: str):
    account, at = play(history, order)
    balance = balance_of(account, NOON + at * TICK, 0)
    assert sum(bucket.amount for bucket in balance.buckets) == balance.balance + account.overdraft
    assert len({(bucket.source, bucket.expires_at) for bucket in balance.buckets}) == len(balance.buckets)
    assert all(bucket.amount > 0 for bucket in balance.buckets)


@many
@given(histories, st.sampled_from(ORDERS))
def test_a_page_that_loads_only_what_is_due_sees_what_a_full_account_sees(history: list[Step], order: str):
    """Reads and batches load open grants and the holds that are due, not the others."""
    account, at = play(history, order)
    later = NOON + (at + 6) * TICK
    page = copy.deepcopy(account)
    kept = [of.expires_at for of in page.holds.values() if of.status == "OPEN" and of.expires_at > later]
    page.holds = {n: of for n, of in page.holds.items() if of.status == "OPEN" and of.expires_at <= later}
    page.grants = {n: grant for n, grant in page.grants.items() if grant.open}
    page.later_hold_at = min(kept, default=None)
    advance(page, later)
    advance(account, later)
    assert (page.balance, page.held, page.overdraft, page.head) == (
        account.balance,
        account.held,
        account.overdraft,
        account.head,
    )
    open_due = [of.expires_at for of in account.holds.values() if of.status == "OPEN"]
    open_due += [g.expires_at for g in account.grants.values() if g.state == "ACTIVE" and g.expires_at]
    open_due += [g.effective_at for g in account.grants.values() if g.state == "SCHEDULED"]
    if open_due:
        assert page.due_at is not None
        assert page.due_at <= min(open_due), "a due instant was lost"
