"""Idempotency keys as Stripe keeps them: the first answer for 24 hours, and no other parameters under one key."""

from dataclasses import dataclass, field

from tests.harness.stripe import problems
from tests.harness.stripe.book import Clock

KEPT_S = 24 * 3600
LENGTH_MAX = 255


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Kept:
    at: int
    endpoint: str
    parameters: str
    answer: Answer | None = None  # None: the first is still running


@dataclass
class Keys:
    """By account and mode; `replayed` counts stored answers given again, `conflicts` refused uses."""

    clock: Clock
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    replayed: int = 0
    conflicts: int = 0

    def begin(self, owner: str, key: str, endpoint: str, parameters: str) -> Answer | None:
        """None: do it, and say `finish` or `forget`. Else the answer that was given before. Raises 400 and 409."""
        if len(key) > LENGTH_MAX:
            raise problems.invalid(f"Idempotency keys can be up to {LENGTH_MAX} characters long.")
        self.prune()
        before = self.kept.get((owner, key))
        if before is None:
            self.kept[owner, key] = Kept(self.clock.now(), endpoint, parameters)
            return None
        if before.endpoint != endpoint:
            self.conflicts += 1
            raise problems.key_used_elsewhere(key, before.endpoint, endpoint)
        if before.parameters != parameters:
            self.conflicts += 1
            raise problems.key_used_otherwise(key)
        if before.answer is None:
            self.conflicts += 1
            raise problems.key_in_use(key)
        self.replayed += 1
        return before.answer

    def finish(self, owner: str, key: str, answer: Answer) -> None:
        self.kept[owner, key].answer = answer

    def forget(self, owner: str, key: str) -> None:
        """Nothing began: the key may be used again, with other parameters too."""
        del self.kept[owner, key]

    def prune(self) -> None:
        """Takes away what is 24 hours old and not running; the oldest come first."""
        until = self.clock.now() - KEPT_S
        old = []
        for name, kept in self.kept.items():
            if kept.at > until:
                break
            if kept.answer is not None:
                old.append(name)
        for name in old:
            del self.kept[name]
