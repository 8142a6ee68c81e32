"""The reference model against worked examples of the contract, and against its own laws over random histories."""

import random

import pytest

from tests.model.laws import check_laws
from tests.model.ledger import Account, once
from tests.model.rating import credits_text, micro, pick_rate, rated_micro
from tests.model.records import OVERDRAFT, Entry, Grant, Hold, Refused
from tests.model.trace import CUSTOMERS, ROWS, cost_by_customer, draw_customers, read_trace
from tests.model.walk import Walk


def lines(account: Account) -> list[tuple[str, int, int]]:
    return [(entry.kind, entry.amount, entry.held_amount) for entry in account.entries]


def test_each_burn_order_draws_as_the_contract_says():
    #            number  priority  expires  effective  paid
    grants = {1: (50, None, 0, True), 2: (10, 900, 1, True), 3: (50, 500, 2, False), 4: (50, 500, 0, True)}
    expected = {
        "PRIORITY_THEN_EXPIRY": [2, 4, 3, 1],
        "EXPIRY_FIRST": [4, 3, 2, 1],
        "PAID_LAST": [3, 4, 2, 1],
        "OLDEST_FIRST": [1, 4, 2, 3],
    }
    for order, drawn in expected.items():
        account = Account(order)
        for priority, expires, effective, paid in grants.values():
            account.grant(10, 7, effective=effective, expires=expires, priority=priority, paid=paid)
        entry = account.burn(11, 28)
        assert isinstance(entry, Entry)
        assert [number for number, _ in entry.allocations] == drawn, order


def test_a_grant_is_live_from_its_effective_instant_until_just_before_its_expiry():
    account = Account()
    account.grant(0, 5, effective=10, expires=20)
    assert isinstance(account.burn(9, 1), Refused)
    assert isinstance(account.burn(10, 1), Entry)
    assert isinstance(account.burn(20, 1), Refused)
    assert lines(account) == [("GRANT", 5, 0), ("BURN", -1, 0), ("EXPIRE", -4, 0)]
    assert [entry.recorded for entry in account.entries] == [10, 10, 20]


def test_at_one_instant_expiries_come_before_lapses_before_scheduled_grants():
    account = Account()
    account.grant(0, 5, expires=10)
    account.hold(0, 2, expires=10)
    account.grant(0, 3, effective=10)
    account.burn(10, 3)
    assert lines(account) == [
        ("GRANT", 5, 0),
        ("HOLD", 0, 2),
        ("EXPIRE", -3, 0),
        ("LAPSE", 0, -2),
        ("EXPIRE", -2, 0),
        ("GRANT", 3, 0),
        ("BURN", -3, 0),
    ]


def test_a_hold_keeps_its_grant_beyond_the_expiry_and_what_it_leaves_expires_at_once():
    account = Account()
    account.grant(0, 10, expires=5)
    account.hold(0, 6, expires=100)
    settled = account.settle(7, 1, 4)
    assert isinstance(settled, Entry)
    assert settled.allocations == ((1, 4),)
    assert lines(account)[2:] == [("EXPIRE", -4, 0), ("SETTLE", -4, -6), ("EXPIRE", -2, 0)]
    assert (account.balance, account.held) == (0, 0)


def test_overdraft_is_repaid_by_the_next_grant_with_an_allocation_that_says_so():
    account = Account()
    account.burn(0, 4, floor=4)
    account.grant(1, 10)
    entry = account.entries[-1]
    assert (entry.allocations, entry.repaid, entry.balance_after) == (((1, 6),), ((1, 4),), 6)


def test_over_settling_burns_the_excess_for_real_or_leaves_the_hold_as_it_was():
    account = Account()
    account.grant(0, 10)
    account.hold(0, 4, expires=100)
    assert account.settle(1, 1, 11) == Refused("INSUFFICIENT_CREDITS", 7, 6)
    assert (account.holds[1].status, account.held) == ("OPEN", 4)
    entry = account.settle(1, 1, 11, floor=1)
    assert isinstance(entry, Entry)
    assert entry.allocations == ((1, 4), (1, 6), (OVERDRAFT, 1))
    assert account.balance == -1


def test_a_partial_settlement_keeps_the_rest_and_a_release_gives_it_back():
    account = Account()
    account.grant(0, 10)
    account.hold(0, 8, expires=100)
    account.settle(1, 1, 3, partial=True)
    assert (account.balance, account.held) == (7, 5)
    account.release(2, 1)
    assert (account.available, account.release(3, 1)) == (7, Refused("HOLD_NOT_OPEN"))


