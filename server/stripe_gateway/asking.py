"""How Stripe is asked: through its own library, within our patience, and what comes back told apart.

Timeouts are ordered: connecting < one attempt < all attempts < the 30 s that callers of a host usually have. What can be
asked again is asked again, with jitter: the library does so after a lost connection, a 409 and most 5xx; we do after a
429. A POST carries an idempotency key of ours each time, so that asking again finds what the first asking made.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import httpx
import stripe
from stripe import HTTPXClient, StripeClient, StripeObject, StripeResponse

from credits.recharge.provider import PayerUnknown, ProviderRefused, ProviderUnavailable

logger = logging.getLogger(__name__)

Json: TypeAlias = dict[str, Any]
Question: TypeAlias = Callable[[], Awaitable[StripeObject | StripeResponse]]
V1: TypeAlias = Any  # the library's services; their typed parameters know less than our documents say

API_VERSION = "2026-10-28.endive"  # pinned: what Stripe's objects look like does not change under us
API_BASE = "https://api.stripe.com"

CONNECT_S = 3.0
ATTEMPT_S = 8.0
PATIENCE_S = 15.0  # for one question, all attempts counted
VERB_S = 25.0  # for all questions of what a caller waits for
RETRIES = 2
_LIMITED_RETRIES = 3
_LIMITED_S = 0.4
_PAGE = 100
_REPLAYED = "idempotent-replayed"
_AT_ONCE = 20  # questions of one process: Stripe takes 25 a second in test mode, 100 in live mode

stripe.enable_telemetry = False  # it would keep an id on the disk, and tell Stripe how long our requests took


class Refused(ProviderRefused):
    """Stripe says that what was asked for is wrong. `code` and `param` are its own."""

    def __init__(self, message: str, code: str | None, param: str | None) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class Stranger(Refused, PayerUnknown):
    """Stripe knows no such customer."""


class KeyUseless(ProviderUnavailable):
    """The idempotency key answers no more: it has been used with other words, or an error is kept under it."""


class Declined(Exception):
    """The card said no. `error` is Stripe's error as JSON, with the payment intent."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error.get("code")))
        self.error = error


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """What takes longer raises `ProviderUnavailable`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ProviderUnavailable(f"no answer within {seconds:g} s") from error


class Asker:
    """Asks one account of Stripe. One per process; `close` ends its connections."""

    def __init__(self, key: str, base: str | None = None, *, patience_s: float = PATIENCE_S) -> None:
        self._http = HTTPXClient(timeout=httpx.Timeout(min(ATTEMPT_S, patience_s), connect=CONNECT_S))
        self._client = StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": (base or API_BASE).rstrip("/")},
            max_network_retries=RETRIES,
            http_client=self._http,
        )
        self.v1: V1 = self._client.v1
        self._patience_s = patience_s
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def ask_new(self, question: Callable[[], Awaitable[StripeObject]]) -> tuple[Json, bool]:
        """As `ask`; and whether the answer is an old one, which an idempotency key keeps: things may be otherwise now."""
        old: list[bool] = []

        async def noted() -> StripeObject:
            answer = await question()
            headers = {} if answer.last_response is None else dict(answer.last_response.headers)
            old.append(any(name.lower() == _REPLAYED and value == "true" for name, value in headers.items()))
            return answer

        return await self.ask(noted), old[-1]

    async def ask(self, question: Question) -> Json:
        """The answer as JSON. Raises `ProviderUnavailable`, `KeyUseless`, `Refused` or `Declined`."""
        try:
            async with self._turn, within(self._patience_s):
                return await self._within_limits(question)
        except stripe.StripeError as error:
            raise _told_apart(error) from error
        except (ValueError, LookupError, AttributeError) as error:  # an answer that the library cannot take apart
            raise ProviderUnavailable(f"an answer that is none of Stripe's: {type(error).__name__}") from error

    async def _within_limits(self, question: Question) -> Json:
        for attempt in range(_LIMITED_RETRIES):
            try:
                return _plain(await question())
            except stripe.RateLimitError:
                # Where everybody comes back at once, the limit is passed again.
                await asyncio.sleep(_LIMITED_S * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
        return _plain(await question())

    async def events(self, asked: Json) -> StripeResponse:
        """A page of events as it is: the library's objects of a hundred of them would keep the process busy for 30 ms."""
        answer: StripeResponse = await self._client.raw_request_async("get", "/v1/events", **asked)
        return answer

    async def find(self, question: Question) -> Json | None:
        """As `ask`; None where Stripe knows no such object."""
        try:
            return await self.ask(question)
        except Refused as refused:
            if refused.code == "resource_missing":
                return None
            raise

    async def pages(
        self, listing: Callable[[Json], Awaitable[StripeObject | StripeResponse]], params: Json, *, most: int = 100
    ) -> AsyncIterator[Json]:
        """Every object of a list, newest first. Raises `ProviderUnavailable` after `most` pages: a list cut short would
        be taken for a whole one."""
        after: Json = {}
        for _ in range(most):
            asked = {**params, "limit": _PAGE, **after}
            page = await self.ask(lambda asked=asked: listing(asked))  # type: ignore[misc]
            items: list[Json] = page["data"]
            for item in items:
                yield item
            if not page["has_more"] or not items:
                return
            after = {"starting_after": items[-1]["id"]}
        raise ProviderUnavailable(f"a list of more than {most * _PAGE} objects")

    async def balance(self) -> tuple[Json, str | None]:
        """Our balance at Stripe, and the `Date` of its answer: what `scrip doctor` looks at."""
        dates: list[str] = []

        async def question() -> StripeObject:
            found: StripeObject = await self.v1.balance.retrieve_async()
            if found.last_response is not None:
                dates.extend(value for name, value in found.last_response.headers.items() if name.lower() == "date")
            return found

        balance = await self.ask(question)
        return balance, dates[-1] if dates else None


def _plain(answer: StripeObject | StripeResponse) -> Json:
    return dict(answer.data) if isinstance(answer, StripeResponse) else answer.to_dict()  # type: ignore[call-overload]


def _told_apart(error: stripe.StripeError) -> Exception:
    """What an error of the library means: was it refused, declined, or is it not known what happened?"""
    match error:
        case stripe.CardError():
            body = error.json_body
            return Declined(dict(body["error"]) if isinstance(body, dict) else {"code": error.code})
        case stripe.IdempotencyError():
            return KeyUseless(error.user_message or "idempotency key")
        case stripe.InvalidRequestError():
            known = (error.code, error.param) != ("resource_missing", "customer")
            return (Refused if known else Stranger)(error.user_message or "invalid request", error.code, error.param)
        case stripe.AuthenticationError() | stripe.PermissionError():
            # No order is wrong because a key was rolled: whoever asks with the right one is answered.
            logger.error("Stripe does not take our secret key for this: %s", type(error).__name__)
            return ProviderUnavailable(f"the secret key is not taken: {error.user_message}")
    text = f"{type(error).__name__}: {error.http_status or 'no answer'}"
    return KeyUseless(text) if (error.http_status or 0) >= 500 else ProviderUnavailable(text)
