"""Law 10: what arrives late is placed where it belongs, and the order of arrival changes nothing that a grant ends with."""

import copy
import os
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from credits.ledger import advance, corrections, grants, holds, late
from credits.ledger.account import Account, Grant
from credits.ledger.entries import GENESIS, Kind, chain
from tests.credits.ledger.given import NOBODY, NOON, a_grant, an_account, told

ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
HISTORIES = int(os.environ.get("SCRIP_HISTORIES", "800"))


@dataclass
class Happening:
    """One thing that happens at `at`; usage is told of at `told`, everything else at once."""

    at: int
    what: str
    amount: int
    told: int
    lasts: int | None = None
    priority: int = 50
    paid: bool = False
    backdated: int = 0
    of: int = 0


def instant(ticks: int) -> datetime:
    return NOON + timedelta(minutes=ticks)


def give(account: Account, grant: Grant, now: datetime, burns: list[tuple[datetime, int]]) -> None:
    """As the writer does: what burned before each cut is summed over the entries."""
    if grant.effective_at >= now or not (account.phases or account.drawn):
        grants.give(account, grant, now)
        return
    grants.take_in(account, grant)
    cuts = {
        cut: sum(amount for at, amount in burns if at < cut.until and (cut.begun is None or at >= cut.begun))
        for cut in late.cuts_for(account, grant, now)
    }
    late.begin_in_the_past(account, grant, now, cuts)


def play(happenings: list[Happening], order: str, *, together: bool = False) -> Account:
    """The history as it is told; usage that is told at one instant comes as one batch when `together`."""
    account = an_account(order)
    burns: list[tuple[datetime, int]] = []
    waiting: list[Happening] = sorted(happenings, key=lambda each: each.told)
    while waiting:
        first = waiting.pop(0)
        batch = [first]
        while (
            together
            and first.what == "burn"
            and waiting
            and waiting[0].what == "burn"
            and waiting[0].told == first.told
        ):
            batch.append(waiting.pop(0))
        now = instant(first.told)
        advance.advance(account, now)
        if first.what == "burn":
            new = [late.LateBurn(each.amount, instant(each.at), NOBODY) for each in batch]
            late.place(account, new, now)
            burns += [(burned.occurred_at, burned.amount) for burned in new]
        elif first.what == "grant":
            begins = instant(first.at - first.backdated)
            more: dict[str, Any] = {"cost_amount": 1} if first.paid else {}
            ends = None if first.lasts is None else max(begins, now) + timedelta(minutes=first.lasts)
            grant = a_grant(first.amount, now=begins, expires_at=ends, priority=first.priority, created_at=now, **more)
            give(account, grant, now, burns)
        elif first.what == "hold":
            if account.available > 0:
                amount = min(first.amount, account.available)
                holds.open_hold(
                    account, amount, expires_at=now + timedelta(minutes=first.lasts or 1), now=now, cause=NOBODY
                )
        elif first.what in ("void", "clawback", "reverse", "unclaw"):
            correct(account, first, now)
        elif account.holds:
            hold = account.holds[1 + first.of % account.hold_count]
            if hold.status == "OPEN" and first.what == "release":
                holds.release(account, hold, at=now, cause=NOBODY)
            elif hold.status == "OPEN":
                holds.settle(account, hold, first.amount, closes=first.paid, now=now, cause=NOBODY)
        check(account)
    advance.advance(account, instant(10_000))
    check(account)
    return account


def check(account: Account) -> None:
    """Laws 3, 4 and 13 and the chain, and that the entries add up to what each grant says."""
    kept: dict[int, int] = {}
    for hold in account.holds.values():
        for number, part in hold.parts:
            kept[number] = kept.get(number, 0) + part
    for grant in account.grants.values():
        gone = grant.burned + grant.expired + grant.voided + grant.clawed_back
        assert grant.amount + grant.given_back == grant.remaining + gone, grant
        assert 0 <= grant.held <= grant.remaining <= grant.amount, grant
        assert min(grant.burned, grant.expired) >= 0, grant
        assert grant.held == kept.get(grant.number, 0), grant
    live = sum(grant.remaining for grant in account.grants.values() if grant.state != "SCHEDULED")
    corrected = account.given_back - account.voided - account.clawed_back + account.adjusted
    assert account.balance == live - account.overdraft
    assert account.balance == account.granted - account.burned - account.expired + corrected
    assert account.balance == sum(entry.amount for entry in account.entries)
    assert account.overdraft >= 0
    assert not (account.overdraft and account.burnable()), "debt beside what could pay it"
    head = GENESIS
    for entry in account.entries:
        head = chain(head, entry)
        assert head == entry.hash
    by_entries(account)