def test_what_a_release_frees_pays_the_overdraft_first():
    account = Account()
    account.grant(0, 10)
    account.hold(0, 10, expires=100)
    account.burn(1, 3, floor=None)
    account.release(2, 1)
    assert account.entries[-1].repaid == ((1, 3),)
    assert (account.overdraft, account.available) == (0, 7)


def test_a_hold_on_overdraft_settles_its_backed_part_first_and_then_draws_like_a_burn():
    account = Account()
    account.grant(0, 4)
    account.hold(0, 10, expires=100, floor=6)
    account.grant(1, 5)
    entry = account.settle(2, 1, 10)
    assert isinstance(entry, Entry)
    assert entry.allocations == ((1, 4), (2, 5), (OVERDRAFT, 1))


def test_a_key_answers_again_and_a_refusal_does_not_use_it_up():
    account, keys = Account(), dict[str, tuple[object, object]]()
    refused = once(keys, "k", ("burn", 5), lambda: account.burn(0, 5))
    account.grant(1, 10)
    first = once(keys, "k", ("burn", 5), lambda: account.burn(2, 5))
    assert isinstance(refused, Refused)
    assert once(keys, "k", ("burn", 5), lambda: account.burn(3, 5)) is first
    assert once(keys, "k", ("burn", 6), lambda: account.burn(3, 6)) == Refused("IDEMPOTENCY_CONFLICT")
    assert account.balance == 5


@pytest.mark.parametrize("seed", range(4))
def test_the_laws_hold_after_every_step_of_a_random_history(seed):
    walk = Walk(random.Random(seed))
    for _ in range(5_000):
        command = walk.next_command()
        account = walk.account
        limit = command.floor
        answer = walk.apply(account, command)
        check_laws(account)
        if command.spends and limit is not None and not isinstance(answer, Refused):
            assert account.available >= -limit or command.amount == 0, (command, account)
    assert walk.tally["SETTLE"] > 100, walk.tally
    assert walk.tally["LAPSE"] > 50, walk.tally
    assert walk.tally["EXPIRE"] > 100, walk.tally


@pytest.mark.parametrize(
    ("quantity", "per_unit", "scale", "rounding", "expected"),
    [
        ("1", "0.0005", 3, "HALF_EVEN", 0),
        ("3", "0.0005", 3, "HALF_EVEN", 2_000),
        ("1", "0.0005", 3, "UP", 1_000),
        ("1", "0.0009", 3, "DOWN", 0),
        ("0.333333333333", "3", 6, "HALF_EVEN", 1_000_000),
        ("374", "0.001", 3, "HALF_EVEN", 374_000),
        ("0", "5", 0, "UP", 0),
    ],
)
def test_rating_is_exact_and_rounds_once(quantity, per_unit, scale, rounding, expected):
    assert rated_micro(quantity, per_unit, scale=scale, rounding=rounding) == expected


def test_the_rate_with_most_matching_dimensions_wins():
    plain, large, large_eu = {}, {"match": {"model": "large"}}, {"match": {"model": "large", "region": "eu"}}
    rates = [plain, large, large_eu]
    assert pick_rate(rates, {"model": "large", "region": "eu", "x": 1}) is large_eu
    assert pick_rate(rates, {"model": "large", "region": "us"}) is large
    assert pick_rate(rates, {"model": "small"}) is plain
    assert pick_rate([large], {"model": "small"}) is None


def test_amounts_read_back_as_they_were_written():
    for text in ("0", "1", "-1", "0.000001", "-0.5", "9223372036854.775807", "12.34"):
        assert credits_text(micro(text)) == text
    with pytest.raises(ValueError, match="at most six decimals"):
        micro("0.0000001")


def test_the_trace_is_the_one_that_every_run_agrees_on():
    rows = read_trace()
    cost = cost_by_customer(rows, per_input="0.001", per_output="0.002", scale=3)
    busiest = max(cost, key=lambda key: cost[key])
    assert (len(rows), len(cost), busiest) == (ROWS, 951, "customer-0001")
    assert sum(1 for row in rows if row.customer == busiest) == 3_493
    assert sum(cost.values()) == micro("30539.2")
    assert len(set(draw_customers(100_000))) == CUSTOMERS


def test_grants_and_holds_are_numbered_from_one():
    account = Account()
    grant, hold = account.grant(0, 1), account.hold(0, 1, expires=9)
    assert isinstance(grant, Grant)
    assert isinstance(hold, Hold)
    assert (grant.number, hold.number) == (1, 1)
