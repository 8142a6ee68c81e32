"""An account made again from its entries: by the rules' own histories, and kind by kind where no rule makes them yet."""

import random
from typing import Any

import pytest

from credits.ledger.account import Account
from credits.ledger.entries import Kind
from credits.ledger.standing import (
    BURNED,
    EXPIRED,
    GRANTED,
    Effect,
    Standing,
    decode,
    effect_of,
    encode,
    lots_of,
    replay,
    weigh,
)
from tests.credits.ledger.given import DAY, NOON, a_grant
from tests.model.pure_core import Core
from tests.model.walk import STEPS_PER_ACCOUNT, Walk

ACCOUNTS = 300


def check(standing: Standing) -> None:
    """What holds at every entry."""
    assert standing.balance == sum(standing.remaining.values()) - standing.overdraft
    assert standing.balance == sum(line.amount for line in standing.lines.values())
    assert standing.held == sum(part for parts in standing.holds.values() for _, part in parts)


def equal(standing: Standing, account: Account) -> None:
    """The standing is the account."""
    for name in ("sequence", "balance", "held", "overdraft", "granted", "burned", "expired"):
        assert getattr(standing, name) == getattr(account, name), name
    begun = [grant for grant in account.grants.values() if grant.state != "SCHEDULED"]
    assert standing.remaining == {grant.number: grant.remaining for grant in begun if grant.remaining}
    assert standing.kept == {grant.number: grant.held for grant in begun if grant.held}
    keeping = {hold.number: hold.parts for hold in account.holds.values() if hold.parts}
    assert {number: parts for number, parts in standing.holds.items() if parts} == keeping


def test_replaying_a_random_history_gives_the_account_at_every_entry():
    walk = Walk(random.Random(5), burn_min=1)
    for _ in range(ACCOUNTS):
        walk.begin_account()
        core, standing = Core(walk.account.order), Standing()
        for _ in range(STEPS_PER_ACCOUNT):
            command = walk.next_command()
            walk.apply(walk.account, command)
            core.apply(command)
            for entry in core.account.entries[standing.sequence :]:
                replay(standing, effect_of(entry, core.account.grants))
                check(standing)
            equal(standing, core.account)
        again = decode(standing.sequence, encode(standing))
        assert {**again.lines} == {key: line for key, line in standing.lines.items() if line.count or line.amount}
        equal(again, core.account)


def test_burns_by_one_grant_may_be_added_up_and_added_in_any_order():
    whole, parts = Standing(), Standing()
    entries = [
        Effect(Kind.GRANT, 100, 0, [(1, 100)], source="PLAN"),
        *(Effect(Kind.BURN, -3, 0, [(1, 3)]) for _ in range(5)),
    ]
    for effect in entries:
        replay(whole, effect)
    for effect in (Effect(Kind.BURN, -15, 0, [(1, 15)], count=5), entries[0]):
        replay(parts, effect)
    assert whole == parts


def test_what_was_weighed_can_be_taken_away_again():
    standing = Standing()
    effects = [
        Effect(Kind.GRANT, 10, 0, [(1, 8), (-1, 2)], source="MANUAL"),
        Effect(Kind.BURN, -9, 0, [(1, 8), (0, 1)], feature_id=7),
        Effect(Kind.REALLOCATE, 0, 0, [(2, 3), (1, -2), (0, -1)]),
    ]
    for effect in effects:
        weigh(standing, effect)
    for effect in effects:
        weigh(standing, effect, -1)
    assert (standing.balance, standing.overdraft, standing.remaining) == (0, 0, {})
    assert {(line.count, line.amount) for line in standing.lines.values()} == {(0, 0)}