def correct(account: Account, asked: Happening, now: datetime) -> None:
    """An operator voids or claws back a grant, or gives back what is left of a burn or of a clawback."""
    live = [grant for grant in account.grants.values() if grant.state == "ACTIVE"]
    if asked.what in ("reverse", "unclaw"):
        kind = Kind.BURN if asked.what == "reverse" else Kind.CLAWBACK
        burned = [entry for entry in account.entries if entry.kind is kind]
        if burned:
            entry = burned[asked.of % len(burned)]
            later = [
                each
                for each in account.entries[entry.sequence :]
                if each.cause.reverses == entry.sequence or any(min(parts) <= 0 for parts in each.allocations)
            ]
            left = corrections.left_of(entry, later)
            if left:
                ends = now + timedelta(minutes=40)
                amount = min(left, asked.amount)
                corrections.reverse(account, entry, amount, later=later, refund_expires_at=ends, now=now, cause=NOBODY)
    elif live and asked.what == "void":
        corrections.void(account, live[asked.of % len(live)], now=now, cause=NOBODY)
    elif live:
        corrections.clawback(account, live[asked.of % len(live)], asked.amount, now=now, cause=NOBODY)


def by_entries(account: Account) -> None:
    """Each grant's burned and expired, and the overdraft, from allocations alone."""
    burned: dict[int, int] = {}
    expired: dict[int, int] = {}
    debt = 0
    for entry in account.entries:
        for number, part in entry.allocations:
            if number < 0:
                burned[-number] = burned.get(-number, 0) + part
                debt -= part
            elif number == 0 and entry.kind in (Kind.REVERSE, Kind.CLAWBACK):
                debt += part if entry.kind is Kind.CLAWBACK else -part
            elif entry.kind in (Kind.BURN, Kind.REALLOCATE, Kind.SETTLE):
                if number:
                    burned[number] = burned.get(number, 0) + part
                else:
                    debt += part
            elif entry.kind in (Kind.EXPIRE, Kind.UNEXPIRE):
                expired[number] = expired.get(number, 0) + (part if entry.kind is Kind.EXPIRE else -part)
    for grant in account.grants.values():
        told_of = (burned.get(grant.number, 0), expired.get(grant.number, 0))
        assert told_of == (grant.burned, grant.expired), (grant, told(account))
    assert debt == account.overdraft


def ends_with(account: Account) -> list[tuple[Any, ...]]:
    """What arrival order must not change; grants by when and how they were given, not by number."""
    grants_ = sorted(
        (g.created_at, g.amount, g.priority, str(g.expires_at), g.remaining, g.burned, g.expired, g.state)
        for g in account.grants.values()
    )
    return [*grants_, (account.balance, account.overdraft, account.burned, account.expired, account.granted)]


def draw_history(
    draw: random.Random, *, with_holds: bool, backdated: bool = False, corrected: bool = False
) -> list[Happening]:
    """Six to thirty happenings over ten hours, all told in time."""
    kinds = ["grant", "burn", "burn", "burn"] + (["hold", "settle", "release"] if with_holds else [])
    kinds += ["void", "clawback", "reverse", "reverse", "unclaw", "unclaw"] if corrected else []
    happenings = []
    for number in range(draw.randint(6, 30)):
        at = draw.randint(0, 60) * 10 + number % 10  # no two at one instant: their order would be the order of arrival
        lasts = draw.choice((None, draw.randint(1, 300)))
        what = draw.choice(kinds)
        happening = Happening(at, what, draw.randint(1, 40), at, lasts, draw.choice((10, 50)), draw.random() < 0.5)
        happening.of = draw.randint(0, 5)
        if what == "grant" and draw.random() < 0.3:
            happening.backdated = -draw.randint(1, 90)  # scheduled for later
        elif what == "grant" and backdated and draw.random() < 0.4:
            happening.backdated = draw.randint(1, 150)
        happenings.append(happening)
    return happenings


