"""All objects of one mode, test or live: found by id, listed newest first, and each change told as an event."""

import itertools
import random
import string
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.harness.stripe.problems import missing

Json = dict[str, Any]
API_VERSION = "2026-10-28.endive"
ALPHABET = string.ascii_letters + string.digits
EVENTS_KEPT_S = 30 * 86400


class Clock:
    """Stripe's time: the real one, and as far ahead as a test has moved it."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now(self) -> int:
        return int(time.time()) + self.ahead_s


@dataclass
class Request:
    """Whose doing an event is."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass
class Book:
    livemode: bool
    account: str
    clock: Clock
    url: str = ""
    tell: Callable[[Json], None] = lambda _event: None
    tax_basis_points: int = 2000
    search_lag_s: int = 0  # how long search does not see what was made; Stripe says "up to a minute"
    fee_basis_points: int = 290
    refunds_wait: bool = False  # refunds are pending until a test ends them
    request: Request = field(default_factory=Request)
    objects: dict[str, Json] = field(default_factory=dict)
    kinds: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    cards: dict[str, str] = field(default_factory=dict)  # payment method → how it behaves
    authenticated: set[str] = field(default_factory=set)  # payment methods set up for off-session use
    elsewhere: Callable[[str], bool] = lambda _identity: False
    _places: dict[str, int] = field(default_factory=dict)  # of an object among those of its kind
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _random: random.Random = field(default_factory=random.SystemRandom)

    def new_id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_{''.join(self._random.choices(ALPHABET, k=length))}"

    def add(self, kind: str, item: Json) -> Json:
        """Kept, and found from now on. Returns it."""
        self.objects[item["id"]] = item
        self._places[item["id"]] = len(self.kinds[kind])
        self.kinds[kind].append(item)
        return item

    def base(self, kind: str, prefix: str) -> Json:
        """What every object begins with."""
        return {"id": self.new_id(prefix), "object": kind, "created": self.clock.now(), "livemode": self.livemode}

    def get(self, kind: str, identity: str, *, param: str = "id") -> Json:
        found = self.objects.get(identity)
        if found is None or found["object"] != kind:
            raise missing(kind, identity, param=param, elsewhere=self.elsewhere(identity))
        return found

    def emit(self, name: str, item: Json, /, **previous: Any) -> Json:
        """An event with the object as it is now; `previous`: what its changed fields were. Told to whoever listens."""
        data: Json = {"object": orjson.loads(orjson.dumps(item))}
        if previous:
            data["previous_attributes"] = previous
        event = self.base("event", "evt") | {
            "api_version": API_VERSION,
            "data": data,
            "pending_webhooks": 0,
            "request": {"id": self.request.id, "idempotency_key": self.request.idempotency_key},
            "type": name,
        }
        self.add("event", event)
        self.tell(event)
        return event

    def newest_first(self, kind: str) -> Iterator[Json]:
        return reversed(self.kinds[kind])

    def older(self, kind: str, than: str | None) -> Iterator[Json]:
        """Newest first; all of them, or what is older than an object of that kind."""
        among = self.kinds[kind]
        first = len(among) if than is None else self._places[than]
        return (among[place] for place in range(first - 1, -1, -1))

    def newer(self, kind: str, than: str) -> Iterator[Json]:
        """Oldest first."""
        among = self.kinds[kind]
        return (among[place] for place in range(self._places[than] + 1, len(among)))
