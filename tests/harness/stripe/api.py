"""The API itself: who asks, what goes wrong, whether it was asked before, and then the call."""

import asyncio
import socket
import struct
import traceback
from collections import Counter
from email.utils import formatdate
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tests.harness.stripe import book as books
from tests.harness.stripe import forms, problems
from tests.harness.stripe.book import Book, Clock, Json
from tests.harness.stripe.deliveries import Deliveries
from tests.harness.stripe.idempotency import Answer, Keys
from tests.harness.stripe.knobs import Knobs
from tests.harness.stripe.listing import expanded
from tests.harness.stripe.problems import Problem
from tests.harness.stripe.routes import Call

LINGER_NOT = struct.pack("ii", 1, 0)  # closing sends RST
TRANSPORT = "fake.transport"  # where the server leaves the connection in ASGI's scope


class Fake:
    """One Stripe: an account with a test mode and a live mode."""

    def __init__(self, seed: int, url: str = "") -> None:
        self.clock = Clock()
        self.knobs = Knobs(seed)
        self.keys = Keys(self.clock)
        self.deliveries = Deliveries(self.knobs)
        self.account = "acct_1FakeOfScripTests"
        self.revoked: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.books: dict[bool, Book] = {}
        for livemode in (False, True):
            other = not livemode
            self.books[livemode] = Book(
                livemode,
                self.account,
                self.clock,
                url,
                tell=self.deliveries.take,
                elsewhere=lambda identity, other=other: identity in self.books[other].objects,
            )

    def book_of(self, identity: str) -> Book:
        """The mode in which there is such an object."""
        return self.books[identity in self.books[True].objects]

    async def answer(self, request: Request, call: Call) -> Response:
        """One call of the API, with what the knobs make of it."""
        self.calls[call.name] += 1
        if self.knobs["reset"].fires(call.name):
            return reset(request)
        if self.knobs["rate_limited"].fires(call.name):
            return self._respond(_refusal(problems.rate_limited()))
        try:
            book = self._authenticate(request)
            sent = (await request.body()).decode() if call.method == "POST" else request.url.query
            key = request.headers.get("idempotency-key", "") if call.method == "POST" else ""
            owner = f"{book.account}:{book.livemode}"
            before = self.keys.begin(owner, key, request.url.path, sent) if key else None
        except Problem as problem:
            return self._respond(_refusal(problem))
        if before is not None:
            return self._respond(before, replayed=True)
        try:
            answer, stored = await self._run(request, call, book, sent, key)
        except BaseException:
            if key:
                self.keys.forget(owner, key)
            raise
        if key:
            if stored:
                self.keys.finish(owner, key, answer)
            else:
                self.keys.forget(owner, key)
        if self.knobs["timeout_after_effect"].fires(call.name):
            await _hang(request, self.knobs["timeout_after_effect"].options["seconds"])
            return reset(request)
        if self.knobs["reset_after_effect"].fires(call.name):
            return reset(request)
        return self._respond(answer)

    async def _run(self, request: Request, call: Call, book: Book, sent: str, key: str) -> tuple[Answer, bool]:
        """The answer, and whether its key remembers it."""
        if self.knobs["slow_before_effect"].fires(call.name):
            await asyncio.sleep(self.knobs["slow_before_effect"].options["seconds"])
        if self.knobs["error_before_effect"].fires(call.name):
            stored = bool(self.knobs["error_before_effect"].options["stored"])
            return _refusal(problems.broken(stored=stored)), stored
        answer, stored = self._act(request, call, book, sent, key)
        if self.knobs["error_after_effect"].fires(call.name):
            answer, stored = _refusal(problems.broken(stored=True)), True
        if self.knobs["slow_after_effect"].fires(call.name):
            await asyncio.sleep(self.knobs["slow_after_effect"].options["seconds"])
        return answer, stored

    def _act(self, request: Request, call: Call, book: Book, sent: str, key: str) -> tuple[Answer, bool]:
        """The work itself, which nothing interrupts."""
        identity = book.new_id("req", 14)
        about = {"request-id": identity}
        if call.method == "POST":
            book.request = books.Request(identity, key or None)
        try:
            form = forms.parse(sent)
            _check_names(call, form)
            result = call.handler(book, form, **request.path_params)
            paths = form.get("expand") or []
            body = orjson.dumps(expanded(book, result, paths) if paths else result)
            return Answer(200, body, about), True
        except Problem as problem:
            if problem.status == 404 and problem.body["error"]["param"] not in request.path_params:
                problem.status = 400  # a parameter names it, not the address
            refused = _refusal(problem)
            return Answer(refused.status, refused.body, {**about, **refused.headers}), problem.stored
        except Exception:
            traceback.print_exc()  # a fault of the fake's own, which whoever called only sees as a 500
            raise
        finally:
            book.request = books.Request()

    def _authenticate(self, request: Request) -> Book:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not key:
            raise problems.unauthorized("You did not provide an API key.")
        if not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise problems.unauthorized(f"Invalid API Key provided: {key[:8]}***")
        if key in self.revoked:
            raise problems.unauthorized(f"Expired API Key provided: {key[:8]}***", "api_key_expired")
        return self.books["_live_" in key[:8]]

    def _respond(self, answer: Answer, *, replayed: bool = False) -> Response:
        headers = {"stripe-version": books.API_VERSION, "request-id": self.books[False].new_id("req", 14)}
        headers["date"] = formatdate(self.clock.now(), usegmt=True)
        if replayed:
            first = answer.headers.get("request-id", "")
            headers |= {**answer.headers, "request-id": headers["request-id"]}
            headers |= {"idempotent-replayed": "true", "original-request": first}
        else:
            headers |= answer.headers
        return Response(answer.body, answer.status, headers, media_type="application/json")


def reset(request: Request) -> Response:
    """The connection is gone; what is returned goes nowhere."""
    transport: Any = request.scope[TRANSPORT]
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()
    return Response(status_code=500)


async def _hang(request: Request, seconds: float) -> None:
    """Until whoever asked gives up, `seconds` at most."""
    try:
        async with asyncio.timeout(seconds):
            while not await request.is_disconnected():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass


def _refusal(problem: Problem) -> Answer:
    return Answer(problem.status, orjson.dumps(problem.body), problem.headers)


def _check_names(call: Call, form: Json) -> None:
    """Stripe refuses what it does not know; the library's own list says what it knows."""
    for name in form:
        if call.parameters is not None and name not in call.parameters:
            raise problems.invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
