"""What void, reverse, adjust and move do to grants, and what their entries say. Clawbacks: `test_clawbacks.py`."""

from datetime import timedelta

from credits.ledger import corrections
from credits.ledger.entries import Cause, Kind
from tests.credits.ledger.given import (
    DAY,
    HOUR,
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
    void,
)


# ─── void ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_void_ends_what_remains():
    account = an_account()
    grant = give(account, 100)
    spend(account, 30)
    void(account, grant)
    assert told(account)[-1] == ("VOID", -70, 0, [(1, 70)])
    assert (grant.state, grant.remaining, grant.voided, account.balance, account.voided) == ("VOIDED", 0, 70, 0, 70)
    check(account)


def test_held_parts_of_a_voided_grant_stay_until_their_hold_closes_and_are_then_voided_at_once():
    account = an_account()
    grant = give(account, 100)
    first, second = hold(account, 40), hold(account, 25)
    void(account, grant)
    assert (grant.remaining, grant.held, account.balance, account.available) == (65, 65, 65, 0)
    settle(account, first, 10)
    release(account, second)
    assert told(account)[-4:] == [
        ("SETTLE", -10, -40, [(1, 10)]),
        ("VOID", -30, 0, [(1, 30)]),
        ("RELEASE", 0, -25, [(1, 25)]),
        ("VOID", -25, 0, [(1, 25)]),
    ]
    assert (grant.state, grant.remaining, grant.burned, grant.voided) == ("VOIDED", 0, 10, 90)
    check(account)


def test_a_grant_that_is_held_whole_is_voided_with_an_entry_of_zero_that_names_it():
    account = an_account()
    grant = give(account, 10)
    taken = hold(account, 10)
    void(account, grant)
    assert told(account)[-1] == ("VOID", 0, 0, [(1, 0)])
    release(account, taken)
    assert told(account)[-1] == ("VOID", -10, 0, [(1, 10)])
    check(account)


def test_a_scheduled_grant_is_voided_before_it_was_ever_in_the_balance():
    account = an_account()
    grant = give(account, 10, effective_at=NOON + DAY)
    void(account, grant)
    assert told(account) == [("VOID", 0, 0, [(1, 0)])]
    assert (grant.state, grant.open, grant.voided, account.voided) == ("VOIDED", False, 10, 0)
    spend(account, 1, now=NOON + 2 * DAY)
    assert [kind for kind, *_ in told(account)] == ["VOID", "BURN"]
    check(account)


def test_a_voided_grant_does_not_expire_again():
    account = an_account()
    grant = give(account, 10, expires_at=NOON + HOUR)
    taken = hold(account, 4, lasts=2 * HOUR)
    void(account, grant)
    release(account, taken, now=NOON + 90 * timedelta(minutes=1))
    assert [kind for kind, *_ in told(account)] == ["GRANT", "HOLD", "VOID", "RELEASE", "VOID"]
    check(account)


# ─── reverse ───────────────────────────────────────────────────────────────────────────────────────
def test_a_reversal_goes_home_in_the_reverse_of_the_order_drawn():
    account = an_account()
    for priority in (10, 20, 30):
        give(account, 10, priority=priority)
    burned = spend(account, 25)
    reverse(account, burned, 7)
    reverse(account, burned, 10)
    assert told(account)[-2:] == [("REVERSE", 7, 0, [(3, 5), (2, 2)]), ("REVERSE", 10, 0, [(2, 8), (1, 2)])]
    assert [grant.remaining for grant in account.grants.values()] == [2, 10, 10]
    assert [entry.cause.reverses for entry in account.entries] == [None, None, None, None, 4, 4]
    assert (account.burned, account.given_back, account.balance) == (25, 17, 22)
    check(account)


def test_a_depleted_grant_lives_again_with_its_own_expiry():
    account = an_account()
    grant = give(account, 10, expires_at=NOON + HOUR)
    burned = spend(account, 10)
    reverse(account, burned, 4, now=NOON + HOUR / 2)
    assert (grant.state, grant.remaining, grant.given_back) == ("ACTIVE", 4, 4)
    spend(account, 1, now=NOON + HOUR)
    assert told(account)[-2:] == [("EXPIRE", -4, 0, [(1, 4)]), ("BURN", -1, 0, [(0, 1)])]
    check(account)


def test_a_part_whose_grant_has_ended_since_becomes_a_refund_of_the_same_cost_and_priority():
    account = an_account()
    give(account, 10, priority=7, expires_at=NOON + HOUR, cost_amount=3, cost_currency="EUR")
    give(account, 10, priority=8)
    burned = spend(account, 15)
    reverse(account, burned, now=NOON + 2 * HOUR)
    refund = account.grants[3]
    assert told(account)[-1] == ("REVERSE", 15, 0, [(2, 5), (3, 10)])
    assert (refund.source, refund.state, refund.remaining, refund.rolled_from) == ("REFUND", "ACTIVE", 10, 1)
    assert (refund.priority, refund.cost_amount, refund.cost_currency) == (7, 3, "EUR")
    assert refund.expires_at == NOON + 2 * HOUR + 30 * DAY
    check(account)


def test_what_expired_with_something_left_and_what_was_voided_have_ended_alike():
    for end in ("clock", "hand"):
        account = an_account()
        grant = give(account, 10, expires_at=NOON + HOUR)
        burned = spend(account, 4)
        if end == "hand":
            void(account, grant)
        reverse(account, burned, now=NOON + HOUR)
        assert (account.grants[2].source, account.grants[2].remaining, grant.given_back) == ("REFUND", 4, 0)
        check(account)


