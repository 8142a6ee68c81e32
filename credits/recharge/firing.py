"""When a rule buys, and how much. PURE.

Credits are micro-credits, money is in the smallest unit of the rule's currency, instants are the workspace's.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from credits import bounds
from credits.recharge.rules import Rule

# After the first failure in a row, the second, the third …: a card that declines now declines a minute later, too, and
# each attempt costs the customer's bank some trust.
BACK_OFF = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))

NO_METHOD = "no payment method is saved"
CAP_REACHED = "the monthly cap leaves too little for one bundle"
OTHER_BUNDLE = "its bundle is sold in another way now: set the rule anew"


@dataclass(frozen=True, slots=True)
class Pack:
    """What one bundle of the rule brings and costs. `fits`: it is of the rule's credit type and currency still, and can be
    paid for; a catalog may change its bundles. `most`: so many fit into one payment."""

    credits: int
    price: int
    fits: bool = True
    most: int = bounds.TOP_UP_QUANTITY_MAX


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so when the rule is asked. `pending` is what open top-ups will bring, `spent` what the rule has bought for in
    this calendar month, and `month_end` is when the next begins. `attempting`: a recharge is under way."""

    available: int
    pending: int
    spent: int
    month_end: datetime
    attempting: bool
    has_method: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """Buy so many bundles, in one charge."""

    quantity: int


@dataclass(frozen=True, slots=True)
class Decline:
    """Nobody is asked for money, and the customer sees why; not again before `until`."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Suspend:
    """The rule rests until the payment method changes."""

    reason: str


Firing: TypeAlias = "Charge | Decline | Suspend | None"


def fire(rule: Rule, pack: Pack, standing: Standing, now: datetime) -> Firing:
    """What the rule does now; None: nothing.

    It fires below its threshold, what is pending counted, and closes the gap up to its target (else the threshold) by whole
    bundles in one charge, at least one. What the cap of the month does not leave room for is not bought.
    """
    if not rule.enabled or rule.suspended_at is not None or standing.attempting:
        return None
    if any(until is not None and now < until for until in (rule.try_at, rule.capped_until)):
        return None
    ahead = standing.available + standing.pending
    if ahead >= rule.threshold:
        return None
    if not pack.fits:
        return Suspend(OTHER_BUNDLE)
    if not standing.has_method:
        return Suspend(NO_METHOD)
    goal = rule.threshold if rule.target is None else rule.target
    wanted = max(1, -((ahead - goal) // pack.credits))
    affordable = max(0, rule.cap - standing.spent) // pack.price
    quantity = min(wanted, affordable, pack.most)
    return Charge(quantity) if quantity else Decline(CAP_REACHED, standing.month_end)


def failed(rule: Rule, why: str, now: datetime, *, attempts: int) -> Rule:
    """The rule after an attempt that failed: it rests for a while, and after `attempts` in a row until the payment method
    changes."""
    failures = rule.failures + 1
    if failures >= attempts:
        return suspended(
            replace(rule, failures=failures), f"{failures} attempts in a row failed, the last because {why}", now
        )
    return replace(rule, failures=failures, try_at=now + BACK_OFF[min(failures, len(BACK_OFF)) - 1])


def ailing(rule: Rule, reason: str, now: datetime) -> Rule:
    """The rule, suspended for what no attempt has shown: until the payment method changes, or the rule is set anew."""
    return suspended(replace(rule, failures=0), reason, now)


def suspended(rule: Rule, reason: str, now: datetime) -> Rule:
    """The rule, resting until the payment method changes."""
    return replace(rule, suspended_at=now, suspended_reason=reason, try_at=None)


def resumed(rule: Rule) -> Rule:
    """The rule after an attempt that succeeded, or with another payment method: all is forgiven."""
    return replace(rule, failures=0, try_at=None, suspended_at=None, suspended_reason=None)
