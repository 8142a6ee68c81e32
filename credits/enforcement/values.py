"""Policies and spend limits, as values. PURE: no SQL comes with this module."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from credits import ids
from credits.errors import Refusal
from credits.windows import Interval

Mode = Literal["OFF", "SHADOW", "SOFT", "ENFORCE"]
FailurePolicy = Literal["FAIL_OPEN", "FAIL_CLOSED"]

MODES: tuple[Mode, ...] = ("OFF", "SHADOW", "SOFT", "ENFORCE")
FAILURE_POLICIES: tuple[FailurePolicy, ...] = ("FAIL_OPEN", "FAIL_CLOSED")


@dataclass(frozen=True, slots=True)
class Policy:
    """How spending is decided on for its scope: what is None in the scope stands for all.

    `failure_policy` and `overdraft_limit_micro` None: as the next wider policy says. The keys are those of the ids.
    """

    id: str
    customer_id: int | None
    customer_key: str | None
    feature_id: int | None
    feature_key: str | None
    credit_type_id: int | None
    credit_type_key: str | None
    mode: Mode
    failure_policy: FailurePolicy | None
    rollout_percent: int
    overdraft_limit_micro: int | None
    updated_at: datetime
    updated_by: int | None  # actor; None: the system

    @property
    def scope(self) -> tuple[int | None, int | None, int | None]:
        """Customer, feature, credit type. No two policies of a workspace share it."""
        return (self.customer_id, self.feature_id, self.credit_type_id)

    def __str__(self) -> str:
        named = {"customer": self.customer_key, "feature": self.feature_key, "credit type": self.credit_type_key}
        parts = [f"{name} {key}" for name, key in named.items() if key is not None]
        return f"policy {self.id} for {', '.join(parts) or 'the workspace'}"


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """A cap on what a customer spends of a credit type in a calendar window of its timezone. What is None applies to all.

    `counted_from`: of an earlier window, what was used is not known unless it is written down; of a later one it is zero.
    """

    customer_id: int
    number: int
    credit_type_id: int
    amount_micro: int
    interval: Interval
    member: str | None
    group: str | None
    feature_id: int | None
    counted_from: datetime

    @property
    def id(self) -> str:
        return ids.make("lim", self.customer_id, self.number)


@dataclass(frozen=True, slots=True)
class Metered:
    """A limit with what was used of it, micro-credits, in the window that ends at `resets_at`."""

    limit: SpendLimit
    used_micro: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class LimitReached(Refusal):
    """The spending would go beyond a spend limit."""

    metered: Metered
    code: str = "LIMIT_REACHED"


def limit_of(row: Any) -> SpendLimit:
    """A row of `spend_limits` of either driver → value."""
    return SpendLimit(
        customer_id=row["customer_id"],
        number=row["number"],
        credit_type_id=row["credit_type_id"],
        amount_micro=row["amount"],
        interval=row["window_kind"],
        member=row["member"],
        group=row["group_name"],
        feature_id=row["feature_id"],
        counted_from=row["counted_from"],
    )