def delayed(draw: random.Random, happenings: list[Happening], after: int | None = None) -> list[Happening]:
    """The same with some usage told of later: anywhere up to the end, or after `after`."""
    changed = copy.deepcopy(happenings)
    for happening in changed:
        if happening.what == "burn" and draw.random() < 0.6:
            happening.told = draw.randint(max(happening.at, after or 0), 900)
    return changed


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_arrival_ends_with_the_same_grants(order: str) -> None:
    for seed in range(HISTORIES):
        draw = random.Random(f"{order} {seed}")
        happenings = draw_history(draw, with_holds=False)
        in_time = play(happenings, order)
        for _ in range(2):
            arrived = play(delayed(draw, happenings), order, together=draw.random() < 0.5)
            assert ends_with(arrived) == ends_with(in_time), f"{order} {seed}"


@pytest.mark.parametrize("corrected", [False, True], ids=["holds", "holds and corrections"])
@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_what_comes_after_what_stays_fixed_ends_the_same(order: str, *, corrected: bool) -> None:
    """A hold takes what is there when it opens, a void what is there then; usage told of after them is told in any order."""
    for seed in range(HISTORIES):
        draw = random.Random(f"holds {order} {seed}")
        happenings = draw_history(draw, with_holds=True, corrected=corrected)
        late_ones = delayed(draw, happenings, after=700)
        arrived = play(late_ones, order)
        shuffled = copy.deepcopy(late_ones)
        moved = [each for each in shuffled if each.told >= 700]
        for each, when in zip(moved, draw.sample([each.told for each in moved], len(moved)), strict=True):
            each.told = when
        assert ends_with(play(shuffled, order, together=True)) == ends_with(arrived), f"{order} {seed}"


@pytest.mark.parametrize("order", ORDERS)
def test_where_holds_took_the_same_late_usage_ends_as_in_time(order: str) -> None:
    alike = 0
    for seed in range(HISTORIES):
        draw = random.Random(f"alike {order} {seed}")
        happenings = draw_history(draw, with_holds=True)
        in_time, arrived = play(happenings, order), play(delayed(draw, happenings), order)
        if fixed(in_time) == fixed(arrived):
            alike += 1
            assert ends_with(arrived) == ends_with(in_time), f"{order} {seed}"
    assert alike > HISTORIES // 20


def fixed(account: Account) -> list[Any]:
    """What holds did."""
    kinds = (Kind.HOLD, Kind.SETTLE, Kind.RELEASE, Kind.LAPSE)
    return [
        (entry.kind, entry.occurred_at, entry.hold_number, sorted(p for p in entry.allocations if p[0] >= 0))
        for entry in account.entries
        if entry.kind in kinds
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_a_grant_that_begins_in_the_past_ends_as_if_it_had_been_given_then(order: str) -> None:
    for seed in range(HISTORIES):
        draw = random.Random(f"backdated {order} {seed}")
        happenings = draw_history(draw, with_holds=False, backdated=True)
        for happening in happenings:
            happening.lasts = None if happening.lasts is None else happening.lasts + 200
        late_told = play(happenings, order)
        in_time = copy.deepcopy(happenings)
        for happening in in_time:
            if happening.what == "grant" and happening.backdated > 0:
                happening.at -= happening.backdated
                happening.lasts = None if happening.lasts is None else happening.lasts + happening.backdated
                happening.told, happening.backdated = happening.at, 0
        assert without_times(play(in_time, order)) == without_times(late_told), f"{order} {seed}"


@pytest.mark.parametrize("order", ORDERS)
def test_what_was_given_back_goes_to_who_bears_it_whatever_begins_in_the_past(order: str) -> None:
    """No grant ends with more than was ever given: `check`, after each step."""
    for seed in range(HISTORIES):
        draw = random.Random(f"given back {order} {seed}")
        happenings = draw_history(draw, with_holds=draw.random() < 0.5, backdated=True, corrected=True)
        play(delayed(draw, happenings), order)


def without_times(account: Account) -> list[tuple[Any, ...]]:
    return sorted(entry[1:] for entry in ends_with(account)[:-1]) + ends_with(account)[-1:]
