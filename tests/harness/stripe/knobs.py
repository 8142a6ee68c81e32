"""What goes wrong, how often, and how it was drawn: the same seed draws the same faults for the same calls."""

import random
from dataclasses import dataclass, field
from typing import Any

OF_CALLS = {
    "reset": "the connection is reset before anything happened",
    "rate_limited": "429",
    "slow_before_effect": "`seconds` pass before the work, while the idempotency key is in use",
    "error_before_effect": "500 and nothing happened; `stored`: the key remembers it",
    "error_after_effect": "500 although it happened; the key remembers the 500",
    "slow_after_effect": "`seconds` pass after the work, while its webhooks are on their way",
    "timeout_after_effect": "it happened, the answer never comes; the connection hangs `seconds`, then is reset",
    "reset_after_effect": "it happened, the connection is reset instead of an answer",
}
OF_WEBHOOKS = {
    "drop": "never sent, by nobody retried",
    "delay": "sent `seconds` later",
    "duplicate": "sent `copies` times more, at once",
    "shuffle": "kept up to `seconds` with others, sent in any order",
    "forge": "a forgery of one of `kinds` is sent too",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "slow_before_effect": {"seconds": 0.05},
    "slow_after_effect": {"seconds": 0.1},
    "error_before_effect": {"stored": True},
    "timeout_after_effect": {"seconds": 60.0},
    "delay": {"seconds": 0.5},
    "duplicate": {"copies": 1},
    "shuffle": {"seconds": 0.1},
    "forge": {"kinds": None},
}


@dataclass
class Knob:
    """`only`: how the name of the call (`refunds.create`) or event begins. `times`: how often at most."""

    name: str
    random: random.Random
    probability: float = 0.0
    only: str = ""
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    fired: int = 0

    def fires(self, what: str) -> bool:
        if not self.probability or not what.startswith(self.only) or self.times == 0:
            return False
        self.asked += 1
        if self.random.random() >= self.probability:
            return False
        self.fired += 1
        if self.times is not None:
            self.times -= 1
        return True


class Knobs:
    """All of them, each with its own draws so that turning one does not change another's."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.all = {
            name: Knob(name, random.Random(f"{seed}:{name}"), options=dict(DEFAULTS.get(name, {})))
            for name in (*OF_CALLS, *OF_WEBHOOKS)
        }

    def __getitem__(self, name: str) -> Knob:
        return self.all[name]

    def turn(
        self, name: str, probability: float = 1.0, *, only: str = "", times: int | None = None, **options: Any
    ) -> None:
        """From now on; options left out are what they were at the beginning."""
        if name not in self.all:
            raise ValueError(f"no knob {name}; there are {', '.join(self.all)}")
        allowed = DEFAULTS.get(name, {})
        if set(options) - set(allowed):
            raise ValueError(f"{name} has no {', '.join(set(options) - set(allowed))}")
        knob = self.all[name]
        knob.probability, knob.only, knob.times = probability, only, times
        knob.options = {**allowed, **options}

    def off(self) -> None:
        """All of them. What they counted stays."""
        for knob in self.all.values():
            knob.probability = 0.0

    def counters(self) -> dict[str, dict[str, int]]:
        return {name: {"asked": knob.asked, "fired": knob.fired} for name, knob in self.all.items() if knob.asked}
