"""Which policy holds, and what it says about an amount."""

from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import Any

import pytest

from credits.enforcement.decide import DEFAULT, Effective, Policies, Verdict, bucket, decide
from credits.enforcement.values import Policy
from credits.errors import InsufficientCredits

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACME, OTHER = 7, 8
CHAT, SPEECH = 1, 2
AI, SMS = 1, 2

_numbers = count(1)


def policy(mode: Any = "ENFORCE", **fields: Any) -> Policy:
    """A policy; its scope by ids, with keys like them."""
    values: dict[str, Any] = {
        "id": f"pol_{next(_numbers)}",
        "customer_id": None,
        "feature_id": None,
        "credit_type_id": None,
        "failure_policy": None,
        "rollout_percent": 100,
        "overdraft_limit_micro": None,
        **fields,
    }
    for name in ("customer", "feature", "credit_type"):
        number = values[f"{name}_id"]
        values[f"{name}_key"] = None if number is None else f"{name}-{number}"
    return Policy(mode=mode, updated_at=NOW, updated_by=None, **values)


# The most specific first; each with a limit of its own, so that it can be told which one answered.
CUSTOMER, FEATURE, TYPE = {"customer_id": ACME}, {"feature_id": CHAT}, {"credit_type_id": AI}
BY_SPECIFICITY = [
    policy(**scope, overdraft_limit_micro=limit)
    for limit, scope in enumerate(
        [
            {**CUSTOMER, **FEATURE, **TYPE},
            {**CUSTOMER, **FEATURE},
            {**CUSTOMER, **TYPE},
            CUSTOMER,
            {**FEATURE, **TYPE},
            FEATURE,
            TYPE,
            {},
        ]
    )
]


def test_without_policies_everything_is_enforced_without_overdraft() -> None:
    assert Policies().effective(ACME, "acme", CHAT, AI) == DEFAULT
    assert (DEFAULT.mode, DEFAULT.failure_policy, DEFAULT.overdraft_limit_micro) == ("ENFORCE", "FAIL_CLOSED", 0)
    elsewhere = Policies([policy("OFF", customer_id=OTHER), policy("OFF", feature_id=SPEECH)])
    assert elsewhere.effective(ACME, "acme", CHAT, AI) == DEFAULT


@pytest.mark.parametrize("most_specific", range(len(BY_SPECIFICITY)))
def test_the_most_specific_policy_wins(most_specific: int) -> None:
    present = BY_SPECIFICITY[most_specific:]
    for given in (present, list(reversed(present))):
        assert Policies(given).effective(ACME, "acme", CHAT, AI).overdraft_limit_micro == most_specific


@pytest.mark.parametrize(
    ("customer_id", "feature_id", "credit_type_id", "limit"),
    [
        (OTHER, CHAT, AI, 4),
        (OTHER, CHAT, SMS, 5),
        (OTHER, SPEECH, AI, 6),
        (OTHER, SPEECH, SMS, 7),
        (OTHER, None, AI, 6),
        (OTHER, None, None, 7),
        (ACME, SPEECH, AI, 2),
        (ACME, None, AI, 2),  # credits burned by amount: policies of a feature do not apply
        (ACME, None, SMS, 3),
        (ACME, CHAT, SMS, 1),
    ],
)
def test_a_policy_applies_where_all_that_it_names_is_so(
    customer_id: int, feature_id: int | None, credit_type_id: int | None, limit: int
) -> None:
    effective = Policies(BY_SPECIFICITY).effective(customer_id, "x", feature_id, credit_type_id)
    assert effective.overdraft_limit_micro == limit


def test_what_the_winner_leaves_open_comes_from_the_next_wider_policy() -> None:
    policies = Policies(
        [
            policy("SOFT", customer_id=ACME, feature_id=CHAT),
            policy("OFF", customer_id=ACME, failure_policy="FAIL_OPEN"),
            policy("OFF", feature_id=CHAT, failure_policy="FAIL_CLOSED", overdraft_limit_micro=5),
            policy("OFF", overdraft_limit_micro=9),
        ]
    )
    effective = policies.effective(ACME, "acme", CHAT, AI)
    assert (effective.mode, effective.failure_policy, effective.overdraft_limit_micro) == ("SOFT", "FAIL_OPEN", 5)


def test_a_limit_of_zero_is_said_and_not_left_open() -> None:
    policies = Policies([policy(customer_id=ACME, overdraft_limit_micro=0), policy(overdraft_limit_micro=9)])
    assert policies.effective(ACME, "acme", None, AI).overdraft_limit_micro == 0


