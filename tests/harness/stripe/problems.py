"""What Stripe answers when it refuses, in its own shape and words."""

from typing import Any

Json = dict[str, Any]


class Problem(Exception):
    """An answer other than 200. `stored`: an idempotency key remembers it, as what happened after the work began."""

    def __init__(
        self, status: int, error: Json, *, stored: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.body: Json = {"error": error}
        self.stored = stored
        self.headers = headers or {}


def invalid(message: str, *, param: str | None = None, code: str | None = None, stored: bool = False) -> Problem:
    """400: the parameters, or (`stored`) what they ask of the state as it is."""
    return Problem(400, _error("invalid_request_error", message, param=param, code=code), stored=stored)


def missing(kind: str, identity: str, *, param: str = "id", elsewhere: bool = False) -> Problem:
    """404. `elsewhere`: it is there in the other mode, test or live."""
    message = f"No such {kind}: '{identity}'"
    if elsewhere:
        message += (
            "; a similar object exists in the other mode, which the key that was used for this request is not for."
        )
    return Problem(404, _error("invalid_request_error", message, param=param, code="resource_missing"))


def declined(message: str, code: str, decline_code: str | None, **about: Any) -> Problem:
    """402: the card was asked. `about`: charge, payment_intent, setup_intent, payment_method."""
    return Problem(402, _error("card_error", message, code=code, decline_code=decline_code, **about), stored=True)


def unauthorized(message: str, code: str | None = None) -> Problem:
    return Problem(401, _error("invalid_request_error", message, code=code))


def rate_limited() -> Problem:
    message = "Request rate limit exceeded. Learn more about rate limits."
    return Problem(429, _error("invalid_request_error", message, code="rate_limit"))


def broken(*, stored: bool) -> Problem:
    """500. A stored one says that asking again would only bring it again."""
    headers = {"stripe-should-retry": "false"} if stored else {}
    message = "Sorry! There was an error while talking to one of our backends."
    return Problem(500, _error("api_error", message), stored=stored, headers=headers)


def key_in_use(key: str) -> Problem:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later."
    )
    return Problem(409, _error("idempotency_error", message, code="idempotency_key_in_use"))


def key_used_otherwise(key: str) -> Problem:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using "
        f"a key other than '{key}' if you meant to execute a different request."
    )
    return Problem(400, _error("idempotency_error", message))


def key_used_elsewhere(key: str, first: str, now: str) -> Problem:
    message = (
        "Keys for idempotent requests can only be used for the same endpoint they were first used for "
        f"('{now}' vs '{first}'). Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Problem(400, _error("idempotency_error", message))


def _error(kind: str, message: str, **more: Any) -> Json:
    return {"type": kind, "message": message} | {name: value for name, value in more.items() if value is not None}