GIVEN = [
    Effect(Kind.GRANT, 100, 0, [(1, 100)]),
    Effect(Kind.GRANT, 50, 0, [(2, 50)]),
    Effect(Kind.BURN, -160, 0, [(1, 100), (2, 50), (0, 10)]),
]
# Each kind that corrects: the entry, then what remains of the two grants, and the overdraft.
CORRECTIONS: list[tuple[Effect, dict[int, int], int]] = [
    (Effect(Kind.REVERSE, 30, 0, [(1, 20), (0, 10)]), {1: 20}, 0),
    (Effect(Kind.REVERSE, 30, 0, [(1, 20), (-1, 10)]), {1: 20}, 0),
    (Effect(Kind.REVERSE, 30, 0, [(9, 30)]), {9: 30}, 10),
    (Effect(Kind.UNEXPIRE, 5, 0, [(1, 5)]), {1: 5}, 10),
    (Effect(Kind.REALLOCATE, 0, 0, [(1, -6), (2, 6)]), {1: 6, 2: -6}, 10),
    (Effect(Kind.REALLOCATE, 0, 0, [(1, -6), (0, 6)]), {1: 6}, 16),
    (Effect(Kind.REALLOCATE, 0, 0, [(2, -4), (0, 4), (-2, 4)]), {}, 10),
    (Effect(Kind.REALLOCATE, 0, 0, [(1, 4), (0, -4), (-2, -4)]), {1: -4, 2: 4}, 10),
    (Effect(Kind.CLAWBACK, -7, 0, [(1, 0), (0, 7)]), {}, 17),
    (Effect(Kind.CLAWBACK, -7, 0, [(1, 0), (0, 7), (-2, 7)]), {2: -7}, 10),
    (Effect(Kind.ADJUST, 3, 0, [(1, 3)]), {1: 3}, 10),
    (Effect(Kind.ADJUST, -3, 0, [(0, 3)]), {}, 13),
    (Effect(Kind.ADJUST, 12, 0, [(1, 2), (-1, 10)]), {1: 2}, 0),
    (Effect(Kind.VOID, 0, 0, [(3, 0)]), {}, 10),
]


@pytest.mark.parametrize(("correction", "remaining", "overdraft"), CORRECTIONS)
def test_each_correction_moves_what_its_allocations_say(correction: Effect, remaining: dict[int, int], overdraft: int):
    standing = Standing()
    for effect in (*GIVEN, correction):
        replay(standing, effect)
        check(standing)
    assert (standing.remaining, standing.overdraft) == (remaining, overdraft)


def test_a_voided_grant_keeps_what_its_holds_keep():
    standing = Standing()
    for effect in (
        Effect(Kind.GRANT, 100, 0, [(1, 100)]),
        Effect(Kind.HOLD, 0, 30, [(1, 30)], hold_number=1),
        Effect(Kind.VOID, -70, 0, [(1, 70)]),
    ):
        replay(standing, effect)
        check(standing)
    assert (standing.remaining, standing.kept, standing.voided) == ({1: 30}, {1: 30}, {1})
    assert decode(3, encode(standing)).voided == {1}


def test_each_total_is_of_its_own_kinds_and_corrections_are_of_none():
    silent = {Kind.HOLD, Kind.RELEASE, Kind.LAPSE, Kind.REALLOCATE}
    corrections = {Kind.VOID, Kind.REVERSE, Kind.CLAWBACK, Kind.ADJUST}
    assert sorted([*GRANTED, *BURNED, *EXPIRED, *silent, *corrections]) == sorted(Kind)
    standing = Standing()
    for effect in (*GIVEN, *(correction for correction, _, _ in CORRECTIONS if correction.kind in corrections)):
        replay(standing, effect)
    assert (standing.granted, standing.burned, standing.expired) == (150, 160, 0)


# ─── what may be shown of grants ───────────────────────────────────────────────────────────────────
def lots(balance: int, overdraft: int, remaining: dict[int, int], **grants: Any) -> dict[int, int]:
    """What each grant is shown with; grants of 100, 50 and 50, burning in that order."""
    known = {
        number: a_grant(amount, number=number, expires_at=NOON + days * DAY)
        for number, amount, days in ((1, 100, 1), (2, 50, 2), (3, 50, 3))
    }
    standing = Standing(balance=balance, overdraft=overdraft, remaining=remaining)
    shown = lots_of(standing, known, "PRIORITY_THEN_EXPIRY")
    assert all(left > 0 for _, left in shown)
    return {grant.number: left for grant, left in shown}


def test_where_nothing_was_late_each_grant_is_shown_with_what_it_has():
    assert lots(120, 0, {1: 70, 2: 50}) == {1: 70, 2: 50}
    assert lots(-10, 10, {}) == {}
    assert lots(20, 5, {1: 25}) == {1: 25}


def test_what_a_grant_cannot_have_lacked_is_taken_from_the_others_in_burn_order():
    assert lots(60, 0, {1: 40, 2: 50, 3: -30}) == {1: 10, 2: 50}
    assert lots(5, 0, {1: 40, 2: 50, 3: -85}) == {2: 5}
    assert lots(-20, 0, {1: 30, 3: -50}) == {}


def test_what_a_grant_cannot_have_had_goes_to_the_others_the_last_to_burn_first():
    assert lots(150, 0, {1: 130, 2: 20}) == {1: 100, 2: 50}
    assert lots(90, -20, {1: 60, 3: 10}) == {1: 60, 3: 30}
    assert lots(300, -200, {1: 60, 3: 40}) == {1: 100, 3: 50}, "what fits nowhere is in no grant"