def test_a_bucket_is_the_hash_of_the_key_and_nothing_else() -> None:
    for key in ("acme", "ключ", "a b"):
        assert bucket(key) == int(sha256(key.encode()).hexdigest()[:16], 16) % 100
    # Written down, so that a release cannot move customers in and out of a running rollout.
    assert [bucket(key) for key in ("acme", "globex", "initech")] == [72, 99, 63]


def test_a_rollout_takes_its_share_of_customers_and_shadows_the_others() -> None:
    keys = [f"customer-{number}" for number in range(2000)]
    reached: dict[int, set[str]] = {}
    for percent in (0, 10, 50, 100):
        policies = Policies([policy(rollout_percent=percent, overdraft_limit_micro=3)])
        answers = {key: policies.effective(number, key, CHAT, AI) for number, key in enumerate(keys)}
        assert {answer.mode for answer in answers.values()} <= {"ENFORCE", "SHADOW"}
        assert {answer.overdraft_limit_micro for answer in answers.values()} == {3}
        reached[percent] = {key for key, answer in answers.items() if answer.mode == "ENFORCE"}
        assert reached[percent] == {key for key in keys if bucket(key) < percent}
        assert abs(len(reached[percent]) - 20 * percent) < 80
    assert reached[0] < reached[10] < reached[50] < reached[100], "a growing rollout takes nobody out"


def test_decided_by_names_the_policy_for_people() -> None:
    wide = policy("SOFT", rollout_percent=72)
    own = policy("ENFORCE", customer_id=ACME, feature_id=CHAT)
    policies = Policies([wide, own])
    assert policies.effective(ACME, "acme", CHAT, AI).decided_by == (
        f"policy {own.id} for customer customer-7, feature feature-1"
    )
    assert policies.effective(OTHER, "initech", None, AI).decided_by == (
        f"policy {wide.id} for the workspace, rolled out to 72 %"
    )
    assert policies.effective(OTHER, "acme", None, AI).decided_by == (
        f"policy {wide.id} for the workspace, rolled out to 72 % and not to this customer"
    )


@pytest.mark.parametrize(
    ("needed", "available", "limit", "short"),
    [
        (10, 10, 0, 0),
        (10, 9, 0, 1),
        (10, 0, 10, 0),
        (11, 0, 10, 1),
        (80, -30, 100, 10),  # 70 are left of the overdraft
        (5, -150, 100, 55),  # a limit lowered below what is owed already
        (0, -150, 100, 0),  # what costs nothing is never refused
    ],
)
def test_enforce_blocks_what_credits_and_overdraft_do_not_cover(
    needed: int, available: int, limit: int, short: int
) -> None:
    effective = Effective("ENFORCE", "FAIL_CLOSED", limit, "")
    assert decide(effective, needed, available) == Verdict(not short, bool(short), short)
    for mode in ("SHADOW", "SOFT"):
        watched = Effective(mode, "FAIL_CLOSED", limit, "")  # type: ignore[arg-type]
        assert decide(watched, needed, available) == Verdict(True, bool(short), short), "told, and never blocked"
    off = Effective("OFF", "FAIL_CLOSED", limit, "")
    assert decide(off, needed, available) == Verdict(True, False, 0), "no decision is made"


@pytest.mark.parametrize(("needed", "available", "limit"), [(80, -30, 100), (5, -150, 100), (10, 9, 0), (11, 0, 10)])
def test_the_refusal_tells_the_same_shortfall(needed: int, available: int, limit: int) -> None:
    verdict = decide(Effective("ENFORCE", "FAIL_CLOSED", limit, ""), needed, available)
    refusal = InsufficientCredits("", AI, needed, available, limit - max(0, -available))
    assert refusal.shortfall_micro == verdict.shortfall_micro


def test_answers_are_remembered_without_end_to_neither_memory_nor_truth() -> None:
    policies = Policies([policy(overdraft_limit_micro=1), policy(customer_id=ACME, overdraft_limit_micro=2)])
    for customer_id in range(60_000):
        assert policies.effective(customer_id, "x", None, AI).overdraft_limit_micro == (2 if customer_id == ACME else 1)
    assert len(policies._answers) == 2, "customers without a policy of their own share one answer"
    for feature_id in range(60_000):
        policies.effective(ACME, "acme", feature_id, AI)
    assert len(policies._answers) <= 50_000
