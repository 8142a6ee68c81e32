"""What the load generator sends: whole HTTP requests, ready but for what must differ."""

import math
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from server.bench.load import LoadFailed, Source

CUSTOMER = "@customer@"
KEY = "@idempotency-key@"
_NUMBER = b"@@@@@@@@"  # of a body; every event id in it begins with it
_DRAWS = 8192
_ZIPF = 1.1  # few customers make most of the usage
_ENTRIES_PER_EVENT = 2  # the bench's catalog meters input and output
_AGE_MAX = timedelta(hours=1)  # of an event when it is sent


@dataclass(frozen=True, slots=True)
class GraphQL:
    """One document with one set of variables, in which CUSTOMER and then KEY may stand, each once at most.

    An answer without `expected` in it ends the run.
    """

    secret: str
    document: str
    variables: dict[str, object]
    customers: tuple[str, ...]  # keys of one length, drawn from evenly
    expected: str
    path: str = "/graphql"

    def source(self) -> Source:
        return _Templated(self)


class _Templated:
    """One request cut into pieces; what differs is put between them."""

    def __init__(self, spec: GraphQL) -> None:
        self._expected = spec.expected.encode()
        self._customers = [key.encode() for key in spec.customers]
        random.shuffle(self._customers)
        body = orjson.dumps({"query": spec.document, "variables": spec.variables})
        self._before, _, rest = body.partition(CUSTOMER.encode())
        self._between, key, self._after = rest.partition(KEY.encode())
        self._keyed = bool(key)
        self._place = 0
        self._head = b""
        length = len(self._fill())
        self._head = _head(spec.path, spec.secret, "application/json", length)
        self._before = self._head + self._before

    def next(self) -> bytes:
        return self._fill()

    def take(self, answer: bytes) -> int:
        if self._expected not in answer:
            raise LoadFailed(f"expected {self._expected.decode()!r}, got {answer[:400].decode(errors='replace')!r}")
        return 1

    def _fill(self) -> bytes:
        self._place = (self._place + 1) % len(self._customers)
        customer = self._customers[self._place]
        key = _uuid() if self._keyed else b""
        return b"%s%s%s%s%s" % (self._before, customer, self._between, key, self._after)


@dataclass(frozen=True, slots=True)
class Events:
    """Bodies of `size` events for `/v1/events`, their customers drawn by Zipf's law; the ids of run `run` are its own.

    An answer is worth the ledger entries that it stands for.
    """

    secret: str
    customers: tuple[str, ...]
    size: int
    run: str
    seed: int = 1

    def source(self) -> Source:
        return _Bodies(self)


class _Bodies:
    """One body, made once; the number of the body stands in each of its events' ids."""

    def __init__(self, spec: Events) -> None:
        self._size, self._number = spec.size, 0
        self._template = b"[%s]" % b",".join(_events(spec))
        self._head = _head("/v1/events", spec.secret, "application/cloudevents-batch+json", len(self._template))

    def next(self) -> bytes:
        self._number += 1
        return self._head + self._template.replace(_NUMBER, b"%08d" % self._number)

    def take(self, answer: bytes) -> int:
        _, _, body = answer.partition(b"\r\n\r\n")
        told = orjson.loads(body)
        if told.get("accepted") != self._size:
            raise LoadFailed(f"of {self._size} events: {body[:400].decode(errors='replace')}")
        return self._size * _ENTRIES_PER_EVENT


def _events(spec: Events) -> list[bytes]:
    draw = random.Random(spec.seed)  # noqa: S311 -- a workload, no secret
    weights = [1 / rank**_ZIPF for rank in range(1, len(spec.customers) + 1)]
    now = datetime.now(UTC)
    events = []
    for number, customer in enumerate(draw.choices(spec.customers, weights, k=spec.size)):
        time = now - _AGE_MAX * draw.random()
        event = {
            "specversion": "1.0",
            "id": f"{spec.run}-{_NUMBER.decode()}-{number:05}",
            "source": "bench",
            "type": "llm.tokens",
            "subject": customer,
            "time": time.isoformat(timespec="microseconds"),
            "data": {"model": "chat", "input_tokens": _tokens(draw, 1020), "output_tokens": _tokens(draw, 129)},
        }
        events.append(orjson.dumps(event))
    return events


def _tokens(draw: random.Random, median: int) -> int:
    """As in published traces of chats: a long tail, never nothing."""
    return max(1, min(14_050, round(draw.lognormvariate(math.log(median), 1.1))))


def _head(path: str, secret: str, content_type: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {secret}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def _uuid() -> bytes:
    """Random, 36 characters, as hosts make their idempotency keys; a tenth of `uuid4`'s time."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}".encode()
