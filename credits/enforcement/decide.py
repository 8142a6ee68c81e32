"""May it happen: the policy that holds, and what it says about an amount. PURE.

The most specific policy wins: customer and feature, then customer, then feature, then the rest; within each, one that
names the credit type before one that does not. What the winner leaves open it takes from the next wider policy that
applies too. Without any policy: ENFORCE, FAIL_CLOSED, no overdraft.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from credits.enforcement.values import FailurePolicy, Mode, Policy


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one customer's spending. `decided_by` tells people which policy says so."""

    mode: Mode
    failure_policy: FailurePolicy
    overdraft_limit_micro: int
    decided_by: str


@dataclass(slots=True)
class Verdict:
    """Whether spending may happen. Never changed. `would_block`: ENFORCE would refuse, or does. Amounts are micro-credits."""

    allowed: bool
    would_block: bool
    shortfall_micro: int


DEFAULT = Effective("ENFORCE", "FAIL_CLOSED", 0, "the default: no policy applies")
_OFF = Effective("OFF", DEFAULT.failure_policy, DEFAULT.overdraft_limit_micro, "the kill switch")
BUCKETS = 100
_MEMO_MAX = 50_000  # answers kept of one version of a workspace's policies; then they are worked out anew

Scope = tuple[int | None, int | None, int | None]


def bucket(customer_key: str) -> int:
    """The customer's place in a rollout, 0–99: the same in every process and for every policy, for ever.

    The first eight bytes of SHA-256 of the key in UTF-8, as a big-endian number, modulo 100.
    """
    return int.from_bytes(sha256(customer_key.encode()).digest()[:8], "big") % BUCKETS


class Policies:
    """One workspace's policies at one version, laid out for asking."""

    def __init__(self, policies: Iterable[Policy] = (), *, off: bool = False) -> None:
        self.off = off  # the kill switch
        self._by_scope: dict[Scope, Policy] = {policy.scope: policy for policy in policies}
        self._customers = {policy.customer_id for policy in self._by_scope.values()}
        self._rolling_out = any(policy.rollout_percent < BUCKETS for policy in self._by_scope.values())
        self._answers: dict[tuple[int | None, int | None, int | None, int], Effective] = {}

    def effective(
        self, customer_id: int, customer_key: str, feature_id: int | None, credit_type_id: int | None
    ) -> Effective:
        """What holds for this customer's spending on this feature (None: none named) in this credit type."""
        if not self._by_scope:
            return _OFF if self.off else DEFAULT
        # Customers without policies of their own share their answers: the memo grows with policies, not with customers.
        own = customer_id if customer_id in self._customers else None
        place = bucket(customer_key) if self._rolling_out else 0
        asked = (own, feature_id, credit_type_id, place)
        answer = self._answers.get(asked)
        if answer is None:
            if len(self._answers) >= _MEMO_MAX:
                self._answers.clear()
            answer = self._work_out(own, feature_id, credit_type_id, place)
            if self.off:  # what is no decision stays as it was: the overdraft limit that balances show
                answer = replace(answer, mode="OFF", decided_by=_OFF.decided_by)
            self._answers[asked] = answer
        return answer

    def for_everybody(self) -> Effective:
        """What holds where no policy is about the customer, the feature or the credit type, and no rollout leaves it out."""
        answer = self._work_out(None, None, None, 0)
        return replace(answer, mode="OFF", decided_by=_OFF.decided_by) if self.off else answer

    def _work_out(
        self, customer_id: int | None, feature_id: int | None, credit_type_id: int | None, place: int
    ) -> Effective:
        applicable = [
            policy
            for scope in _scopes(customer_id, feature_id, credit_type_id)
            if (policy := self._by_scope.get(scope)) is not None
        ]
        if not applicable:
            return DEFAULT
        winner = applicable[0]
        within = place < winner.rollout_percent
        rollout = "" if winner.rollout_percent == BUCKETS else f", rolled out to {winner.rollout_percent} %"
        failure_policies = (policy.failure_policy for policy in applicable if policy.failure_policy is not None)
        limits = (policy.overdraft_limit_micro for policy in applicable if policy.overdraft_limit_micro is not None)
        mode: Mode = winner.mode if within else "SHADOW"
        failure_policy: FailurePolicy = next(failure_policies, DEFAULT.failure_policy)
        return Effective(
            mode=mode,
            failure_policy=failure_policy,
            overdraft_limit_micro=next(limits, DEFAULT.overdraft_limit_micro),
            decided_by=f"{winner}{rollout}{'' if within else ' and not to this customer'}",
        )


def decide(effective: Effective, needed_micro: int, available_micro: int, *, limit_reached: bool = False) -> Verdict:
    """May `needed_micro` be spent where `available_micro` is left (negative: in overdraft)?

    OFF decides nothing. SHADOW and SOFT allow everything and tell what ENFORCE would say: no, when a spend limit is
    reached (then credits are not asked), or when what is available and the overdraft limit together are less than
    needed. What costs nothing is never refused.
    """
    if effective.mode == "OFF":
        return Verdict(allowed=True, would_block=False, shortfall_micro=0)
    if limit_reached:
        return Verdict(allowed=effective.mode != "ENFORCE", would_block=True, shortfall_micro=0)
    short = needed_micro - available_micro - effective.overdraft_limit_micro
    if needed_micro <= 0 or short <= 0:
        return Verdict(allowed=True, would_block=False, shortfall_micro=0)
    return Verdict(allowed=effective.mode != "ENFORCE", would_block=True, shortfall_micro=short)


def _scopes(customer_id: int | None, feature_id: int | None, credit_type_id: int | None) -> list[Scope]:
    """Every scope that applies, the most specific first. A None that was asked for stands for itself alone."""
    found: list[Scope] = []
    for customer, feature in ((customer_id, feature_id), (customer_id, None), (None, feature_id), (None, None)):
        for credit_type in (credit_type_id, None):
            scope = (customer, feature, credit_type)
            if scope not in found:
                found.append(scope)
    return found
