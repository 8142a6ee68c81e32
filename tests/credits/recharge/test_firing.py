"""When a rule buys, and how much."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.recharge.firing import (
    BACK_OFF,
    CAP_REACHED,
    NO_METHOD,
    OTHER_BUNDLE,
    Charge,
    Decline,
    Firing,
    Pack,
    Standing,
    Suspend,
    ailing,
    failed,
    fire,
    resumed,
)
from credits.recharge.rules import Rule

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MONTH_END = datetime(2026, 4, 1, tzinfo=UTC)
PACK = Pack(credits=100, price=1_000)
RULE = Rule(
    customer_id=1,
    credit_type_id=1,
    bundle_id=1,
    enabled=True,
    threshold=50,
    target=None,
    cap=10_000,
    currency="USD",
    failures=0,
    try_at=None,
    capped_until=None,
    suspended_at=None,
    suspended_reason=None,
    changed_at=NOW,
    version=1,
    actor_id=None,
)
HERE = Standing(available=49, pending=0, spent=0, month_end=MONTH_END, attempting=False, has_method=True)


@pytest.mark.parametrize(
    ("rule", "standing", "expected"),
    [
        pytest.param(RULE, HERE, Charge(1), id="below the threshold, one bundle closes the gap"),
        pytest.param(RULE, replace(HERE, available=50), None, id="at the threshold is not below it"),
        pytest.param(RULE, replace(HERE, available=-250), Charge(3), id="debt is part of the gap"),
        pytest.param(RULE, replace(HERE, available=-50), Charge(1), id="exactly one bundle back to the threshold"),
        pytest.param(RULE, replace(HERE, available=-51), Charge(2), id="a micro-credit more needs another bundle"),
        pytest.param(replace(RULE, target=500), HERE, Charge(5), id="up to the target, in one charge"),
        pytest.param(replace(RULE, target=500), replace(HERE, available=60), None, id="the target alone does not fire"),
        pytest.param(RULE, replace(HERE, pending=1), None, id="what is pending counts"),
        pytest.param(replace(RULE, target=500), replace(HERE, pending=-1, available=0), Charge(6), id="rounded up"),
        pytest.param(RULE, replace(HERE, attempting=True), None, id="one attempt at a time"),
        pytest.param(replace(RULE, enabled=False), HERE, None, id="a rule that is off"),
        pytest.param(replace(RULE, suspended_at=NOW), HERE, None, id="a suspended rule"),
        pytest.param(replace(RULE, try_at=NOW + timedelta(seconds=1)), HERE, None, id="not before its time"),
        pytest.param(replace(RULE, try_at=NOW), HERE, Charge(1), id="at its time"),
        pytest.param(RULE, replace(HERE, has_method=False), Suspend(NO_METHOD), id="nothing to charge by"),
        pytest.param(
            replace(RULE, target=500),
            replace(HERE, spent=8_000),
            Charge(2),
            id="as many bundles as the cap leaves room for",
        ),
        pytest.param(RULE, replace(HERE, spent=9_000), Charge(1), id="exactly up to the cap"),
        pytest.param(RULE, replace(HERE, spent=9_001), Decline(CAP_REACHED, MONTH_END), id="no room for one bundle"),
        pytest.param(RULE, replace(HERE, spent=12_000), Decline(CAP_REACHED, MONTH_END), id="the cap was lowered"),
    ],
)
def test_a_rule_fires(rule: Rule, standing: Standing, expected: Firing):
    assert fire(rule, PACK, standing, NOW) == expected


@pytest.mark.parametrize(
    ("pack", "standing", "expected"),
    [
        pytest.param(Pack(1, 1, fits=False), HERE, Suspend(OTHER_BUNDLE), id="a bundle that is something else now"),
        pytest.param(
            Pack(1, 1, fits=False), replace(HERE, available=50), None, id="which nobody minds above the threshold"
        ),
        pytest.param(
            replace(PACK, most=3), replace(HERE, available=-10_000), Charge(3), id="what fits into one payment"
        ),
    ],
)
def test_a_rule_fires_by_its_bundle(pack: Pack, standing: Standing, expected: Firing):
    assert fire(RULE, pack, standing, NOW) == expected


@pytest.mark.parametrize("which", ["try_at", "capped_until"])
def test_a_rule_that_rests_waits_for_its_instant_and_no_longer(which: str):
    rule = replace(RULE, **{which: NOW})
    assert fire(rule, PACK, HERE, NOW - timedelta(microseconds=1)) is None
    assert fire(rule, PACK, HERE, NOW) == Charge(1)


def test_a_rule_that_is_suspended_for_no_failure_says_so():
    ill = ailing(replace(RULE, failures=2), NO_METHOD, NOW)
    assert (ill.failures, ill.suspended_reason, ill.suspended_at) == (0, NO_METHOD, NOW)
    assert fire(ill, PACK, HERE, NOW) is None


@given(
    available=st.integers(-(10**9), 10**6),
    pending=st.integers(0, 10**4),
    target=st.none() | st.integers(51, 10**6),
    spent=st.integers(0, 20_000),
    pack=st.builds(Pack, credits=st.integers(1, 10**4), price=st.integers(1, 20_000)),
)
def test_it_never_spends_beyond_the_cap_and_buys_no_bundle_too_many(
    available: int, pending: int, target: int | None, spent: int, pack: Pack
):
    rule = replace(RULE, target=target)
    firing = fire(rule, pack, replace(HERE, available=available, pending=pending, spent=spent), NOW)
    if not isinstance(firing, Charge):
        assert available + pending >= rule.threshold or spent + pack.price > rule.cap
        return
    assert available + pending < rule.threshold
    assert spent + firing.quantity * pack.price <= rule.cap
    if firing.quantity > 1:  # one less would leave the gap open
        assert available + pending + (firing.quantity - 1) * pack.credits < (target or rule.threshold)


def test_each_failure_rests_longer_and_the_last_suspends():
    rule, rests = RULE, []
    for _ in range(3):
        rule = failed(rule, "the card was declined", NOW, attempts=4)
        assert rule.suspended_at is None
        rests.append((rule.try_at or NOW) - NOW)
    assert rests == list(BACK_OFF)
    last = failed(rule, "the card was declined", NOW, attempts=4)
    assert last.suspended_at == NOW
    assert last.suspended_reason == "4 attempts in a row failed, the last because the card was declined"
    assert fire(last, PACK, HERE, NOW + timedelta(days=365)) is None


def test_another_payment_method_forgives_everything():
    worn = failed(replace(RULE, failures=3), "declined", NOW, attempts=4)
    assert fire(resumed(worn), PACK, HERE, NOW) == Charge(1)