def test_the_instant_of_the_expiry_is_after_the_grant():
    account = an_account()
    give(account, 10, expires_at=NOON + HOUR)
    burned = spend(account, 10)
    reverse(account, burned, 5, now=NOON + HOUR - timedelta(microseconds=1))
    reverse(account, burned, 5, now=NOON + HOUR)
    assert [grant.source for grant in account.grants.values()] == ["MANUAL", "REFUND"]
    check(account)


def test_overdraft_parts_just_reduce_the_debt():
    account = an_account()
    give(account, 10)
    burned = spend(account, 30)
    reverse(account, burned, 15)
    assert told(account)[-1] == ("REVERSE", 15, 0, [(0, 15)])
    reverse(account, burned, 15)
    assert told(account)[-1] == ("REVERSE", 15, 0, [(0, 5), (1, 10)])
    assert (account.overdraft, account.balance) == (0, 10)
    check(account)


def test_overdraft_that_a_later_grant_has_repaid_goes_back_to_that_grant():
    account = an_account()
    first, second = spend(account, 10), spend(account, 10)
    for amount in (6, 8, 100):
        give(account, amount)
    # The oldest debt was repaid first: grants 1 and 2 paid the first burn, 2 and 3 the second.
    reverse(account, second)
    assert told(account)[-1] == ("REVERSE", 10, 0, [(3, 6), (2, 4)])
    reverse(account, first, 7)
    assert told(account)[-1] == ("REVERSE", 7, 0, [(2, 4), (1, 3)])
    check(account)


def test_what_is_owed_still_is_reduced_before_what_was_repaid_goes_back():
    account = an_account()
    burned = spend(account, 10)
    give(account, 4)
    reverse(account, burned, 8)
    assert told(account)[-1] == ("REVERSE", 8, 0, [(0, 6), (1, 2)])
    check(account)


def test_what_goes_back_pays_other_debt_first_in_the_same_entry():
    account = an_account()
    first = spend(account, 10)
    give(account, 10)  # pays the first
    spend(account, 7)  # owed
    reverse(account, first)
    assert told(account)[-1] == ("REVERSE", 10, 0, [(1, 3), (-1, 7)])
    assert (account.overdraft, account.available) == (0, 3)
    check(account)


def test_a_debt_that_a_reversal_has_reduced_is_not_repaid_again():
    account = an_account()
    first, second = spend(account, 10), spend(account, 10)
    reverse(account, first)
    give(account, 10)
    reverse(account, second)
    assert told(account)[-1] == ("REVERSE", 10, 0, [(1, 10)])
    check(account)


def test_what_a_hold_never_covered_is_no_debt():
    account = an_account()
    give(account, 5)
    burned = spend(account, 8)  # 3 owed
    taken = hold(account, 4)
    release(account, taken)
    give(account, 10)
    reverse(account, burned)
    assert told(account)[-1] == ("REVERSE", 8, 0, [(2, 3), (1, 5)])
    check(account)


def test_a_settlement_is_given_back_like_a_burn_and_what_its_hold_repaid_is_not_its_own():
    account = an_account()
    give(account, 20)
    taken = hold(account, 20)
    spend(account, 5)  # owed
    settled = settle(account, taken, 8)  # frees 12: 5 of them pay
    assert told(account)[-1] == ("SETTLE", -8, -20, [(1, 8), (-1, 5)])
    reverse(account, settled)
    assert told(account)[-1] == ("REVERSE", 8, 0, [(1, 8)])
    assert account.available == 15
    check(account)


# ─── adjust, move ──────────────────────────────────────────────────────────────────────────────────
def test_an_adjustment_is_signed_and_up_pays_debt_first():
    account = an_account()
    grant = give(account, 10)
    corrections.adjust(account, grant, -4, now=NOON, cause=NOBODY)
    spend(account, 9)
    corrections.adjust(account, grant, 5, now=NOON, cause=NOBODY)
    assert told(account)[1:] == [
        ("ADJUST", -4, 0, [(1, 4)]),
        ("BURN", -9, 0, [(1, 6), (0, 3)]),
        ("ADJUST", 5, 0, [(1, 2), (-1, 3)]),
    ]
    assert (account.adjusted, account.balance) == (1, 2)
    check(account)


def test_moving_a_grant_takes_what_is_free_along_and_leaves_what_is_held():
    account = an_account()
    old = give(account, 10, priority=7, expires_at=NOON + HOUR, cost_amount=3, cost_currency="EUR", source="PURCHASE")
    spend(account, 1)
    taken = hold(account, 4)
    cause = Cause(reason="GOODWILL", key="k", fingerprint=1)
    new, entry = corrections.move(account, old, expires_at=NOON + DAY, now=NOON, cause=cause)
    assert told(account)[-2:] == [("ADJUST", -5, 0, [(1, 5)]), ("ADJUST", 5, 0, [(2, 5)])]
    assert [each.cause.key for each in account.entries[-2:]] == [None, "k"]
    assert (entry.kind, account.available, account.adjusted) == (Kind.ADJUST, 5, 0)
    assert (new.source, new.priority, new.cost_amount, new.rolled_from) == ("PURCHASE", 7, 3, 1)
    assert (new.expires_at, new.reason, old.state, old.remaining) == (NOON + DAY, "GOODWILL", "ACTIVE", 4)
    release(account, taken)
    spend(account, 1, now=NOON + HOUR)
    assert told(account)[-2:] == [("EXPIRE", -4, 0, [(1, 4)]), ("BURN", -1, 0, [(2, 1)])]
    check(account)
